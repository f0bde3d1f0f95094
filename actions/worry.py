"""Hearing a worry: a little said back, one true kind thing, one gentle question, and offers now and then."""

from __future__ import annotations

from dataclasses import dataclass

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _rounds, _suicide, _turns
from actions._reflection import age, reflection
from actions._standing import Standing, standing
from actions._topics import ANY_WORRY, GRAVE, TOPICS, WORTH_KNOWING, topic_of, topics_of
from actions.consent import ask_consent
from actions.neglect import go_on
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
#: Up to this age, in years, a child is shown faces to pick from.
YOUNG = 10


@dataclass(frozen=True)
class Heard:
    """One worry as it is answered: whose, what about, and what came before it."""

    topic: str
    who: str
    count: int  # of the worries in this conversation, this one included
    again: bool  # they go on about the same thing
    back: bool  # they come back to a thing they had left


class ActionHearWorry(Action):
    """Answers a worry of any topic, about anybody. Passes nothing on."""

    def name(self) -> str:
        return "action_hear_worry"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if open_now := _rounds.open_question(tracker):
            return go_on(dispatcher, tracker, *open_now)
        return hear_worry(dispatcher, tracker, topic_of(tracker))


def hear_worry(dispatcher: CollectingDispatcher, tracker: Tracker, topic: str | None) -> list[EventType]:
    """Says what fits the topic and whom it is about; returns what to remember.

    ``topic`` is None where the detector heard none: then it is what they were just talking about.
    """
    before = list(tracker.get_slot("topics") or ())
    last = tracker.get_slot("topic")
    if last in topics_of(tracker):
        topic = last  # a message of two kinds goes on about the one they were telling
    topic = topic or (last if last in TOPICS else ANY_WORRY)
    who = _turns.about(tracker)
    heard = Heard(
        topic=topic,
        who=who,
        count=int(tracker.get_slot("worries") or 0) + 1,
        again=bool(before) and topic == last,
        back=topic in before and topic != last,
    )
    now = standing(tracker)
    kept = {
        "about": who,
        "topic": topic,
        "worries": heard.count,
        "topics": [*before, *([] if topic in before else [topic])],
    }
    if asked_on := _suicide.ask_on(dispatcher, tracker):
        return [*(SlotSet(name, value) for name, value in kept.items()), *asked_on]
    kept |= _answer(dispatcher, tracker, heard)
    asked = _ask(dispatcher, tracker, heard, now)
    kept["asked"] = asked
    if asked in PLAIN_QUESTIONS:
        kept["plainly_asked"] = [*_suicide.plainly_asked(tracker), asked]
    return [SlotSet(name, value) for name, value in kept.items()]


def ask_gently(dispatcher: CollectingDispatcher, tracker: Tracker) -> None:
    """One gentle question about what they were telling."""
    topic = tracker.get_slot("topic")
    heard = Heard(topic if topic in TOPICS else ANY_WORRY, _turns.about(tracker), 0, again=True, back=False)
    dispatcher.utter_message(response=_question(tracker, heard))


def _answer(dispatcher: CollectingDispatcher, tracker: Tracker, heard: Heard) -> dict[str, list[str]]:
    """Says that it was heard; returns what was said of the things that are said once."""
    once = list(tracker.get_slot("said_once") or ())
    if heard.back:
        thing = core().content.say(f"utter_label_{heard.topic}")
        dispatcher.utter_message(response="utter_back_to", thing=thing)
        return {"said_once": once}
    said_back = reflection(_turns.words(tracker)) if heard.who == _turns.SELF else None
    if said_back and (mark := " ".join(said_back[1].values())) not in once:
        dispatcher.utter_message(response=said_back[0], **said_back[1])
        once.append(mark)
        if heard.again:
            return {"said_once": once}
    dispatcher.utter_message(response="utter_hear_more" if heard.again else _words(heard.topic, heard.who))
    return {"said_once": once}


