"""Help with what to say to somebody, by who would say it."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns


class ActionHelpMeTell(Action):
    """Offers words to say, and to pass on what was told here instead."""

    def name(self) -> str:
        return "action_help_me_tell"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if _turns.adult_speaks(tracker):
            dispatcher.utter_message(response="utter_help_me_tell_adult")
            return [SlotSet("asked", "offer_help")]
        friend = _turns.about(tracker) == _turns.FRIEND
        dispatcher.utter_message(response="utter_help_me_tell_friend" if friend else "utter_help_me_tell")
        return [SlotSet("asked", "pass_on")]


class ActionHelpFriend(Action):
    """What a friend can do: tell together, tell for them, or words for tonight."""

    def name(self) -> str:
        return "action_help_friend"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        dispatcher.utter_message(response="utter_friend_options")
        # From here on it is about the friend, whichever door they came through.
        return [SlotSet("about", _turns.FRIEND), SlotSet("asked", "worry")]
