"""What every public page is given."""

from __future__ import annotations

from typing import Any

from bot.bootstrap import Core
from bot.look import look_of


def page_context(core: Core) -> dict[str, Any]:
    """Name and look of the body, neutral title, the way out, and the emergency line."""
    return {
        "look": look_of(core.settings),
        "body_name": core.settings.body_name,
        "page_title": core.settings.page_title,
        "exit_url": core.settings.exit_url,
        "emergency": core.content.say("utter_emergency_line"),
    }
