"""Legal hold: while one is on, nothing of a conversation is deleted, by nobody. For leads alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.store.models import Handover
from bot.store.uow import UnitOfWork

#: Characters of a reason.
MAX_REASON = 500


@dataclass(frozen=True)
class Hold:
    """A legal hold that is on: since when, by whom (None: they left), and why."""

    at: datetime
    by: str | None
    reason: str


class BadReason(Exception):
    """No reason, or one that is too long. ``problem`` names the words that say so."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class NothingToHold(Exception):
    """What was in this case is deleted already."""


def hold(uow: UnitOfWork, case: Handover, staff_id: str, reason: str, now: datetime) -> None:
    """Keep everything of this case and its conversation, whatever the rules or the person say.

    Raises:
        BadReason: empty, or longer than :data:`MAX_REASON`.
        NothingToHold: its time was over before.
    """
    reason = reason.strip()
    if not reason:
        raise BadReason("no_hold_reason")
    if len(reason) > MAX_REASON:
        raise BadReason("hold_reason_too_long")
    conversation = uow.conversation(case.conversation_id, lock=True)
    if conversation is None or conversation.purged_at:
        raise NothingToHold
    if not case.held_at:
        case.held_at, case.held_by, case.hold_reason = now, staff_id, reason
        uow.audit(now, staff_id, "held", handover=case)


def lift(uow: UnitOfWork, case: Handover, staff_id: str, now: datetime) -> None:
    """Let the rules count again. What they made due meanwhile is deleted at the next run."""
    uow.conversation(case.conversation_id, lock=True)
    if case.held_at:
        since = case.held_at.isoformat()
        case.held_at = case.held_by = case.hold_reason = None
        uow.audit(now, staff_id, "hold_lifted", handover=case, since=since)


def hold_of(uow: UnitOfWork, case: Handover) -> Hold | None:
    """The hold that is on a case."""
    if not case.held_at:
        return None
    lead = uow.staff_member(case.held_by)
    return Hold(case.held_at, lead.name if lead else None, case.hold_reason or "")