def _ask(dispatcher: CollectingDispatcher, tracker: Tracker, heard: Heard, now: Standing) -> str:
    """Asks one thing, or says one thing that helps; returns the question, for the slot ``asked``."""
    topic, who = heard.topic, heard.who
    if now.waiting:
        if asked := _offer_round(dispatcher, tracker, heard):
            return asked
        words = _worth_knowing(tracker, heard, at_once=True) or _while_waiting(tracker)
        dispatcher.utter_message(response=words, who=now.who)
        return "worry"
    if asked := _plain_question(tracker, heard):
        dispatcher.utter_message(response=PLAIN_QUESTIONS[asked] + ("" if who == _turns.SELF else "_other"))
        return asked
    if who == _turns.SELF and not heard.again and not heard.back and topic in GRAVE:
        dispatcher.utter_message(response="utter_safety_stay")
        return "safe_now"
    chosen = bool(tracker.get_slot("safe_adult"))
    rising = _turns.memory(tracker).rising
    # The second worry, then every third: no nagging. Worries that add up are offered a person each time.
    if rising or heard.count % 3 == 2 or (chosen and heard.count == 1):
        if chosen:
            return ask_consent(dispatcher, tracker)
        words, asked = OFFER[who]
        if rising and who == _turns.SELF:
            words = "utter_offer_adult_rising"
        dispatcher.utter_message(response=words)
        return asked
    if asked := _offer_round(dispatcher, tracker, heard):
        return asked
    if helps := _worth_knowing(tracker, heard):
        dispatcher.utter_message(response=helps)
        return "worry"
    dispatcher.utter_message(response=_question(tracker, heard))
    return "worry"


def _while_waiting(tracker: Tracker) -> str:
    """That it will be read; the second time, once, what the adult may ask."""
    read, may_ask = "utter_will_be_read", "utter_adult_may_ask"
    return may_ask if _turns.said(tracker, read) and not _turns.said(tracker, may_ask) else read


def _plain_question(tracker: Tracker, heard: Heard) -> str | None:
    """The one plain question to ask where a message may tell of harm and may not; each is asked once."""
    unsure = bool(_turns.risk(tracker).get("unsure"))
    asked = None
    dark = heard.topic in DARK and not _is_young(tracker)
    if heard.who == _turns.SELF and ((heard.topic == "suicide" and not heard.again) or (unsure and dark)):
        asked = "suicide_thoughts"
    elif unsure and heard.who != _turns.OTHER_CHILD:  # who reports on a child is offered the report instead
        asked = "harm"
    return asked if asked and asked not in _suicide.plainly_asked(tracker) else None


def _offer_round(dispatcher: CollectingDispatcher, tracker: Tracker, heard: Heard) -> str | None:
    """Offers small questions about home, once, to a child who tells of neglect of themselves."""
    offered = _turns.said(tracker, "utter_offer_round")
    begun = bool(_rounds.asked(tracker, _rounds.SIGN))
    if heard.topic != "neglect" or heard.who != _turns.SELF or offered or begun:
        return None
    dispatcher.utter_message(response="utter_offer_round")
    return "offer_round"


def _worth_knowing(tracker: Tracker, heard: Heard, *, at_once: bool = False) -> str | None:
    """The one true thing that helps with this, when they go on about it and were not told it yet.

    ``at_once``: not only when they go on; somebody who can help has been told already.
    """
    response = f"utter_know_{heard.topic}"
    if heard.who != _turns.SELF or heard.topic not in WORTH_KNOWING or not (heard.again or at_once):
        return None
    return None if _turns.said(tracker, response) else response


def _words(topic: str, who: str) -> str:
    if who == _turns.OTHER_CHILD:
        return "utter_hear_other_child"
    return f"utter_hear_{topic}" if who == _turns.SELF else f"utter_hear_{topic}_{who}"


def _question(tracker: Tracker, heard: Heard) -> str:
    if heard.who != _turns.SELF:
        return f"utter_wonder_{heard.who}"
    if heard.topic in GRAVE or heard.topic == "suicide":
        return "utter_wonder_grave"  # never a question about what happened: that is for trained people
    if _is_young(tracker) and not _turns.said(tracker, "utter_ask_face"):
        return "utter_ask_face"
    return f"utter_wonder_{heard.topic}"


def _is_young(tracker: Tracker) -> bool:
    years = age(_turns.words(tracker))
    return years is not None and years <= YOUNG
