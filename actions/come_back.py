"""Coming back: the code, shown once more; and what was said, said again."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions.consent import asked_before
from bot.bootstrap import core
from bot.codes import HIDDEN
from bot.conversation import give_code
from bot.messages import Channel
from bot.store.models import Message
from bot.transcript import last_said


class ActionReturnCode(Action):
    """Shows the code to come back with; a new one where we can no longer open the old one."""

    def name(self) -> str:
        return "action_return_code"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().uow() as uow:
            conversation = uow.conversation(tracker.sender_id, lock=True)
            if conversation.channel != Channel.WEB.value:
                dispatcher.utter_message(response="utter_code_not_needed")
                return []
            known = bool(conversation.code)
            if not known:
                give_code(uow, conversation)
                uow.commit()
        # The code itself is put in by the web page's door, and is in no transcript.
        dispatcher.utter_message(response="utter_code" if known else "utter_code_new", code=HIDDEN)
        return []


class ActionRepeat(Action):
    """Says again what was said last, with its choices. An open question is asked again by its form."""

    def name(self) -> str:
        return "action_repeat"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if tracker.active_loop_name:
            return []
        with core().store.read() as uow:
            said = last_said(uow, tracker.sender_id)
        for message in said:
            _say_again(dispatcher, message)
        # "yes" and "no" answer the same question as before.
        if asked := _turns.memory(tracker).asked:
            dispatcher.utter_message(json_message={"earshot": {"asked": asked}})
        return [SlotSet("asked", asked_before(tracker) or "nothing")]


def _say_again(dispatcher: CollectingDispatcher, message: Message) -> None:
    offered = message.choices or ()
    buttons = [
        {"title": choice["title"], "payload": choice["payload"]}
        for choice in offered
        if not choice.get("in_card")
    ]
    dispatcher.utter_message(response="utter_said_again", said=message.text or "", buttons=buttons)
    payloads = {choice["id"]: choice["payload"] for choice in offered}
    cards = [
        {**card, "choice": {"title": card["choice"]["title"], "payload": payloads[card["choice"]["id"]]}}
        if card.get("choice")
        else card
        for card in message.cards or ()
    ]
    if cards:
        dispatcher.utter_message(json_message={"earshot": {"cards": cards}})
