"""One phrase, said everywhere a person or a worker can say something, and looked for everywhere else.

A real gateway in a process of its own, a Bot API and a mail server beside it, staff at the desk. Rasa is not
there, which is the worse case: the floor speaks and more goes wrong. What Rasa would remember is written by
its own tracker store.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path

import httpx
import pytest
from aiosmtpd.controller import Controller
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot import handover
from bot.bootstrap import Core
from bot.custody.backup import back_up
from bot.desk.sign_in import make_link
from bot.settings import ROOT
from bot.store import tracker as tracker_module
from bot.store.models import Shift, Staff
from bot.store.tracker import SealedTrackerStore
from tests.standins.served import free_port
from tests.standins.telegram_api import TelegramApi

MARKER = "vermilion-otter-58213"
#: Of the person in Telegram: an id nobody else has, and what they are called there.
TELEGRAM_ID = 778_213_905_441
LEAD = "robin"
DAYS = [1, 2, 3, 4, 5, 6, 7]


class Mailbox:
    """What the mail server was handed."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
        """Take a mail, and each of its parts as a reader's program shows it."""
        self.mails.append(envelope.content)
        for part in message_from_bytes(envelope.content).walk():
            self.mails.append(part.get_payload(decode=True) or b"")
        return "250 OK"


class Gateway:
    """``earshot serve`` with everything it writes in one folder."""

    def __init__(self, folder: Path, core: Core, api: TelegramApi) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "temp").mkdir()
        dead = f"http://127.0.0.1:{free_port()}"
        environment = {
            **os.environ,
            "EARSHOT_VAR": str(folder),
            "EARSHOT_KEYS": core.settings.keys.get_secret_value(),
            "EARSHOT_LOOKUP_KEY": core.settings.lookup_key.get_secret_value(),
            "EARSHOT_DATABASE_URL": core.settings.database_url,
            "EARSHOT_PORT": str(self.port),
            "EARSHOT_RASA_URL": dead,
            "EARSHOT_ACTIONS_URL": dead,
            "TELEGRAM_BOT_TOKEN": api.token,
            "TELEGRAM_API_BASE_URL": api.base_url,
            "TMPDIR": str(folder / "temp"),
            "PYTHONPATH": str(ROOT),
        }
        self._log = (folder / "gateway.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "serve"],
            cwd=folder,
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def is_up(self) -> bool:
        """Whether it answers."""
        assert self._process.poll() is None, (self.folder / "gateway.log").read_text()
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """As a power cut would: SQLite's log stays as it is."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        self._log.close()


def wait_until(what: Callable[[], object], why: str, seconds: float = 180) -> object:
    """Wait for something to be so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError(why)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    yield box, server.port
    server.stop()


def hire(core: Core, mail_port: int) -> None:
    """A lead and a duty worker who are always there; alerts come by mail."""
    with core.uow() as uow:
        for staff_id, role in ((LEAD, "lead"), ("wren", "duty_worker")):
            to = f"{staff_id}@desk.example"
            staff = Staff(
                id=staff_id,
                name=staff_id.title(),
                role=role,
                job_title=role,
                email=to,
                alert_urls=[f"mailto://127.0.0.1:{mail_port}/?from=earshot@desk.example&to={to}"],
            )
            uow.add(staff)
            staff.shifts = [Shift(days=DAYS, starts="00:00", ends="00:00", bank_holidays=True)]
        uow.commit()


def traces(words: str) -> list[bytes]:
    """A phrase as it might lie about: plain, as a computer writes it, and as a browser or a mail does."""
    quoted = words.replace("-", "%2D")
    shifts = [base64.b64encode(b"x" * n + words.encode())[4 * bool(n) : -4] for n in range(3)]
    found = [
        words.encode(),
        words.encode("utf-16-le"),
        words.encode().hex().encode(),
        quoted.encode(),
        *shifts,
    ]
    return [one for one in found if len(one) > 8]


@pytest.mark.journey
def test_a_marker_phrase_is_found_nowhere_but_on_the_two_screens_entitled_to_it(
    core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mailbox: tuple[Mailbox, int]
) -> None:
    box, mail_port = mailbox
    hire(core, mail_port)
    # Somebody who reads all the while: SQLite's log may not be emptied, and every page ever written stays.
    reader = sqlite3.connect(tmp_path / "earshot.db")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM message").fetchone()
    answers: list[bytes] = []
    with TelegramApi() as api:
        gateway = Gateway(tmp_path, core, api)
        try:
            wait_until(gateway.is_up, "the gateway did not start")
            chat = httpx.Client(base_url=gateway.url, timeout=20)
            code = chat.post("/api/conversations", json={}).json()["return_code"]
            reference = _the_person_talks(core, chat, gateway, api)
            _goes_wrong(chat, answers)
            with httpx.Client(base_url=gateway.url, timeout=20) as desk:
                own_page = _staff_work(core, desk, reference, answers)
            wait_until(lambda: any(reference.encode() in mail for mail in box.mails), "no alert mail came")
            transcript = chat.get("/api/transcript").text
            _rasa_remembers(core, monkeypatch)
            back_up(core.store, tmp_path / "earshot.backup", core.now())
        finally:
            gateway.kill()
    assert not [call for call in api.calls if MARKER in str(call.params)], (
        "Telegram is told nothing they said"
    )

    # The two screens that are entitled to it have it, so it was there to be found.
    assert transcript.count(MARKER) >= 3 and own_page.count(MARKER) >= 5

    there = [path for path in tmp_path.rglob("*") if path.is_file()]
    files = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in there}
    reader.close()
    assert {"earshot.db", "earshot.db-wal", "earshot.db-shm", "gateway.log", "earshot.backup"} <= set(files)
    database = files["earshot.db"] + files["earshot.db-wal"]
    assert reference.encode() in database, "what is not sealed would be found"
    places = {**files, "mail": b"\n".join(box.mails), "error answers": b"\n".join(answers)}
    for words in (MARKER, MARKER.upper(), str(TELEGRAM_ID), code, code.replace("-", " ")):
        for name, content in places.items():
            assert not [one for one in traces(words) if one in content], f"{words[:9]}… is in {name}"


