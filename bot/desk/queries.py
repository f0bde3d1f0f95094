"""Questions that only the desk asks of the database. The queue needs no sealed column: it opens none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from bot.casework import opinions
from bot.messages import Sender
from bot.store.models import Conversation, Handover, Message, Place, StaffSession
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
    guests: tuple[str, ...] = ()  # who gives a second opinion

    @property
    def came_to(self) -> tuple[str, ...]:
        """Everybody it was brought to: asked to take it, or for a second opinion."""
        return (*self.routed_to, *self.guests)

    def overdue(self, now: datetime) -> bool:
        """Whether somebody should have answered by now."""
        return self.deadline_at is not None and self.deadline_at <= now


def queue_rows(uow: UnitOfWork, *, closed: bool = False) -> list[Row]:
    """The open handovers by level, then by deadline; or the closed ones, newest first."""
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
        # Where nobody has to answer, there is no deadline: those come last of their level.
        query = query.order_by(
            Handover.level_rank.desc(),
            Handover.deadline_at.is_(None),
            Handover.deadline_at,
            Handover.opened_at,
            Handover.id,
        )
    found = uow.session.execute(query).all()
    guests = {} if closed else opinions.everybodys(uow, (row[0] for row in found))
    return [
        Row(
            *row[:6], tuple(row[6] or ()), *row[7:10], tuple(row[10] or ()), *row[11:], guests.get(row[0], ())
        )
        for row in found
    ]


def unanswered(uow: UnitOfWork, conversation_ids: Iterable[str]) -> dict[str, int]:
    """How many messages the person wrote since a worker last did, by conversation; none where it is 0."""
    wanted = list(conversation_ids)
    if not wanted:
        return {}
    last = (
        select(Message.conversation_id, func.max(Message.seq).label("seq"))
        .where(Message.conversation_id.in_(wanted), Message.sender == Sender.WORKER.value)
        .group_by(Message.conversation_id)
        .subquery()
    )
    query = (
        select(Message.conversation_id, func.count(Message.id))
        .outerjoin(last, last.c.conversation_id == Message.conversation_id)
        .where(
            Message.conversation_id.in_(wanted),
            Message.sender == Sender.YOU.value,
            Message.seq > func.coalesce(last.c.seq, 0),
        )
        .group_by(Message.conversation_id)
    )
    return dict(uow.session.execute(query).all())


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
    guests = opinions.everybodys(uow, (row[0] for row in found))
    return [
        Touched(row[0], row[1], row[2] - 1, (*(row[3] or ()), *guests.get(row[0], ())), row[4], row[5])
        for row in found
    ]


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
