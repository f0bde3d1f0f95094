"""A worry about a child, reported by anyone: a few questions, with or without a name."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._finding import forget_postcode
from actions._form_answers import Line, RequestForm, answer, ask_consent, consent, filled, needed_answer
from actions._forms import LEFT_OUT, forget_answers
from actions._place import (
    area_of,
    areas,
    authority,
    front_door,
    is_served,
    keep_postcode,
    kept_postcode,
    sure_of,
    unsaid_postcode,
    whole_postcode,
    without_postcode,
)
from bot import conversation, handover
from bot.areas.authorities import Authority
from bot.areas.finder import Answer, AnswerKind
from bot.bootstrap import core
from bot.risk.taxonomy import Level
from bot.store.uow import UnitOfWork

#: How an answer to "in danger right now?" is kept for staff; anything else is kept as it was typed.
DANGER = {
    "affirm": "yes",
    "safe_now_no": "yes",
    "deny": "no",
    "safe_now_yes": "no",
    "unsure": "not known",
}
#: The answers of a report, in the order in which they are shown, and what staff know each as.
CONCERN = {
    "concern_what": "worry",
    "concern_danger": "danger_now",
    "concern_when": "when",
    "concern_where": "where",
    "concern_town": "town",
    "concern_postcode": "postcode",
    "concern_council": "council",
    "concern_name": "name",
}
#: In the slot of a postcode: one is kept, and they may leave it out.
GIVEN = "given"
#: In the slot of the consent: what they told is with somebody already; only the place is asked for.
TOLD = "told"
#: Before the codes of the councils it may be in. More than so many are not a choice but a list.
DOUBT, FEW = "?", 6


class ValidateConcernReportForm(RequestForm):
    """Takes what was typed as it was typed; danger now gets 999 before the next question."""

    needed = frozenset({"concern_what"})

    def name(self) -> str:
        return "validate_concern_report_form"

    def validate_concern_what(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        return needed_answer("concern_what", "utter_concern_say_more", value, dispatcher, tracker)

    def validate_concern_danger(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        danger = DANGER.get(_turns.intent(tracker))
        if danger is None:
            return answer("concern_danger", value, dispatcher, tracker)
        if danger == "yes" and not _said_999(tracker):
            dispatcher.utter_message(response="utter_concern_call_999")
        return {"concern_danger": danger}

    def validate_concern_when(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        return answer("concern_when", value, dispatcher, tracker)

    def validate_concern_where(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        kept = answer("concern_where", value, dispatcher, tracker)
        typed = kept["concern_where"]
        if typed is None:
            return kept
        if typed == LEFT_OUT:
            return {**kept, "concern_town": LEFT_OUT, "concern_council": LEFT_OUT}
        found = areas().look_up(typed)
        kept["concern_where"] = without_postcode(typed, found.postcode) or LEFT_OUT
        kept["concern_postcode"] = _keep_postcode(tracker, typed)
        body = sure_of(typed, found)
        _tell_at_once(tracker, kept["concern_where"], body)
        if body or found.kind is AnswerKind.CROWN_DEPENDENCY:
            kept["concern_town"] = LEFT_OUT
            kept["concern_council"] = body.code if body else LEFT_OUT
            _say_who_serves(dispatcher, body, found.island)
        else:
            kept["concern_council"] = _doubt(found)
        return kept

    def validate_concern_town(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        likely = _likely(tracker)
        if len(likely) == 1 and _turns.intent(tracker) in ("affirm", "deny"):
            right = _turns.intent(tracker) == "affirm"
            _tell_at_once(tracker, LEFT_OUT, likely[0] if right else None)
            _say_who_serves(dispatcher, likely[0] if right else None)
            return {"concern_town": LEFT_OUT, "concern_council": likely[0].code if right else LEFT_OUT}
        kept = answer("concern_town", value, dispatcher, tracker)
        typed = kept["concern_town"]
        if typed in (None, LEFT_OUT):
            return kept if typed is None else {**kept, "concern_council": LEFT_OUT}
        found = areas().look_up(typed)
        kept["concern_town"] = without_postcode(typed, found.postcode) or LEFT_OUT
        if whole_postcode(typed):
            kept["concern_postcode"] = _keep_postcode(tracker, typed)
        # Asked once: what is not settled now goes to staff in the person's words, without a council.
        body = sure_of(typed, found)
        kept["concern_council"] = body.code if body else LEFT_OUT
        _tell_at_once(tracker, kept["concern_town"], body)
        _say_who_serves(dispatcher, body, found.island)
        return kept

    def validate_concern_name(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        if _turns.intent(tracker) == "stay_anonymous":
            return {"concern_name": LEFT_OUT}
        return answer("concern_name", value, dispatcher, tracker)

    def validate_concern_consent(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict
    ) -> dict[str, Any]:
        kept = consent("concern_consent", _lines(tracker), dispatcher, tracker)
        named = kept.get("concern_council")
        if named and named != LEFT_OUT:  # they wrote another council into that line
            body = areas().look_up(named).settled
            kept |= {"concern_council": body.code if body else LEFT_OUT, "concern_town": named}
        return kept


class ActionAskConcernWhere(Action):
    """Asks where it is; honest about what becomes of the answer where somebody knows already."""

    def name(self) -> str:
        return "action_ask_concern_where"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().store.read() as uow:
            now = handover.status(uow, tracker.sender_id, core().now())
            told = _known_danger(uow, tracker.sender_id)
        if told:
            dispatcher.utter_message(response="utter_concern_where_now", who=now.who or "")
        else:
            dispatcher.utter_message(response="utter_ask_concern_where")
        return []


class ActionAskConcernTown(Action):
    """Asks once more where it is, by what was understood of the first answer."""

    def name(self) -> str:
        return "action_ask_concern_town"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        likely = _likely(tracker)
        if len(likely) == 1:
            dispatcher.utter_message(response="utter_concern_is_it_there", authority=likely[0].name)
        elif likely:
            names = ", ".join(body.name for body in likely)
            dispatcher.utter_message(response="utter_concern_which_area", authorities=names)
        else:
            dispatcher.utter_message(response="utter_concern_which_town")
        return []


class ActionAskConcernConsent(Action):
    """Shows the exact words that would go, and asks."""

    def name(self) -> str:
        return "action_ask_concern_consent"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        ask_consent("utter_concern_lines", _lines(tracker), dispatcher, tracker)
        return []


class ActionSubmitConcernReport(Action):
    """Opens the report after a yes; after a no nothing goes, and it says so if somebody knows already."""

    def name(self) -> str:
        return "action_submit_concern_report"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        agreed = tracker.get_slot("concern_consent")
        if agreed == TOLD:
            with core().store.read() as uow:
                now = handover.status(uow, tracker.sender_id, core().now())
                case = uow.last_handover_of(tracker.sender_id)
            dispatcher.utter_message(
                response="utter_concern_added",
                who=now.who or "",
                by_when=now.by_when or "",
                reference=case.reference if case else "",
            )
        elif agreed == "yes":
            lines = _lines(tracker)
            with core().uow() as uow:
                opened, reference = _open(uow, tracker, lines)
                uow.commit()
            dispatcher.utter_message(
                response="utter_concern_sent", who=opened.who, by_when=opened.by_when, reference=reference
            )
        elif agreed == "no":
            with core().store.read() as uow:
                standing = handover.status(uow, tracker.sender_id, core().now())
            known = standing.state in (handover.WAITING, handover.ACCEPTED)
            words = "utter_concern_not_sent_but_known" if known else "utter_concern_not_sent"
            dispatcher.utter_message(response=words, who=standing.who or "")
        else:
            dispatcher.utter_message(response="utter_form_left")
        if agreed in ("yes", TOLD):
            keep_postcode(tracker.sender_id, "")
        else:
            unsaid_postcode(tracker.sender_id)
        return [*forget_answers(), SlotSet("asked", "nothing")]


def _open(uow: UnitOfWork, tracker: Tracker, lines: list[Line]) -> tuple[handover.Opened, str]:
    if not uow.conversation(tracker.sender_id).about:
        conversation.note_choice(uow, tracker.sender_id, about=_turns.OTHER_CHILD)
    details = {CONCERN[line.slot]: line.words for line in lines}
    body = authority(tracker.get_slot("concern_council"))
    opened = handover.open_handover(
        uow,
        tracker.sender_id,
        kind=handover.CONCERN_REPORT,
        now=core().now(),
        details={**details, **_route_of(body)},
        area=area_of(uow, body) if body else None,
    )
    return opened, uow.handover(opened.handover_id).reference


def _route_of(body: Authority | None) -> dict[str, str]:
    """How that council is told, for staff."""
    if body is None:
        return {}
    served = {} if is_served(body) else {"served_here": "no"}
    return {"council_route": "\n".join(filter(None, front_door(body))), **served}


def _said_999(tracker: Tracker) -> bool:
    """Whether the safety words answered this message already."""
    for event in reversed(tracker.events):
        if event.get("event") == "user":
            return False
        if event.get("event") == "action" and event.get("name") == "action_open_handover":
            return True
    return False


def _known_danger(uow: UnitOfWork, conversation_id: str) -> bool:
    """Whether somebody has been told of danger for this child already."""
    case = uow.open_handover_of(conversation_id)
    return case is not None and Level(case.level).needs_person


def _tell_at_once(tracker: Tracker, where: str, body: Authority | None) -> None:
    """Where a child is in danger goes to whoever knows of it at once, and not only at the end."""
    with core().uow() as uow:
        if not _known_danger(uow, tracker.sender_id):
            return
        given = {
            "where": "" if where == LEFT_OUT else where,
            "postcode": kept_postcode(tracker.sender_id),
            "council": body.name if body else "",
        }
        handover.open_handover(
            uow,
            tracker.sender_id,
            kind=handover.CONCERN_REPORT,
            now=core().now(),
            details={key: words for key, words in given.items() if words} | _route_of(body),
            area=area_of(uow, body) if body else None,
        )
        uow.commit()


def _lines(tracker: Tracker) -> list[Line]:
    """What would be sent, with the council by its name and the postcode from what they typed."""
    said = []
    for line in filled(tracker, tuple(CONCERN)):
        words = line.words
        if line.slot == "concern_danger":
            # A "yes" opened a handover past this form's questions, so the button stands there as pressed.
            words = DANGER.get(words.removeprefix("/"), words)
        elif line.slot == "concern_council":
            body = authority(words)
            words = body.name if body else ""
        elif line.slot == "concern_postcode" and words == GIVEN:
            words = kept_postcode(tracker.sender_id)
        if words:
            said.append(Line(line.slot, words))
    return said


def _keep_postcode(tracker: Tracker, typed: str) -> str | None:
    """Keeps the whole postcode in what they typed until they agree to send it, and nowhere else."""
    postcode = whole_postcode(typed)
    keep_postcode(tracker.sender_id, postcode)
    forget_postcode(tracker.sender_id)
    return GIVEN if postcode else None


def _doubt(found: Answer) -> str | None:
    """The councils it may be in, kept for the one question about it; None if there are none or too many."""
    bodies = found.authorities
    return DOUBT + ",".join(body.code for body in bodies) if 0 < len(bodies) <= FEW else None


def _likely(tracker: Tracker) -> list[Authority]:
    """The councils that :func:`_doubt` kept."""
    kept = str(tracker.get_slot("concern_council") or "")
    if not kept.startswith(DOUBT):
        return []
    return list(filter(None, map(authority, kept.removeprefix(DOUBT).split(","))))


def _say_who_serves(dispatcher: CollectingDispatcher, body: Authority | None, island: str = "") -> None:
    """Which council it is; where this deployment does not serve it, how to tell that council as well."""
    if island:
        dispatcher.utter_message(response="utter_area_crown_dependency", island=island)
    if body is None:
        return
    if is_served(body):
        dispatcher.utter_message(response="utter_area_found", authority=body.name)
        return
    web, rings = front_door(body)
    dispatcher.utter_message(response="utter_concern_not_served", authority=body.name)
    for way in filter(None, (web, rings)):
        dispatcher.utter_message(response="utter_concern_council_card", authority=body.name, way=way)
