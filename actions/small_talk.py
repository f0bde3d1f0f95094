"""Listening on, and small questions for whoever cannot find the words."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _rounds, _turns
from actions._reflection import person_meant
from actions.neglect import go_on, next_of_round

SMALL_QUESTIONS = ("utter_ask_face", "utter_how_today", "utter_who_is_around")
#: The five faces of ``utter_ask_face``, as its buttons name them.
FACES = frozenset({"good", "ok", "sad", "scared", "angry"})


class ActionKeepListening(Action):
    """Says that it listens; whatever comes next is taken as part of the worry. A face is answered."""

    def name(self) -> str:
        return "action_keep_listening"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        face = next(tracker.get_latest_entity_values("feeling"), None)
        dispatcher.utter_message(response=f"utter_face_{face}" if face in FACES else "utter_listening")
        return [SlotSet("asked", "worry")]


class ActionSmallQuestion(Action):
    """Asks the next small question, one at a time, in turn."""

    def name(self) -> str:
        return "action_small_question"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        turn = _turns.times_run(tracker, self.name())
        dispatcher.utter_message(response=SMALL_QUESTIONS[turn % len(SMALL_QUESTIONS)])
        return [SlotSet("asked", "worry")]


class ActionSkip(Action):
    """ "skip": the next small question if there is one, else what else there is to do."""

    def name(self) -> str:
        return "action_skip"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if open_now := _rounds.open_question(tracker):
            return go_on(dispatcher, tracker, *open_now)
        asked_harm = "utter_ask_harm" in _turns.said_last_turn(tracker)
        if asked_harm and (going_on := next_of_round(dispatcher, tracker)):
            return going_on
        dispatcher.utter_message(response="utter_no_need")
        return [SlotSet("asked", "nothing")]


class ActionImOk(Action):
    """ "im ok": in a round it is an answer; otherwise they are told that they can come back."""

    def name(self) -> str:
        return "action_im_ok"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if open_now := _rounds.open_question(tracker):
            return go_on(dispatcher, tracker, *open_now)
        dispatcher.utter_message(response="utter_im_ok")
        return [SlotSet("asked", "nothing")]


class ActionCorrect(Action):
    """ "no i meant my brother": says back whom they mean, or asks to hear it again."""

    def name(self) -> str:
        return "action_correct"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        person = person_meant(_turns.words(tracker))
        if person:
            dispatcher.utter_message(response="utter_correction_who", person=person)
        else:
            dispatcher.utter_message(response="utter_correction")
        return [SlotSet("asked", "worry")]
