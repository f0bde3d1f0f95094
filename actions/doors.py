"""The four doors: who it is about, noted for the risk reading and for staff."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _rounds, _turns
from actions._finding import library
from actions.neglect import go_on
from bot import conversation
from bot.bootstrap import core

ABOUT = {
    "door_me": _turns.SELF,
    "door_friend": _turns.FRIEND,
    "door_parent": _turns.OWN_CHILD,
    "door_concern": _turns.OTHER_CHILD,
}


class ActionGoThroughDoor(Action):
    """Remembers the door and says the words behind it; at the same door again it listens on."""

    def name(self) -> str:
        return "action_go_through_door"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        door = _turns.intent(tracker)
        open_now = None if _turns.pressed(tracker) else _rounds.open_question(tracker)
        if open_now:  # "my nans house" answers the question that was asked; it is no new door
            return go_on(dispatcher, tracker, *open_now)
        if tracker.get_slot("about") and not _turns.sure(tracker):
            # "my stepdad" sounds like a door; whoever came through one does not change it by a guess.
            dispatcher.utter_message(response="utter_listening")
            return [SlotSet("asked", "worry")]
        with core().uow() as uow:
            conversation.note_choice(uow, tracker.sender_id, about=ABOUT[door])
            uow.commit()
        if _told_a_need(tracker, door):
            dispatcher.utter_message(response="utter_door_parent_told")
            return [SlotSet("about", ABOUT[door]), SlotSet("asked", "offer_find")]
        again = tracker.get_slot("about") == ABOUT[door]
        words = f"utter_door_{door.removeprefix('door_')}"
        dispatcher.utter_message(response="utter_listening" if again else words)
        return [SlotSet("about", ABOUT[door]), SlotSet("asked", "worry")]


def _told_a_need(tracker: Tracker, door: str) -> bool:
    """Whether a parent said what they need help with in the words that led them through their door."""
    words = _turns.words(tracker)
    return door == "door_parent" and bool(words) and bool(library().needs.find(words))
