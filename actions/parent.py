"""Parents and carers: what help there is, and asking for it."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._form_answers import RequestForm, answer, ask_consent, consent, filled, needed_answer, spoken
from actions._forms import forget_answers, typed_words
from actions._place import unsaid_postcode
from actions._topics import topic_of
from actions._unclear import answer_unclear
from actions.worry import hear_worry
from bot import conversation, handover
from bot.bootstrap import core

#: The answers of a request, in the order in which they are shown, and what staff know each as.
EARLY_HELP = {
    "early_help_need": "worry",
    "early_help_who": "family",
    "early_help_contact": "contact",
    "early_help_time": "contact_time",
    "early_help_along": "come_along",
}
#: What only a parent or carer says: whoever came through no door has come through theirs.
PARENTS_SAY = frozenset(
    {"father", "kinship_carer", "evenings", "waiting_meanwhile", "social_worker_visit", "success_stories"}
)


class ActionAnswerQuestion(Action):
    """Answers a question about help and social care, in words for whoever asks."""

    def name(self) -> str:
        return "action_answer_question"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        adult = _turns.adult_speaks(tracker)
        dispatcher.utter_message(response=f"utter_{_turns.intent(tracker)}{'_adult' if adult else ''}")
        # The words for adults end with the offer to ask for help: a typed "yes" accepts it.
        return [SlotSet("asked", "offer_help" if adult else "nothing")]


class ActionHearParent(Action):
    """Answers what a parent says of their own life, where it changes what helps."""

    def name(self) -> str:
        return "action_hear_parent"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        said, door = _turns.intent(tracker), tracker.get_slot("about")
        parent = door in _turns.ADULT_SPEAKERS or (not door and said in PARENTS_SAY)
        response = f"utter_{said}_adult"
        again = _turns.said(tracker, response) and not _turns.pressed(tracker)
        # A worry of which the detector is not sure comes first: the one plain question is asked.
        if not parent or again or _turns.risk(tracker).get("unsure"):
            return hear_worry(dispatcher, tracker, topic_of(tracker))
        dispatcher.utter_message(response=response)
        about = door or _turns.OWN_CHILD
        return [SlotSet("about", about), SlotSet("asked", "worry" if said == "cant_cope" else "offer_help")]


class ActionContactWish(Action):
    """Answers an adult who says how to be reached. A child's "at lunch" is part of what they tell."""

    def name(self) -> str:
        return "action_contact_wish"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        door = tracker.get_slot("about")
        telling = door not in _turns.ADULT_SPEAKERS and (door or _turns.memory(tracker).just_said)
        if telling and not _turns.pressed(tracker):
            return answer_unclear(dispatcher, tracker, self.name())
        dispatcher.utter_message(response="utter_contact_wish_adult")
        return [SlotSet("asked", "nothing")]


class ValidateEarlyHelpForm(RequestForm):
    """Takes what was typed as it was typed, answers what is asked in between, and lets lines be changed."""

    needed = frozenset({"early_help_need"})

    def name(self) -> str:
        return "validate_early_help_form"

    def validate_early_help_need(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        return needed_answer("early_help_need", "utter_early_help_say_more", value, dispatcher, tracker)

    def validate_early_help_who(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        return answer("early_help_who", value, dispatcher, tracker)

    def validate_early_help_contact(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        return answer("early_help_contact", value, dispatcher, tracker)

    def validate_early_help_time(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        return answer("early_help_time", value, dispatcher, tracker)

    def validate_early_help_along(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        if _turns.intent(tracker) in ("affirm", "come_along"):
            return {"early_help_along": typed_words(value, at_least=5) or "yes"}
        return answer("early_help_along", value, dispatcher, tracker)

    def validate_early_help_consent(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        return consent("early_help_consent", filled(tracker, EARLY_HELP), dispatcher, tracker)


class ActionAskEarlyHelpConsent(Action):
    """Shows the exact words that would go, and asks."""

    def name(self) -> str:
        return "action_ask_early_help_consent"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        ask_consent("utter_early_help_lines", filled(tracker, EARLY_HELP), dispatcher, tracker)
        return []


class ActionSubmitEarlyHelp(Action):
    """Opens the request after a yes and gives the parent a copy; after a no nothing goes."""

    def name(self) -> str:
        return "action_submit_early_help"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        agreed = tracker.get_slot("early_help_consent")
        if agreed == "yes":
            lines = filled(tracker, EARLY_HELP)
            with core().uow() as uow:
                if not uow.conversation(tracker.sender_id).about:
                    conversation.note_choice(uow, tracker.sender_id, about=_turns.OWN_CHILD)
                opened = handover.open_handover(
                    uow,
                    tracker.sender_id,
                    kind=handover.EARLY_HELP,
                    now=core().now(),
                    details={EARLY_HELP[line.slot]: line.words for line in lines},
                )
                reference = uow.handover(opened.handover_id).reference
                uow.commit()
            copy = "\n".join(spoken(lines))
            dispatcher.utter_message(response="utter_early_help_copy", reference=reference, lines=copy)
            dispatcher.utter_message(
                response="utter_early_help_sent", who=opened.who, by_when=opened.by_when, reference=reference
            )
        else:
            dispatcher.utter_message(
                response="utter_early_help_not_sent" if agreed == "no" else "utter_form_left"
            )
        return [*forget_answers(), SlotSet("asked", "nothing")]


class ActionClearForm(Action):
    """Forgets half-given answers when a form is left; the words that follow are in the rule."""

    def name(self) -> str:
        return "action_clear_form"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        unsaid_postcode(tracker.sender_id)
        return forget_answers()
