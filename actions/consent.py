"""In their own words: what would be sent is shown line by line, and nothing goes without a yes."""

from __future__ import annotations

import json

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._forms import OWN_WORDS_FORM, leave_own_words
from actions.neglect import told_signs
from bot import handover, rota
from bot.bootstrap import core
from bot.conversation import typed_messages
from bot.own_words import Edit, apply_edit, names_who_not, numbered, read_addition, read_edit
from bot.passing_on import draft_of, keep_draft
from bot.store.uow import UnitOfWork

#: Intents under which people tell something. "hi" and "who reads this?" are not part of a message.
TELLING = frozenset(
    {"worry", "nlu_fallback", "piece", "correction", "not_sure_its_a_problem", "promised_not_to_tell"}
)
#: What they want of Earshot is no part of what they tell, even where the detector heard a worry in it.
WANTING = frozenset(
    "pass_on_words choose_safe_adult choose_place talk_to_person help_me_tell add_words change_words "
    "do_not_tell affirm deny stop delete repeat_that return_code how_long what_happens_next "
    "has_anyone_read_it is_this_private who_sees_this will_you_tell_my_parents stay_anonymous "
    "greet thanks bye".split()
)
#: A message whose intent is no longer known is kept from so many words on.
WORDS_THAT_TELL = 4


class ActionAskConsent(Action):
    """Shows the exact words and asks."""

    def name(self) -> str:
        return "action_ask_consent"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        return [*leave_own_words(tracker), SlotSet("asked", ask_consent(dispatcher, tracker))]


class ActionPassOn(Action):
    """Passes on what was shown, after a yes that came straight after the question."""

    def name(self) -> str:
        return "action_pass_on"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().uow() as uow:
            lines = draft_of(uow, tracker.sender_id).lines
            if lines:
                opened = handover.open_handover(
                    uow,
                    tracker.sender_id,
                    kind=handover.MESSAGE,
                    now=core().now(),
                    details={**told_signs(tracker), handover.WORDS: "\n".join(lines)},
                )
                keep_draft(uow, tracker.sender_id, ())
                uow.commit()
        if not lines:
            return [SlotSet("asked", ask_consent(dispatcher, tracker))]
        dispatcher.utter_message(response="utter_passed_on", who=opened.who, by_when=opened.by_when)
        return [SlotSet("asked", "nothing")]


class ActionChangeWords(Action):
    """Changes a line or leaves it out; asks which, or for the new words, where that was not said."""

    def name(self) -> str:
        return "action_change_words"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        left = leave_own_words(tracker)
        with core().store.read() as uow:
            lines = draft_of(uow, tracker.sender_id).lines
        if not lines:
            return [*left, SlotSet("asked", ask_consent(dispatcher, tracker))]
        line = next(tracker.get_latest_entity_values("line"), None)
        edit = read_edit(line or typed_text(tracker), len(lines))
        if edit is None and len(lines) == 1:
            edit = Edit(1)
        if edit is None:
            _ask_which(dispatcher, len(lines))
            return [*left, SlotSet("asked", "nothing")]
        if not (edit.drop or edit.words):
            return [SlotSet("words_for", f"line {edit.line}"), FollowupAction(OWN_WORDS_FORM)]
        return [*left, SlotSet("asked", change_line(dispatcher, tracker, edit))]


class ActionAddWords(Action):
    """Adds what they said to add; asks for it where they only said that they want to."""

    def name(self) -> str:
        return "action_add_words"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        words = read_addition(typed_text(tracker))
        if words is None:
            return [SlotSet("words_for", "add"), FollowupAction(OWN_WORDS_FORM)]
        return [*leave_own_words(tracker), SlotSet("asked", add_words(dispatcher, tracker, words))]


def typed_text(tracker: Tracker) -> str:
    """What was typed, also where the gateway read its meaning by itself; empty if a button was pressed."""
    if (words := next(tracker.get_latest_entity_values("words"), None)) is not None:
        return str(words)
    return "" if _turns.pressed(tracker) else str(tracker.latest_message.get("text") or "")


def add_words(dispatcher: CollectingDispatcher, tracker: Tracker, words: str) -> str:
    """Adds words to the case that is open, or to what may be sent; returns what was asked."""
    with core().uow() as uow:
        standing = handover.status(uow, tracker.sender_id, core().now())
        if open_case := standing.state in (handover.WAITING, handover.ACCEPTED):
            handover.open_handover(
                uow,
                tracker.sender_id,
                kind=standing.kind or handover.MESSAGE,
                now=core().now(),
                details={handover.WORDS: words},
            )
        else:
            keep_draft(uow, tracker.sender_id, [*draft_of(uow, tracker.sender_id).lines, words])
        uow.commit()
    if open_case:
        dispatcher.utter_message(response="utter_words_added", who=standing.who)
        return "nothing"
    return ask_consent(dispatcher, tracker)


