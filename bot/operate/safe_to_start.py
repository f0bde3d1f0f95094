"""What Earshot refuses to start with, and production without."""

from __future__ import annotations

from bot.areas.authorities import Authorities
from bot.areas.served import UnknownAuthority, served
from bot.content import Content
from bot.custody.retention import RetentionError, load_retention
from bot.settings import ROOT, Settings, SettingsError, read_secrets_file
from bot.signoff import unsigned

#: How the look-up key of a demo begins. Production takes none of a demo's secrets.
DEMO_MARK = "demo-"
#: A random secret has more different characters than this; "changeme-changeme-…" has not.
_FEWEST_CHARACTERS = 12


def refuse_unless_safe(settings: Settings, content: Content) -> None:
    """Refuse to run for an area that is not known, by rules of retention that cannot be used, and in
    production with unsigned wording, secrets of a demo, or without TLS and a second factor.

    Raises:
        SettingsError: says what is missing and how to mend it.
    """
    if settings.areas_served:
        try:
            served(settings.areas_served, Authorities.load())
        except UnknownAuthority as error:
            raise SettingsError(str(error)) from None
    try:
        load_retention()
    except RetentionError as error:
        raise SettingsError(str(error)) from None
    if settings.mode != "production":
        return
    drafts = unsigned(content, ROOT / "data", safety_only=True)
    if drafts and not settings.allow_unsigned_wording:
        raise SettingsError(
            f"{len(drafts)} safety wordings, numbers and phrases are unsigned drafts (earshot drafts "
            "--safety lists them). The "
            "service's safeguarding lead signs them in data/; to start without, in so many "
            "words, set EARSHOT_ALLOW_UNSIGNED_WORDING=true."
        )
    _refuse_known_secrets(settings)
    _refuse_without_tls(settings)
    if not settings.second_factor_required:
        raise SettingsError("Production needs a second factor of everybody at the desk.")


def _refuse_known_secrets(settings: Settings) -> None:
    lookup, keys = settings.lookup_key.get_secret_value(), settings.fernet_keys
    of_a_demo = read_secrets_file()
    known = {key.strip() for key in of_a_demo.get("EARSHOT_KEYS", "").split(",")}
    if lookup.startswith(DEMO_MARK) or lookup == of_a_demo.get("EARSHOT_LOOKUP_KEY") or known & set(keys):
        raise SettingsError(
            "EARSHOT_KEYS and EARSHOT_LOOKUP_KEY are those that a demo made for itself. Production needs "
            "secrets of its own, from outside the checkout: see Settings in docs/architecture.md."
        )
    weak = [name for name, value in [("EARSHOT_LOOKUP_KEY", lookup), *(("EARSHOT_KEYS", key) for key in keys)]
            if len(set(value)) < _FEWEST_CHARACTERS]  # fmt: skip
    if weak:
        raise SettingsError(f"{weak[0]} looks like a placeholder, not like a random secret.")


def _refuse_without_tls(settings: Settings) -> None:
    if not settings.secure_cookies:
        raise SettingsError(
            "Production needs TLS in front of the gateway: set it up, then EARSHOT_SECURE_COOKIES=true."
        )
    if not settings.public_url.startswith("https://"):
        raise SettingsError(
            "Production needs EARSHOT_PUBLIC_URL, the address people use, and it begins with https://."
        )
    if not settings.trusted_proxies or "*" in settings.trusted_proxies:
        raise SettingsError(
            "EARSHOT_TRUSTED_PROXIES must name the proxies that end TLS, and no others: whoever is trusted "
            "can pretend to be any caller, and guess at return codes without being slowed."
        )
