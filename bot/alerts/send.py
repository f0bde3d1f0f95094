"""Sends what is due. A send that fails is tried again; one given up counts as no answer, at once.

An alert is claimed in the database before it is sent, one by one, so that two gateways do not both send it.
A claim is a lease: a gateway that dies in between leaves it to run out, and another sends; started again
under its own name it gives its old claims back at once. Whoever dies between the moment a service took the
alert and the moment that was written down sends it again: at least once, never less. GOV.UK Notify is asked
before a second try whether it had the first, so there it is once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, update

from bot.alerts.no_answer import nobody_reached
from bot.alerts.notify import DELIVERED, FAILED, Notify, NotifyDown
from bot.alerts.senders import Notice, Outcome, Senders
from bot.store.aftercare import at_desk, receipts_due
from bot.store.models import Alert
from bot.store.uow import Store, UnitOfWork

log = structlog.get_logger(__name__)

#: Seconds for which one gateway keeps an alert to itself while sending it.
LEASE = 60
#: Tries before an alert counts as failed.
TRIES = 3
#: Alerts sent at the same time: one slow mail server must not hold up the others.
AT_ONCE = 8
#: Seconds until Notify is asked what became of a message, then between two looks, and until none is due.
FIRST_LOOK, NEXT_LOOK, LAST_LOOK = 10, 30, 3_600

Clock = Callable[[], datetime]


def send_due(store: Store, clock: Clock, senders: Senders, gateway: str = "") -> int:
    """Send every alert that is due. Returns how many went out."""
    with store.read() as uow:
        due = [alert.id for alert in uow.alerts_due(clock())]
    if not due:
        return 0
    with ThreadPoolExecutor(min(AT_ONCE, len(due))) as pool:
        return sum(pool.map(lambda alert_id: _send_one(store, clock, senders, gateway, alert_id), due))


def trial(uow: UnitOfWork, staff_id: str, now: datetime) -> Notice:
    """A notice that tries somebody's addresses; it speaks of no case."""
    staff = uow.staff_member(staff_id)
    values = {
        "level": uow.content.say("alert_level_test"),
        "reference": "-",
        "link": f"{uow.settings.url}/desk/",
    }
    return Notice(
        title=uow.content.say("alert_test_title"),
        body=uow.content.say("alert_test_body", **values),
        urls=tuple(staff.alert_urls or ()),
        values=values,
        key=uow.cipher.find_hash("trial", f"{staff_id} {now.isoformat()}")[:24],
        at_desk=at_desk(uow, staff_id, now),
    )


def give_back_claims(store: Store, gateway: str) -> None:
    """What this gateway was sending when it died is due again. Called once, at its start."""
    with store.write() as uow:
        uow.session.execute(
            update(Alert)
            .where(Alert.claimed_by == gateway, Alert.sent_at.is_(None), Alert.failed_at.is_(None))
            .values(claimed_until=None)
        )
        uow.commit()


def check_receipts(store: Store, clock: Clock, notify: Notify | None) -> int:
    """Ask Notify what became of messages it took. Returns how many alerts are settled now."""
    if notify is None:
        return 0
    settled = 0
    with store.write() as uow:
        now = clock()
        due = [(a.id, tuple(a.receipts or ()), a.created_at) for a in receipts_due(uow, now)]
        for alert_id, _, _ in due:  # another gateway leaves them alone until then
            uow.session.get(Alert, alert_id).check_at = now + timedelta(seconds=NEXT_LOOK)
        uow.commit()
    for alert_id, receipts, created_at in due:
        try:
            states = [notify.status(receipt) for receipt in receipts]
        except NotifyDown as error:
            log.warning("alert_receipts_unreadable", error=str(error))
            return settled
        settled += _settle(store, alert_id, states, created_at, clock())
    return settled


