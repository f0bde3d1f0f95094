"""Where things stand, told honestly from the state of the handover."""

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
        if now.state == "none" and not next_asked:
            dispatcher.utter_message(response="utter_status_none")
            return [SlotSet("asked", "offer_adult")]
        if now.state == "none":
            dispatcher.utter_message(response="utter_next_none")
        elif now.state == handover.WAITING:
            dispatcher.utter_message(response="utter_status_waiting", who=now.who, by_when=now.by_when)
        elif now.state == handover.ACCEPTED:
            dispatcher.utter_message(response="utter_status_accepted", who=now.who)
        elif now.outcome:
            dispatcher.utter_message(response="utter_status_closed", outcome=now.outcome)
        else:
            dispatcher.utter_message(response="utter_status_closed_plain")
        if next_asked and now.state in (handover.WAITING, handover.ACCEPTED):
            dispatcher.utter_message(response=f"utter_next_{now.state}")
        return [SlotSet("asked", "nothing")]
