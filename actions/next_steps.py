"""Where things stand and how long it takes, told honestly from the handover and the rota."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from bot import handover
from bot.bootstrap import core


class ActionTellStatus(Action):
    """Answers "what happens next" and "has anyone read it"."""

    def name(self) -> str:
        return "action_tell_status"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().store.read() as uow:
            now = handover.status(uow, tracker.sender_id, core().now())
        next_asked = _turns.intent(tracker) == "what_happens_next"
        words, values = handover.status_words(now)
        if words is None:
            dispatcher.utter_message(response="utter_next_none" if next_asked else "utter_status_none")
            return [SlotSet("asked", "nothing" if next_asked else "offer_adult")]
        dispatcher.utter_message(response=words, **values)
        if next_asked and now.state in (handover.WAITING, handover.ACCEPTED):
            dispatcher.utter_message(response=f"utter_next_{now.state}")
        return [SlotSet("asked", "nothing")]


class ActionHowLong(Action):
    """Answers "how long will it take": by when somebody should answer, or would if it went now."""

    def name(self) -> str:
        return "action_how_long"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().store.read() as uow:
            now = core().now()
            words, values = handover.status_words(handover.status(uow, tracker.sender_id, now))
            if words is None:
                who, by_when, there = handover.expected(uow, tracker.sender_id, now)
                words = "utter_how_long_now" if there else "utter_how_long_later"
                values = {"who": who, "by_when": by_when}
        dispatcher.utter_message(response=words, **values)
        return [SlotSet("asked", "nothing")]
