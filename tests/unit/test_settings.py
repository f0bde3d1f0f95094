"""Settings: read once, secret, and never half right."""

from __future__ import annotations

import stat

import pytest
from cryptography.fernet import Fernet

from bot.content import Content
from bot.operate.safe_to_start import refuse_unless_safe
from bot.operate.setup import make_secrets
from bot.settings import ROOT, Settings, SettingsError, load_settings, read_secrets_file
from bot.signoff import unsigned

GOOD = {"EARSHOT_KEYS": Fernet.generate_key().decode(), "EARSHOT_LOOKUP_KEY": "k" * 40}


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


def production(**more) -> Settings:
    return load_settings({**GOOD, "EARSHOT_MODE": "production", **more})


def test_production_refuses_unsigned_safety_wording_unless_told_in_so_many_words() -> None:
    content = Content.load(ROOT / "data")
    drafts = {file for file, _ in unsigned(content, ROOT / "data", safety_only=True)}
    assert {"data/responses/safety.yml", "data/responses/numbers.yml", "data/risk/suicide.yml"} <= drafts
    with pytest.raises(SettingsError, match="unsigned"):
        refuse_unless_safe(production(EARSHOT_SECURE_COOKIES="true"), content)
    told = production(EARSHOT_SECURE_COOKIES="true", EARSHOT_ALLOW_UNSIGNED_WORDING="true")
    refuse_unless_safe(told, content)


def test_production_refuses_to_run_without_tls() -> None:
    content = Content.load(ROOT / "data")
    with pytest.raises(SettingsError, match="TLS"):
        refuse_unless_safe(production(EARSHOT_ALLOW_UNSIGNED_WORDING="true"), content)


@pytest.mark.parametrize("mode", ["demo", "production"])
def test_an_area_that_is_not_known_refuses_to_start(mode: str) -> None:
    settings = load_settings({**GOOD, "EARSHOT_MODE": mode, "EARSHOT_AREAS_SERVED": "Atlantis"})
    with pytest.raises(SettingsError, match="EARSHOT_AREAS_SERVED: Atlantis"):
        refuse_unless_safe(settings, Content.load(ROOT / "data"))
