"""The whole night, in two desktop browsers and a phone: 02:10 until the check-in a week later.

A real gateway with its clock, a real database, real mail and real browsers; only the time is moved by hand.
Rasa is not asked here: its stand-in never speaks of safety, so what the child is told comes from the floor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bot.bootstrap import Core
from bot.desk.sign_in import make_link
from bot.gateway.app import create_app
from bot.store.models import AuditEntry, Shift
from tests.conftest import ScriptedDialogue
from tests.desk.world import DAYS, World, make_core
from tests.journeys.house import wait_for
from tests.journeys.people import DESK, PATIENT, DutyWorker, YoungPerson
from tests.standins.mailbox import Mailbox
from tests.standins.served import free_port, served

pytestmark = pytest.mark.journey

#: A Tuesday in winter, when UK time is UTC.
NIGHT = datetime(2026, 1, 13, tzinfo=timezone.utc)
TOLD = "he has a knife and hes trying to get in my room"
SMALL_PHONE = {"width": 375, "height": 740}


class Time:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = NIGHT

    def move(self, clock: str, days: int = 0) -> datetime:
        """To this time of day, UTC, so many days after the night."""
        hour, minute, second = map(int, clock.split(":"))
        self.at = NIGHT + timedelta(days=days, hours=hour, minutes=minute, seconds=second)
        return self.at


@dataclass(frozen=True)
class NightCore(Core):
    """The real core, at another time."""

    time: Time

    def now(self) -> datetime:
        """The time as it was set."""
        return self.time.at


@dataclass(frozen=True)
class Night:
    """The house as the people of a journey know it, and everybody's clock."""

    core: NightCore
    url: str
    mailbox: Mailbox

    def sign_in_link(self, staff_id: str) -> str:
        """A one-time sign-in for somebody."""
        with self.core.uow() as uow:
            token = make_link(uow, staff_id, self.core.now())
            uow.commit()
        return f"{self.url}/desk/sign-in?token={token}"

    def mails_to(self, who: str) -> list[str]:
        """What somebody was mailed so far."""
        return [mail for mail in self.mailbox.mails if f"{who}@example.org" in mail]

    def was_mailed(self, who: str, times: int) -> str:
        """Wait until somebody has so many mails; gives the last."""
        wait_for(lambda: len(self.mails_to(who)) >= times, 15, lambda: f"{who}: {len(self.mails_to(who))}")
        assert len(self.mails_to(who)) == times, who
        return self.mails_to(who)[-1]

    def deeds(self) -> list[tuple[str, str]]:
        """``(time of day, what was done)`` of the audit log, reading and signing in left out."""
        with self.core.store.read() as uow:
            entries = uow.session.query(AuditEntry).order_by(AuditEntry.id).all()
            return [(f"{one.at:%H:%M}", one.action) for one in entries if one.handover_id]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    """Priya and Tom have the night, Mrs Okoro is at school from eight; all read mail. Lena is the lead."""
    time, mailbox, port = Time(), Mailbox(), free_port()
    real = make_core(tmp_path, port=port)
    core = NightCore(real.settings, real.content, real.store, time)
    World(core).hire()
    overnight, school = ("22:00", "09:00"), ("08:00", "16:00")
    hours = {"priya": overnight, "tom": overnight, "okoro": school}
    with core.uow() as uow:
        for staff in uow.staff():
            staff.shifts = [
                Shift(days=DAYS, starts=starts, ends=ends, bank_holidays=True)
                for starts, ends in filter(None, [hours.get(staff.id)])
            ]
            staff.alert_urls = [mailbox.address(f"{staff.id}@example.org")]
        uow.commit()
    time.move("02:10:20")
    mailbox.open()
    try:
        with served(create_app(core, ScriptedDialogue()), port) as url:
            yield Night(core, url, mailbox)
    finally:
        mailbox.close()


def link_in(mail: str) -> str:
    """The address in a mail, put together again as a mail program does."""
    whole = re.sub(r"=\r?\n", "", mail)
    return re.search(r"http://127\.0\.0\.1:\d+/desk/cases/\d+", whole)[0]


