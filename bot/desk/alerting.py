"""Alerts at the desk: trying one's addresses, and what a browser is to show and sound for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from anyio import to_thread
from sqlalchemy import select
from starlette.requests import Request

from bot.alerts.send import trial
from bot.alerts.senders import senders
from bot.bootstrap import Core
from bot.handover import CLOSED
from bot.store.models import Alert, Handover
from bot.store.uow import UnitOfWork

#: Seconds for which a page that comes back to the stream still hears of an alert.
STILL_NEWS = 120


@dataclass(frozen=True)
class Ring:
    """An alert as a browser is told of it: numbers and a level, no word of anybody."""

    id: int
    case: int
    level: str


def rings_for(uow: UnitOfWork, staff_id: str, after: int, now: datetime) -> list[Ring]:
    """What this person is to be shown and hear, newer than an alert's number."""
    query = (
        select(Alert.id, Handover.id, Handover.level)
        .join(Handover, Handover.id == Alert.handover_id)
        .where(
            Alert.staff_id == staff_id,
            Alert.id > after,
            Alert.created_at > now - timedelta(seconds=STILL_NEWS),
            Alert.reason != "outcome",
            Handover.state != CLOSED,
        )
        .order_by(Alert.id)
    )
    return [Ring(*row) for row in uow.session.execute(query).all()]


async def try_addresses(request: Request, staff_id: str) -> Mapping[str, bool]:
    """Send a test to somebody's addresses; for each kind of address whether it took it."""
    core: Core = request.app.state.desk.core
    me = request.state.me

    def send() -> Mapping[str, bool]:
        now = core.now()
        with core.store.read() as uow:
            notice = trial(uow, staff_id, now)
        took = dict(senders(core.settings).send(notice).took)
        with core.uow() as uow:
            uow.audit(now, me.staff_id, "alert_tested", subject=staff_id, took=took)
            uow.commit()
        return took

    return await to_thread.run_sync(send)
