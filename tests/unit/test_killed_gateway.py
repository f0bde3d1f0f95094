"""A real gateway killed with -9 at the worst moments: nothing is lost, nothing is sent twice."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from bot import handover
from bot.bootstrap import Core, build_core
from bot.desk.sign_in import make_link
from bot.settings import ROOT, Settings
from bot.store.migrate import migrate
from bot.store.models import Shift
from bot.store.rota_file import load_rota
from tests.desk.world import DAYS
from tests.journeys.house import Chat, wait_for
from tests.standins.mailbox import Mailbox
from tests.standins.served import free_port

DISCLOSURE = "my stepdad hits me when hes had a drink"


class Gateway:
    """``earshot serve`` as a process of its own, without Rasa: the floor speaks."""

    def __init__(self, folder: Path) -> None:
        self._folder, port, nobody = folder, free_port(), free_port()
        self._secret = {
            "EARSHOT_KEYS": Fernet.generate_key().decode(),
            "EARSHOT_LOOKUP_KEY": secrets.token_hex(32),
            "EARSHOT_DATABASE_URL": f"sqlite:///{folder / 'earshot.db'}",
            "EARSHOT_PORT": str(port),
            "EARSHOT_RASA_URL": f"http://127.0.0.1:{nobody}",
            "EARSHOT_VAR": str(folder),
        }
        self.core: Core = build_core(
            Settings(
                keys=self._secret["EARSHOT_KEYS"],
                lookup_key=self._secret["EARSHOT_LOOKUP_KEY"],
                database_url=self._secret["EARSHOT_DATABASE_URL"],
                port=port,
            )
        )
        self.url = self.core.settings.url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot.cli", "serve"],
                cwd=ROOT,
                env={**os.environ, **self._secret},
                stdout=log,
                stderr=log,
            )
        wait_for(self._alive, 90, lambda: (self._folder / "gateway.log").read_text()[-2000:])

    def kill(self) -> None:
        """kill -9."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def _alive(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    made.open()
    yield made
    if made.hold:
        made.hold.set()
    made.close()


@pytest.fixture
def gateway(tmp_path: Path, mailbox: Mailbox) -> Iterator[Gateway]:
    """A gateway whose one duty worker, always there, reads mail."""
    made = Gateway(tmp_path)
    migrate(made.core.store)
    with made.core.uow() as uow:
        load_rota(uow, ROOT / "data" / "rota.example.yml")
        for staff in uow.staff():
            staff.shifts = []
            if staff.id == "priya-nair":
                staff.shifts = [Shift(days=DAYS, starts="00:00", ends="00:00", bank_holidays=True)]
                staff.alert_urls = [mailbox.address("priya@example.org")]
        uow.commit()
    made.start()
    yield made
    made.kill()
    made.core.store.engine.dispose()


def alerts(gateway: Gateway, chat: Chat):
    with gateway.core.store.read() as uow:
        case = uow.open_handover_of(chat.id)
        return uow.alerts_of(case.id) if case else []


def accept(gateway: Gateway, case: int) -> tuple[httpx.Client, str]:
    """A worker signs in and accepts; gives their browser and the token of its forms."""
    with gateway.core.uow() as uow:
        link = make_link(uow, "priya-nair", gateway.core.now())
        uow.commit()
    desk = httpx.Client(base_url=gateway.url, timeout=30)
    desk.post("/desk/sign-in/link", data={"token": link})
    key = desk.get("/desk/").text.partition('name="csrf" content="')[2].partition('"')[0]
    assert desk.post(f"/desk/cases/{case}/accept", data={"csrf_token": key}).status_code == 303
    return desk, key


def test_killed_between_accept_and_first_reply_and_between_an_alert_being_due_and_sent(
    gateway: Gateway, mailbox: Mailbox
) -> None:
    taken = Chat(gateway.url)
    taken.says(DISCLOSURE)
    wait_for(lambda: alerts(gateway, taken)[0].sent_at, 30, lambda: "no alert")
    case = alerts(gateway, taken)[0].handover_id
    desk, key = accept(gateway, case)
    # Another alert is on its way: the mail server has begun to take it, and is slow.
    mailbox.hold, mailbox.asked = threading.Event(), threading.Event()
    waiting = Chat(gateway.url)
    waiting.says(DISCLOSURE)
    assert mailbox.asked.wait(30), "the gateway began to send"
    gateway.kill()
    (alert,) = alerts(gateway, waiting)
    assert alert.claimed_by and alert.sent_at is None, "claimed, and not sent"
    mailbox.hold.set()
    mailbox.hold = None
    assert len(mailbox.mails) == 1

    gateway.start()  # under its own name: what it was sending is due again at once, not after the lease
    wait_for(lambda: alerts(gateway, waiting)[0].sent_at, 30, lambda: "the alert was lost")
    assert alerts(gateway, waiting)[0].attempts == 2 and alerts(gateway, taken)[0].attempts == 1
    assert len(mailbox.mails) == 2 and not any("stepdad" in mail for mail in mailbox.mails)

    with gateway.core.store.read() as uow:
        stored = uow.handover(case)
    assert (stored.state, stored.accepted_by) == (handover.ACCEPTED, "priya-nair") and stored.deadline_at
    reply = {"csrf_token": key, "client_id": "one", "text": "Hello, I am Priya."}
    for _ in range(2):  # their browser sends again what got no answer
        assert desk.post(f"/desk/cases/{case}/reply", data=reply).status_code == 303
    transcript = taken.transcript()
    assert [m["text"] for m in transcript if m["from"] == "worker"] == ["Hello, I am Priya."]
    assert sum(m["text"] == DISCLOSURE for m in transcript) == 1
    assert sum("You are now talking to" in m["text"] for m in transcript) == 1
    assert taken.state()["handover"]["state"] == "accepted" and len(mailbox.mails) == 2
