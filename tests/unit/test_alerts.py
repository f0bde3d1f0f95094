"""Alerts: sent once, without a word of the child, and one that fails counts as no answer, at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine

from bot import handover
from bot.alerts.addresses import is_address, kind_of
from bot.alerts.notify import Notify
from bot.alerts.send import LEASE, TRIES, check_receipts, give_back_claims, send_due
from bot.alerts.senders import AddressSender, DeskSender, Notice, Outcome, Senders
from bot.bootstrap import Core
from bot.changes import Changes
from bot.conversation import Conversations
from bot.messages import Channel, InboundMessage
from bot.risk import detector
from bot.store.models import Alert, StaffSession
from tests.standins.mailbox import Mailbox
from tests.standins.notify_api import API_KEY, MAIL_TEMPLATE, SMS_TEMPLATE, NotifyApi
from tests.standins.served import served
from tests.unit.test_handover import TUESDAY_NOON

DISCLOSURE = "my stepdad hits me when hes had a drink"


class Collector:
    """A sender that keeps what it was given."""

    def __init__(self, works: bool = True) -> None:
        self.sent: list[Notice] = []
        self.works = works

    def send(self, notice: Notice) -> Outcome:
        """Keep it."""
        self.sent.append(notice)
        return Outcome({"console": self.works})


def at(moment: datetime):
    """A clock that stands."""
    return lambda: moment


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(TUESDAY_NOON, tick=False):
        yield


@pytest.fixture
async def told(core: Core, dialogue, noon) -> str:
    """A disclosure, with alerts due."""
    conversations = Conversations(core, dialogue, detector.assess, Changes(core.store))
    chat = (await conversations.start_web()).conversation_id
    await conversations.take_turn(InboundMessage(chat, Channel.WEB, "m1", text=DISCLOSURE))
    return chat


def give_addresses(core: Core, *addresses: str) -> None:
    with core.uow() as uow:
        for staff in uow.staff():
            staff.alert_urls = list(addresses)
        uow.commit()


def alerts(core: Core, chat: str) -> list[Alert]:
    with core.store.read() as uow:
        return list(uow.alerts_of(uow.open_handover_of(chat).id))


def texts(core: Core, chat: str) -> list[str]:
    with core.store.read() as uow:
        return [message.text for message in uow.messages(chat)]


async def test_an_alert_goes_out_once_and_carries_no_words(core: Core, told: str) -> None:
    console = Collector()
    assert send_due(core.store, core.now, Senders(Collector(), console)) == len(console.sent) == 2
    assert send_due(core.store, core.now, Senders(Collector(), console)) == 0
    for notice in console.sent:
        whole = f"{notice.title} {notice.body}"
        assert "HIGH" in whole and "/desk/cases/" in whole
        assert "stepdad" not in whole and told not in whole


async def test_an_alert_that_fails_is_tried_again_and_then_recorded(core: Core, told: str) -> None:
    give_addresses(core, "mailto://nobody")
    broken, now = Collector(works=False), core.now()
    before = [alert.id for alert in alerts(core, told)]
    for attempt in range(TRIES + 2):
        send_due(core.store, at(now + timedelta(minutes=attempt)), Senders(broken, broken))
    first = [alert for alert in alerts(core, told) if alert.id in before]
    assert all(alert.failed_at and alert.attempts == TRIES and not alert.sent_at for alert in first)
    with core.store.read() as uow:
        case = uow.open_handover_of(told)
        failed = [e.detail["staff"] for e in uow.audit_of(case.id) if e.action == "alert_failed"]
    assert {alert.staff_id for alert in first} <= set(failed)


async def test_a_failed_alert_counts_as_no_answer_and_the_next_are_asked_at_once(
    core: Core, told: str
) -> None:
    give_addresses(core, "mailto://nobody")
    broken, now = Collector(works=False), core.now()
    with core.store.read() as uow:
        before = uow.open_handover_of(told)
    for second in range(8):
        send_due(core.store, at(now + timedelta(seconds=second)), Senders(broken, broken))
    with core.store.read() as uow:
        case = uow.open_handover_of(told)
    assert case.tier > before.tier and set(case.routed_to) > set(before.routed_to)
    assert before.deadline_at - now > timedelta(minutes=5), "this was long before the deadline"
    assert sum("I could not reach the first people" in text for text in texts(core, told)) == 1


async def test_one_of_a_team_who_was_reached_is_waited_for(core: Core, told: str) -> None:
    now = core.now()
    one, *_ = alerts(core, told)
    with core.uow() as uow:
        uow.staff_member(one.staff_id).alert_urls = ["mailto://nobody"]
        uow.commit()
    for second in range(8):
        send_due(core.store, at(now + timedelta(seconds=second)), Senders(Collector(False), Collector()))
    with core.store.read() as uow:
        case = uow.open_handover_of(told)
        assert uow.session.get(Alert, one.id).failed_at
    assert case.deadline_at == now + timedelta(minutes=10) and len(alerts(core, told)) == 2


async def test_when_nobody_can_be_reached_the_leads_are_asked_and_it_does_not_go_round_for_ever(
    core: Core, told: str
) -> None:
    give_addresses(core, "mailto://nobody")
    broken, now = Collector(works=False), core.now()
    for second in range(90):
        send_due(core.store, at(now + timedelta(seconds=second)), Senders(broken, broken))
    with core.store.read() as uow:
        case = uow.open_handover_of(told)
        leads = {person.id for person in uow.rota().leads()}
    assert case.tier == 3 and {a.staff_id for a in alerts(core, told) if a.tier == 3} == leads
    assert case.deadline_at > now + timedelta(minutes=9)


async def test_after_an_outage_of_mail_all_who_are_there_hear_of_it_within_the_time_to_accept(
    core: Core, told: str
) -> None:
    give_addresses(core, "mailto://nobody")
    broken, mended, now = Collector(works=False), Collector(), core.now()
    with core.store.read() as uow:
        case, there = uow.open_handover_of(told), {person.id for person in uow.rota().duty_line(now)}
        leads = {person.id for person in uow.rota().leads()}
    for second in range(90):
        send_due(core.store, at(now + timedelta(seconds=second)), Senders(broken, broken))
    later = now + timedelta(minutes=12)  # not at the next shift, which may be tomorrow's
    with core.uow() as uow:
        assert handover.chase(uow, case.id, later)
        uow.commit()
    send_due(core.store, at(later), Senders(mended, mended))
    heard = {one.staff_id for one in alerts(core, told) if one.sent_at}
    assert heard == {one.staff_id for one in alerts(core, told) if one.failed_at} >= there | leads


async def test_an_alert_that_another_gateway_is_sending_is_left_to_it(core: Core, told: str) -> None:
    outer = Collector()

    class SendsInBetween(Collector):
        def send(self, notice: Notice) -> Outcome:
            send_due(core.store, core.now, Senders(outer, outer), "other")
            return super().send(notice)

    first = SendsInBetween()
    send_due(core.store, core.now, Senders(first, first), "one")
    send_due(core.store, core.now, Senders(outer, outer), "other")
    assert (len(first.sent) + len(outer.sent)) == 2
    assert len({notice.key for notice in (*first.sent, *outer.sent)}) == 2


async def test_a_claim_of_a_dead_gateway_runs_out_or_is_given_back_at_its_start(
    core: Core, told: str
) -> None:
    class Dies(Collector):
        def send(self, notice: Notice) -> Outcome:
            raise SystemExit  # as a kill would, nothing is recorded

    with pytest.raises(SystemExit):
        send_due(core.store, core.now, Senders(Dies(), Dies()), "one")
    living, now = Collector(), core.now()
    assert send_due(core.store, core.now, Senders(living, living), "other") == 0
    give_back_claims(core.store, "other")
    assert send_due(core.store, core.now, Senders(living, living), "other") == 0
    give_back_claims(core.store, "one")
    assert send_due(core.store, core.now, Senders(living, living), "one") == 2
    assert send_due(core.store, at(now + timedelta(seconds=LEASE)), Senders(living, living), "other") == 0
    assert all(notice.again for notice in living.sent)


def test_without_an_address_only_an_open_desk_tells_them_in_production(core: Core) -> None:
    assert not DeskSender().send(Notice("t", "b", ())).ok
    assert DeskSender().send(Notice("t", "b", (), at_desk=True)).took == {"desk": True}


async def test_whoever_has_neither_address_nor_open_desk_was_not_asked(core: Core, told: str) -> None:
    with core.uow() as uow:
        uow.add(
            StaffSession(
                token_hash="t" * 64,
                staff_id=alerts(core, told)[0].staff_id,
                kind="session",
                created_at=core.now(),
                seen_at=core.now(),
                expires_at=core.now() + timedelta(hours=1),
            )
        )
        uow.commit()
    send_due(core.store, core.now, Senders(Collector(), DeskSender()))
    there, away = alerts(core, told)
    assert there.sent_at and there.took == {"desk": True}
    assert away.failed_at and away.took == {"nowhere": False}


# Mail ------------------------------------------------------------------------------------------------


async def test_mail_waits_for_its_server_to_come_back(core: Core, told: str) -> None:
    mailbox = Mailbox()
    give_addresses(core, mailbox.address("sam@example.org"))
    now, real = core.now(), Senders(AddressSender(), Collector())
    assert send_due(core.store, core.now, real) == 0, "the server is down"
    mailbox.open()
    try:
        assert send_due(core.store, at(now + timedelta(seconds=1)), real) == 0, "not before its time"
        assert send_due(core.store, at(now + timedelta(seconds=3)), real) == 2
        assert send_due(core.store, at(now + timedelta(minutes=3)), real) == 0
    finally:
        mailbox.close()
    assert len(mailbox.mails) == 2 and all("stepdad" not in mail for mail in mailbox.mails)
    assert all(alert.took == {"mailto": True} for alert in alerts(core, told))


def test_one_dead_address_does_not_hide_a_live_one() -> None:
    mailbox = Mailbox()
    mailbox.open()
    try:
        urls = ("nonsense", "ntfy://127.0.0.1:9/nobody", mailbox.address("sam@example.org"))
        outcome = AddressSender().send(Notice("t", "b", urls))
    finally:
        mailbox.close()
    assert outcome.ok and outcome.took == {"unknown": False, "ntfy": False, "mailto": True}
    assert not AddressSender().send(Notice("t", "b", urls)).ok


@pytest.mark.parametrize(
    ("address", "good", "kind"),
    [
        ("notify:07700 900123", True, "notify_sms"),
        ("notify:sam@example.org", True, "notify_mail"),
        ("notify:nobody", False, "notify_sms"),
        ("mailto://127.0.0.1?from=a@b.example&to=c@d.example", True, "mailto"),
        ("just words", False, "unknown"),
    ],
)
def test_the_kind_of_an_address_never_tells_the_address(address: str, good: bool, kind: str) -> None:
    assert (is_address(address), kind_of(address)) == (good, kind)


# GOV.UK Notify ---------------------------------------------------------------------------------------


@pytest.fixture
def notify_api(noon) -> Iterator[tuple[NotifyApi, Notify]]:
    api = NotifyApi()
    with time_machine.travel(TUESDAY_NOON, tick=True), served(api.app) as url:
        yield api, Notify(API_KEY, url, MAIL_TEMPLATE, SMS_TEMPLATE)


async def test_notify_sends_texts_and_mail_with_its_own_templates(core: Core, told: str, notify_api) -> None:
    api, notify = notify_api
    give_addresses(core, "notify:07700 900123", "notify:sam@example.org")
    assert send_due(core.store, core.now, Senders(AddressSender(notify), Collector())) == 2
    assert sorted(one["to"] for one in api.sent) == ["07700 900123"] * 2 + ["sam@example.org"] * 2
    assert api.sent[0]["personalisation"].keys() == {"level", "reference", "link"}
    assert "stepdad" not in str(api.sent) and api.refused == 0
    assert all(alert.took == {"notify_sms": True, "notify_mail": True} for alert in alerts(core, told))
    assert check_receipts(core.store, core.now, notify) == 0, "not asked at once"
    later = at(core.now() + timedelta(seconds=11))
    assert check_receipts(core.store, later, notify) == 2
    assert all(alert.delivered_at for alert in alerts(core, told))


async def test_a_wrong_key_is_refused_and_the_alert_fails(core: Core, told: str, notify_api) -> None:
    api, notify = notify_api
    wrong = Notify(API_KEY[:-4] + "0000", notify._base_url, MAIL_TEMPLATE, SMS_TEMPLATE)
    give_addresses(core, "notify:07700 900123")
    assert send_due(core.store, core.now, Senders(AddressSender(wrong), Collector())) == 0
    assert api.refused == 2 and not api.sent


async def test_what_notify_took_before_a_crash_is_not_sent_again(core: Core, told: str, notify_api) -> None:
    api, notify = notify_api
    give_addresses(core, "notify:07700 900123")
    api.lose_answers = 2
    senders, now = Senders(AddressSender(notify), Collector()), core.now()
    assert send_due(core.store, at(now), senders) == 0
    assert send_due(core.store, at(now + timedelta(seconds=3)), senders) == 2
    assert len(api.sent) == 2


async def test_a_text_that_never_arrives_counts_as_no_answer(core: Core, told: str, notify_api) -> None:
    api, notify = notify_api
    give_addresses(core, "notify:07700 900123")
    now = core.now()
    send_due(core.store, at(now), Senders(AddressSender(notify), Collector()))
    api.becomes = "permanent-failure"
    assert check_receipts(core.store, at(now + timedelta(seconds=11)), notify) == 2
    with core.store.read() as uow:
        case = uow.open_handover_of(told)
    assert case.tier > 1 and len(alerts(core, told)) > 2


async def test_notify_being_down_is_asked_again(core: Core, told: str, notify_api) -> None:
    api, notify = notify_api
    give_addresses(core, "notify:sam@example.org")
    now, senders = core.now(), Senders(AddressSender(notify), Collector())
    api.down = True
    assert send_due(core.store, at(now), senders) == 0
    api.down = False
    assert send_due(core.store, at(now + timedelta(seconds=3)), senders) == 2
    api.down = True
    assert check_receipts(core.store, at(now + timedelta(seconds=20)), notify) == 0
    api.down = False
    assert check_receipts(core.store, at(now + timedelta(seconds=60)), notify) == 2


async def test_the_desk_link_and_level_follow_the_case(core: Core, told: str) -> None:
    console = Collector()
    send_due(core.store, core.now, Senders(console, console))
    with core.store.read() as uow:
        case = uow.open_handover_of(told)
    assert case.reference in console.sent[0].title
    assert console.sent[0].body.endswith(f"/desk/cases/{case.id}")
    assert handover.WAITING == case.state
