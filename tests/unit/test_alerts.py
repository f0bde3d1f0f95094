"""Alerts: sent once, without a word of the child, and a failure is known."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller

from bot import handover
from bot.alerts.send import TRIES, AppriseSender, Notice, send_due
from bot.bootstrap import Core
from bot.changes import Changes
from bot.conversation import Conversations
from bot.messages import Channel, InboundMessage
from bot.risk import detector
from tests.standins.telegram_api import free_port

DISCLOSURE = "my stepdad hits me when hes had a drink"


class Collector:
    """A sender that keeps what it was given."""

    def __init__(self, works: bool = True) -> None:
        self.sent: list[Notice] = []
        self.works = works

    def send(self, notice: Notice) -> bool:
        """Keep it."""
        self.sent.append(notice)
        return self.works


@pytest.fixture
async def told(core: Core, dialogue) -> str:
    """A disclosure, with alerts due."""
    conversations = Conversations(core, dialogue, detector.assess, Changes(core.store))
    chat = (await conversations.start_web()).conversation_id
    await conversations.take_turn(InboundMessage(chat, Channel.WEB, "m1", text=DISCLOSURE))
    return chat


async def test_an_alert_goes_out_once_and_carries_no_words(core: Core, told: str) -> None:
    console = Collector()
    assert send_due(core.store, core.now(), console, Collector()) == len(console.sent) == 2
    assert send_due(core.store, core.now(), console, Collector()) == 0
    for notice in console.sent:
        whole = f"{notice.title} {notice.body}"
        assert "HIGH" in whole and "/desk/cases/" in whole
        assert "stepdad" not in whole and told not in whole


async def test_an_alert_that_fails_is_tried_again_and_then_recorded(core: Core, told: str) -> None:
    broken, now = Collector(works=False), core.now()
    for attempt in range(TRIES + 2):
        send_due(core.store, now + timedelta(minutes=attempt), broken, Collector())
    assert len(broken.sent) == 2 * TRIES
    with core.store.read() as uow:
        case = uow.open_handover_of(told)
        assert all(alert.failed_at and not alert.sent_at for alert in uow.alerts_of(case.id))
        assert [e.action for e in uow.audit_of(case.id)].count("alert_failed") == 2


async def test_an_alert_that_another_gateway_is_sending_is_left_to_it(core: Core, told: str) -> None:
    outer = Collector()

    class SendsInBetween(Collector):
        def send(self, notice: Notice) -> bool:
            send_due(core.store, core.now(), outer, outer)
            return super().send(notice)

    first = SendsInBetween()
    send_due(core.store, core.now(), first, Collector())
    assert (len(first.sent), len(outer.sent)) == (2, 0)


def test_mail_goes_out_through_a_real_mail_server() -> None:
    class Inbox:
        def __init__(self) -> None:
            self.mails: list[str] = []

        async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
            self.mails.append(envelope.content.decode())
            return "250 OK"

    inbox = Inbox()
    port = free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        url = f"mailto://127.0.0.1:{port}?from=earshot@example.org&to=sam@example.org"
        assert AppriseSender().send(Notice("Earshot HIGH KTA-347", "Open http://desk/1", (url,)))
    finally:
        controller.stop()
    assert len(inbox.mails) == 1 and "KTA-347" in inbox.mails[0]


def test_one_dead_address_does_not_hide_a_live_one() -> None:
    assert not AppriseSender().send(
        Notice("t", "b", ("mailto://127.0.0.1:9?from=a@b.example&to=c@d.example",))
    )
    assert not AppriseSender().send(Notice("t", "b", ("nonsense",)))


async def test_the_desk_link_and_level_follow_the_case(core: Core, told: str) -> None:
    console = Collector()
    send_due(core.store, core.now(), console, Collector())
    with core.store.read() as uow:
        case = uow.open_handover_of(told)
    assert case.reference in console.sent[0].title
    assert console.sent[0].body.endswith(f"/desk/cases/{case.id}")
    assert handover.WAITING == case.state
