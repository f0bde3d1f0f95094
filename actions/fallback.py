"""What was not understood: say so, keep what may be a worry, and offer a person the second time."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._topics import topic_of
from actions.worry import OFFER, hear_worry

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
}


class ActionFallback(Action):
    """Answers a message that no intent fits, or that is outside what Earshot is for."""

    def name(self) -> str:
        return "action_fallback"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if _turns.risk(tracker).get("level", "none") != "none":
            # The detector heard a worry that the intents did not.
            return hear_worry(dispatcher, tracker, topic_of(tracker) or "low_mood")
        last_turn = set(_turns.actions_of_last_turn(tracker))
        if self.name() in last_turn:
            dispatcher.utter_message(response="utter_fallback_again")
            return [SlotSet("asked", "nothing")]
        unclear = _turns.intent(tracker) == "nlu_fallback"
        if unclear and (tracker.get_slot("asked") == "worry" or last_turn & OPEN_QUESTIONS):
            # An answer to an open question deserves more than "I did not get that".
            dispatcher.utter_message(response="utter_heard_not_understood")
            words, asked = OFFER[_turns.about(tracker)]
            dispatcher.utter_message(response=words)
            return [SlotSet("asked", asked)]
        dispatcher.utter_message(response="utter_fallback" if unclear else "utter_out_of_scope")
        return [SlotSet("asked", "nothing")]


class ActionListenAgain(Action):
    """No rule or story knows what comes next, such as a "yes" to nothing: ask what they want."""

    def name(self) -> str:
        return "action_listen_again"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        dispatcher.utter_message(response="utter_listen_again")
        return [SlotSet("asked", "nothing")]
