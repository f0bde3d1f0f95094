"""Questions about alerts, check-ins and conduct that the core asks of the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select

from bot.store.models import Alert, AuditEntry, CheckIn, Conduct, Handover, Message, StaffSession
from bot.store.uow import UnitOfWork

#: Minutes after which an open desk that did not stir counts as closed; open pages stir once a minute.
AT_DESK_MINUTES = 3


def at_desk(uow: UnitOfWork, staff_id: str, now: datetime) -> bool:
    """Whether somebody has the desk open: its pages show and sound by themselves."""
    query = select(StaffSession.token_hash).where(
        StaffSession.staff_id == staff_id,
        StaffSession.kind == "session",
        StaffSession.expires_at > now,
        StaffSession.seen_at > now - timedelta(minutes=AT_DESK_MINUTES),
    )
    return uow.session.scalars(query).first() is not None


def receipts_due(uow: UnitOfWork, now: datetime) -> Sequence[Alert]:
    """Alerts of which GOV.UK Notify is to be asked what became of them."""
    query = select(Alert).where(Alert.check_at <= now, Alert.failed_at.is_(None)).order_by(Alert.id)
    return uow.session.scalars(query.with_for_update(skip_locked=True)).all()


def last_worker_of(uow: UnitOfWork, conversation_id: str) -> str | None:
    """Who closed the last case of this conversation."""
    query = select(Handover.accepted_by).where(
        Handover.conversation_id == conversation_id, Handover.state == "closed"
    )
    return uow.session.scalars(query.order_by(Handover.id.desc())).first()


def handovers_of(uow: UnitOfWork, conversation_id: str) -> Sequence[Handover]:
    """Every handover of a conversation, oldest first."""
    return uow.session.scalars(
        select(Handover).where(Handover.conversation_id == conversation_id).order_by(Handover.id)
    ).all()


def check_ins_due(uow: UnitOfWork, now: datetime) -> list[int]:
    """Ids of the check-ins whose day has come."""
    query = select(CheckIn.id).where(CheckIn.done_at.is_(None), CheckIn.due_at <= now)
    return list(uow.session.scalars(query.order_by(CheckIn.due_at, CheckIn.id)).all())


def check_in(uow: UnitOfWork, check_in_id: int, *, lock: bool = False) -> CheckIn | None:
    """A check-in by id; ``lock`` keeps other writers of it out, and reads it anew."""
    query = select(CheckIn).where(CheckIn.id == check_in_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return uow.session.scalars(query).first()


def check_ins_of(uow: UnitOfWork, conversation_id: str) -> Sequence[CheckIn]:
    """The check-ins of a conversation, in order of their days."""
    return uow.session.scalars(
        select(CheckIn).where(CheckIn.conversation_id == conversation_id).order_by(CheckIn.due_at)
    ).all()


def conduct_of(uow: UnitOfWork, conversation_id: str) -> Sequence[Conduct]:
    """What was done about abuse in a conversation, oldest first."""
    return uow.session.scalars(
        select(Conduct).where(Conduct.conversation_id == conversation_id).order_by(Conduct.id)
    ).all()


def conduct_newest(uow: UnitOfWork, limit: int) -> Sequence[tuple[Conduct, Handover]]:
    """The newest measures everywhere, with the cases they were taken in."""
    return uow.session.execute(
        select(Conduct, Handover)
        .join(Handover, Handover.id == Conduct.handover_id)
        .order_by(Conduct.id.desc())
        .limit(limit)
    ).all()


def measure(uow: UnitOfWork, conduct_id: int, *, lock: bool = False) -> Conduct | None:
    """One measure by id."""
    query = select(Conduct).where(Conduct.id == conduct_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return uow.session.scalars(query).first()


def last_let_through(uow: UnitOfWork, conversation_id: str, before_seq: int) -> datetime | None:
    """When the person's last message came that was not held back, before a number."""
    return uow.session.scalars(
        select(Message.created_at)
        .where(
            Message.conversation_id == conversation_id,
            Message.sender == "you",
            Message.held.is_(None),
            Message.seq < before_seq,
        )
        .order_by(Message.seq.desc())
    ).first()


def ever_at_risk(uow: UnitOfWork, conversation_id: str) -> bool:
    """Whether any message or case of this conversation was ever ``high`` or worse."""
    message = select(Message.id).where(
        Message.conversation_id == conversation_id, Message.level.in_(("high", "immediate"))
    )
    case = select(Handover.id).where(
        Handover.conversation_id == conversation_id,
        or_(Handover.level_rank >= 2, Handover.highest_level.in_(("high", "immediate"))),
    )
    return any(uow.session.scalars(query.limit(1)).first() is not None for query in (message, case))


def held_before(uow: UnitOfWork, handover_id: int) -> set[str]:
    """Everybody who has had a case, by its audit log."""
    query = select(AuditEntry.actor, AuditEntry.action, AuditEntry.detail).where(
        AuditEntry.handover_id == handover_id, AuditEntry.action.in_(("accepted", "transferred"))
    )
    rows = uow.session.execute(query).all()
    return {detail.get("to", "") if action == "transferred" else actor for actor, action, detail in rows}
