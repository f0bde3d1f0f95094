"""Deleting, and taking it back."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot import handover
from bot.bootstrap import core


class ActionAskDelete(Action):
    """Asks once before anything is deleted."""

    def name(self) -> str:
        return "action_ask_delete"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        dispatcher.utter_message(response="utter_ask_delete")
        return [SlotSet("asked", "delete")]


class ActionChangedMind(Action):
    """ "It was a joke": true words about what has been sent and what cannot be taken back."""

    def name(self) -> str:
        return "action_changed_mind"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().store.read() as uow:
            standing = handover.status(uow, tracker.sender_id, core().now())
        if standing.state in (handover.WAITING, handover.ACCEPTED):
            dispatcher.utter_message(response="utter_changed_mind_open", who=standing.who)
        else:
            dispatcher.utter_message(response="utter_changed_mind")
        return [SlotSet("asked", "nothing")]
