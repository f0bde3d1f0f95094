"""The same house through Telegram: what a young person with the app on their phone meets."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bot.messages import Sender
from tests.journeys.house import House, wait_for
from tests.journeys.people import DutyWorker
from tests.journeys.test_disclosures import TOLD, believed
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_people import Person, Seen

pytestmark = pytest.mark.journey

PATIENT = 15.0  # seconds until something must be on the phone

#: Nobody on Telegram has talked to this bot before, also where a house stays open for several runs.
_phones = itertools.count(600_000_000 + secrets.randbelow(10**8))


class Phone:
    """Somebody with Telegram, and what is on their screen."""

    def __init__(self, house: House, person: Person) -> None:
        self.house, self.person = house, person

    def starts(self) -> None:
        """Press START and wait for the doors."""
        self.person.starts()
        self.waits_for(lambda seen: any("Me" in each.buttons for each in seen))
        self.rests()

    def says(self, text: str) -> list[str]:
        """Write; gives what the program answers to it."""
        return self._answered(lambda: self.person.says(text))

    def presses(self, title: str) -> list[str]:
        """Press a button; gives what the program answers to it."""
        return self._answered(lambda: self.person.presses(title))

    def sends(self, kind: str, caption: str | None = None) -> list[str]:
        """Send a photo or a voice note; gives what the program answers to it."""
        return self._answered(lambda: self.person.sends(kind, caption))

    def reads(self, words: str) -> str:
        """Wait for a message with these words."""
        return next(each.text for each in self.waits_for(lambda s: [m for m in s if words in m.text]))

    def waits_for(self, found: Callable[[list[Seen]], object]) -> list[Seen]:
        """Wait for something on the screen, and return what was found."""
        return wait_for(lambda: found(self.person.sees()), PATIENT, lambda: "it did not come to the phone")

    def rests(self) -> None:
        """Wait until everything sent was answered and everything said was delivered."""
        wait_for(self._settled, PATIENT, lambda: "not everything was answered and delivered")

    @property
    def conversation_id(self) -> str:
        """The id of their conversation, or the empty string before it has begun."""
        with self.house.core.store.read() as uow:
            hashed = uow.cipher.find_hash("address-telegram", str(self.person.id))
            found = uow.conversation_by("address_hash", hashed)
            return found.id if found else ""

    def transcript(self) -> list:
        """Every stored message of their conversation."""
        with self.house.core.store.read() as uow:
            return list(uow.messages(self.conversation_id))

    def _settled(self) -> bool:
        messages = self.transcript() if self.conversation_id else []
        mine = [m for m in messages if m.sender == Sender.YOU.value]
        theirs = [m for m in messages if m.sender != Sender.YOU.value]
        done = all(m.answered_at for m in mine) and all(m.delivered_at for m in theirs)
        return bool(theirs) and done and not self.person.api.pending()

    def _answered(self, act: Callable[[], object]) -> list[str]:
        before = max(self.person.chat.messages, default=0)
        act()
        self.waits_for(lambda seen: [each for each in seen if each.id > before])
        self.rests()
        return [each.text for each in self.person.sees() if each.id > before]


@pytest.fixture
def phone(house: House, telegram: TelegramApi) -> Phone:
    """A phone that has never talked to the bot."""
    return Phone(house, telegram.person(next(_phones)))


@pytest.fixture
def duty_worker(house: House, browser: Browser, tmp_path: Path) -> Iterator[DutyWorker]:
    """Somebody on duty, at the desk."""
    somebody = DutyWorker(browser, house, house.on_duty()[0], tmp_path)
    yield somebody
    somebody.goes()


def test_start_says_what_it_is_and_what_is_private_before_it_asks_anything(phone: Phone) -> None:
    phone.starts()
    content = phone.house.core.content
    texts = [each.text for each in phone.person.sees()]
    opening = ("utter_opening_hello", "utter_opening_private", "utter_telegram_start", "utter_opening_doors")
    assert texts == [content.say(name) for name in opening]
    doors = next(each.buttons for each in phone.person.sees() if "Me" in each.buttons)
    assert doors == tuple(choice["title"] for choice in content.choices("utter_opening_doors"))
    answers = phone.presses("Me")
    assert answers and phone.transcript()[-1].sender == Sender.BOT.value
    assert any(m.sender == Sender.YOU.value and m.text == "Me" for m in phone.transcript())


@pytest.mark.parametrize("small_talk", [(), ("hiya", "what can you do")], ids=["first", "third"])
@pytest.mark.parametrize(("text", "level"), TOLD.items())
def test_harm_told_on_telegram_is_believed_and_reaches_the_desk(
    phone: Phone, text: str, level: str, small_talk: tuple[str, ...]
) -> None:
    phone.starts()
    for words in small_talk:
        phone.says(words)
    believed(phone.says(text), level)
    assert phone.house.handover_of(phone.conversation_id).level == level


@pytest.mark.parametrize("text", ["this homework is killing me", "who won the world cup", "😀😀", "<script>"])
def test_harmless_words_on_telegram_open_nothing(phone: Phone, text: str) -> None:
    phone.starts()
    assert phone.says(text)
    assert phone.house.handover_of(phone.conversation_id) is None


def test_a_worker_takes_over_talks_and_closes_and_all_of_it_comes_to_the_phone(
    phone: Phone, duty_worker: DutyWorker
) -> None:
    phone.starts()
    phone.says("my stepdad hits me when hes had a drink")
    case = phone.house.handover_of(phone.conversation_id)
    duty_worker.opens(case.id)
    expect(duty_worker.page.locator("#facts")).to_contain_text("Telegram")
    duty_worker.accepts()
    phone.reads(f"You are now talking to {duty_worker.name}")
    duty_worker.replies("I have read this. Where are you now?")
    assert phone.reads("Where are you now?") == f"{duty_worker.name}: I have read this. Where are you now?"

    said_by_the_bot = sum(m.sender == Sender.BOT.value for m in phone.transcript())
    phone.person.says("at my nans")
    duty_worker.reads("at my nans")
    phone.rests()
    assert sum(m.sender == Sender.BOT.value for m in phone.transcript()) == said_by_the_bot
    duty_worker.look("desk")

    duty_worker.closes_with("You stay at your nan's tonight. I ring you at ten.")
    phone.reads("You stay at your nan's tonight. I ring you at ten.")
    assert phone.says("thank you")
    assert phone.house.handover_of(phone.conversation_id) is None


def test_a_safe_adult_can_be_chosen_with_buttons_alone(phone: Phone) -> None:
    phone.starts()
    phone.presses("Me")
    phone.says("some girls in my class keep leaving me out")
    phone.says("it makes me sad")
    phone.presses("Yes, show me who")
    cards = phone.presses("Oakfield Secondary School")[-1]
    assert "Mr Reilly\nHead of Year 9 at Oakfield\n" in cards
    shown = phone.presses("Choose Mr Reilly")
    assert "1. some girls in my class keep leaving me out\n2. it makes me sad" in shown
    assert phone.house.handover_of(phone.conversation_id) is None
    phone.presses("Yes, send it")
    case = phone.house.handover_of(phone.conversation_id)
    assert (case.kind, case.details["words"]) == (
        "message",
        "some girls in my class keep leaving me out\nit makes me sad",
    )


@pytest.mark.parametrize("kind", ["photo", "voice"])
def test_what_cannot_be_opened_gets_a_kind_answer(phone: Phone, kind: str) -> None:
    phone.starts()
    assert phone.sends(kind) == [phone.house.core.content.say("utter_unreadable_media")]


def test_words_under_a_photo_are_read_for_harm(phone: Phone) -> None:
    phone.starts()
    answers = phone.sends("photo", "my stepdad did this, he hits me")
    assert any("believe" in answer for answer in answers)
    assert phone.house.handover_of(phone.conversation_id).level == "high"


def test_a_voice_note_to_a_person_is_told_of_at_the_desk(phone: Phone, duty_worker: DutyWorker) -> None:
    phone.starts()
    phone.says("my stepdad hits me when hes had a drink")
    duty_worker.opens(phone.house.handover_of(phone.conversation_id).id)
    duty_worker.accepts()
    phone.person.sends("voice")
    duty_worker.reads("a photo, a voice note or a file")


def test_the_same_update_twice_is_one_message(phone: Phone) -> None:
    phone.starts()
    update_id = phone.person.says("is this private")
    phone.rests()
    (message,) = [m for m in phone.person.chat.messages.values() if m.get("text") == "is this private"]
    phone.person.api.push({"message": message}, update_id)
    phone.says("thank you")
    stored = [m.text for m in phone.transcript() if m.sender == Sender.YOU.value]
    assert stored.count("is this private") == 1


def test_a_worker_sees_that_the_bot_was_blocked_and_the_words_arrive_after_unblocking(
    phone: Phone, duty_worker: DutyWorker
) -> None:
    phone.starts()
    phone.says("my stepdad hits me when hes had a drink")
    duty_worker.opens(phone.house.handover_of(phone.conversation_id).id)
    duty_worker.accepts()
    phone.reads(f"You are now talking to {duty_worker.name}")
    phone.person.blocks_bot()
    warning = duty_worker.page.locator(".warn")
    expect(warning).to_contain_text("stopped the chat in Telegram")
    duty_worker.replies("I am still here for you.")
    duty_worker.look("blocked")
    assert not any("still here for you" in each.text for each in phone.person.sees())
    phone.person.unblocks_bot()
    phone.reads("I am still here for you.")
    expect(warning).to_have_count(0)
    phone.person.says("sorry i got scared")
    duty_worker.reads("sorry i got scared")
