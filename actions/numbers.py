"""A number to ring or text, for whoever asks for one: two at most, free ones, what fits the worry first."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._services import say_numbers


class ActionGiveNumber(Action):
    """Gives at most two numbers, and offers to stay."""

    def name(self) -> str:
        return "action_give_number"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        adult = _turns.adult_speaks(tracker)
        dispatcher.utter_message(response="utter_numbers")
        say_numbers(dispatcher, "adult" if adult else "child", tracker.get_slot("topic"), limit=2)
        dispatcher.utter_message(response="utter_numbers_more")
        return [SlotSet("asked", "nothing")]
