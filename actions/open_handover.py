"""Opens a handover when a message tells of harm, and says so. Run by SafetyPolicy, above everything."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActiveLoop, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot import handover
from bot.bootstrap import core
from bot.handover import Opened
from bot.risk.taxonomy import About, Category, Evidence, Finding, Level, Memory

#: Harm to the body that an ambulance is for.
MEDICAL = {Category.MEDICAL_EMERGENCY, Category.SUICIDE, Category.SELF_HARM}
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


class ActionOpenHandover(Action):
    """Opens the handover, or adds to the one that is open, and says who reads it and by when."""

    def name(self) -> str:
        return "action_open_handover"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[Any]:
        before, finding = _what_was_told(tracker)
        with core().uow() as uow:
            opened = handover.open_handover(
                uow, tracker.sender_id, now=core().now(), finding=finding, actor="bot"
            )
            uow.commit()
        for name in words_for(finding, opened, first_time=not before.level.needs_person or opened.created):
            dispatcher.utter_message(response=name, who=opened.who, by_when=opened.by_when)
        # The gateway's floor checks that these words were said, whichever they were.
        dispatcher.utter_message(json_message={"earshot": {"safety": finding.level.value}})
        if tracker.active_loop_name in (None, "concern_report_form"):
            return []  # whoever reports about a child goes on reporting
        return [ActiveLoop(None), SlotSet("requested_slot", None)]


def words_for(finding: Finding, opened: Opened, *, first_time: bool) -> list[str]:
    """The names of the responses to say, in order."""
    categories = set(finding.categories)
    if finding.level is Level.IMMEDIATE:
        if finding.about is not About.SELF:
            return ["utter_safety_immediate_other"]
        return ["utter_safety_immediate_medical" if categories & MEDICAL else "utter_safety_immediate"]
    if not first_time:
        return ["utter_safety_added"]
    if not opened.on_duty:
        return ["utter_safety_high_nobody_on_duty", "utter_safety_stay"]
    if finding.about is About.FRIEND:
        return ["utter_safety_high_friend"]
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
    if tracker.get_intent_of_latest_message(skip_fallback_intent=False) == "safe_now_no":
        said = Evidence("memory", "not safe now", message.get("text") or "", 0, 0, Level.IMMEDIATE)
        about = memory.about or finding.about
        return memory, Finding(Level.IMMEDIATE, finding.categories, about, (*finding.evidence, said))
    return memory, finding
