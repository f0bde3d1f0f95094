"""Alerts at the desk: tried and shown, on the case page and in a browser that was asked to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from bot.alerts.send import send_due
from bot.alerts.senders import AddressSender, DeskSender, Senders
from bot.desk.alerting import rings_for
from bot.risk.taxonomy import Level
from bot.store.models import Alert
from tests.desk.test_live import PATIENT, sign_in
from tests.desk.world import World
from tests.standins.browser import chromium
from tests.standins.mailbox import Mailbox


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    made.open()
    yield made
    made.close()


def addresses(world: World, staff_id: str, *urls: str) -> None:
    with world.core.uow() as uow:
        uow.staff_member(staff_id).alert_urls = list(urls)
        uow.commit()


def test_a_test_alert_shows_what_each_address_did(world: World, mailbox: Mailbox) -> None:
    addresses(world, "tom", mailbox.address("tom@example.org"), "ntfy://127.0.0.1:9/tom")
    page = world.at_desk("tom").post("/desk/account/test-alert").text
    assert page.count("tag-on") == 1 and page.count("tag-warn") == 1
    assert len(mailbox.mails) == 1 and "test" in mailbox.mails[0].casefold()
    assert ("tom", "alert_tested", "tom") in world.log()


def test_a_lead_tries_somebodys_addresses_and_an_administrator_does_not(
    world: World, mailbox: Mailbox
) -> None:
    addresses(world, "okoro", mailbox.address("okoro@example.org"))
    assert "Sent" in world.at_desk("lena").post("/desk/people/okoro/test-alert").text
    assert world.at_desk("ada").post("/desk/people/okoro/test-alert").status_code == 403
    assert world.at_desk("lena").post("/desk/people/nobody/test-alert").status_code == 404
    assert len(mailbox.mails) == 1


def test_the_case_page_tells_who_was_alerted_and_what_became_of_it(world: World, mailbox: Mailbox) -> None:
    case = world.case()
    addresses(world, "tom", mailbox.address("tom@example.org"))
    addresses(world, "priya", "ntfy://127.0.0.1:9/priya")
    tom, start = world.at_desk("tom"), world.core.now()
    for second in (0, 3, 8):
        moment = start + timedelta(seconds=second)
        send_due(world.core.store, lambda moment=moment: moment, Senders(AddressSender(), DeskSender()))
    page = tom.get(f"/desk/cases/{case}").text
    mine = page.split("Who was alerted")[1].split("</ul>")[0]
    assert "Tom Ashworth" in mine and "Sent" in mine and "mail" in mine
    assert "Priya Nandakumar" in mine and "Failed" in mine


def test_earlier_cases_and_the_outcome_for_colleagues_stand_on_the_page(world: World) -> None:
    first = world.case()
    tom = world.at_desk("tom")
    tom.post(f"/desk/cases/{first}/accept")
    tom.post(f"/desk/cases/{first}/close", outcome="We have a plan.", feedback="The GP knows.", check_ins="1")
    with world.core.store.read() as uow:
        talk = uow.handover(first).conversation_id
    second = world.opens(talk, world.says(talk, "he hit me again", "he hit me"))
    page = tom.get(f"/desk/cases/{second}").text
    assert f'href="/desk/cases/{first}"' in page.split("Other cases of this conversation")[1]
    earlier = tom.get(f"/desk/cases/{first}").text
    assert "The GP knows." in earlier and "have not answered" in earlier
    assert "The GP knows." not in " ".join(text or "" for text in world.texts(first))


def test_a_safe_adult_who_was_asked_reads_what_came_of_it(world: World) -> None:
    case = world.case(safe_adult="okoro")
    okoro, tom = world.at_desk("okoro"), world.at_desk("tom")
    okoro.post(f"/desk/cases/{case}/accept")
    okoro.post(f"/desk/cases/{case}/transfer", to="tom")
    tom.post(f"/desk/cases/{case}/close", outcome="We have a plan.", feedback="Social care visits on Monday.")
    with world.core.store.read() as uow:
        assert {a.staff_id for a in uow.alerts_of(case) if a.reason == "outcome"} == {"okoro"}
    assert "Social care visits on Monday." in okoro.get(f"/desk/cases/{case}").text


def test_a_browser_is_told_of_its_own_alerts_only_and_not_of_old_ones(world: World) -> None:
    case = world.case(safe_adult="okoro", level=Level.HIGH)
    now = world.core.now()
    with world.core.store.read() as uow:
        (ring,) = rings_for(uow, "okoro", 0, now)
        assert (ring.case, ring.level) == (case, "high")
        assert rings_for(uow, "okoro", ring.id, now) == []
        assert rings_for(uow, "bell", 0, now) == []
        assert rings_for(uow, "okoro", 0, now + timedelta(minutes=5)) == []


#: Counts what a page shows and sounds; the browser's own parts stay as they are.
_COUNT = """
window.seen = []; window.tones = 0;
const Real = window.Notification;
window.Notification = class extends Real {
  constructor(title, more) { super(title, more); window.seen.push([title, more.tag]); }
};
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...a) { window.tones += 1; return start.apply(this, a); };
"""


def until(page: Page, expression: str) -> None:
    """Wait for something in a page; its policy forbids the polling that Playwright brings."""
    end = time.monotonic() + PATIENT / 1_000
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def test_a_browser_that_was_asked_to_shows_and_sounds_once_in_the_background_too(
    world: World, served: str
) -> None:
    with chromium() as browser:
        page = sign_in(browser, world, served, "tom")
        context = page.context
        context.grant_permissions(["notifications"], origin=served)
        context.add_init_script(_COUNT)
        page.goto(f"{served}/desk/")
        page.get_by_role("button", name="Turn on sound and notifications").click()
        expect(page.locator("[data-browser-alerts]")).to_be_hidden()
        account = context.new_page()
        account.goto(f"{served}/desk/account")
        expect(account.locator("[data-alerts-state]")).to_contain_text("On.", timeout=PATIENT)
        account.bring_to_front()  # the queue is in the background from here on

        case = world.case(level=Level.IMMEDIATE)
        until(account, "Number(localStorage.getItem('earshot-alerted')) > 0")
        with world.core.store.read() as uow:
            (mine,) = [a.id for a in uow.alerts_of(case) if a.staff_id == "tom"]
        account.wait_for_timeout(500)
        seen = page.evaluate("window.seen") + account.evaluate("window.seen")
        assert [tag for _, tag in seen] == [f"earshot-{mine}"], "once, not once a tab"
        assert "Immediate" in seen[0][0] and "stepdad" not in seen[0][0]

        account.get_by_role("button", name="Try it").click()
        until(account, "window.tones >= 4")
        account.get_by_role("button", name="Turn off").click()
        expect(account.locator("[data-alerts-state]")).to_contain_text("Off.")
        world.case(level=Level.IMMEDIATE)
        page.wait_for_timeout(1_500)
        assert len(page.evaluate("window.seen") + account.evaluate("window.seen")) == 2, "the one and the try"
        assert page.problems == []

        lena = sign_in(browser, world, served, "lena", width=375)
        for path in ("/desk/account", "/desk/conduct", f"/desk/cases/{case}", "/desk/people/tom"):
            lena.goto(served + path)
            found = Axe().run(lena).response["violations"]
            assert not [v["id"] for v in found if v["impact"] in ("serious", "critical")], (path, found)
            wide = lena.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, path


def test_nobody_is_told_twice_by_a_stream_that_begins_again(world: World) -> None:
    case = world.case()
    with world.core.uow() as uow:
        uow.add(
            Alert(handover_id=case, staff_id="tom", tier=2, reason="outcome", created_at=world.core.now())
        )
        uow.commit()
    with world.core.store.read() as uow:
        assert len(rings_for(uow, "tom", 0, world.core.now())) == 1, "an outcome rings nobody out of bed"
