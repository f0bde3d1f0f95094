"""Parents and neighbours on a Saturday at nine in the evening: at the page, on Telegram, and at the desk."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
import time_machine
from playwright.sync_api import Browser, expect

from bot.store.models import DialogueState
from tests.journeys.house import House
from tests.journeys.people import DutyWorker, YoungPerson
from tests.journeys.test_telegram_journey import Phone, _phones
from tests.standins.telegram_api import TelegramApi

pytestmark = pytest.mark.journey

SATURDAY_AT_NINE = datetime(2026, 11, 28, 21, 0, tzinfo=timezone.utc)
#: What every service says, or "not told" after it.
FIVE_THINGS = ("Who it is for: ", "How to get it: ", "Wait: ", "Cost: ", "Last checked: ")


class AtThePage:
    """Somebody at the chat page, in the verbs of this file."""

    def __init__(self, browser: Browser, house: House) -> None:
        self.somebody = YoungPerson(browser, house)
        self.page = self.somebody.page

    def comes_as(self, door: str) -> str:
        """Open the page and go through a door; gives what is said there."""
        self.somebody.opens_the_page()
        self.somebody.goes_through(door)
        return self._since(0)

    def says(self, text: str) -> str:
        """Write; gives what is answered."""
        before = self._theirs.count()
        self.somebody.says(text)
        return self._since(before)

    def presses(self, title: str) -> str:
        """Press a choice; gives what is answered."""
        before = self._theirs.count()
        self.somebody.chooses(title)
        return self._since(before)

    def services(self, answer: str) -> list[str]:
        """The services in an answer, each with everything that is said of it."""
        cards = self.page.locator(".message .card").all_inner_texts()
        return [card for card in cards if FIVE_THINGS[0] in card]

    def hears(self, words: str) -> None:
        """Wait for words of a worker."""
        self.somebody.hears(words)

    @property
    def conversation_id(self) -> str:
        """The id of the conversation."""
        return self.somebody.conversation_id

    def goes(self) -> None:
        """Close the browser; fails if the page broke on the way."""
        self.somebody.goes()

    @property
    def _theirs(self):
        return self.page.locator('.message:not([data-from="you"])')

    def _since(self, before: int) -> str:
        return "\n".join(self._theirs.all_inner_texts()[before:])


class OnTelegram:
    """Somebody with the app, in the same verbs."""

    def __init__(self, telegram: TelegramApi, house: House) -> None:
        self.phone = Phone(house, telegram.person(next(_phones)))

    def comes_as(self, door: str) -> str:
        """Press START and a door; gives what is said there."""
        self.phone.starts()
        return self.presses(door)

    def says(self, text: str) -> str:
        """Write; gives what is answered."""
        return "\n".join(self.phone.says(text))

    def presses(self, title: str) -> str:
        """Press a button; gives what is answered."""
        return "\n".join(self.phone.presses(title))

    def services(self, answer: str) -> list[str]:
        """The services in an answer, each with everything that is said of it."""
        return [part for part in re.split(r"\n(?=[^\n]+\nWho it is for: )", answer) if FIVE_THINGS[0] in part]

    def hears(self, words: str) -> None:
        """Wait for words of a worker."""
        self.phone.reads(words)

    @property
    def conversation_id(self) -> str:
        """The id of the conversation."""
        return self.phone.conversation_id

    def goes(self) -> None:
        """Put the phone away."""


@pytest.fixture(scope="module")
def saturday(tmp_path_factory) -> Iterator[tuple[House, TelegramApi]]:
    """A house of its own in which it is Saturday evening, and Telegram beside it."""
    ahead = SATURDAY_AT_NINE - datetime.now(timezone.utc)
    with TelegramApi() as api, time_machine.travel(SATURDAY_AT_NINE, tick=True):
        house = House(tmp_path_factory.mktemp("saturday"), api.token, api.base_url, ahead)
        try:
            house.open()
            yield house, api
        finally:
            house.close()


@pytest.fixture(params=["page", "telegram"])
def person(
    request, saturday: tuple[House, TelegramApi], browser: Browser
) -> Iterator[AtThePage | OnTelegram]:
    """The same person, through one channel and then through the other."""
    house, api = saturday
    somebody = AtThePage(browser, house) if request.param == "page" else OnTelegram(api, house)
    yield somebody
    somebody.goes()


@pytest.fixture(scope="module")
def desk(saturday: tuple[House, TelegramApi], browser: Browser) -> Iterator[DutyWorker]:
    """One of the night team."""
    house, _ = saturday
    worker = DutyWorker(browser, house, house.on_duty()[0])
    yield worker
    worker.goes()


def case_of(desk: DutyWorker, person: AtThePage | OnTelegram):
    """The open case, as it is stored, after the worker found it in the queue and opened it."""
    case = desk.house.handover_of(person.conversation_id)
    assert case is not None, "nothing reached the desk"
    desk.page.goto("/desk/")
    desk.opens(case.id)
    return case


def at_the_desk(desk: DutyWorker, *words: str) -> None:
    """The open case page shows each of these."""
    for each in words:
        expect(desk.page.locator("main")).to_contain_text(each)


def stored(desk: DutyWorker, person: AtThePage | OnTelegram) -> str:
    """Everything that is kept of what they typed."""
    with desk.house.core.store.read() as uow:
        typed = [m.text or "" for m in uow.messages(person.conversation_id) if m.sender == "you"]
        return "\n".join([*typed, uow.session.get(DialogueState, person.conversation_id).body])


def test_a_mother_at_nine_on_a_saturday_gets_services_and_asks_for_help_within_two_minutes(
    person: AtThePage | OnTelegram, desk: DutyWorker
) -> None:
    began = time.monotonic()
    person.comes_as("I'm a parent or carer")
    assert "not a reason" in person.says("i cant cope with my boys tantrums"), "the fear is not named"
    assert "How old" in person.presses("Find out what help there is")
    assert "postcode" in person.says("8")
    answer = person.says("S1 2HH")
    services = person.services(answer)
    assert len(services) == 3
    for service in services:
        for thing in FIVE_THINGS:
            assert re.search(rf"{thing}\S", service), (thing, service)
    assert not re.search(r"s1\s*2hh", stored(desk, person), re.IGNORECASE)

    person.presses("Ask for help for my family")
    person.says("my son has tantrums every evening and i am so tired")
    person.says("me and a boy of 8")
    person.says("text 07700 900123, no voicemail")
    person.presses("Evenings")
    shown = person.presses("Yes please")
    for words in ("my son has tantrums every evening", "text 07700 900123, no voicemail", "in the evening"):
        assert words in shown
    assert desk.house.handover_of(person.conversation_id) is None, "it went without a yes"
    sent = person.presses("Yes, send it")
    assert time.monotonic() - began < 120
    case = case_of(desk, person)
    assert case.kind == "early_help" and case.reference in sent
    assert "my son has tantrums every evening" in sent  # the parent's own copy
    assert "tomorrow" in sent or "Sunday" in sent or "Monday" in sent  # by when, told honestly
    at_the_desk(
        desk, "Early help request", case.reference, "text 07700 900123, no voicemail", "me and a boy of 8"
    )


def test_a_father_without_a_postcode_gets_what_is_there_for_everyone_and_a_leaflet(
    person: AtThePage | OnTelegram, desk: DutyWorker
) -> None:
    person.comes_as("I'm a parent or carer")
    assert "dads" in person.says("is there anything for dads").lower()
    person.presses("Find out what help there is")
    person.presses("My child's mood")
    person.presses("Skip this")
    answer = person.presses("Skip this")
    services = person.services(answer)
    assert services and all(thing in service for service in services for thing in FIVE_THINGS)
    leaflet = person.presses("Make a leaflet of these")
    name = services[0].strip().splitlines()[0]
    if isinstance(person, OnTelegram):
        assert name in leaflet
    else:
        address = person.page.locator('.message a[href^="/leaflet"]').last.get_attribute("href")
        person.page.goto(address)
        expect(person.page.locator("main")).to_contain_text(name)
    assert desk.house.handover_of(person.conversation_id) is None, "nobody is told that somebody looked"


def test_a_neighbour_without_proof_reports_to_the_right_council(
    person: AtThePage | OnTelegram, desk: DutyWorker
) -> None:
    person.comes_as("I'm worried about a child")
    assert re.search("proof|prove", person.presses("I have no proof"))
    person.says("i want to report a concern")
    person.says("the kids next door wear the same dirty clothes every day")
    person.presses("No")
    person.says("since the summer")
    assert "Surrey" in person.says("12 Mill Lane, gu1 1aa")
    shown = person.presses("No name")
    assert "Postcode: GU1 1AA" in shown and "Council: Surrey" in shown
    assert not re.search(r"gu1\s*1aa", stored(desk, person), re.IGNORECASE), "kept before they agreed"
    sent = person.presses("Yes, send it")
    case = case_of(desk, person)
    assert case.kind == "concern_report" and case.reference in sent
    at_the_desk(desk, "the kids next door wear the same dirty clothes", "GU1 1AA", "Surrey")
    at_the_desk(desk, "gov.uk/report-child-abuse-to-local-council")


def test_a_grandmother_in_scotland_tells_of_danger_in_the_middle_and_is_sent_scotlands_way(
    person: AtThePage | OnTelegram, desk: DutyWorker
) -> None:
    person.comes_as("I'm worried about a child")
    person.presses("Report it now")
    person.says("my grandson comes to me hungry and in the same clothes")
    person.presses("No")
    believed = person.says("he told me his dad punches him when he has been drinking")
    assert re.search("believe", believed)
    assert desk.house.handover_of(person.conversation_id).level == "high"
    if "When was it" in believed:
        person.says("for a year or so")
    answer = person.says("Leith, Edinburgh")
    assert "Edinburgh" in answer
    case = case_of(desk, person)
    assert (case.kind, case.about) == ("disclosure", "other_child")
    assert case.details["council"] == "City of Edinburgh"  # at once, and not only at the end
    at_the_desk(desk, "punches him", "City of Edinburgh", "NSPCC")
    assert "gov.uk" not in case.details["council_route"]


def test_a_parent_who_is_about_to_hurt_their_child_is_told_what_to_do_now_and_meets_a_person(
    person: AtThePage | OnTelegram, desk: DutyWorker
) -> None:
    person.comes_as("I'm a parent or carer")
    person.says("she screams all night and i get so angry")
    told = person.says("I'm going to hurt her")
    case = case_of(desk, person)
    assert case.about == "own_child" and case.level in ("high", "immediate")
    assert "999" in told if case.level == "immediate" else "safe place" in told or "somewhere safe" in told
    assert "fault" not in told and "duty team" in told
    at_the_desk(desk, "I'm going to hurt her")
    desk.accepts()
    person.hears(f"You are now talking to {desk.name}")
    desk.replies("Well done for saying it. Is she in her cot now?")
    person.hears("Is she in her cot now?")
