"""What forms share: reading an answer, leaving a question out, and forgetting answers afterwards."""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import ActiveLoop, EventType, SlotSet

from actions import _turns

EARLY_HELP_SLOTS = (
    "early_help_need",
    "early_help_who",
    "early_help_contact",
    "early_help_time",
    "early_help_along",
    "early_help_consent",
)
CONCERN_REPORT_SLOTS = (
    "concern_what",
    "concern_danger",
    "concern_when",
    "concern_where",
    "concern_town",
    "concern_postcode",
    "concern_council",
    "concern_name",
    "concern_consent",
)
#: Takes down what somebody wants to add, change or keep from somebody, in their own words.
OWN_WORDS_FORM = "own_words_form"
#: What staff read where a question was left out.
LEFT_OUT = "left out"


def typed_words(value: object, at_least: int = 1) -> str | None:
    """The answer without outer space; None if a button was pressed or it is shorter than ``at_least``."""
    text = str(value or "").strip()
    return None if text.startswith("/") or len(text) < at_least else text


def left_out(tracker: Tracker) -> bool:
    """Whether they would rather skip this question."""
    return _turns.intent(tracker) == "skip"


def forget_answers() -> list[EventType]:
    """Empties the answers of both forms, so that a new one starts clean."""
    return [SlotSet(name, None) for name in (*EARLY_HELP_SLOTS, *CONCERN_REPORT_SLOTS, "line_asked")]


def leave_own_words(tracker: Tracker) -> list[EventType]:
    """Ends the question for their own words, if it is open: they went on to something else."""
    if tracker.active_loop_name != OWN_WORDS_FORM:
        return []
    return [ActiveLoop(None), SlotSet("requested_slot", None), SlotSet("typed_words", None)]
