"""What stands beside a case: who was alerted, what came before and after it, what was done about abuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.conduct import MINUTES, is_open
from bot.desk.access import may_see_case
from bot.desk.queries import area_of
from bot.desk.sessions import SignedIn
from bot.handover import ACCEPTED
from bot.rota import LEAD
from bot.store import aftercare
from bot.store.models import Alert, CheckIn, Conduct, Handover, Message
from bot.store.uow import UnitOfWork


@dataclass(frozen=True)
class Alerted:
    """One alert: who, when, and what became of it."""

    name: str | None
    at: datetime
    reason: str
    state: str  # delivered, sent, failed or sending
    done_at: datetime | None
    took: Mapping[str, bool]


@dataclass(frozen=True)
class Measure:
    """One measure about abuse, with the names of who took and ended it."""

    row: Conduct
    by: str | None
    confirmed_by: str | None
    ended_by: str | None
    open: bool
    waits: bool


@dataclass(frozen=True)
class Aftermath:
    """Everything of it for one case, as one person may see it."""

    alerts: tuple[Alerted, ...]
    others: tuple[Handover, ...]
    check_ins: tuple[CheckIn, ...]
    wants_check_ins: str | None
    measures: tuple[Measure, ...]
    held: tuple[Message, ...]
    may_act: bool
    minutes: tuple[int, ...]


def aftermath_of(uow: UnitOfWork, case: Handover, me: SignedIn, now: datetime) -> Aftermath:
    """Gather it."""
    conversation = uow.conversation(case.conversation_id)
    name = Names(uow)
    others = (one for one in aftercare.handovers_of(uow, conversation.id) if one.id != case.id)
    return Aftermath(
        alerts=tuple(
            Alerted(name(a.staff_id), a.created_at, a.reason, *_became(a), a.took or {})
            for a in uow.alerts_of(case.id)
        ),
        others=tuple(one for one in others if _may_see(uow, one, me)),
        check_ins=tuple(aftercare.check_ins_of(uow, conversation.id)),
        wants_check_ins=conversation.check_ins,
        measures=tuple(measure_of(row, name, now) for row in aftercare.conduct_of(uow, conversation.id)),
        held=tuple(m for m in uow.messages(conversation.id) if m.held),
        may_act=not conversation.erased_at
        and (me.role == LEAD or (case.state == ACCEPTED and case.accepted_by == me.staff_id)),
        minutes=MINUTES,
    )


def measure_of(row: Conduct, name: Names, now: datetime) -> Measure:
    """A measure as it is shown."""
    return Measure(
        row=row,
        by=name(row.by),
        confirmed_by=name(row.confirmed_by),
        ended_by=name(row.ended_by),
        open=is_open(row, now),
        waits=bool(row.needs_lead and not row.confirmed_by and not row.ended_at),
    )


class Names:
    """Names of staff by their ids, each looked up once."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._known: dict[str, str | None] = {}

    def __call__(self, staff_id: str | None) -> str | None:
        if staff_id and staff_id not in self._known:
            staff = self._uow.staff_member(staff_id)
            self._known[staff_id] = staff.name if staff else None
        return self._known.get(staff_id) if staff_id else None


def _became(alert: Alert) -> tuple[str, datetime | None]:
    for state in ("failed", "delivered", "sent"):
        if at := getattr(alert, f"{state}_at"):
            return state, at
    return "sending", None


def _may_see(uow: UnitOfWork, case: Handover, me: SignedIn) -> bool:
    came_to, area = case.routed_to or (), area_of(uow, case)
    return may_see_case(me.role, me.staff_id, came_to, case.accepted_by, serves=me.areas, area=area)
