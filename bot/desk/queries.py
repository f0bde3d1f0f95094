"""Questions that only the desk asks of the database. The queue needs no sealed column: it opens none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from bot.store.models import Conversation, Handover, Place, StaffSession
from bot.store.uow import UnitOfWork

#: How many closed cases the queue page shows, newest first.
CLOSED_SHOWN = 100


@dataclass(frozen=True)
class Row:
    """One handover as a line of the queue. Holds no word of the person."""

    id: int
    conversation_id: str
    reference: str
    kind: str
    state: str
    level: str
    categories: tuple[str, ...]
    about: str
    area: str | None
    place: str | None
    routed_to: tuple[str, ...]
    accepted_by: str | None
    opened_at: datetime
    deadline_at: datetime | None
    closed_at: datetime | None

    def overdue(self, now: datetime) -> bool:
        """Whether somebody should have answered by now."""
        return self.deadline_at is not None and self.deadline_at <= now


def queue_rows(uow: UnitOfWork, *, closed: bool = False) -> list[Row]:
    """The open handovers by level, then by waiting time; or the closed ones, newest first."""
    query = (
        select(
            Handover.id,
            Handover.conversation_id,
            Handover.reference,
            Handover.kind,
            Handover.state,
            Handover.level,
            Handover.categories,
            Handover.about,
            func.coalesce(Handover.area, Place.area),
            Place.name,
            Handover.routed_to,
            Handover.accepted_by,
            Handover.opened_at,
            Handover.deadline_at,
            Handover.closed_at,
        )
        .join(Conversation, Conversation.id == Handover.conversation_id)
        .outerjoin(Place, Place.id == Conversation.place_id)
    )
    if closed:
        query = query.where(Handover.state == "closed")
        query = query.order_by(Handover.closed_at.desc(), Handover.id.desc()).limit(CLOSED_SHOWN)
    else:
        query = query.where(Handover.state != "closed")
        query = query.order_by(Handover.level_rank.desc(), Handover.opened_at, Handover.id)
    return [
        Row(*row[:6], tuple(row[6] or ()), *row[7:10], tuple(row[10] or ()), *row[11:])
        for row in uow.session.execute(query).all()
    ]


@dataclass(frozen=True)
class Touched:
    """A case whose conversation changed; ``seq`` is the number of its newest message."""

    id: int
    conversation_id: str
    seq: int
    routed_to: tuple[str, ...]
    accepted_by: str | None
    area: str | None


def cases_of(uow: UnitOfWork, conversation_ids: Iterable[str]) -> list[Touched]:
    """Every case, open or closed, of these conversations."""
    wanted = list(conversation_ids)
    if not wanted:
        return []
    query = (
        select(
            Handover.id,
            Handover.conversation_id,
            Conversation.next_seq,
            Handover.routed_to,
            Handover.accepted_by,
            func.coalesce(Handover.area, Place.area),
        )
        .join(Conversation, Conversation.id == Handover.conversation_id)
        .outerjoin(Place, Place.id == Conversation.place_id)
        .where(Handover.conversation_id.in_(wanted))
    )
    found = uow.session.execute(query).all()
    return [Touched(row[0], row[1], row[2] - 1, tuple(row[3] or ()), row[4], row[5]) for row in found]


def area_of(uow: UnitOfWork, case: Handover) -> str | None:
    """The area of a case: what the person told, else that of the place they chose."""
    if case.area:
        return case.area
    return uow.session.scalar(
        select(Place.area)
        .join(Conversation, Conversation.place_id == Place.id)
        .where(Conversation.id == case.conversation_id)
    )


def signed_in_elsewhere(uow: UnitOfWork, staff_id: str, token_hash: str, now: datetime) -> bool:
    """Whether this person has another session that is still good."""
    query = select(func.count()).where(
        StaffSession.staff_id == staff_id,
        StaffSession.kind == "session",
        StaffSession.token_hash != token_hash,
        StaffSession.expires_at > now,
    )
    return bool(uow.session.scalar(query))
