"""Settings: read once, secret, and never half right."""

from __future__ import annotations

import secrets
import stat

import pytest
from cryptography.fernet import Fernet

from bot.content import Content
from bot.custody.retention import RetentionError
from bot.operate.safe_to_start import refuse_unless_safe
from bot.operate.setup import make_secrets
from bot.settings import ROOT, Settings, SettingsError, load_settings, read_secrets_file
from bot.signoff import unsigned

GOOD = {"EARSHOT_KEYS": Fernet.generate_key().decode(), "EARSHOT_LOOKUP_KEY": secrets.token_urlsafe(40)}


@pytest.fixture(autouse=True)
def no_secrets_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EARSHOT_VAR", str(tmp_path))
    for name in GOOD:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_a_missing_secret_refuses_and_is_named(missing: str) -> None:
    with pytest.raises(SettingsError, match=missing):
        load_settings({name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EARSHOT_KEYS", "not-a-key"),
        ("EARSHOT_KEYS", " , "),
        ("EARSHOT_LOOKUP_KEY", "short-secret"),
        ("EARSHOT_PORT", "eighty"),
        ("EARSHOT_MODE", "party"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_told(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({**GOOD, name: value})
    assert name in str(refused.value)
    assert "not-a-key" not in str(refused.value) and "short-secret" not in str(refused.value)


def test_secrets_hide_in_repr() -> None:
    settings = load_settings({**GOOD, "TELEGRAM_BOT_TOKEN": "123:token"})
    for secret in (*GOOD.values(), "123:token"):
        assert secret not in repr(settings)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        load_settings(GOOD).port = 1  # type: ignore[misc]


def test_a_demo_makes_its_secrets_once_and_for_itself_alone(tmp_path) -> None:
    path = make_secrets()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = read_secrets_file()
    make_secrets()
    assert read_secrets_file() == first
    assert load_settings({}).fernet_keys


BEHIND_TLS = {"EARSHOT_SECURE_COOKIES": "true", "EARSHOT_PUBLIC_URL": "https://listen.example.org"}
SIGNED = {"EARSHOT_ALLOW_UNSIGNED_WORDING": "true"}


def production(**more) -> Settings:
    return load_settings({**GOOD, "EARSHOT_MODE": "production", **more})


@pytest.fixture(scope="module")
def content() -> Content:
    return Content.load(ROOT / "data")


def test_production_refuses_unsigned_safety_wording_unless_told_in_so_many_words(content) -> None:
    drafts = {file for file, _ in unsigned(content, ROOT / "data", safety_only=True)}
    assert {"data/responses/safety.yml", "data/responses/numbers.yml", "data/risk/suicide.yml"} <= drafts
    assert {"data/risk/harmless.yml", "data/risk/harmless_home.yml", "data/risk/words.yml"} <= drafts
    with pytest.raises(SettingsError, match="unsigned"):
        refuse_unless_safe(production(**BEHIND_TLS), content)
    refuse_unless_safe(production(**BEHIND_TLS, **SIGNED), content)


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ({"EARSHOT_SECURE_COOKIES": "false"}, "TLS.*EARSHOT_SECURE_COOKIES"),
        ({"EARSHOT_PUBLIC_URL": ""}, "EARSHOT_PUBLIC_URL.*https://"),
        ({"EARSHOT_PUBLIC_URL": "http://listen.example.org"}, "EARSHOT_PUBLIC_URL.*https://"),
        ({"EARSHOT_TRUSTED_PROXIES": ""}, "EARSHOT_TRUSTED_PROXIES"),
        ({"EARSHOT_TRUSTED_PROXIES": "*"}, "EARSHOT_TRUSTED_PROXIES"),
    ],
)
def test_production_refuses_to_run_without_tls(content, missing, told) -> None:
    with pytest.raises(SettingsError, match=told):
        refuse_unless_safe(production(**{**BEHIND_TLS, **SIGNED, **missing}), content)


def test_production_refuses_the_secrets_of_a_demo_wherever_they_come_from(content) -> None:
    make_secrets()
    demo = read_secrets_file()
    assert demo["EARSHOT_LOOKUP_KEY"].startswith("demo-")
    of_their_own = {"EARSHOT_MODE": "production", **BEHIND_TLS, **SIGNED}
    for secret in ("EARSHOT_KEYS", "EARSHOT_LOOKUP_KEY"):
        copied = {**GOOD, secret: demo[secret], **of_their_own}
        with pytest.raises(SettingsError, match="a demo made for itself") as refused:
            refuse_unless_safe(load_settings(copied), content)
        assert demo[secret] not in str(refused.value)
    with pytest.raises(SettingsError, match="a demo made for itself"):
        refuse_unless_safe(load_settings(of_their_own), content)
    refuse_unless_safe(load_settings({}), content)  # a demo itself starts


@pytest.mark.parametrize(
    ("name", "value"),
    [("EARSHOT_LOOKUP_KEY", "changeme" * 6), ("EARSHOT_KEYS", "A" * 43 + "=")],
)
def test_production_refuses_a_placeholder_for_a_secret(content, name, value) -> None:
    with pytest.raises(SettingsError, match=f"{name} looks like a placeholder"):
        refuse_unless_safe(production(**BEHIND_TLS, **SIGNED, **{name: value}), content)


def test_production_refuses_to_run_without_a_second_factor(content, monkeypatch) -> None:
    monkeypatch.setattr(Settings, "second_factor_required", False)
    with pytest.raises(SettingsError, match="second factor"):
        refuse_unless_safe(production(**BEHIND_TLS, **SIGNED), content)


def test_rules_of_retention_that_cannot_be_used_refuse_to_start(content, monkeypatch) -> None:
    def malformed() -> None:
        raise RetentionError("retention.yml: holds no 'rules:'.")

    monkeypatch.setattr("bot.operate.safe_to_start.load_retention", malformed)
    with pytest.raises(SettingsError, match="retention.yml"):
        refuse_unless_safe(load_settings(GOOD), content)


@pytest.mark.parametrize("value", ["proxy.example.org", "10.0.0.0/99"])
def test_a_proxy_is_named_by_its_address(value) -> None:
    with pytest.raises(SettingsError, match="EARSHOT_TRUSTED_PROXIES"):
        load_settings({**GOOD, "EARSHOT_TRUSTED_PROXIES": value})
    assert load_settings({**GOOD, "EARSHOT_TRUSTED_PROXIES": "10.0.0.5, 10.1.0.0/16"}).trusted_proxies == (
        "10.0.0.5,10.1.0.0/16"
    )


@pytest.mark.parametrize("mode", ["demo", "production"])
def test_an_area_that_is_not_known_refuses_to_start(mode: str) -> None:
    settings = load_settings({**GOOD, "EARSHOT_MODE": mode, "EARSHOT_AREAS_SERVED": "Atlantis"})
    with pytest.raises(SettingsError, match="EARSHOT_AREAS_SERVED: Atlantis"):
        refuse_unless_safe(settings, Content.load(ROOT / "data"))
