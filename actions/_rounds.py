"""Small questions in a row: one at a time, each can be skipped, any message may be the answer or not.

A round is no form: whatever else is asked in between is answered by its own rule, and what was answered
is kept. The question that is open is the one that was said last turn, so nothing has to be cleared.
"""

from __future__ import annotations

from collections.abc import Sequence

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns

#: The response that asks for something: this and its name ("utter_ask_sign_food").
SIGN, PLAN = "utter_ask_sign_", "utter_ask_plan_"
#: The signs of data/risk/signs.yml, what is easiest to say first.
SIGNS = (
    "food",
    "home",
    "clothes_and_washing",
    "doctor_and_dentist",
    "school",
    "safety",
    "love_and_attention",
)
#: A plan for tonight: where, who is near, and one thing that helps.
PLANS = ("where", "who", "thing")
#: Intents that leave a question unanswered, and the one that is an answer of its own.
SKIPPED, FINE = frozenset({"skip", "unsure"}), frozenset({"im_ok", "affirm", "safe_now_yes"})
#: What is kept when a button says that all is well: no words of theirs, so a mark for staff.
FINE_MARK = "ok"


def open_question(tracker: Tracker) -> tuple[str, str] | None:
    """The round and the name of the question that was asked last turn; None if none was."""
    for response in _turns.said_last_turn(tracker):
        for kind in (SIGN, PLAN):
            if response.startswith(kind):
                return kind, response.removeprefix(kind)
    return None


def asked(tracker: Tracker, kind: str) -> list[str]:
    """The questions of a round that were asked so far, answered or not."""
    names = (entry.split(": ", 1)[0] for entry in tracker.get_slot("told") or ())
    return [name.removeprefix(kind) for name in names if name.startswith(kind)]


def known_signs(tracker: Tracker) -> set[str]:
    """The signs that need no asking: named before or in this message."""
    return {*_turns.memory(tracker).signs, *(_turns.risk(tracker).get("signs") or ())}


def noted(tracker: Tracker, kind: str, name: str) -> list[str]:
    """The slot ``told`` with this message as the answer to a question; no words if it was skipped."""
    intent = _turns.intent(tracker)
    words = _turns.words(tracker)
    if intent in SKIPPED:
        words = ""
    elif not words and intent in FINE:
        words = FINE_MARK
    return [*(tracker.get_slot("told") or ()), f"{kind}{name}: {words}"]


def left(tracker: Tracker, kind: str, done: Sequence[str] = ()) -> list[str]:
    """The questions of a round still to ask."""
    names = SIGNS if kind == SIGN else PLANS
    without = {*asked(tracker, kind), *done}
    if kind == SIGN:
        without |= known_signs(tracker)
    return [name for name in names if name not in without]


def ask(dispatcher: CollectingDispatcher, kind: str, name: str) -> SlotSet:
    """Asks one question of a round."""
    dispatcher.utter_message(response=f"{kind}{name}")
    return SlotSet("asked", "round")


def acknowledgement(tracker: Tracker, kind: str) -> str:
    """The response that takes an answer in before the next question."""
    if _turns.intent(tracker) in SKIPPED:
        return "utter_round_skipped"
    if kind == PLAN:
        return "utter_plan_step"
    # Only the button says for certain that all is well: "just crisps" sounds well to a classifier too.
    fine = _turns.pressed(tracker) and _turns.intent(tracker) in FINE
    return "utter_round_fine" if fine else "utter_round_taken_in"
