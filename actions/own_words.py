"""The question for somebody's own words: to add, to change a line, or to say who must not be told."""

from __future__ import annotations

import json

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions._forms import OWN_WORDS_FORM, leave_own_words, typed_words
from actions.consent import add_words, change_line, typed_text, was_asking_consent
from bot import handover
from bot.bootstrap import core
from bot.own_words import Edit, names_who_not, read_addition
from bot.passing_on import draft_of

DO_NOT_TELL = "do_not_tell"


class ActionDoNotTell(Action):
    """Keeps who must not be told, in their own words; asks who, where that was not said."""

    def name(self) -> str:
        return "action_do_not_tell"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        text = typed_text(tracker)
        if not names_who_not(text, about_to_send=True):
            going_on = "do_not_tell_then_consent" if was_asking_consent(tracker) else DO_NOT_TELL
            return [SlotSet("words_for", going_on), FollowupAction(OWN_WORDS_FORM)]
        asked = _keep_from(dispatcher, tracker, text, then_consent=was_asking_consent(tracker))
        return [*leave_own_words(tracker), SlotSet("asked", asked)]


class ActionAskTypedWords(Action):
    """Asks for the words, by what they are for."""

    def name(self) -> str:
        return "action_ask_typed_words"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        wanted = str(tracker.get_slot("words_for") or "add")
        line = _line(wanted)
        if line is None:
            dispatcher.utter_message(
                response="utter_ask_who_not" if wanted.startswith(DO_NOT_TELL) else "utter_ask_add"
            )
            return []
        with core().store.read() as uow:
            lines = draft_of(uow, tracker.sender_id).lines
        leave_out = {
            "title": core().content.say("utter_leave_out_button"),
            "payload": f"/change_words{json.dumps({'line': f'leave out {line}'})}",
        }
        words = lines[line - 1] if line <= len(lines) else ""
        dispatcher.utter_message(response="utter_ask_line", line=str(line), words=words, buttons=[leave_out])
        return []


class ValidateOwnWordsForm(FormValidationAction):
    """Takes what was typed as it was typed; a button is no answer."""

    def name(self) -> str:
        return "validate_own_words_form"

    def validate_typed_words(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, str | None]:
        return {"typed_words": typed_words(value)}


class ActionKeepWords(Action):
    """Puts the words where they belong, and shows what became of them."""

    def name(self) -> str:
        return "action_keep_words"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        wanted = str(tracker.get_slot("words_for") or "add")
        words = str(tracker.get_slot("typed_words") or "")
        if wanted.startswith(DO_NOT_TELL):
            asked = _keep_from(dispatcher, tracker, words, then_consent=wanted != DO_NOT_TELL)
        elif line := _line(wanted):
            asked = change_line(dispatcher, tracker, Edit(line, words=words))
        else:
            asked = add_words(dispatcher, tracker, read_addition(words) or words)
        return [SlotSet("typed_words", None), SlotSet("words_for", None), SlotSet("asked", asked)]


def _line(wanted: str) -> int | None:
    return int(wanted.removeprefix("line ")) if wanted.startswith("line ") else None


def _keep_from(dispatcher: CollectingDispatcher, tracker: Tracker, words: str, *, then_consent: bool) -> str:
    with core().uow() as uow:
        standing = handover.keep_from(uow, tracker.sender_id, words, core().now())
        uow.commit()
    if standing.state in (handover.WAITING, handover.ACCEPTED):
        dispatcher.utter_message(response="utter_not_told_kept", who=standing.who, words=words)
        return "nothing"
    dispatcher.utter_message(response="utter_not_told_noted", words=words)
    if not then_consent:
        return "nothing"
    dispatcher.utter_message(response="utter_ask_consent")
    return "consent"
