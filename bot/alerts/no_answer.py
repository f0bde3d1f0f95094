"""When no alert of a step arrived: nobody was asked, so nobody's answer is waited for."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot import handover
from bot.handover import deadlines
from bot.rota import LAST_STEP
from bot.store.uow import UnitOfWork


def nobody_reached(uow: UnitOfWork, handover_id: int, now: datetime) -> bool:
    """Ask the next in the chain now, if every alert of this step failed. Returns whether it did.

    The leads are the last step: there the next try is when the time to accept is over, counted from now and
    not from somebody's next shift, since nobody knows of the case.
    """
    case = uow.handover(handover_id)
    uow.conversation(case.conversation_id, lock=True)
    case = uow.handover(handover_id, lock=True)
    if case.state != handover.WAITING or case.deadline_at is None:
        return False
    alerts = [alert for alert in uow.alerts_of(case.id) if alert.tier == case.tier]
    if not alerts or any(alert.failed_at is None for alert in alerts):
        return False
    if case.tier >= LAST_STEP:
        soon = now + timedelta(seconds=deadlines.seconds_to_accept(uow, case))
        case.deadline_at = min(case.deadline_at, soon)
        return False
    case.deadline_at = now
    return handover.chase(uow, handover_id, now, unreached=True)