def test_the_whole_night(night: Night, browser: Browser, tmp_path: Path) -> None:
    everybody = []

    def at(clock: str, days: int = 0) -> None:
        """It is this time now, for the gateway and in every browser."""
        moment = night.core.time.move(clock, days)
        for somebody in everybody:
            somebody.context.clock.set_fixed_time(moment)

    child = YoungPerson(browser, night, tmp_path)
    child.page.set_viewport_size(DESK)
    everybody.append(child)

    # 02:10. An immediate. Priya and Tom are on duty and are mailed; Priya is asleep.
    at("02:10:20")
    child.opens_the_page()
    child.goes_through("Me")
    child.says(TOLD)
    child.hears("Call 999")
    child.sees_in_the_banner(re.compile(r"the duty team.*by 2:12\s?am"))
    child.look("1-told-0210")
    for who in ("priya", "tom"):
        assert "knife" not in night.was_mailed(who, 1)
    assert night.mails_to("lena") == night.mails_to("okoro") == []

    # 02:12. Nobody came. The chain goes on, and the child is told so.
    at("02:12:25")
    child.hears("taking longer than I said")
    child.sees_in_the_banner(re.compile(r"the duty team.*by 2:14\s?am"))
    child.look("2-nobody-yet-0212")
    mail = night.was_mailed("tom", 2)

    # 02:14. Tom follows the link in his mail and accepts.
    at("02:14:05")
    tom = DutyWorker(browser, night, "tom", tmp_path)
    everybody.append(tom)
    at("02:14:05")
    tom.page.goto(link_in(mail))
    expect(tom.reads(TOLD).locator("mark").first).to_be_visible()
    tom.look("3-case-0214")
    tom.accepts()
    child.sees_in_the_banner("You are talking to Tom Ashworth")
    child.hears("You are now talking to Tom Ashworth")
    tom.replies("Hi, I am Tom. I have rung the police. Can you get out of the house?")
    child.hears("Can you get out of the house?")
    child.writes("yes im at my neighbours now")
    tom.reads("yes im at my neighbours now")
    tom.replies("Good. Stay there. I am here all night.")
    child.hears("I am here all night.")
    child.look("4-talking-0214")
    said_by_the_bot = child.page.locator('.message[data-from="bot"]').count()

    # 08:30. School begins. Tom's browser has slept: he signs in again, and hands the case over.
    at("08:30:00")
    tom.page.goto(link_in(mail))
    expect(tom.page).to_have_url(re.compile("/desk/sign-in"))
    tom.page.goto(night.sign_in_link("tom"))
    tom.page.wait_for_url(f"{night.url}/desk/")
    okoro = DutyWorker(browser, night, "okoro", tmp_path)
    okoro.page.set_viewport_size(SMALL_PHONE)
    everybody.append(okoro)
    at("08:30:00")
    expect(okoro.page.locator("[data-case].row-item")).to_have_count(0)
    tom.page.goto(link_in(mail))
    tom.page.get_by_text("Hand over", exact=True).first.click()
    tom.page.get_by_label("Who takes over").select_option("okoro")
    tom.page.locator(".panel").get_by_role("button", name="Hand over").click()
    expect(tom.page.locator(".head-state")).to_contain_text("Mrs Okoro has this case")
    child.sees_in_the_banner("You are talking to Mrs Okoro")
    child.hears("You are now talking to Mrs Okoro")
    night.was_mailed("okoro", 1)
    case = int(link_in(mail).rsplit("/", 1)[1])
    expect(okoro.row(case)).to_be_visible()
    okoro.look("5-phone-queue-0830")
    okoro.opens(case)
    okoro.replies("Hi, I am Mrs Okoro, from school. Shall we meet in my room at nine?")
    okoro.look("6-phone-case-0830")
    child.hears("Shall we meet in my room at nine?")
    child.look("7-handed-over-0830")
    okoro.page.get_by_role("link", name="Record").click()
    okoro.page.get_by_label("What was said, and what was asked").fill("He came to the door with a knife.")
    okoro.page.get_by_role("button", name="Save").first.click()
    expect(okoro.page.get_by_text("Saved").first).to_be_visible()
    okoro.look("8-phone-record-0830")
    assert okoro.page.evaluate("document.documentElement.scrollWidth") <= SMALL_PHONE["width"]

    # 09:05. Closed with words; the child reads them, and wants to be asked how things are.
    at("09:05:00")
    okoro.page.goto(f"{night.url}/desk/cases/{case}")
    assert child.page.locator('.message[data-from="bot"]').count() == said_by_the_bot + 1  # who took over
    okoro.closes_with("You live at your nan's for now. A social worker visits on Thursday.")
    outcome = child.hears("You live at your nan's for now.").inner_text()
    assert "Mrs Okoro" in outcome
    child.chooses("Yes, ask me")
    child.hears("I'll ask in a week")
    expect(child.page.locator("#banner")).to_have_attribute("data-owner", "bot")
    code = child.notes_the_code()
    child.look("9-closed-0905")
    child.goes()
    everybody.remove(child)

    # A week later. Nothing too early; then the question, found by whoever comes back with the code.
    at("09:04:00", days=7)
    back = YoungPerson(browser, night, tmp_path)
    everybody.append(back)
    back.opens_the_page()
    at("09:05:30", days=7)
    wait_for(lambda: ("09:05", "checked_in") in night.deeds(), 15, lambda: f"{night.deeds()[-3:]}")
    back.comes_back_with(code)
    back.hears("You said I could ask after a week. How are things now?")
    back.look("10-a-week-later")
    back.chooses("Things are OK")
    back.hears("Thank you for saying.")
    back.look("11-answered")
    expect(back.page.locator("#banner")).to_have_attribute("data-owner", "bot")

    done = [deed for deed in night.deeds() if deed[1] in STORY]
    assert done == STORY_OF_THE_NIGHT
    assert PATIENT / 1000 < night.core.settings.deadline_immediate  # no wait here can hide a missed deadline
    for somebody in everybody:
        somebody.goes()


STORY_OF_THE_NIGHT = [
    ("02:10", "opened"),
    ("02:12", "escalated"),
    ("02:14", "accepted"),
    ("08:30", "transferred"),
    ("09:05", "closed"),
    ("09:05", "check_in_agreed"),
    ("09:05", "checked_in"),
]
STORY = {action for _, action in STORY_OF_THE_NIGHT}
