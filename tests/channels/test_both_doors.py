"""One contract for both doors: the same conversation through the web and through Telegram, the same result.

Real gateway, store, floor and detector over real HTTP on loopback; only Rasa is scripted. What differs on
purpose is taken away before comparing: on Telegram the note of what Telegram can see, and ids.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple, Protocol

import httpx
import pytest

from bot import handover, transcript
from bot.bootstrap import Core, build_core
from bot.gateway.app import create_app
from bot.messages import Sender
from bot.store.models import Conversation
from tests.conftest import ScriptedDialogue
from tests.standins.served import served
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_people import Person

PATIENT = 30.0
DISCLOSURE = "my stepdad hits me when hes had a drink"


class Line(NamedTuple):
    """One line of a transcript, as far as both doors must agree on it."""

    sender: str
    kind: str
    text: str | None
    level: str | None
    choices: tuple[str, ...]


class Door(Protocol):
    """A person at one door."""

    def arrives(self) -> None:
        """Open the chat."""

    def says(self, text: str, *, times: int = 1) -> None:
        """Type and send; ``times``: the network sends it that often."""

    def presses(self, title: str) -> None:
        """Press a button that is shown."""

    def deletes(self) -> str:
        """Ask for deletion and confirm it: ``deleted`` or ``kept``."""

    def sees(self) -> list[str]:
        """What the bot and workers said, as it stands on the screen."""


class WebDoor:
    """A browser, as far as the public interface shows."""

    def __init__(self, client: httpx.Client) -> None:
        self.client, self._ids = client, itertools.count(1)

    def arrives(self) -> None:
        assert self.client.post("/api/conversations").status_code == 201

    def says(self, text: str, *, times: int = 1) -> None:
        message = {"client_id": f"m{next(self._ids)}", "text": text}
        for _ in range(times):
            assert self.client.post("/api/messages", json=message).status_code == 202

    def presses(self, title: str) -> None:
        offered = {c["title"]: c["id"] for m in self._messages() for c in m.get("choices", ())}
        message = {"client_id": f"m{next(self._ids)}", "choice": offered[title]}
        assert self.client.post("/api/messages", json=message).status_code == 202

    def deletes(self) -> str:
        return {204: "deleted", 200: "kept"}[self.client.delete("/api/conversation").status_code]

    def sees(self) -> list[str]:
        return [_named(m["text"], m.get("name")) for m in self._messages() if m["from"] != "you"]

    def _messages(self) -> list[dict[str, Any]]:
        return self.client.get("/api/transcript").json()["messages"]


class TelegramDoor:
    """A phone with Telegram."""

    def __init__(self, person: Person, start_note: str) -> None:
        self.person, self._note = person, start_note

    def arrives(self) -> None:
        self.person.starts()
        wait_for(lambda: any(self._note in seen.text for seen in self.person.sees()))

    def says(self, text: str, *, times: int = 1) -> None:
        update_id = self.person.says(text)
        sent = list(self.person.chat.messages.values())[-1]
        for _ in range(times - 1):
            self.person.api.push({"message": sent}, update_id)

    def presses(self, title: str) -> None:
        wait_for(lambda: any(title in seen.buttons for seen in self.person.sees()))
        self.person.presses(title)

    def deletes(self) -> str:
        self.person.says("/delete")
        wait_for(lambda: any("Yes, delete it" in seen.buttons for seen in self.person.sees()))
        self.person.presses("Yes, delete it")
        found = {"I have deleted": "deleted", "I can't delete this yet": "kept"}
        wait_for(lambda: self.person.sees()[-1].text.startswith(tuple(found)))
        return next(what for words, what in found.items() if self.person.sees()[-1].text.startswith(words))

    def sees(self) -> list[str]:
        return [seen.text for seen in self.person.sees() if seen.text != self._note]


def _timeless(line: Line) -> Line:
    """A line without the clock times in it: a minute may pass between the two houses."""
    return line._replace(text=re.sub(r"\d{1,2}(:\d\d)?[ap]m", "…", line.text or ""))


def _named(text: str, name: str | None) -> str:
    return f"{name}: {text}" if name else text


def wait_for(found: Callable[[], Any]) -> Any:
    """Wait for something and return it."""
    end = time.monotonic() + PATIENT
    while not (result := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return result


class House:
    """A house with both doors open, and one person at one of them."""

    def __init__(self, core: Core, dialogue: ScriptedDialogue, door: Door) -> None:
        self.core, self.dialogue, self.door = core, dialogue, door

    def rests(self) -> None:
        """Wait until everything was answered, and delivered where it is pushed."""

        def settled() -> bool:
            with self.core.store.read() as uow:
                rows = uow.messages(self._conversation(uow).id)
                pushed = self._conversation(uow).channel == "telegram"
            answered = all(m.answered_at for m in rows if m.sender == Sender.YOU.value)
            there = all(m.delivered_at for m in rows if m.sender != Sender.YOU.value) or not pushed
            return answered and there

        wait_for(settled)

    def says(self, text: str, *, times: int = 1) -> None:
        """They write, and it is taken and answered."""
        before = len(self.lines())
        self.door.says(text, times=times)
        wait_for(lambda: len(self.lines()) > before)
        self.rests()

    def presses(self, title: str) -> None:
        """They press, and it is taken and answered."""
        before = len(self.lines())
        self.door.presses(title)
        wait_for(lambda: len(self.lines()) > before)
        self.rests()

    def lines(self) -> list[Line]:
        """The transcript, without what only Telegram says or does."""
        note = self.core.content.say("utter_telegram_start")
        with self.core.store.read() as uow:
            return [
                Line(m.sender, m.kind, m.text, m.level, tuple(c["title"] for c in m.choices or ()))
                for m in uow.messages(self._conversation(uow).id)
                if m.text != note and m.text not in ("/start", "/delete")
            ]

    def case(self) -> Any:
        """The newest handover, if there is one."""
        with self.core.store.read() as uow:
            return uow.last_handover_of(self._conversation(uow).id)

    def worker_accepts(self) -> str:
        """Somebody on duty takes the case; their name."""
        with self.core.uow() as uow:
            worker = uow.rota().duty_line(self.core.now())[0]
            handover.accept(uow, self.case().id, worker.id, self.core.now())
            uow.commit()
        self.rests()
        return worker.name

    def worker_says(self, text: str, name: str) -> None:
        """The worker writes."""
        with self.core.uow() as uow:
            conversation = self._conversation(uow)
            transcript.append(uow, conversation, Sender.WORKER, text, self.core.now(), name=name)
            uow.commit()
        self.rests()

    def _conversation(self, uow: Any) -> Conversation:
        return uow.session.query(Conversation).order_by(Conversation.created_at.desc()).first()


@pytest.fixture
def houses(core: Core, dialogue: ScriptedDialogue) -> Iterator[Callable[[str], House]]:
    """Opens a house with somebody at the door asked for: ``web`` or ``telegram``."""
    with ExitStack() as open_things:

        def open_house(door: str) -> House:
            if door == "web":
                url = open_things.enter_context(served(create_app(core, dialogue)))
                client = open_things.enter_context(httpx.Client(base_url=url, timeout=PATIENT))
                return House(core, dialogue, WebDoor(client))
            api = open_things.enter_context(TelegramApi())
            secret = type(core.settings.keys)
            more = {"telegram_bot_token": secret(api.token), "telegram_api_base_url": api.base_url}
            house = build_core(core.settings.copy(update=more))
            open_things.enter_context(served(create_app(house, dialogue)))
            note = core.content.say("utter_telegram_start")
            return House(house, dialogue, TelegramDoor(api.person(600_100_500), note))

        yield open_house


@pytest.fixture(params=["web", "telegram"])
def house(request: pytest.FixtureRequest, houses: Callable[[str], House]) -> House:
    """A house with somebody who has just come through one of the doors."""
    found = houses(request.param)
    found.door.arrives()
    found.rests()
    return found


def test_the_opening_says_what_it_is_and_what_is_private_and_asks_who_it_is_about(house: House) -> None:
    say = house.core.content.say
    names = ("utter_opening_hello", "utter_opening_private", "utter_opening_doors")
    assert [line.text for line in house.lines()] == [say(name) for name in names]
    assert house.door.sees() == [say(name) for name in names]


def test_what_is_typed_is_answered_in_order(house: House) -> None:
    house.says("hello there")
    house.says("is this private")
    assert house.dialogue.asked == ["hello there", "is this private"]
    assert [line.sender for line in house.lines()[3:]] == ["you", "bot", "you", "bot"]
    assert house.door.sees()[-2:] == ["Tell me more.", "Tell me more."]


def test_a_button_sends_its_payload(house: House) -> None:
    house.presses("A friend")
    assert house.dialogue.asked == ["/door_friend"]
    assert house.lines()[3] == Line("you", "choice", "A friend", "none", ())


def test_the_same_message_twice_is_one(house: House) -> None:
    house.says("hello there", times=3)
    house.says("next")
    assert [line.text for line in house.lines() if line.sender == "you"] == ["hello there", "next"]


@pytest.mark.parametrize("down", [False, True], ids=["rasa up", "rasa down"])
def test_a_disclosure_is_believed_and_opens_one_handover(house: House, down: bool) -> None:
    house.dialogue.down = down
    house.says(DISCLOSURE)
    assert "believe" in house.door.sees()[-1]
    assert (house.case().kind, house.case().level, house.case().state) == ("disclosure", "high", "waiting")
    reference = house.case().reference
    house.says("he is asleep now")
    assert house.case().reference == reference


def test_while_rasa_is_down_it_says_so(house: House) -> None:
    house.dialogue.down = True
    house.says("hello there")
    assert house.door.sees()[-1] == house.core.content.say("utter_machine_down")


def test_marks_that_mean_something_to_browsers_or_telegram_come_out_as_they_went_in(house: House) -> None:
    odd = "*b* _x_ [a](b) <b>&amp;</b> `c` <script>alert(1)</script> {} \\ 😢"
    house.dialogue.replies = [{"text": odd}]
    house.says(odd)
    assert house.lines()[3].text == odd and house.door.sees()[-1] == odd


def test_a_worker_is_named_the_bot_is_silent_and_their_words_reach_the_worker(house: House) -> None:
    house.says(DISCLOSURE)
    name = house.worker_accepts()
    house.worker_says("I have read this. Where are you now?", name)
    assert house.door.sees()[-1] == f"{name}: I have read this. Where are you now?"
    asked, said = len(house.dialogue.asked), len(house.door.sees())
    house.says("at my nans")
    assert (len(house.dialogue.asked), len(house.door.sees())) == (asked, said)
    assert house.lines()[-1].text == "at my nans"


def test_deleting_wipes_every_word_and_the_way_back(house: House) -> None:
    house.says("hello there")
    assert house.door.deletes() == "deleted"
    with house.core.store.read() as uow:
        conversation = house._conversation(uow)
        assert all(m.text is None for m in uow.messages(conversation.id))
        ways = (conversation.session_hash, conversation.code_hash, conversation.address_hash)
        assert conversation.erased_at and ways == (None, None, None) and conversation.address is None


def test_an_open_case_is_not_deleted_and_the_person_is_told(house: House) -> None:
    house.says(DISCLOSURE)
    assert house.door.deletes() == "kept"
    assert any(line.text == DISCLOSURE for line in house.lines())


def test_the_whole_script_leaves_the_same_transcript_at_both_doors(
    houses: Callable[[str], House],
) -> None:
    left: dict[str, list[Line]] = {}
    cases: dict[str, tuple[str, ...]] = {}
    for door in ("web", "telegram"):
        house = houses(door)
        house.door.arrives()
        house.rests()
        house.presses("Me")
        house.says("hello there")
        house.says("some girls in my class keep leaving me out", times=2)
        house.says("/help me")
        house.says(DISCLOSURE)
        name = house.worker_accepts()
        house.worker_says("I am here.", name)
        house.says("thank you")
        help_text = house.core.content.say("utter_telegram_help")
        left[door] = [_timeless(line) for line in house.lines() if line.text not in ("/help", help_text)]
        cases[door] = (house.case().kind, house.case().state, house.case().level, house.case().about)
    assert cases["web"] == cases["telegram"]
    assert left["telegram"] == left["web"]
