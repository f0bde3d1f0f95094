"""A case as the page shows it: plain values from the store, the words they get are in the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.handover import DO_NOT_TELL
from bot.messages import Channel, Sender
from bot.risk.census import FACTORS, suggest
from bot.risk.taxonomy import Category, Evidence, Finding, Level, Memory
from bot.rota import Person, Rota
from bot.store.models import AuditEntry, Conversation, Handover, Message
from bot.store.uow import UnitOfWork

#: Audit entries that come in rows; neighbours by the same person are shown as one with a count.
_REPEATED = frozenset({"read", "replied"})
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
    offered: tuple[str, ...]
    delivery: str


@dataclass(frozen=True)
class Reason:
    """One piece of evidence: which layer and family, at what level, and the words as they were typed."""

    layer: str
    family: str
    level: str
    categories: tuple[str, ...]
    words: str


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
    place: str | None
    area: str | None
    safe_adult: Person | None
    reasons: tuple[Reason, ...]
    history: tuple[Deed, ...]
    outcome_around: tuple[str, str]
    rising: bool
    do_not_tell: tuple[str, ...]
    factors: tuple[tuple[str, str], ...]


def case_view(uow: UnitOfWork, case: Handover, staff_id: str, rota: Rota) -> CaseView:
    """Gather what the page shows."""
    conversation = uow.conversation(case.conversation_id)
    place = next((p for p in rota.places if p.id == conversation.place_id), None)
    holder = uow.staff_member(case.accepted_by) if case.accepted_by else None
    me = uow.staff_member(staff_id)
    return CaseView(
        case=case,
        conversation=conversation,
        holder=holder.name if holder else None,
        mine=case.state == "accepted" and case.accepted_by == staff_id,
        place=place.name if place else None,
        area=case.area or (place.area if place else None),
        safe_adult=rota.person(conversation.safe_adult_id),
        reasons=reasons(case.evidence or ()),
        history=_history(uow, case),
        outcome_around=_around_outcome(uow, conversation, me.name),
        rising=Memory.from_dict(conversation.memory or {}).rising,
        do_not_tell=tuple((case.details or {}).get(DO_NOT_TELL, "").splitlines()),
        factors=tuple((code, FACTORS[code]) for code in suggest(map(Category, case.categories))),
    )


def lines(uow: UnitOfWork, conversation: Conversation, after: int = 0) -> list[Line]:
    """The transcript after a number."""
    return [_line(message, conversation) for message in uow.messages(conversation.id, after)]


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
    evidence = [e for finding in findings for e in Finding.from_dict(finding).evidence]
    evidence.sort(key=lambda e: -e.level.rank)
    return tuple(dict.fromkeys(_reason(e) for e in evidence))


def _reason(e: Evidence) -> Reason:
    return Reason(e.layer, e.family, e.level.value, tuple(c.value for c in e.categories), e.words)


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


def _around_outcome(uow: UnitOfWork, conversation: Conversation, name: str) -> tuple[str, str]:
    """The words that the person will read before and after the outcome."""
    words = uow.content.say("utter_outcome", variant=conversation.next_seq, name=name, outcome=_GAP)
    before, _, after = words.partition(_GAP)
    return before, after
