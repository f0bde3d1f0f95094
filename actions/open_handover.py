"""Opens a handover when a message tells of harm, and says so. Run by SafetyPolicy, above everything."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActiveLoop, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _suicide, _turns
from actions._forms import LEFT_OUT
from actions.concern_report import TOLD
from actions.consent import typed_text
from actions.neglect import told_signs
from bot import handover
from bot.bootstrap import core
from bot.handover import Opened
from bot.own_words import names_who_not
from bot.risk.taxonomy import About, Category, Evidence, Finding, Level, Memory

#: Harm that children blame themselves for; they are told that it is not their fault.
DONE_TO_THEM = {
    Category.PHYSICAL_ABUSE,
    Category.SEXUAL_ABUSE,
    Category.SEXUAL_EXPLOITATION,
    Category.EMOTIONAL_ABUSE,
    Category.NEGLECT,
    Category.DOMESTIC_ABUSE,
    Category.CRIMINAL_EXPLOITATION,
    Category.HONOUR_BASED_ABUSE,
}

REPORT = "concern_report_form"
_SIBLING = re.compile(r"\b(?:brother|sister|bro|sis|siblings?)s?\b", re.IGNORECASE)
#: (question asked, intent of the answer) and what that answer tells, where the words alone tell nothing.
ANSWERS: dict[tuple[str | None, str], tuple[Level, str, tuple[Category, ...]]] = {
    (None, "safe_now_no"): (Level.IMMEDIATE, "not safe now", ()),
    ("safe_now", "deny"): (Level.IMMEDIATE, "not safe now", ()),
    ("suicide_thoughts", "affirm"): (Level.HIGH, "thoughts of suicide", (Category.SUICIDE,)),
    ("harm", "affirm"): (Level.HIGH, "somebody is hurting them or they are in danger", ()),
}


class ActionOpenHandover(Action):
    """Opens the handover, or adds to the one that is open, and says who reads it and by when."""

    def name(self) -> str:
        return "action_open_handover"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[Any]:
        before, finding = _what_was_told(tracker)
        with core().uow() as uow:
            opened = handover.open_handover(
                uow,
                tracker.sender_id,
                now=core().now(),
                finding=finding,
                details=told_signs(tracker),
                actor="bot",
            )
            uow.commit()
        first_time = opened.created or not before.level.needs_person
        names = words_for(finding, opened, first_time=first_time)
        text = typed_text(tracker)
        if names == ["utter_safety_added"] and names_who_not(text):
            names = ["utter_not_told_kept"]
        for name in names:
            dispatcher.utter_message(response=name, who=opened.who, by_when=opened.by_when, words=text)
        # The gateway's floor checks that these words were said, whichever they were.
        dispatcher.utter_message(json_message={"earshot": {"safety": finding.level.value}})
        # What "yes" and "I don't know" answer next.
        events = [SlotSet("asked", "safe_now" if "utter_safety_stay" in names else "nothing")]
        if tracker.active_loop_name == REPORT:
            # Whoever reports about a child goes on reporting; what they just told is part of it.
            if not tracker.get_slot("concern_what"):
                events.append(SlotSet("concern_what", tracker.latest_message.get("text")))
            return [*events, FollowupAction(REPORT)]
        if first_time and _reports_on_a_child(tracker, finding):
            return [*events, *_ask_where(tracker, finding), FollowupAction(REPORT)]
        events += [ActiveLoop(None), SlotSet("requested_slot", None)]
        if names == ["utter_safety_added"] and (asked := _suicide.ask_on(dispatcher, tracker)):
            return [*events, *asked]
        return events


def _reports_on_a_child(tracker: Tracker, finding: Finding) -> bool:
    """Whether a neighbour or relative speaks, who is asked where the child is. A child who tells of a
    sister or brother is not: they live where they live."""
    door = tracker.get_slot("about")
    if finding.about is not About.OTHER_CHILD or door not in (None, _turns.OTHER_CHILD):
        return False
    return door is not None or not _SIBLING.search(typed_text(tracker))


def _ask_where(tracker: Tracker, finding: Finding) -> list[Any]:
    """A report of which only the danger now and the place are still asked; the rest is known already."""
    known = {
        "about": _turns.OTHER_CHILD,
        "concern_what": typed_text(tracker) or LEFT_OUT,
        "concern_when": LEFT_OUT,
        "concern_name": LEFT_OUT,
        "concern_consent": TOLD,
    }
    if finding.level is Level.IMMEDIATE:
        known["concern_danger"] = "yes"
    return [SlotSet(name, value) for name, value in known.items()]


def words_for(finding: Finding, opened: Opened, *, first_time: bool) -> list[str]:
    """The names of the responses to say, in order."""
    categories = set(finding.categories)
    if finding.level is Level.IMMEDIATE:
        if finding.about is not About.SELF:
            return ["utter_safety_immediate_other"]
        medical = Category.MEDICAL_EMERGENCY in categories
        return ["utter_safety_immediate_medical" if medical else "utter_safety_immediate"]
    if not first_time:
        return ["utter_safety_added"]
    if not opened.on_duty:
        return ["utter_safety_high_nobody_on_duty", "utter_safety_stay"]
    if finding.about is About.FRIEND:
        return ["utter_safety_high_friend"]
    if finding.about is About.OWN_CHILD and Category.HARM_TO_OTHERS in categories:
        return ["utter_safety_high_own_child"]  # a parent who fears, or tells of, their own hands
    if finding.about is not About.SELF:
        return ["utter_safety_high_child"]
    fault = ["utter_safety_not_your_fault"] if categories & DONE_TO_THEM else []
    return ["utter_safety_high_self", *fault, "utter_safety_stay"]


def _what_was_told(tracker: Tracker) -> tuple[Memory, Finding]:
    """What the conversation had shown before this message, and what this message tells."""
    message = tracker.latest_message
    context = (message.get("metadata") or {}).get("earshot") or {}
    memory = Memory.from_dict(context.get("memory") or {})
    findings = [Finding.from_dict(data) for data in (message.get("risk"), context.get("finding")) if data]
    finding = max(findings, key=lambda one: one.level.rank, default=Finding())
    if finding.about is About.FRIEND and tracker.get_slot("about") == _turns.OTHER_CHILD:
        finding = replace(finding, about=About.OTHER_CHILD)  # "he told me": the child they came about
    intent = tracker.get_intent_of_latest_message(skip_fallback_intent=False)
    for (question, answer), (level, family, categories) in ANSWERS.items():
        if intent == answer and question in (None, tracker.get_slot("asked")) and finding.level < level:
            said = Evidence("memory", family, message.get("text") or "", 0, 0, level, categories)
            named = tuple(dict.fromkeys((*finding.categories, *categories)))
            about = memory.about or finding.about
            return memory, Finding(level, named, about, (*finding.evidence, said))
    return memory, finding
