"""A worry about a child, reported by anyone: four questions, with or without a name."""

from __future__ import annotations

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._forms import forget_answers, typed_words
from bot import handover
from bot.bootstrap import core

#: How an answer to "in danger right now?" is kept for staff; anything else is kept as it was typed.
DANGER = {
    "affirm": "yes",
    "safe_now_no": "yes",
    "deny": "no",
    "safe_now_yes": "no",
    "unsure": "not known",
}


class ValidateConcernReportForm(FormValidationAction):
    """Takes what was typed as it was typed; danger now gets 999 before the next question."""

    def name(self) -> str:
        return "validate_concern_report_form"

    def validate_concern_what(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, str | None]:
        words = typed_words(value, at_least=3)
        if words is None:
            dispatcher.utter_message(response="utter_concern_say_more")
        return {"concern_what": words}

    def validate_concern_where(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, str | None]:
        return {"concern_where": typed_words(value)}

    def validate_concern_danger(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, str | None]:
        danger = DANGER.get(_turns.intent(tracker)) or typed_words(value)
        if danger == "yes":
            dispatcher.utter_message(response="utter_concern_call_999")
        return {"concern_danger": danger}


class ActionSubmitConcernReport(Action):
    """Opens the report after a yes; after a no nothing goes."""

    def name(self) -> str:
        return "action_submit_concern_report"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if tracker.get_slot("concern_consent"):
            details = {
                "worry": tracker.get_slot("concern_what"),
                "where": tracker.get_slot("concern_where"),
                "danger_now": tracker.get_slot("concern_danger"),
            }
            with core().uow() as uow:
                opened = handover.open_handover(
                    uow, tracker.sender_id, kind=handover.CONCERN_REPORT, now=core().now(), details=details
                )
                uow.commit()
            dispatcher.utter_message(response="utter_concern_sent", who=opened.who, by_when=opened.by_when)
        else:
            dispatcher.utter_message(response="utter_concern_not_sent")
        return [*forget_answers(), SlotSet("asked", "nothing")]
