"""What Earshot refuses to start with, and production without."""

from __future__ import annotations

from bot.areas.authorities import Authorities
from bot.areas.served import UnknownAuthority, served
from bot.content import Content
from bot.settings import ROOT, Settings, SettingsError
from bot.signoff import unsigned


def refuse_unless_safe(settings: Settings, content: Content) -> None:
    """Refuse to run for an area that is not known, and in production with unsigned wording or without TLS.

    Raises:
        SettingsError: says what is missing and how to mend it.
    """
    if settings.areas_served:
        try:
            served(settings.areas_served, Authorities.load())
        except UnknownAuthority as error:
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
    if not settings.secure_cookies:
        raise SettingsError(
            "Production needs TLS in front of the gateway: set it up, then EARSHOT_SECURE_COOKIES=true."
        )