def _the_person_talks(core: Core, chat: httpx.Client, gateway: Gateway, api: TelegramApi) -> str:
    """By web and by Telegram: an ordinary line, a name, a contact, a disclosure, a wish, a correction."""
    for text in (
        f"hello {MARKER}",
        f"my name is {MARKER.upper()} and my number is {MARKER}",
        f"please dont tell my mum {MARKER}",
        f"my stepdad hits me with a belt {MARKER}",
    ):
        sent = chat.post("/api/messages", json={"client_id": secrets.token_hex(8), "text": text})
        assert sent.status_code == 202, sent.text
    person = api.person(TELEGRAM_ID)
    person.starts()
    person.says(f"he hurts me every night {MARKER}")
    wait_until(lambda: api.called("sendMessage"), "Telegram heard nothing")

    def cases() -> list[str]:
        with core.store.read() as uow:
            return [case.reference for case in uow.queue()]

    wait_until(lambda: len(cases()) == 2, "both disclosures open a case")
    with core.uow() as uow:
        (first,) = [case for case in uow.queue() if uow.conversation(case.conversation_id).channel == "web"]
        handover.open_handover(
            uow,
            first.conversation_id,
            now=core.now(),
            kind=handover.MESSAGE,
            details={"words": f"tell them {MARKER}", "contact": f"ring {MARKER}", "child": MARKER},
        )
        uow.commit()
        return first.reference


def _goes_wrong(chat: httpx.Client, answers: list[bytes]) -> None:
    """Every way to be refused with the phrase in hand; none of them says it back."""
    one = {"client_id": "c"}
    for path, given in (
        ("/api/messages", {"json": {**one, "text": MARKER * 1000}}),
        ("/api/messages", {"json": {**one, "choice": MARKER}}),
        ("/api/messages", {"json": {"text": MARKER}}),
        ("/api/messages", {"json": [MARKER]}),
        ("/api/messages", {"content": f'{{"text": "{MARKER}"'}),
        ("/api/resume", {"json": {"code": f"{MARKER} one two three"}}),
        ("/api/conversations", {"json": {"speaker": MARKER}}),
        (f"/api/{MARKER}", {"json": {}}),
        ("/desk/sign-in", {"data": {"email": f"{MARKER}@x.example", "password": MARKER}}),
        ("/desk/sign-in/link", {"data": {"token": MARKER}}),
        ("/telegram/updates", {"json": {"message": MARKER}}),
    ):
        answer = chat.post(path, **given)
        assert 400 <= answer.status_code < 500 or answer.status_code == 303, (path, answer.status_code)
        answers.append(answer.content if "sign-in" not in path else _without_fields(answer.text))
    for path in (f"/{MARKER}", f"/desk/{MARKER}", f"/api/events?after={MARKER}", f"/static/{MARKER}"):
        answer = chat.get(path)
        assert answer.status_code >= 400 or answer.status_code == 303
        answers.append(answer.content)


def _without_fields(page: str) -> bytes:
    """A page without what somebody typed into its own fields and gets back in them."""
    return re.sub(r"<(input|textarea)\b[^>]*>", "", page).encode()


def _staff_work(core: Core, desk: httpx.Client, reference: str, answers: list[bytes]) -> str:
    """Take the case, write to the person and to colleagues, put a hold on, look for the phrase, close."""
    with core.uow() as uow:
        token = make_link(uow, LEAD, core.now())
        case = next(one for one in uow.queue() if one.reference == reference)
        uow.commit()
    assert desk.post("/desk/sign-in/link", data={"token": token}).status_code == 303
    at = f"/desk/cases/{case.id}"

    def send(path: str, **form: str) -> int:
        csrf = re.search(r'name="csrf" content="([^"]+)"', desk.get("/desk/").text)[1]
        return desk.post(path, data={"csrf_token": csrf, **form}).status_code

    assert send(f"{at}/accept") == 303
    assert send(f"{at}/reply", text=f"I have read it. {MARKER}", client_id="r1") == 303
    assert send(f"{at}/notes", note=f"Spoke with school about {MARKER}") == 303
    assert send(f"{at}/hold", hold_reason=f"Court, {MARKER}") == 303
    assert send(f"{at}/close", outcome=f"We will ring {MARKER}") == 303
    for path in (f"{at}/nothing", "/desk/cases/987654", f"/desk/audit?case={MARKER}&action={MARKER}"):
        page = desk.get(path).text
        answers.append(re.sub(rb"(case|action)=" + MARKER.encode(), b"", _without_fields(page)))
    return desk.get(at).text


def _rasa_remembers(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Rasa would write of the turn."""
    import asyncio

    monkeypatch.setattr(tracker_module, "core", lambda: core)
    with core.store.read() as uow:
        chat = uow.queue(closed=True)[0].conversation_id
    remembered = DialogueStateTracker(chat, [])
    remembered.update(UserUttered(f"he hits me {MARKER}", {"name": "disclose"}))
    asyncio.run(SealedTrackerStore(Domain.empty()).save(remembered))
