"""Asking on about suicide, plainly and in order, as long as nobody is coming.

The order is that of the public ASQ and C-SSRS screeners: thoughts, the wish to end one's life, a plan,
means, tonight. Asking is safe. It stops when a person is coming, or when 999 was said.
"""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._standing import standing
from bot.risk.taxonomy import Category, Level

#: The questions after the first one (thoughts), in order; the response is ``utter_ask_<question>``.
ORDER = ("suicide_wish", "suicide_plan", "suicide_means", "suicide_tonight")
#: After a "no" to these there is nothing further to ask.
ENDS = frozenset({"suicide_wish", "suicide_tonight"})


def plainly_asked(tracker: Tracker) -> list[str]:
    """The plain questions asked so far."""
    return list(tracker.get_slot("plainly_asked") or ())


def next_question(tracker: Tracker) -> str | None:
    """The next question to ask, or None: nothing left, not about suicide, or somebody is coming."""
    memory = _turns.memory(tracker)
    told = (*memory.categories, *(_turns.risk(tracker).get("categories") or ()))
    if Category.SUICIDE not in told or _turns.about(tracker) != _turns.SELF:
        return None
    if memory.level is Level.IMMEDIATE:
        return None  # 999 was said; a question now would stand in its way
    done = plainly_asked(tracker)
    if "suicide_ended" in done:
        return None
    left = [question for question in ORDER if question not in done]
    now = standing(tracker)
    return left[0] if left and now.waiting and not now.on_duty else None


def ask_on(dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType] | None:
    """Asks the next question, if there is one to ask; returns what to remember."""
    question = next_question(tracker)
    if question is None:
        return None
    dispatcher.utter_message(response=f"utter_ask_{question}")
    return [
        SlotSet("asked", question),
        SlotSet("plainly_asked", [*plainly_asked(tracker), question]),
    ]
