"""Sends what is due, once. A send that fails is tried again; one given up counts as no answer.

An alert is claimed in the database before it is sent, so that two gateways do not both send it; a
gateway that dies in between leaves the claim to run out and the other sends it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import apprise
import structlog

from bot.content import Content
from bot.store.models import Alert
from bot.store.uow import Store, UnitOfWork

log = structlog.get_logger(__name__)

#: Seconds for which one process keeps an alert to itself while sending it.
CLAIM = 30
#: Tries before an alert is recorded as failed; the escalation clock goes on regardless.
TRIES = 3


@dataclass(frozen=True)
class Notice:
    """What an alert says. ``urls`` are the Apprise addresses of the person; none means the console."""

    title: str
    body: str
    urls: Sequence[str]


class Sender(Protocol):
    """Sends a notice; returns whether it went out."""

    def send(self, notice: Notice) -> bool: ...


class ConsoleSender:
    """Writes alerts to the terminal, for the demo."""

    def send(self, notice: Notice) -> bool:
        """Write the notice to standard error."""
        sys.stderr.write(f"{notice.title} {notice.body}\n")
        return True


class AppriseSender:
    """Sends through Apprise: mail, Telegram, Teams, SMS gateways and a hundred others."""

    def send(self, notice: Notice) -> bool:
        """Send to every address of the person; true when at least one took it."""
        sent = False
        for url in notice.urls:
            # One by one: Apprise reports only all-or-nothing, and one dead address must not hide a live one.
            one = apprise.Apprise()
            sent = (one.add(url) and bool(one.notify(title=notice.title, body=notice.body))) or sent
        return sent


def send_due(store: Store, now: datetime, console: Sender, remote: Sender) -> int:
    """Send every alert that is due. Returns how many went out."""
    with store.write() as uow:
        claimed = list(uow.alerts_due(now))
        for alert in claimed:
            alert.claimed_until = now + timedelta(seconds=CLAIM)
            alert.attempts += 1
        notices = [(alert.id, _notice(uow, alert)) for alert in claimed]
        uow.commit()
    sent = 0
    for alert_id, notice in notices:
        try:
            ok = (remote if notice.urls else console).send(notice)
        except Exception as error:  # noqa: BLE001 - one broken address must not stop the others
            log.warning("alert_failed", alert=alert_id, error=type(error).__name__)
            ok = False
        sent += ok
        _record(store, alert_id, ok, now)
    return sent


def _notice(uow: UnitOfWork, alert: Alert) -> Notice:
    content: Content = uow.content
    handover = uow.handover(alert.handover_id)
    staff = uow.staff_member(alert.staff_id)
    values = {
        "level": content.say(f"alert_level_{handover.level}"),
        "reference": handover.reference,
        "link": f"{uow.settings.url}/desk/cases/{handover.id}",
    }
    return Notice(
        title=content.say("alert_title", **values),
        body=content.say("alert_body", **values),
        urls=tuple(staff.alert_urls or ()),
    )


def _record(store: Store, alert_id: int, ok: bool, now: datetime) -> None:
    with store.write() as uow:
        alert = uow.session.get(Alert, alert_id)
        if ok:
            alert.sent_at = now
        elif alert.attempts >= TRIES:
            alert.failed_at = now
        else:
            alert.claimed_until = now + timedelta(seconds=2**alert.attempts)
        handover = uow.handover(alert.handover_id)
        if ok or alert.failed_at:
            uow.audit(
                now, "clock", "alert_sent" if ok else "alert_failed", handover=handover, staff=alert.staff_id
            )
        uow.commit()
