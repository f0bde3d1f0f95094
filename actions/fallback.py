"""What was not understood: a name may be in it; else it is answered as what it is, unclear."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _rounds, _suicide, _turns
from actions._unclear import answer_unclear
from actions.neglect import go_on
from actions.person import ActionChooseSafeAdult, names_an_adult


class ActionFallback(Action):
    """Answers a message that no intent fits, or that is outside what Earshot is for."""

    def name(self) -> str:
        return "action_fallback"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if not _rounds.open_question(tracker) and names_an_adult(tracker):
            return ActionChooseSafeAdult().run(dispatcher, tracker, domain)
        return answer_unclear(dispatcher, tracker, self.name())


class ActionOtherLanguage(Action):
    """Says that it reads English only, and offers a person at once: what it cannot read may be grave."""

    def name(self) -> str:
        return "action_other_language"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if open_now := _rounds.open_question(tracker):
            return go_on(dispatcher, tracker, *open_now)
        risk, words = _turns.risk(tracker), _turns.words(tracker)
        if risk.get("level", "none") != "none" or risk.get("unsure") or any(map(str.isdigit, words)):
            return answer_unclear(dispatcher, tracker, self.name())
        dispatcher.utter_message(response="utter_other_language")
        return [SlotSet("asked", "nothing")]


class ActionListenAgain(Action):
    """No rule or story knows what comes next, such as a "yes" to nothing: ask what they want."""

    def name(self) -> str:
        return "action_listen_again"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if asked_on := _suicide.ask_on(dispatcher, tracker):
            return asked_on
        if self.name() in _turns.actions_of_last_turn(tracker):
            # Twice in a row: the same buttons once more would help nobody.
            dispatcher.utter_message(response="utter_listening")
            return [SlotSet("asked", "worry")]
        dispatcher.utter_message(response="utter_listen_again")
        return [SlotSet("asked", "nothing")]
