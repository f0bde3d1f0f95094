"""What no intent fits: keep what may be a worry, say so honestly, and offer a person the second time."""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._topics import topic_of
from actions.worry import OFFER, hear_worry
from bot import handover
from bot.bootstrap import core

#: Responses that ask something open: what comes after them is an answer, understood or not.
OPEN_QUESTIONS = {
    "utter_greet",
    "utter_how_are_you",
    "utter_not_sure_its_a_problem",
    "utter_no_proof",
    "utter_name_no_adult",
    "utter_unsure_ok",
    "utter_correction",
    "utter_fear_children_taken",
    "utter_fear_children_taken_tell",
    "utter_safe_now_yes",
    "utter_not_suicide",
    "utter_not_harm",
}


def answer_unclear(dispatcher: CollectingDispatcher, tracker: Tracker, action: str) -> list[EventType]:
    """Answer a message that was not understood. ``action`` is the name of the action that does so."""
    if _turns.risk(tracker).get("level", "none") != "none" or _turns.risk(tracker).get("unsure"):
        # The detector heard a worry, or something that may be one, that the intents did not.
        return hear_worry(dispatcher, tracker, topic_of(tracker) or "low_mood")
    out_of_scope = _turns.intent(tracker) == "out_of_scope"
    if not out_of_scope and (who := _who_will_read(tracker)):
        # Somebody is on the way: what the program did not follow, they will.
        dispatcher.utter_message(response="utter_safety_added", who=who)
        return [SlotSet("asked", "worry")]
    last_turn = set(_turns.actions_of_last_turn(tracker))
    if action in last_turn:
        dispatcher.utter_message(response="utter_fallback_again")
        return [SlotSet("asked", "nothing")]
    if not out_of_scope and (tracker.get_slot("asked") == "worry" or last_turn & OPEN_QUESTIONS):
        # An answer to an open question deserves more than "I did not get that".
        dispatcher.utter_message(response="utter_heard_not_understood")
        words, asked = OFFER[_turns.about(tracker)]
        dispatcher.utter_message(response=words)
        return [SlotSet("asked", asked)]
    dispatcher.utter_message(response="utter_out_of_scope" if out_of_scope else "utter_fallback")
    return [SlotSet("asked", "nothing")]


def _who_will_read(tracker: Tracker) -> str | None:
    with core().store.read() as uow:
        standing = handover.status(uow, tracker.sender_id, core().now())
    return standing.who if standing.state == handover.WAITING else None
