"""What production refuses to start without."""

from __future__ import annotations

from bot.content import Content
from bot.settings import ROOT, Settings, SettingsError
from bot.signoff import unsigned


def refuse_unless_safe(settings: Settings, content: Content) -> None:
    """Refuse to run in production with unsigned safety wording or without TLS in front.

    Raises:
        SettingsError: says what is missing and how to mend it.
    """
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
    if not settings.secure_cookies:
        raise SettingsError(
            "Production needs TLS in front of the gateway: set it up, then EARSHOT_SECURE_COOKIES=true."
        )