def change_line(dispatcher: CollectingDispatcher, tracker: Tracker, edit: Edit) -> str:
    """Changes one line of what may be sent and shows it again; returns what was asked."""
    with core().uow() as uow:
        lines = apply_edit(draft_of(uow, tracker.sender_id).lines, edit)
        keep_draft(uow, tracker.sender_id, lines)
        uow.commit()
    if not lines:
        dispatcher.utter_message(response="utter_no_words_left")
        return "nothing"
    return ask_consent(dispatcher, tracker)


def ask_consent(dispatcher: CollectingDispatcher, tracker: Tracker, safe_adult: str | None = None) -> str:
    """Shows the words and asks; returns the question that was asked, for the slot ``asked``."""
    wanted = safe_adult or tracker.get_slot("safe_adult")
    with core().uow() as uow:
        now = core().now()
        standing = handover.status(uow, tracker.sender_id, now)
        adult = next((a for a in rota.safe_adults(uow, None, now) if a.id == wanted), None)
        lines = _up_to_date(uow, tracker, just_chosen=safe_adult is not None)
        keep_draft(uow, tracker.sender_id, lines)
        uow.commit()
    if standing.state in (handover.WAITING, handover.ACCEPTED):
        dispatcher.utter_message(response="utter_words_with_them", who=standing.who)
        return "nothing"
    if not lines:
        dispatcher.utter_message(response="utter_consent_nothing_yet")
        return "worry"
    if adult:
        dispatcher.utter_message(response="utter_consent_words", adult=adult.name, words=numbered(lines))
        if not adult.on_duty:
            dispatcher.utter_message(response="utter_consent_adult_away", adult=adult.name)
    else:
        dispatcher.utter_message(response="utter_consent_words_team", words=numbered(lines))
    dispatcher.utter_message(response="utter_ask_consent")
    return "consent"


def was_asking_consent(tracker: Tracker) -> bool:
    """Whether the question before the last message was whether to send their words."""
    return asked_before(tracker) == "consent"


def asked_before(tracker: Tracker) -> str | None:
    """The slot ``asked`` as it stood when the last message came in, before that message cleared it."""
    messages = 0
    for event in reversed(tracker.events):
        messages += event.get("event") == "user"
        if messages and event.get("event") == "slot" and event.get("name") == "asked":
            return event.get("value")
    return None


def _up_to_date(uow: UnitOfWork, tracker: Tracker, *, just_chosen: bool) -> list[str]:
    """The draft with what they have told since it was last shown.

    ``just_chosen``: the last message named an adult.
    """
    draft = draft_of(uow, tracker.sender_id)
    meant = {str(e.get("text")): _intent_of(e) for e in tracker.events if e.get("event") == "user"}
    meant[typed_text(tracker)] = _turns.intent(tracker)
    names = _names(tracker) | ({typed_text(tracker)} if just_chosen else set())
    lines = list(draft.lines)
    for message in typed_messages(uow, tracker.sender_id)[draft.seen :]:
        intent = meant.get(message.text)
        long = len(message.text.split()) >= WORDS_THAT_TELL
        # A longer one may tell something beside the name, and a line too many can be left out.
        tells = (intent in TELLING and (long or message.text not in names)) if intent else long
        heard = message.level not in (None, "none") and intent not in WANTING
        if (tells or heard) and not names_who_not(message.text):
            lines.append(message.text)
    return lines


def _names(tracker: Tracker) -> set[str]:
    """Messages that were understood as the name of a place or an adult, whatever their intent."""
    names, text = set(), ""
    for event in tracker.events:
        kind, slot = event.get("event"), event.get("name")
        if kind == "user":
            text = str(event.get("text"))
        elif kind == "slot" and slot in ("place", "safe_adult") and event.get("value"):
            names.add(text)
    return names


def _intent_of(event: dict) -> str:
    data = event.get("parse_data") or event
    return str((data.get("intent") or {}).get("name") or "")


def _ask_which(dispatcher: CollectingDispatcher, count: int) -> None:
    buttons = [
        {
            "title": core().content.say("utter_line_button", line=str(n)),
            "payload": f"/change_words{json.dumps({'line': str(n)})}",
        }
        for n in range(1, count + 1)
    ]
    dispatcher.utter_message(response="utter_which_line", buttons=buttons)
