"""After the safety words: is it safe now, the plain questions, and somebody looking at the screen."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _suicide
from actions._standing import standing
from bot.bootstrap import core
from bot.messages import Channel


class ActionSafeNow(Action):
    """They are safe: glad words, or the next plain question if it is about suicide and nobody is coming."""

    def name(self) -> str:
        return "action_safe_now"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if asked := _suicide.ask_on(dispatcher, tracker):
            return asked
        dispatcher.utter_message(response="utter_safe_now_yes")
        return [SlotSet("asked", "worry")]


class ActionNotSuicide(Action):
    """A "no" or "I don't know" to a plain question about suicide: the next one, or staying with them."""

    def name(self) -> str:
        return "action_not_suicide"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        done = _suicide.plainly_asked(tracker)
        if tracker.get_slot("asked") not in _suicide.ENDS and (asked := _suicide.ask_on(dispatcher, tracker)):
            return asked
        now = standing(tracker)
        dispatcher.utter_message(response="utter_suicide_stay", who=now.who, by_when=now.by_when)
        return [SlotSet("asked", "worry"), SlotSet("plainly_asked", [*done, "suicide_ended"])]


class ActionGoQuiet(Action):
    """Somebody can see the screen: a few neutral words, no question, nothing that tells what this is."""

    def name(self) -> str:
        return "action_go_quiet"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        # Only the web page has a Leave button.
        with core().store.read() as uow:
            conversation = uow.conversation(tracker.sender_id)
            on_telegram = conversation is not None and conversation.channel == Channel.TELEGRAM.value
        dispatcher.utter_message(response="utter_go_quiet_telegram" if on_telegram else "utter_go_quiet")
        return [SlotSet("asked", "nothing")]
