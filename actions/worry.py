"""Hearing a worry: one true kind thing, then one gentle question, or an offer of somebody to tell."""

from __future__ import annotations

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._topics import GRAVE, topic_of
from actions.consent import ask_consent
from bot import handover
from bot.bootstrap import core

#: What is offered to whom, and the question that a "yes" then answers.
OFFER = {
    _turns.SELF: ("utter_offer_adult", "offer_adult"),
    _turns.FRIEND: ("utter_offer_adult", "offer_adult"),
    _turns.OWN_CHILD: ("utter_offer_help_adult", "offer_help"),
    _turns.OTHER_CHILD: ("utter_offer_report", "offer_report"),
}

#: Questions asked plainly instead of guessing, and their words; for somebody else: the same with _other.
PLAIN_QUESTIONS = {"suicide_thoughts": "utter_ask_suicide_thoughts", "harm": "utter_ask_harm"}
#: Worries under which thoughts of ending one's life may lie: suicide is asked about directly.
DARK = frozenset({"suicide", "self_harm", "low_mood", "eating"})


class ActionHearWorry(Action):
    """Answers a worry of any topic, about anybody. Passes nothing on."""

    def name(self) -> str:
        return "action_hear_worry"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        return hear_worry(dispatcher, tracker, topic_of(tracker) or "low_mood")


def hear_worry(dispatcher: CollectingDispatcher, tracker: Tracker, topic: str) -> list[EventType]:
    """Says what fits the topic and whom it is about; returns what to remember."""
    who = _turns.about(tracker)
    count = int(tracker.get_slot("worries") or 0) + 1
    again = count > 1 and topic == tracker.get_slot("topic")
    dispatcher.utter_message(response="utter_hear_more" if again else _words(topic, who))
    asked = _ask(dispatcher, tracker, topic, who, count, again)
    kept = {"about": who, "topic": topic, "worries": count, "asked": asked}
    if asked in PLAIN_QUESTIONS:
        kept["plainly_asked"] = [*_plainly_asked(tracker), asked]
    return [SlotSet(name, value) for name, value in kept.items()]


def _ask(
    dispatcher: CollectingDispatcher, tracker: Tracker, topic: str, who: str, count: int, again: bool
) -> str:
    with core().store.read() as uow:
        standing = handover.status(uow, tracker.sender_id, core().now())
    if standing.state == handover.WAITING:
        dispatcher.utter_message(response="utter_will_be_read", who=standing.who)
        return "worry"
    if asked := _plain_question(tracker, topic, who, again):
        dispatcher.utter_message(response=PLAIN_QUESTIONS[asked] + ("" if who == _turns.SELF else "_other"))
        return asked
    if who == _turns.SELF and not again and topic in GRAVE:
        dispatcher.utter_message(response="utter_safety_stay")
        return "safe_now"
    chosen = bool(tracker.get_slot("safe_adult"))
    rising = bool(_turns.memory(tracker).get("rising"))
    # The second worry, then every third: no nagging. Worries that add up are offered a person each time.
    if rising or count % 3 == 2 or (chosen and count == 1):
        if chosen:
            return ask_consent(dispatcher, tracker)
        words, asked = OFFER[who]
        if rising and who == _turns.SELF:
            words = "utter_offer_adult_rising"
        dispatcher.utter_message(response=words)
        return asked
    dispatcher.utter_message(response=_question(topic, who))
    return "worry"


def _plain_question(tracker: Tracker, topic: str, who: str, again: bool) -> str | None:
    """The one plain question to ask where a message may tell of harm and may not; each is asked once."""
    unsure = bool(_turns.risk(tracker).get("unsure"))
    asked = None
    if who == _turns.SELF and ((topic == "suicide" and not again) or (unsure and topic in DARK)):
        asked = "suicide_thoughts"
    elif unsure and who != _turns.OTHER_CHILD:  # whoever reports on a child is offered the report instead
        asked = "harm"
    return asked if asked and asked not in _plainly_asked(tracker) else None


def _plainly_asked(tracker: Tracker) -> list[str]:
    return list(tracker.get_slot("plainly_asked") or ())


def _words(topic: str, who: str) -> str:
    if who == _turns.OTHER_CHILD:
        return "utter_hear_other_child"
    return f"utter_hear_{topic}" if who == _turns.SELF else f"utter_hear_{topic}_{who}"


def _question(topic: str, who: str) -> str:
    if who != _turns.SELF:
        return f"utter_wonder_{who}"
    return "utter_listening" if topic in GRAVE or topic == "suicide" else f"utter_wonder_{topic}"
