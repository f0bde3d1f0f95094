"""In their own words: what would be sent is shown, and nothing goes without a yes."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot import conversation, handover, rota
from bot.bootstrap import core


class ActionAskConsent(Action):
    """Shows the exact words and asks."""

    def name(self) -> str:
        return "action_ask_consent"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        return [SlotSet("asked", ask_consent(dispatcher, tracker))]


class ActionPassOn(Action):
    """Passes the words on after a yes that came straight after the question."""

    def name(self) -> str:
        return "action_pass_on"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().uow() as uow:
            words = conversation.own_words(uow, tracker.sender_id)
            opened = handover.open_handover(
                uow,
                tracker.sender_id,
                kind=handover.MESSAGE,
                now=core().now(),
                details={"words": "\n".join(_shown(tracker, words))},
            )
            uow.commit()
        dispatcher.utter_message(response="utter_passed_on", who=opened.who, by_when=opened.by_when)
        return [SlotSet("asked", "nothing")]


def _shown(tracker: Tracker, words: list[str]) -> list[str]:
    """The words without the answer that gave consent: what was shown is what is sent."""
    answer = str(tracker.latest_message.get("text") or "")
    return words[:-1] if words and words[-1] == answer else words


def ask_consent(dispatcher: CollectingDispatcher, tracker: Tracker, safe_adult: str | None = None) -> str:
    """Shows the words and asks; returns the question that was asked, for the slot ``asked``."""
    wanted = safe_adult or tracker.get_slot("safe_adult")
    with core().store.read() as uow:
        words = conversation.own_words(uow, tracker.sender_id)
        adult = next((a for a in rota.safe_adults(uow, None, core().now()) if a.id == wanted), None)
    if not words:
        dispatcher.utter_message(response="utter_consent_nothing_yet")
        return "worry"
    quoted = "\n".join(words)
    if adult:
        dispatcher.utter_message(response="utter_consent_words", adult=adult.name, words=quoted)
        if not adult.on_duty:
            dispatcher.utter_message(response="utter_consent_adult_away", adult=adult.name)
    else:
        dispatcher.utter_message(response="utter_consent_words_team", words=quoted)
    dispatcher.utter_message(response="utter_ask_consent")
    return "consent"
