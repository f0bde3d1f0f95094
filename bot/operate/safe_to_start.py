"""What production refuses to start without."""

from __future__ import annotations

from bot.content import Content
from bot.settings import Settings, SettingsError


def refuse_unless_safe(settings: Settings, content: Content) -> None:
    """Refuse to run in production with unsigned safety wording or without TLS in front.

    Raises:
        SettingsError: says what is missing and how to mend it.
    """
    if settings.mode != "production":
        return
    unsigned = content.drafts(safety_only=True)
    if unsigned and not settings.allow_unsigned_wording:
        raise SettingsError(
            f"{len(unsigned)} safety wordings are unsigned drafts (earshot drafts --safety lists them). The "
            "service's safeguarding lead signs them in data/responses; to start without, in so many "
            "words, set EARSHOT_ALLOW_UNSIGNED_WORDING=true."
        )
    if not settings.secure_cookies:
        raise SettingsError(
            "Production needs TLS in front of the gateway: set it up, then EARSHOT_SECURE_COOKIES=true."
        )
