"""Second opinions: a colleague reads along and writes internal notes; the person sees nothing of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

from bot.casework.tables import SecondOpinion
from bot.handover import deadlines
from bot.handover.states import ACCEPTED, NotYours, WrongState
from bot.rota import ADMINISTRATOR, LEAD
from bot.store.models import Handover
from bot.store.uow import UnitOfWork


class CannotBeAsked(Exception):
    """This colleague works here no longer, sees no cases, or holds this one."""


def invite(uow: UnitOfWork, handover: Handover, staff_id: str, colleague_id: str, now: datetime) -> None:
    """Whoever has the case asks a colleague; asking twice is asking once. The colleague is alerted.

    Raises:
        WrongState: nobody has accepted the case.
        NotYours: somebody else has it.
        CannotBeAsked: not this colleague.
    """
    if handover.state != ACCEPTED:
        raise WrongState("this case is not accepted")
    if handover.accepted_by != staff_id:
        raise NotYours(staff_id)
    colleague = uow.rota().person(colleague_id)
    if colleague is None or colleague.role == ADMINISTRATOR or colleague_id == staff_id:
        raise CannotBeAsked
    if colleague_id in asked(uow, handover.id):
        return
    uow.add(
        SecondOpinion(handover_id=handover.id, staff_id=colleague_id, invited_by=staff_id, invited_at=now)
    )
    uow.audit(now, staff_id, "opinion_asked", handover=handover, to=colleague_id)
    deadlines.alert(uow, handover, [colleague_id], now, "second_opinion")


def end(uow: UnitOfWork, handover: Handover, staff_id: str, colleague_id: str, now: datetime) -> None:
    """The worker who has the case, the colleague themself or a lead ends it.

    Raises:
        NotYours: somebody else.
    """
    person = uow.rota().person(staff_id)
    is_lead = person is not None and person.role == LEAD
    if staff_id not in (colleague_id, handover.accepted_by) and not is_lead:
        raise NotYours(staff_id)
    _end(uow, handover, staff_id, [colleague_id], now)


def end_all(uow: UnitOfWork, handover: Handover, now: datetime) -> None:
    """The case closes: nobody reads along any more."""
    _end(uow, handover, "clock", asked(uow, handover.id), now)


def asked(uow: UnitOfWork, handover_id: int) -> tuple[str, ...]:
    """Who reads along in a case, by id."""
    return everybodys(uow, [handover_id]).get(handover_id, ())


def everybodys(uow: UnitOfWork, handover_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Who reads along in which of these cases."""
    found: dict[int, tuple[str, ...]] = {}
    wanted = set(handover_ids)
    query = select(SecondOpinion.handover_id, SecondOpinion.staff_id).where(SecondOpinion.ended_at.is_(None))
    for case_id, staff_id in uow.session.execute(query.order_by(SecondOpinion.id)).all():
        if case_id in wanted:
            found[case_id] = (*found.get(case_id, ()), staff_id)
    return found


def _end(uow: UnitOfWork, handover: Handover, actor: str, staff_ids: Iterable[str], now: datetime) -> None:
    wanted = set(staff_ids)
    rows = uow.session.scalars(
        select(SecondOpinion).where(
            SecondOpinion.handover_id == handover.id, SecondOpinion.ended_at.is_(None)
        )
    ).all()
    for row in rows:
        if row.staff_id in wanted:
            row.ended_at = now
            uow.audit(now, actor, "opinion_ended", handover=handover, to=row.staff_id)
