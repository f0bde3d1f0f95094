"""The safeguarding record of a case: what was said, seen and done. Saved as it is written, sealed.

Every save names the version it was written on. Where somebody else saved in between, what was typed is
set aside, sealed like the rest, and both are shown: neither is lost, and nothing is merged by a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from bot.casework.tables import RecordVersion
from bot.handover.states import WAITING
from bot.messages import Sender
from bot.risk.census import FACTORS
from bot.rota import LEAD
from bot.store.models import Handover
from bot.store.uow import UnitOfWork

#: A version of the record, and what was typed on a version that was no longer the newest.
SAVED, ASIDE = "saved", "aside"

#: What is written freely, in the order of the page. The four signs are the headings under which the
#: research groups neglect.
NEGLECT = ("neglect_physical", "neglect_emotional", "neglect_educational", "neglect_parental")
TEXTS = (
    "spoken_by",
    "about_whom",
    "what_was_said",
    "child_wish",
    *NEGLECT,
    "protective",
    "who_knows",
    "council_note",
    "police_note",
    "parents_why",
    "outcome",
    "follow_up",
)
#: What is answered yes, no or not yet; empty until somebody answered.
TOLD = ("council_told", "police_told", "parents_told")
ANSWERS = ("yes", "no", "not_yet")
DAY = "follow_up_on"
#: Every single value; ``quotes`` and ``factors`` are lists beside them.
FIELDS = (*TEXTS, *TOLD, DAY)

#: Characters of one text; quotes that one record can hold.
MAX_TEXT, MAX_QUOTES = 4_000, 60
#: One person's saves within this time of the first are one version that grows.
ONE_SITTING = timedelta(minutes=10)


class BadField(Exception):
    """A field cannot be kept as it was typed. ``field`` names it, ``problem`` the words that say why."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name)
        self.field = name
        self.problem = problem


@dataclass(frozen=True)
class Typed:
    """What the form held. ``quotes`` are numbers of messages in the transcript."""

    values: Mapping[str, str] = field(default_factory=dict)
    quotes: tuple[int, ...] = ()
    factors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Version:
    """A stored version. ``body`` maps :data:`FIELDS`, ``quotes`` (seq, at, text) and ``factors``."""

    id: int
    number: int
    kind: str
    staff_id: str
    author: str
    at: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Saved:
    """What became of a save. ``theirs`` is the newer version that stands in the way, where one does."""

    now: Version
    changed: tuple[str, ...] = ()
    theirs: Version | None = None


def read_form(form: Mapping[str, str]) -> Typed:
    """Read the fields of a form: ``q_<number>`` and ``f_<code>`` are ticks.

    Raises:
        BadField: too long, not a day, or not one of the answers.
    """
    values: dict[str, str] = {}
    for name in TEXTS:
        values[name] = form.get(name, "").strip()
        if len(values[name]) > MAX_TEXT:
            raise BadField(name, "record_too_long")
    for name in TOLD:
        values[name] = form.get(name, "")
        if values[name] not in ("", *ANSWERS):
            raise BadField(name, "bad_choice")
    values[DAY] = form.get(DAY, "").strip()
    if values[DAY]:
        try:
            values[DAY] = date.fromisoformat(values[DAY]).isoformat()
        except ValueError:
            raise BadField(DAY, "bad_day") from None
    ticked = [name[2:] for name in form if name.startswith("q_") and name[2:].isdecimal()]
    factors = tuple(code for code in FACTORS if f"f_{code}" in form)
    quotes = tuple(sorted({int(number) for number in ticked if len(number) < 9}))
    if len(quotes) > MAX_QUOTES:
        raise BadField("quotes", "too_many_quotes")
    return Typed(values, quotes, factors)


def may_write(handover: Handover, staff_id: str, role: str) -> bool:
    """Whoever has the case (or had it when it closed) and leads; nobody while it waits."""
    return handover.state != WAITING and (handover.accepted_by == staff_id or role == LEAD)


def current(uow: UnitOfWork, handover_id: int) -> Version | None:
    """The record as it stands; None where nobody has written yet."""
    row = _newest(uow, handover_id)
    return _version(uow, row) if row else None


