"""Parents and carers: what help there is, and asking for it."""

from __future__ import annotations

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._forms import forget_answers, typed_words
from actions._services import services_for
from bot import handover
from bot.bootstrap import core


class ActionFindHelp(Action):
    """Shows national help that fits the worry, and says honestly that there is no local list yet."""

    def name(self) -> str:
        return "action_find_help"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        adult = _turns.adult_speaks(tracker)
        dispatcher.utter_message(response="utter_find_help")
        for service in services_for("adult" if adult else "child", tracker.get_slot("topic")):
            dispatcher.utter_message(
                response="utter_number_card",
                service=service["name"],
                about=service["about"],
                how=service["how"],
                hours=service["hours"],
            )
        dispatcher.utter_message(response="utter_find_help_next_adult" if adult else "utter_find_help_next")
        return [SlotSet("asked", "offer_help" if adult else "nothing")]


class ValidateEarlyHelpForm(FormValidationAction):
    """Takes what was typed as it was typed; a pressed button or a single letter is no answer."""

    def name(self) -> str:
        return "validate_early_help_form"

    def validate_early_help_need(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, str | None]:
        words = typed_words(value, at_least=3)
        if words is None:
            dispatcher.utter_message(response="utter_early_help_say_more")
        return {"early_help_need": words}

    def validate_early_help_contact(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, str | None]:
        return {"early_help_contact": typed_words(value)}


class ActionSubmitEarlyHelp(Action):
    """Opens the request after a yes; after a no nothing goes."""

    def name(self) -> str:
        return "action_submit_early_help"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if tracker.get_slot("early_help_consent"):
            details = {
                "worry": tracker.get_slot("early_help_need"),
                "contact": tracker.get_slot("early_help_contact"),
            }
            with core().uow() as uow:
                opened = handover.open_handover(
                    uow, tracker.sender_id, kind=handover.EARLY_HELP, now=core().now(), details=details
                )
                uow.commit()
            dispatcher.utter_message(response="utter_early_help_sent", who=opened.who, by_when=opened.by_when)
        else:
            dispatcher.utter_message(response="utter_early_help_not_sent")
        return [*forget_answers(), SlotSet("asked", "nothing")]


class ActionClearForm(Action):
    """Forgets half-given answers when a form is left; the words that follow are in the rule."""

    def name(self) -> str:
        return "action_clear_form"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        return forget_answers()
