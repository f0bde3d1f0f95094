"""A case as the page shows it: plain values from the store, the words they get are in the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.casework import notes, opinions
from bot.casework.neglect import DETAIL as SIGN
from bot.casework.neglect import Sign, named
from bot.casework.notes import Note
from bot.desk.sessions import SignedIn
from bot.handover import ACCEPTED, CLOSED, DO_NOT_TELL, WAITING, levels
from bot.handover.closing import outcome_response
from bot.messages import Channel, Sender
from bot.risk.census import FACTORS, suggest
from bot.risk.taxonomy import Category, Finding, Level, Memory
from bot.rota import LEAD, Person, Rota
from bot.store.models import AuditEntry, Conversation, Handover, Message
from bot.store.uow import UnitOfWork

#: Audit entries that come in rows; neighbours by the same person are shown as one with a count.
_REPEATED = frozenset({"read", "replied", "record_saved", "record_read", "noted"})
#: Stands where the outcome goes while the words around it are found; no response contains it.
_GAP = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Segment:
    """A stretch of a message; ``marked`` when it is evidence for the level."""

    text: str
    marked: bool


@dataclass(frozen=True)
class Line:
    """One message of the transcript. ``delivery`` is empty where the channel does not tell."""

    seq: int
    sender: str
    kind: str
    name: str | None
    at: datetime
    segments: tuple[Segment, ...]
    erased: bool
    level: str | None
    reasons: tuple[Reason, ...]
    offered: tuple[str, ...]
    delivery: str


@dataclass(frozen=True)
class Reason:
    """One piece of evidence: which layer and family, at what level, and the words as they were typed.

    ``asked`` names the question of the bot's that they answer, without which short words say little.
    """

    layer: str
    family: str
    level: str
    categories: tuple[str, ...]
    words: str
    asked: str | None


@dataclass(frozen=True)
class Deed:
    """One line of the history."""

    at: datetime
    actor: str
    name: str | None
    action: str
    detail: Mapping[str, Any]
    other: str | None
    times: int


@dataclass(frozen=True)
class CaseView:
    """Everything the case page shows beside the transcript."""

    case: Handover
    conversation: Conversation
    holder: str | None
    mine: bool
    my_name: str
    my_title: str
    may_set_level: bool
    may_note: bool
    guests: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]
    lowered: Note | None
    rose: Deed | None
    place: str | None
    area: str | None
    safe_adult: Person | None
    reasons: tuple[Reason, ...]
    history: tuple[Deed, ...]
    outcome_around: tuple[str, str]
    rising: bool
    do_not_tell: tuple[str, ...]
    likely: tuple[str, ...]
    perhaps: tuple[str, ...]
    factors: tuple[tuple[str, str], ...]
    signs: Mapping[str, tuple[Sign, ...]]

    @property
    def guest_ids(self) -> tuple[str, ...]:
        """Who gives a second opinion, by id."""
        return tuple(staff_id for staff_id, _ in self.guests)

    @property
    def asked_for(self) -> dict[str, str]:
        """The details without the wishes and the signs, which have places of their own."""
        details = self.case.details or {}
        return {k: v for k, v in details.items() if k != DO_NOT_TELL and not k.startswith(SIGN)}


def case_view(uow: UnitOfWork, case: Handover, me: SignedIn, rota: Rota) -> CaseView:
    """Gather what the page shows to whoever is signed in."""
    staff_id = me.staff_id
    conversation = uow.conversation(case.conversation_id)
    place = next((p for p in rota.places if p.id == conversation.place_id), None)
    holder = uow.staff_member(case.accepted_by) if case.accepted_by else None
    myself = uow.staff_member(staff_id)
    memory = Memory.from_dict(conversation.memory or {})
    history = _history(uow, case)
    written = tuple(notes.of(uow, case.id))
    mine = case.state == ACCEPTED and case.accepted_by == staff_id
    guests = opinions.asked(uow, case.id)
    sure = likely(case)
    return CaseView(
        case=case,
        conversation=conversation,
        holder=holder.name if holder else None,
        mine=mine,
        my_name=myself.name,
        my_title=myself.job_title,
        may_set_level=case.state == WAITING or mine or (case.state == ACCEPTED and me.role == LEAD),
        may_note=case.state != CLOSED or me.role == LEAD or case.accepted_by == staff_id,
        guests=tuple((one, uow.staff_member(one).name) for one in guests),
        notes=written,
        lowered=_lowered(case, written),
        rose=_rose(case, history),
        place=place.name if place else None,
        area=case.area or (place.area if place else None),
        safe_adult=rota.person(conversation.safe_adult_id),
        reasons=reasons(case.evidence or ()),
        history=history,
        outcome_around=_around_outcome(uow, case, conversation, myself.name),
        rising=memory.rising,
        do_not_tell=tuple((case.details or {}).get(DO_NOT_TELL, "").splitlines()),
        likely=sure,
        perhaps=tuple(c for c in case.categories if c not in sure),
        factors=tuple((code, FACTORS[code]) for code in suggest(map(Category, sure))),
        signs=named(memory.signs, case.details or {}),
    )


def lines(uow: UnitOfWork, conversation: Conversation, after: int = 0) -> list[Line]:
    """The transcript after a number."""
    # What a measure against abuse holds back stands apart (bot/desk/aftermath.py).
    return [_line(one, conversation) for one in uow.messages(conversation.id, after) if not one.held]


def marked(text: str, finding: Finding) -> tuple[Segment, ...]:
    """Cut a message into stretches so that the words that are evidence can be marked."""
    spans = sorted((e.start, e.end) for e in finding.evidence if 0 <= e.start < e.end <= len(text))
    found: list[Segment] = []
    at = 0
    for start, end in spans:
        if end <= at:
            continue
        start = max(start, at)
        if start > at:
            found.append(Segment(text[at:start], False))
        found.append(Segment(text[start:end], True))
        at = end
    if at < len(text):
        found.append(Segment(text[at:], False))
    return tuple(found)


def reasons(findings: Sequence[Mapping[str, Any]]) -> tuple[Reason, ...]:
    """Why the level is what it is: the strongest evidence first, each once."""
    found = [reason for finding in findings for reason in _reasons(Finding.from_dict(finding))]
    return tuple(dict.fromkeys(sorted(found, key=lambda reason: -Level(reason.level).rank)))


def likely(case: Handover) -> tuple[str, ...]:
    """What the case is about: what phrases and answers tell of, and the first of what the encoder names.

    The encoder names up to four kinds of harm; after the first they are guesses (docs/risk_model_card.md).
    """
    told = [
        category.value
        for finding in map(Finding.from_dict, case.evidence or ())
        for e in finding.evidence
        for category in (e.categories[:1] if e.layer == "model" else e.categories)
    ]
    return tuple(dict.fromkeys(told)) or tuple(case.categories)


def _reasons(finding: Finding) -> tuple[Reason, ...]:
    """The evidence of one message, each piece once."""
    return tuple(
        dict.fromkeys(
            Reason(
                e.layer, e.family, e.level.value, tuple(c.value for c in e.categories), e.words, finding.asked
            )
            for e in finding.evidence
        )
    )


def _line(message: Message, conversation: Conversation) -> Line:
    text = message.text or ""
    finding = Finding.from_dict(message.finding) if message.finding else Finding()
    return Line(
        seq=message.seq,
        sender=message.sender,
        kind=message.kind,
        name=message.name,
        at=message.created_at,
        segments=marked(text, finding),
        erased=message.text is None,
        level=message.level if message.level and Level(message.level) >= Level.CONCERN else None,
        reasons=_reasons(finding),
        offered=tuple(choice["title"] for choice in message.choices or ()),
        delivery=_delivery(message, conversation),
    )


def _delivery(message: Message, conversation: Conversation) -> str:
    """Telegram tells whether it took a message; a browser that is closed tells nothing."""
    if message.sender == Sender.YOU.value or conversation.channel != Channel.TELEGRAM.value:
        return ""
    if message.delivered_at:
        return "delivered"
    if conversation.unreachable_at:
        return "unreachable"
    return "retrying" if message.attempts > 1 else "sending"


def _lowered(case: Handover, written: Sequence[Note]) -> Note | None:
    """The note that says why the level is below what it was."""
    if not levels.lowered(case):
        return None
    return next((note for note in reversed(written) if note.kind == notes.LEVEL), None)


def _rose(case: Handover, history: Sequence[Deed]) -> Deed | None:
    """The last rise in risk that came with what the person wrote after somebody accepted."""
    if case.state != ACCEPTED or levels.lowered(case):
        return None
    rises = (d for d in reversed(history) if d.action == "level_raised" and d.name is None)
    return next((d for d in rises if case.accepted_at and d.at >= case.accepted_at), None)


def _history(uow: UnitOfWork, case: Handover) -> tuple[Deed, ...]:
    names: dict[str, str | None] = {}

    def name(who: str | None) -> str | None:
        if who and who not in names:
            staff = uow.staff_member(who)
            names[who] = staff.name if staff else None
        return names.get(who) if who else None

    deeds: list[Deed] = []
    for entry in uow.audit_of(case.id):
        last = deeds[-1] if deeds else None
        same = last is not None and (last.actor, last.action) == (entry.actor, entry.action)
        again = same and entry.action in _REPEATED
        times = deeds.pop().times + 1 if again else 1
        deeds.append(_deed(entry, name, times))
    return tuple(deeds)


def _deed(entry: AuditEntry, name: Any, times: int) -> Deed:
    detail = entry.detail or {}
    return Deed(
        at=entry.at,
        actor=entry.actor,
        name=name(entry.actor),
        action=entry.action,
        detail=detail,
        other=name(detail.get("to")),
        times=times,
    )


def _around_outcome(
    uow: UnitOfWork, case: Handover, conversation: Conversation, name: str
) -> tuple[str, str]:
    """The words that the person will read before and after the outcome."""
    response = outcome_response(case, conversation)
    words = uow.content.say(response, variant=conversation.next_seq, name=name, outcome=_GAP)
    before, _, after = words.partition(_GAP)
    return before, after
