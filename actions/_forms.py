"""What both forms share: reading an answer, and forgetting it afterwards."""

from __future__ import annotations

from rasa_sdk.events import EventType, SlotSet

EARLY_HELP_SLOTS = ("early_help_need", "early_help_contact", "early_help_consent")
CONCERN_REPORT_SLOTS = ("concern_what", "concern_where", "concern_danger", "concern_consent")


def typed_words(value: object, at_least: int = 1) -> str | None:
    """The answer without outer space; None if a button was pressed or it is shorter than ``at_least``."""
    text = str(value or "").strip()
    return None if text.startswith("/") or len(text) < at_least else text


def forget_answers() -> list[EventType]:
    """Empties the answers of both forms, so that a new one starts clean."""
    return [SlotSet(name, None) for name in (*EARLY_HELP_SLOTS, *CONCERN_REPORT_SLOTS)]
