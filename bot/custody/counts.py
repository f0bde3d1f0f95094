"""Counts of cases by month and area: what stays when the words are gone. No figure below five is shown.

A conversation is counted once, in the transaction that deletes or erases it (``counted_at``); what is still
there is counted when somebody looks. So a figure does not change because time passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.custody.retention import CONVERSATION
from bot.custody.tables import CaseCount
from bot.risk.taxonomy import Level
from bot.rota import UK
from bot.store.models import AuditEntry, Conversation, Handover, Message, Place
from bot.store.uow import UnitOfWork

CASE, CATEGORY, ACCEPTED, CLOSED_IN = "case", "category", "accepted_in", "closed_in"
#: Counts below this are not shown: somebody who knows one child could be meant.
SMALLEST = 5
NEVER = "never"
#: Upper ends of the times until somebody accepted, and until the case was closed, with their names.
ACCEPT_BANDS = (
    (timedelta(minutes=2), "2_min"),
    (timedelta(minutes=10), "10_min"),
    (timedelta(hours=1), "1_h"),
    (timedelta(days=1), "1_day"),
)
CLOSE_BANDS = ((timedelta(hours=1), "1_h"), (timedelta(days=1), "1_day"), (timedelta(days=7), "7_days"))
LONGER = "longer"
_BATCH = 500
_PARTS = ("month", "area", "kind", "level", "measure", "value")

#: What one count is of: month, area, kind, level, measure, value.
Cell = tuple[str, str, str, str, str, str]


def count_in(uow: UnitOfWork, conversation: Conversation, now: datetime) -> None:
    """Put a conversation into the counts that survive it, once. Call before anything of it is deleted."""
    if conversation.counted_at:
        return
    insert = sqlite.insert if uow.session.get_bind().dialect.name == "sqlite" else postgresql.insert
    # In order, so that two that count at once wait for each other and never both.
    for cell in sorted(cells_of(uow, conversation.id, conversation.created_at, conversation.place_id)):
        new = insert(CaseCount).values(**dict(zip(_PARTS, cell, strict=True)), count=1)
        more = {"count": CaseCount.__table__.c.count + 1}
        uow.session.execute(new.on_conflict_do_update(index_elements=list(_PARTS), set_=more))
    conversation.counted_at = now


def cells_of(uow: UnitOfWork, conversation_id: str, created_at: datetime, place_id: str | None) -> list[Cell]:
    """Where a conversation is counted: each of its cases, or itself when it had none. Opens no words."""
    area = _area_of(uow, place_id)
    columns = ("id", "kind", "level", "area", "categories", "opened_at", "accepted_at", "closed_at")
    cases = uow.session.execute(
        select(*(getattr(Handover, name) for name in columns)).where(
            Handover.conversation_id == conversation_id
        )
    ).all()
    if not cases:
        return [(_month(created_at), area, CONVERSATION, level_of(uow, conversation_id), CASE, "")]
    cells: list[Cell] = []
    for case in cases:
        base = (_month(case.opened_at), case.area or area, case.kind, case.level)
        cells.append((*base, CASE, ""))
        cells += [(*base, CATEGORY, category) for category in sorted(set(case.categories or ()))]
        first = _first_accepted(uow, case.id) or case.accepted_at
        cells.append((*base, ACCEPTED, _band(case.opened_at, first, ACCEPT_BANDS)))
        cells.append((*base, CLOSED_IN, _band(case.opened_at, case.closed_at, CLOSE_BANDS)))
    return cells


def level_of(uow: UnitOfWork, conversation_id: str) -> str:
    """The highest level that a message of a conversation was found to have."""
    found = uow.session.scalars(
        select(Message.level).where(Message.conversation_id == conversation_id).distinct()
    ).all()
    levels = [Level(one) for one in found if one]
    return max(levels, key=lambda one: one.rank, default=Level.NONE).value


def counts(uow: UnitOfWork, areas: Sequence[str] = ()) -> Counter[Cell]:
    """Everything that was ever counted and what is still there; of these areas only, if any are named."""
    found: Counter[Cell] = Counter()
    for row in uow.session.scalars(select(CaseCount)):
        found[(row.month, row.area, row.kind, row.level, row.measure, row.value)] += row.count
    for conversation in _uncounted(uow):
        found.update(cells_of(uow, *conversation))
    if areas:
        found = Counter({cell: n for cell, n in found.items() if not cell[1] or cell[1] in areas})
    return found


def hide_small(numbers: Sequence[int]) -> list[int | None]:
    """Figures that may be shown side by side with their sum known.

    One below :data:`SMALLEST` is hidden; were it the only one, it could be worked out from the others and
    the sum, so the smallest of the others is hidden as well. Zero says nothing about anybody and is shown.
    """
    small = {i for i, n in enumerate(numbers) if 0 < n < SMALLEST}
    if len(small) == 1:
        rest = [i for i, n in enumerate(numbers) if n >= SMALLEST]
        if rest:
            small.add(min(rest, key=lambda i: numbers[i]))
    return [None if i in small else n for i, n in enumerate(numbers)]


def _uncounted(uow: UnitOfWork) -> Iterator[Any]:
    after = ""
    while True:
        piece = uow.session.execute(
            select(Conversation.id, Conversation.created_at, Conversation.place_id)
            .where(Conversation.counted_at.is_(None), Conversation.id > after)
            .order_by(Conversation.id)
            .limit(_BATCH)
        ).all()
        yield from piece
        if len(piece) < _BATCH:
            return
        after = piece[-1].id


def _area_of(uow: UnitOfWork, place_id: str | None) -> str:
    if not place_id:
        return ""
    return uow.session.scalar(select(Place.area).where(Place.id == place_id)) or ""


def _first_accepted(uow: UnitOfWork, handover_id: int) -> datetime | None:
    return uow.session.scalar(
        select(func.min(AuditEntry.at)).where(
            AuditEntry.handover_id == handover_id, AuditEntry.action == "accepted"
        )
    )


def _band(start: datetime, end: datetime | None, bands: Sequence[tuple[timedelta, str]]) -> str:
    if end is None:
        return NEVER
    return next((name for limit, name in bands if end - start <= limit), LONGER)


def _month(at: datetime) -> str:
    return at.astimezone(UK).strftime("%Y-%m")
