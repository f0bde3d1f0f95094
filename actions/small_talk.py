"""Listening on, and small questions for whoever cannot find the words."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns

SMALL_QUESTIONS = ("utter_how_body", "utter_how_today", "utter_who_is_around")


class ActionKeepListening(Action):
    """Says that it listens; whatever comes next is taken as part of the worry."""

    def name(self) -> str:
        return "action_keep_listening"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        dispatcher.utter_message(response="utter_listening")
        return [SlotSet("asked", "worry")]


class ActionSmallQuestion(Action):
    """Asks the next small question, one at a time, in turn."""

    def name(self) -> str:
        return "action_small_question"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        turn = _turns.times_run(tracker, self.name())
        dispatcher.utter_message(response=SMALL_QUESTIONS[turn % len(SMALL_QUESTIONS)])
        return [SlotSet("asked", "worry")]
