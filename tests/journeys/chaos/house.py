"""A house that can be held at a step, frozen, starved of disk, and doubled."""

from __future__ import annotations

import os
import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from bot.settings import ROOT
from bot.store.models import Shift
from tests.desk.world import DAYS
from tests.journeys.house import House, wait_for
from tests.standins.mailbox import Mailbox
from tests.standins.served import free_port
from tests.standins.telegram_api import TelegramApi

HOOK = Path(__file__).parent / "hook"
#: Seconds until a process that was started again must be there.
BACK = 120
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class ChaosHouse(House):
    """``folder`` also holds the signs by which its processes are held."""

    def __init__(self, folder: Path, telegram: TelegramApi, mailbox: Mailbox, database_url: str = "") -> None:
        super().__init__(folder, telegram.token, telegram.base_url, database_url=database_url)
        self.telegram, self.mailbox = telegram, mailbox
        self._environment["PYTHONPATH"] = f"{HOOK}{os.pathsep}{ROOT}"
        self._environment["CHAOS_FOLDER"] = str(folder)
        self.second_url = ""

    def open(self) -> None:
        """As any house; one duty worker is always there, and everybody reads mail."""
        super().open()
        with self.core.uow() as uow:
            for staff in uow.staff():
                staff.alert_urls = [self.mailbox.address(f"{staff.id}@example.org")]
                staff.shifts = []
                if staff.id == "priya-nair":
                    staff.shifts = [Shift(days=DAYS, starts="00:00", ends="00:00", bank_holidays=True)]
            uow.commit()

    # Steps ----------------------------------------------------------------------------------------

    @contextmanager
    def held_at(self, step: str) -> Iterator[None]:
        """Whoever comes to ``step`` waits there until this ends."""
        hold, there = self.folder / f"hold-{step}", self.folder / f"at-{step}"
        there.unlink(missing_ok=True)
        hold.touch()
        try:
            yield
        finally:
            hold.unlink(missing_ok=True)

    def wait_at(self, step: str, seconds: float = 20) -> None:
        """Wait until somebody is held at ``step``."""
        wait_for((self.folder / f"at-{step}").exists, seconds, lambda: f"nobody came to {step!r}")

    def let_go(self, step: str) -> None:
        """Let whoever is held there go on."""
        (self.folder / f"hold-{step}").unlink(missing_ok=True)

    # Processes ------------------------------------------------------------------------------------

    def is_down(self, name: str) -> bool:
        """Whether it was killed and not started again."""
        return name not in self._processes

    def listening(self, name: str) -> bool:
        """Whether a process answers."""
        url = {
            "gateway": f"{self.url}/healthz",
            "second": f"{self.second_url}/healthz",
            "rasa": f"{self.settings.rasa_url}/",
            "actions": f"{self.settings.actions_url}/health",
        }[name]
        try:
            return httpx.get(url, timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def back(self, name: str) -> None:
        """Start a process again and wait until it answers."""
        if self.is_down(name):
            self.start(name)
        wait_for(lambda: self.listening(name), BACK, lambda: f"{name} did not come back")

    def open_second(self) -> None:
        """A second gateway on the same database, without Telegram."""
        port = free_port()
        self.second_url = f"http://127.0.0.1:{port}"
        mine = self._environment
        self._environment = {**mine, "EARSHOT_PORT": str(port), "TELEGRAM_BOT_TOKEN": ""}
        self._commands["second"] = self._commands["gateway"]
        self.start("second")
        self._environment = mine
        wait_for(lambda: self.listening("second"), BACK, lambda: "no second gateway")

    def close_second(self) -> None:
        """End it."""
        if not self.is_down("second"):
            self.kill("second")
        self._commands.pop("second", None)

    # Surroundings ---------------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another connection holds the write lock of the SQLite database."""
        with closing(sqlite3.connect(self.folder / "earshot.db", isolation_level=None, timeout=20)) as other:
            other.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                other.execute("ROLLBACK")

    @contextmanager
    def disk_full(self) -> Iterator[None]:
        """No process of the house can make any file longer than it is, nor write past its first byte.

        The limit of the system on the length of files (RLIMIT_FSIZE): a file system of our own that is full
        would need root. SQLite meets EFBIG where a full disk gives it ENOSPC; both are errors of the write.
        """
        everyone = [p for pid in self._pids() for p in (pid, *_children(pid))]
        before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in everyone}
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        try:
            yield
        finally:
            for pid, limits in before.items():
                try:
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
                except ProcessLookupError:
                    continue

    def _pids(self) -> list[int]:
        return [process.pid for process in self._processes.values()]

    @contextmanager
    def clock_wrong(self, seconds: float) -> Iterator[None]:
        """The clock of every process jumps, and jumps back."""
        self._set_clock(seconds)
        try:
            yield
        finally:
            self._set_clock(0)

    def _set_clock(self, seconds: float) -> None:
        new = self.folder / "clock.new"
        new.write_text(str(seconds))
        new.replace(self.folder / "clock")
        time.sleep(0.3)  # they look every 50 ms


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    children = [int(child) for child in found.read_text().split()] if found.exists() else []
    return [each for child in children for each in (child, *_children(child))]
