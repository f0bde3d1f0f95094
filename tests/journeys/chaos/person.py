"""A person who tells of harm while something breaks, and what came of it."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from sqlalchemy import select

from bot.store.models import Alert, Handover, Message
from tests.journeys.chaos.house import ChaosHouse
from tests.journeys.house import wait_for
from tests.standins.telegram_people import Person as Phone

DISCLOSURE = "my stepdad hits me when hes had a drink"
NUMBERS = ("999", "0800 1111")
#: Stands in each wording of the words after a disclosure, and nowhere else.
SAFETY_WORDS = "believe"
#: Seconds in which the person must have words and numbers.
PROMISE = 5.0
#: Seconds until everything must have come right once the fault is over.
SETTLED = 60.0


@dataclass(frozen=True)
class Row:
    """One fault and what came of it. ``words``: by what way they came, and after how many seconds."""

    fault: str
    when: str
    words: str
    seconds: float
    stored: int
    answered: int
    handovers: int
    alarms: str
    kept: bool


class Person:
    """Sends as the chat page does: with the same client id, again and again, until it was taken."""

    def __init__(self, house: ChaosHouse, text: str = DISCLOSURE, url: str = "") -> None:
        self._house, self._text, self._url = house, text, url or house.url
        self._client = httpx.Client(base_url=self._url, timeout=30)
        page = self._client.get("/").text
        # The page that is open before anything breaks, and stays open: what it shows needs no server.
        self._page_has_numbers = all(number in page for number in NUMBERS)
        begun = self._client.post("/api/conversations", json={"speaker": "self"})
        assert begun.status_code == 201, begun.text
        self.id: str = begun.json()["id"]
        self._sending, self._client_id, self._began = text, "", 0.0
        self.first: tuple[str, float] | None = None
        self.taken = threading.Event()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @classmethod
    def on_telegram(cls, house: ChaosHouse, phone: Phone) -> Person:
        """Somebody who has just pressed START and reads the doors."""
        wait_for(lambda: any(seen.buttons for seen in phone.sees()), SETTLED, lambda: "no doors came")
        self = cls.__new__(cls)
        self._house, self._text, self.phone = house, DISCLOSURE, phone
        with house.core.store.read() as uow:
            hashed = uow.cipher.find_hash("address-telegram", str(phone.id))
            self.id = uow.conversation_by("address_hash", hashed).id
        # What stands in the chat already, and in the profile of the bot, which Telegram shows by itself.
        at_hand = house.telegram.profile["description"]
        self.first = ("chat", 0.0) if all(number in at_hand for number in NUMBERS) else None
        self._page_has_numbers, self._began = False, time.monotonic()
        return self

    def reads_once(self) -> None:
        """Wait for the words on the phone.

        Raises:
            AssertionError: they did not come, or came twice.
        """
        wanted = [text for text in self._said() if SAFETY_WORDS in text]
        wait_for(lambda: wanted[0] in self._on_phone(), SETTLED, lambda: "the words did not come")
        assert [self._on_phone().count(each) for each in wanted] == [1] * len(wanted), "they came twice"

    def _on_phone(self) -> list[str]:
        return [seen.text for seen in self.phone.sees()]

    def tells(self, text: str = "") -> None:
        """Begin to send, and to look for words; returns at once. ``text``: something else, later."""
        self._sending, self._client_id = text or self._text, secrets.token_hex(8)
        self.first, self._began = None, time.monotonic()
        self.taken.clear()
        for work in (self._send, self._look):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._threads.append(thread)

    def goes(self) -> None:
        """Stop sending and looking."""
        self._stop.set()
        for thread in self._threads:
            thread.join(35)
        self._client.close()

    def sends_at(self, url: str) -> int:
        """Send the same message once more, at another gateway."""
        with httpx.Client(base_url=url, cookies=self._client.cookies, timeout=30) as other:
            return other.post("/api/messages", json=self._body()).status_code

    def waits(self) -> tuple[str, float]:
        """What words came first, and when; the page's own if nothing else came within the promise."""
        while not self.first and time.monotonic() - self._began < PROMISE:
            time.sleep(0.02)
        if self.first and self.first[1] <= PROMISE:
            return self.first
        return ("page", 0.0) if self._page_has_numbers else ("none", PROMISE)

    def _body(self) -> dict[str, str]:
        return {"client_id": self._client_id, "text": self._sending}

    def _send(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self._client.post("/api/messages", json=self._body())
            except httpx.HTTPError:
                self._stop.wait(0.5)
                continue
            if answer.status_code == 202:
                self.taken.set()
                return
            if all(number in answer.text for number in NUMBERS):
                self._words("error")
            self._stop.wait(0.5)

    def _look(self) -> None:
        with httpx.Client(base_url=self._url, cookies=self._client.cookies, timeout=30) as reader:
            while not self._stop.is_set():
                try:
                    answer = reader.get("/api/transcript")
                    said = answer.json()["messages"] if answer.status_code == 200 else []
                except (httpx.HTTPError, ValueError):
                    said = []
                mine = [m["id"] for m in said if m["from"] == "you" and m["text"] == self._sending]
                after = [m["text"] for m in said if mine and m["id"] > mine[0] and m["from"] != "you"]
                # The numbers stand on the page around it; a later answer may be about something else.
                later = bool(after) and self._sending != self._text
                if later or any(SAFETY_WORDS in text for text in after):
                    self._words("reply")
                    return
                self._stop.wait(0.1)

    def _words(self, way: str) -> None:
        if self.first is None:
            self.first = (way, time.monotonic() - self._began)

    # What came of it ------------------------------------------------------------------------------

    def settles(self) -> None:
        """Wait until the message was answered and the alarm for it went out."""
        wait_for(self._is_settled, SETTLED, lambda: f"nothing came of it: {self._counts()} {self._said()}")

    def _is_settled(self) -> bool:
        stored, answered, handovers, alerts = self._counts()
        told = all(alert.sent_at or alert.failed_at for alert in alerts)
        return bool(stored and answered and handovers and alerts and told)

    def _counts(self) -> tuple[int, int, int, list[Alert]]:
        with self._house.core.store.read() as uow:
            messages = uow.messages(self.id)
            mine = [m for m in messages if m.sender == "you" and m.text == self._text]
            told = sum(SAFETY_WORDS in text for text in _after(messages, mine))
            cases = uow.session.scalars(select(Handover).where(Handover.conversation_id == self.id)).all()
            alerts = [alert for case in cases for alert in uow.alerts_of(case.id)]
            unanswered = uow.session.scalars(
                select(Message).where(
                    Message.conversation_id == self.id,
                    Message.sender == "you",
                    Message.answered_at.is_(None),
                )
            ).all()
        answered = 0 if unanswered else told
        return len(mine), answered, len(cases), alerts

    def row(self, fault: str, when: str, first: tuple[str, float]) -> Row:
        """Count everything and give the row of the table."""
        stored, answered, handovers, alerts = self._counts()
        asked = Counter((alert.staff_id, alert.tier, alert.reason) for alert in alerts)
        once = bool(asked) and set(asked.values()) == {1} and all(map(self._arrived, alerts))
        kept = (stored, answered, handovers, once) == (1, 1, 1, True) and first[0] != "none"
        failed, again = sum(bool(a.failed_at) for a in alerts), sum(a.attempts > 1 for a in alerts)
        alarms = f"{len(asked)} asked" + (f", {failed} not reached" if failed else "")
        alarms += f", {again} tried again" if again and again != failed else ""
        return Row(fault, when, *first, stored, answered, handovers, alarms, kept)

    def _arrived(self, alert: Alert) -> bool:
        """Whether its mail came, or it is known that it did not."""
        to = f"{alert.staff_id}@example.org"
        mails = [mail for mail in self._house.mailbox.mails if to in mail and self._reference() in mail]
        return bool(mails) if alert.sent_at else bool(alert.failed_at)

    def _said(self) -> list[str]:
        with self._house.core.store.read() as uow:
            messages = uow.messages(self.id)
            return _after(messages, [m for m in messages if m.sender == "you" and m.text == self._text])

    def nobody_was_reached(self) -> bool:
        """Whether every step of the chain was tried in vain."""
        alerts = self._counts()[3]
        return {alert.tier for alert in alerts} == {1, 2, 3} and all(alert.failed_at for alert in alerts)

    def somebody_heard(self) -> bool:
        """Whether any alert for them arrived."""
        return any(alert.sent_at for alert in self._counts()[3])

    def _reference(self) -> str:
        with self._house.core.store.read() as uow:
            return uow.open_handover_of(self.id).reference


def _after(messages: Sequence[Message], mine: Sequence[Message]) -> list[str]:
    """What the bot said after the first of these messages."""
    return [m.text for m in messages if m.sender == "bot" and mine and m.seq > mine[0].seq]
