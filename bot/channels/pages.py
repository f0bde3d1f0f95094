"""What every public page is given."""

from __future__ import annotations

from typing import Any

from bot.bootstrap import Core


def page_context(core: Core) -> dict[str, Any]:
    """Name of the body, neutral title, the way out, and the emergency line."""
    return {
        "body_name": core.settings.body_name,
        "page_title": core.settings.page_title,
        "exit_url": core.settings.exit_url,
        "emergency": core.content.say("utter_emergency_line"),
    }