def versions(uow: UnitOfWork, handover_id: int) -> list[Version]:
    """Every version that is kept and what was set aside, newest first."""
    rows = uow.session.scalars(
        select(RecordVersion)
        .where(RecordVersion.handover_id == handover_id)
        .order_by(RecordVersion.at.desc())
    ).all()
    return [_version(uow, row) for row in rows]


def version(uow: UnitOfWork, handover_id: int, row_id: int) -> Version | None:
    """One of :func:`versions`, by its id."""
    row = uow.session.get(RecordVersion, row_id)
    return _version(uow, row) if row and row.handover_id == handover_id else None


def save(uow: UnitOfWork, handover: Handover, staff_id: str, base: int, typed: Typed, now: datetime) -> Saved:
    """Save what was typed on version ``base`` (0 is the empty record).

    Where the newest version is another one and says something else, what was typed is set aside and the
    answer holds the newer one.
    """
    uow.handover(handover.id, lock=True)  # two saves at once come one after the other
    newest = _newest(uow, handover.id)
    before = newest.body if newest else {}
    body = _body(uow, handover, typed, before)
    changed = differing(before, body)
    if newest and not changed:
        return Saved(_version(uow, newest))
    if newest and newest.version != base:
        aside = _set_aside(uow, handover, staff_id, base, body, now)
        uow.audit(now, staff_id, "record_set_aside", handover=handover, version=base, newest=newest.version)
        return Saved(_version(uow, aside), changed, _version(uow, newest))
    row = newest
    if row is None or row.staff_id != staff_id or now - row.began_at > ONE_SITTING:
        number = newest.version if newest else 0
        row = RecordVersion(
            handover_id=handover.id,
            version=number,
            kind=SAVED,
            staff_id=staff_id,
            began_at=now,
            at=now,
            body={},
        )
        uow.add(row)
    row.version, row.at, row.body = row.version + 1, now, body
    uow.session.flush()
    uow.audit(now, staff_id, "record_saved", handover=handover, version=row.version, fields=list(changed))
    return Saved(_version(uow, row), changed)


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields in which two bodies differ; what is not there counts as empty."""
    names = (*FIELDS, "quotes", "factors")
    return tuple(name for name in names if (one.get(name) or None) != (other.get(name) or None))


def _body(uow: UnitOfWork, handover: Handover, typed: Typed, before: Mapping[str, Any]) -> dict[str, Any]:
    known = {quote["seq"]: quote for quote in before.get("quotes", ())}
    quotes = []
    for seq in typed.quotes:
        message = uow.message(handover.conversation_id, seq)
        if message is not None and message.sender == Sender.YOU.value and message.text:
            quotes.append({"seq": seq, "at": message.created_at.isoformat(), "text": message.text})
        elif seq in known:  # deleted by the person since: what was quoted stays in the record
            quotes.append(known[seq])
    return {**typed.values, "quotes": quotes, "factors": list(typed.factors)}


def _newest(uow: UnitOfWork, handover_id: int) -> RecordVersion | None:
    return uow.session.scalars(
        select(RecordVersion)
        .where(RecordVersion.handover_id == handover_id, RecordVersion.kind == SAVED)
        .order_by(RecordVersion.version.desc())
    ).first()


def _set_aside(
    uow: UnitOfWork, handover: Handover, staff_id: str, base: int, body: Mapping[str, Any], now: datetime
) -> RecordVersion:
    row = uow.session.scalars(
        select(RecordVersion).where(
            RecordVersion.handover_id == handover.id,
            RecordVersion.kind == ASIDE,
            RecordVersion.staff_id == staff_id,
            RecordVersion.version == base,
        )
    ).first()
    if row is None:
        row = RecordVersion(
            handover_id=handover.id, version=base, kind=ASIDE, staff_id=staff_id, began_at=now
        )
    row.at, row.body = now, body
    uow.add(row)
    return row


def _version(uow: UnitOfWork, row: RecordVersion) -> Version:
    author = uow.staff_member(row.staff_id)
    name = author.name if author else ""
    return Version(row.id, row.version, row.kind, row.staff_id, name, row.at, dict(row.body))
