"""What the two requests share: questions asked in between, and the exact words before they go."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from rasa_sdk import FormValidationAction, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._forms import LEFT_OUT, left_out, typed_words
from bot.bootstrap import core
from bot.own_words import numbered, read_addition, read_edit

#: A message of more words than this is an answer, whatever question the intents hear in it.
LONG = 12
#: Questions that are answered in the middle of a request, and the words; the request asks on afterwards.
ASIDES = {
    "is_this_private": "utter_is_this_private",
    "who_sees_this": "utter_who_sees_this",
    "are_you_real": "utter_are_you_real",
    "no_proof": "utter_no_proof",
    "stay_anonymous": "utter_form_anonymous",
    "will_they_know": "utter_form_will_they_know",
    "am_i_in_trouble": "utter_form_trouble",
    "fear_children_taken": "utter_form_fear",
    "will_they_take_me_away": "utter_form_fear",
    "what_is_early_help": "utter_form_what_is_early_help",
    "thresholds": "utter_form_how_serious",
    "after_referral": "utter_form_what_next",
    "what_happens_next": "utter_form_what_next",
    "how_long": "utter_form_what_next",
    "has_anyone_read_it": "utter_form_not_yet",
    "come_along": "utter_form_come_along",
    "cost": "utter_cost_adult",
}
DOORS = frozenset({"door_me", "door_friend", "door_parent", "door_concern"})
#: What leaves a request (the rules of data/rules/parent.yml and concern_report.yml say what then), whatever
#: else the message says; and what leaves it only as a short message.
LEAVES = frozenset({"stop", "delete", "talk_to_person", "someone_watching", "safe_now_no"})
LEAVES_IN_SHORT = frozenset({"bye", "changed_mind_joking", "safe_now_yes"})
#: More lines than a request or a report ever has.
MOST_LINES = 10
#: What the slot ``line_asked`` may hold besides the slot whose new words are awaited.
AGAIN, WHICH, ADD = "again", "which", "add"
#: "No, leave out 2": what comes before a change.
_YES_OR_NO = re.compile(r"^(?:no|yes|ok)\W+", re.IGNORECASE)


class Line(NamedTuple):
    """One line of what would be sent: the slot it comes from, and the words."""

    slot: str
    words: str


class RequestForm(FormValidationAction):
    """A form whose questions take the message for an answer, unless it leaves the form.

    The slots have no mapping of Rasa's: those are filled before SafetyPolicy is asked, so a disclosure
    would stand in the request as the answer to whatever was asked.
    """

    #: The slots that a plain "no" leaves the form at: there is nothing to send without them.
    needed: frozenset[str] = frozenset()

    @abstractmethod
    def name(self) -> str:
        """``validate_`` and the form's name. Abstract, or the action server would take this for an action."""

    async def get_extraction_events(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> list[EventType]:
        """The message as the answer to the question that was asked, or nothing if it leaves the form."""
        slot = tracker.get_slot("requested_slot")
        if slot not in self.domain_slots(domain) or self._leaves(str(slot), tracker):
            return []
        return [SlotSet(slot, tracker.latest_message.get("text"))]

    async def get_validation_events(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> list[EventType]:
        """Reads the answer to the question that is open; what was filled in beforehand stays as it is."""
        if tracker.get_slot("requested_slot") is None:
            return [SlotSet(name, value) for name, value in tracker.slots_to_validate().items()]
        return await super().get_validation_events(dispatcher, tracker, domain)

    def _leaves(self, slot: str, tracker: Tracker) -> bool:
        text, intent = str(tracker.latest_message.get("text") or ""), _turns.intent(tracker)
        if slot.endswith("_consent") and read_edit(text, MOST_LINES):
            return False  # "leave out 2" sounds like "leave"
        if intent in LEAVES:
            return True
        short = len(text.split()) <= LONG
        return short and (intent in LEAVES_IN_SHORT or (intent == "deny" and slot in self.needed))


def answer(
    slot: str,
    value: object,
    dispatcher: CollectingDispatcher,
    tracker: Tracker,
    *,
    needed: int = 0,
) -> dict[str, Any]:
    """What a question got for an answer, as slots to set; the slot stays None where it is asked again.

    Args:
        needed: how many letters an answer must have that cannot be left out; 0 for one that can.
    """
    if _answered_in_between(dispatcher, tracker):
        return {slot: None}
    if _turns.pressed(tracker) and _turns.intent(tracker) in DOORS:
        return {slot: None, "requested_slot": None}  # they went on to something else
    wish = next(tracker.get_latest_entity_values("wish"), None) if _turns.pressed(tracker) else None
    words = wish or typed_words(value, at_least=max(needed, 1))
    if not needed and (left_out(tracker) or _says_nothing(tracker, words)):
        return {slot: LEFT_OUT}
    return {slot: words}


def needed_answer(
    slot: str, say_more: str, value: object, dispatcher: CollectingDispatcher, tracker: Tracker
) -> dict[str, Any]:
    """:func:`answer` to a question that cannot be left out; ``say_more`` asks again for a few words."""
    kept = answer(slot, value, dispatcher, tracker, needed=3)
    if kept[slot] is None and not dispatcher.messages and "requested_slot" not in kept:
        dispatcher.utter_message(response=say_more)
    return kept


def consent(
    slot: str,
    lines: Sequence[Line],
    dispatcher: CollectingDispatcher,
    tracker: Tracker,
) -> dict[str, Any]:
    """What they said to the exact words: yes, no, or a change to a line; the first one cannot go."""
    text = "" if _turns.pressed(tracker) else str(tracker.latest_message.get("text") or "").strip()
    intent, first = _turns.intent(tracker), lines[0]
    waits_for = tracker.get_slot("line_asked")
    again = {slot: None, "line_asked": None}
    if text and waits_for == ADD:
        return {**again, first.slot: f"{first.words}\n{text}"}
    if text and waits_for in {line.slot for line in lines} and intent not in ("skip", "deny"):
        return {**again, str(waits_for): text}
    said = next(tracker.get_latest_entity_values("line"), None) or _YES_OR_NO.sub("", text)
    if edit := read_edit(said, len(lines)):
        line = lines[edit.line - 1]
        if edit.words:
            return {**again, line.slot: edit.words}
        if edit.drop and line is not first:
            return {**again, line.slot: LEFT_OUT}
        return {slot: None, "line_asked": line.slot}
    if intent == "add_words":
        words = read_addition(text)
        return {**again, first.slot: f"{first.words}\n{words}"} if words else {slot: None, "line_asked": ADD}
    if intent in ("change_words", "correction"):
        return {slot: None, "line_asked": WHICH}
    if intent in ("affirm", "deny"):
        return {slot: "yes" if intent == "affirm" else "no", "line_asked": None}
    if _turns.pressed(tracker) and intent in DOORS:
        return {**again, "requested_slot": None}
    _answered_in_between(dispatcher, tracker)
    return {slot: None, "line_asked": AGAIN}


def ask_consent(
    words: str, lines: Sequence[Line], dispatcher: CollectingDispatcher, tracker: Tracker
) -> None:
    """Shows the exact words with the response ``words``, or asks what a change still needs."""
    waits_for = tracker.get_slot("line_asked")
    if waits_for == AGAIN:
        dispatcher.utter_message(response="utter_form_yes_or_no")
    elif waits_for == ADD:
        dispatcher.utter_message(response="utter_form_add")
    elif waits_for == WHICH:
        dispatcher.utter_message(response="utter_form_which_line", buttons=_one_button_each(lines))
    elif waits_for:
        dispatcher.utter_message(response="utter_form_new_words")
    else:
        dispatcher.utter_message(response=words, lines=numbered(spoken(lines)))


def spoken(lines: Sequence[Line]) -> list[str]:
    """The lines as the person reads them: "How to reach you: ..."."""
    return [core().content.say(f"utter_line_{line.slot}", words=line.words) for line in lines]


def filled(tracker: Tracker, slots: Sequence[str]) -> list[Line]:
    """The answers that were given, in this order."""
    given = ((slot, tracker.get_slot(slot)) for slot in slots)
    return [Line(slot, words) for slot, words in given if words and words != LEFT_OUT]


def _answered_in_between(dispatcher: CollectingDispatcher, tracker: Tracker) -> bool:
    intent = _turns.intent(tracker)
    typed = str(tracker.latest_message.get("text") or "")
    if len(typed.split()) > LONG or (intent not in ASIDES and intent != "repeat_that"):
        return False
    if intent in ASIDES:
        dispatcher.utter_message(response=ASIDES[intent])
    return True


def _says_nothing(tracker: Tracker, words: str | None) -> bool:
    """Whether "no" or "I don't know" is all they said."""
    short = not words or len(words.split()) <= 4
    return short and _turns.intent(tracker) in ("deny", "unsure")


def _one_button_each(lines: Sequence[Line]) -> list[dict[str, str]]:
    return [
        {
            "title": core().content.say("utter_form_line_button", line=str(n)),
            "payload": f"/change_words{json.dumps({'line': str(n)})}",
        }
        for n, _line in enumerate(lines, 1)
    ]