def _send_one(store: Store, clock: Clock, senders: Senders, gateway: str, alert_id: int) -> int:
    notice = _claim(store, alert_id, clock(), gateway)
    if notice is None:
        return 0
    try:
        outcome = senders.send(notice)
    except Exception as error:  # noqa: BLE001 - one broken sender must not stop the others
        log.warning("alert_failed", alert=alert_id, error=type(error).__name__)
        outcome = Outcome({})
    _record(store, alert_id, outcome, clock())
    return int(outcome.ok)


def _claim(store: Store, alert_id: int, now: datetime, gateway: str) -> Notice | None:
    """Take one alert for this gateway; None when another was first."""
    with store.write() as uow:
        taken = uow.session.execute(
            update(Alert)
            .where(
                Alert.id == alert_id,
                Alert.sent_at.is_(None),
                Alert.failed_at.is_(None),
                or_(Alert.claimed_until.is_(None), Alert.claimed_until <= now),
            )
            .values(
                claimed_until=now + timedelta(seconds=LEASE),
                claimed_by=gateway or None,
                attempts=Alert.attempts + 1,
            )
            .execution_options(synchronize_session=False)
        )
        if taken.rowcount != 1:
            return None
        notice = _notice(uow, uow.session.get(Alert, alert_id), now)
        uow.commit()
        return notice


def _notice(uow: UnitOfWork, alert: Alert, now: datetime) -> Notice:
    handover = uow.handover(alert.handover_id)
    staff = uow.staff_member(alert.staff_id)
    values = {
        "level": uow.content.say(f"alert_level_{handover.level}"),
        "reference": handover.reference,
        "link": f"{uow.settings.url}/desk/cases/{handover.id}",
    }
    title, body = ("alert_title", "alert_body")
    if alert.reason == "outcome":
        title, body = ("alert_outcome_title", "alert_outcome_body")
        values["level"] = uow.content.say("alert_level_closed")
    return Notice(
        title=uow.content.say(title, **values),
        body=uow.content.say(body, **values),
        urls=tuple(staff.alert_urls or ()),
        values=values,
        key=uow.cipher.find_hash("alert", str(alert.id))[:24],
        again=alert.attempts > 1,
        at_desk=at_desk(uow, staff.id, now),
    )


def _record(store: Store, alert_id: int, outcome: Outcome, now: datetime) -> None:
    with store.write() as uow:
        alert = uow.session.get(Alert, alert_id)
        alert.took, alert.receipts = dict(outcome.took), list(outcome.receipts) or None
        if outcome.ok:
            alert.sent_at = now
            if outcome.receipts:
                alert.check_at = now + timedelta(seconds=FIRST_LOOK)
            _note(uow, alert, "alert_sent", now)
        elif alert.attempts >= TRIES or not uow.staff_member(alert.staff_id).alert_urls:
            _give_up(uow, alert, now)
        else:
            alert.claimed_until = now + timedelta(seconds=2**alert.attempts)
        uow.commit()


def _settle(store: Store, alert_id: int, states: list[str], created_at: datetime, now: datetime) -> int:
    with store.write() as uow:
        alert = uow.session.get(Alert, alert_id)
        if DELIVERED in states:
            alert.delivered_at, alert.check_at = now, None
        elif set(states) <= FAILED:
            took = alert.took or {}
            alert.took = {kind: ok and not kind.startswith("notify_") for kind, ok in took.items()}
            alert.check_at = None
            if not any(alert.took.values()):
                _give_up(uow, alert, now)
        elif (now - created_at).total_seconds() > LAST_LOOK:
            alert.check_at = None
        else:
            return 0
        uow.commit()
        return 1


def _give_up(uow: UnitOfWork, alert: Alert, now: datetime) -> None:
    """Nothing reached this person: that counts as no answer, and the next are asked at once."""
    alert.failed_at = now
    _note(uow, alert, "alert_failed", now)
    uow.session.flush()
    nobody_reached(uow, alert.handover_id, now)


def _note(uow: UnitOfWork, alert: Alert, action: str, now: datetime) -> None:
    handover = uow.handover(alert.handover_id)
    took = dict(alert.took or {})
    uow.audit(now, "clock", action, handover=handover, to=alert.staff_id, staff=alert.staff_id, took=took)
