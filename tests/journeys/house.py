"""The whole of Earshot as it runs for people: three processes from the Procfile, on a database of its own."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
from cryptography.fernet import Fernet
from honcho.environ import parse_procfile

from bot.bootstrap import Core, build_core
from bot.desk.sign_in import make_link
from bot.operate.model import train
from bot.operate.run import environment
from bot.settings import ROOT, Settings
from bot.store.migrate import migrate
from bot.store.rota_file import load_rota
from tests.standins.served import free_port

#: Read by each Python process of a house that lives at another time than ours.
_CLOCK = """
import datetime, os
import time_machine
ahead = datetime.timedelta(seconds=float(os.environ["JOURNEY_SECONDS_AHEAD"]))
time_machine.travel(datetime.datetime.now(datetime.timezone.utc) + ahead, tick=True).start()
"""


class House:
    """Start it, stop parts of it, and look into its database and logs.

    ``ahead`` is by how much the clocks of its processes differ from the machine's; ``database_url`` another
    database than SQLite in ``folder``.
    """

    def __init__(
        self,
        folder: Path,
        telegram_token: str = "",
        telegram_url: str = "",
        ahead: timedelta = timedelta(),
        database_url: str = "",
    ) -> None:
        self.folder = folder
        ports = {name: free_port() for name in ("gateway", "rasa", "actions")}
        secret = {
            "EARSHOT_KEYS": Fernet.generate_key().decode(),
            "EARSHOT_LOOKUP_KEY": secrets.token_hex(32),
            "EARSHOT_DATABASE_URL": database_url or f"sqlite:///{folder / 'earshot.db'}",
            "EARSHOT_PORT": str(ports["gateway"]),
            "EARSHOT_RASA_URL": f"http://127.0.0.1:{ports['rasa']}",
            "EARSHOT_ACTIONS_URL": f"http://127.0.0.1:{ports['actions']}",
            "TELEGRAM_BOT_TOKEN": telegram_token,
            "TELEGRAM_API_BASE_URL": telegram_url,
        }
        self.settings = Settings(
            keys=secret["EARSHOT_KEYS"],
            lookup_key=secret["EARSHOT_LOOKUP_KEY"],
            database_url=secret["EARSHOT_DATABASE_URL"],
            port=ports["gateway"],
            rasa_url=secret["EARSHOT_RASA_URL"],
            actions_url=secret["EARSHOT_ACTIONS_URL"],
        )
        self.core: Core = build_core(self.settings)
        self._environment = {**environment(self.settings, train()), **secret}
        if ahead:
            (folder / "clock").mkdir()
            (folder / "clock" / "sitecustomize.py").write_text(_CLOCK)
            self._environment["PYTHONPATH"] = f"{folder / 'clock'}{os.pathsep}{ROOT}"
            self._environment["JOURNEY_SECONDS_AHEAD"] = str(ahead.total_seconds())
        self._commands = parse_procfile((ROOT / "Procfile").read_text()).processes
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """The address of the gateway."""
        return self.settings.url

    def open(self) -> None:
        """Migrate, seed, start everything and wait until it is ready."""
        migrate(self.core.store)
        with self.core.uow() as uow:
            load_rota(uow, ROOT / "data" / "rota.example.yml")
            uow.commit()
        for name in self._commands:
            self.start(name)
        self.wait_until_ready()

    def start(self, name: str) -> None:
        """Start rasa, actions or gateway."""
        log = (self.folder / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen(
            ["bash", "-c", self._commands[name]],
            cwd=ROOT,
            env={**os.environ, **self._environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()

    def kill(self, name: str) -> None:
        """kill -9, as an out-of-memory killer would."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def send_signal(self, name: str, number: signal.Signals) -> None:
        """Freeze (SIGSTOP) or thaw (SIGCONT) a process."""
        os.killpg(self._processes[name].pid, number)

    def close(self) -> None:
        """Stop everything."""
        for name in list(self._processes):
            self.kill(name)
        self.core.store.engine.dispose()

    def wait_until_ready(self, seconds: float = 150) -> None:
        """Wait for a green /readyz."""
        wait_for(self._ready, seconds, lambda: f"not ready: {self._parts()}\n{self.logs()[-3000:]}")

    def _ready(self) -> bool:
        return self._parts().get("ready") is True

    def _parts(self) -> dict[str, bool]:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return {}

    def logs(self) -> str:
        """Everything that the three processes printed."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def sign_in_link(self, staff_id: str) -> str:
        """A one-time sign-in for somebody."""
        with self.core.uow() as uow:
            token = make_link(uow, staff_id, self.core.now())
            uow.commit()
        return f"{self.url}/desk/sign-in?token={token}"

    def on_duty(self) -> list[str]:
        """Ids of the duty workers whose shift it is."""
        with self.core.store.read() as uow:
            return [person.id for person in uow.rota().duty_line(self.core.now())]

    def handover_of(self, conversation_id: str):
        """The open handover of a conversation, or None."""
        with self.core.store.read() as uow:
            return uow.open_handover_of(conversation_id)


class Chat:
    """A program on the public interface, in a young person's verbs."""

    def __init__(self, url: str, speaker: str | None = None) -> None:
        self.client = httpx.Client(base_url=url, timeout=20)
        started = self.client.post("/api/conversations", json={"speaker": speaker} if speaker else {})
        assert started.status_code == 201, started.text
        self.id: str = started.json()["id"]
        self.code: str = started.json()["return_code"]

    def says(self, text: str, client_id: str | None = None) -> list[str]:
        """Type something; gives what is answered to it."""
        return self._sends({"text": text, "client_id": client_id or secrets.token_hex(8)})

    def presses(self, title: str) -> list[str]:
        """Press a choice that is on offer."""
        for message in reversed(self.transcript()):
            offered = [
                *message.get("choices", ()),
                *(c["choice"] for c in message.get("cards", ()) if "choice" in c),
            ]
            for choice in offered:
                if choice["title"] == title:
                    return self._sends({"choice": choice["id"], "client_id": secrets.token_hex(8)})
        raise AssertionError(f"nobody offered {title!r}: {self.transcript()[-1]}")

    def _sends(self, body: dict[str, str]) -> list[str]:
        answer = self.client.post("/api/messages", json=body)
        assert answer.status_code == 202, answer.text
        mine = answer.json()["id"]
        wait_for(lambda: self.answers_after(mine), 10, lambda: f"no answer to message {mine}")
        # One turn may say several things; they are stored together.
        return self.answers_after(mine)

    def answers_after(self, seq: int) -> list[str]:
        """What the bot or a worker said after a message."""
        return [m["text"] for m in self.transcript() if m["id"] > seq and m["from"] != "you"]

    def transcript(self) -> list[dict]:
        """Everything said so far."""
        return self.client.get("/api/transcript").json()["messages"]

    def state(self) -> dict:
        """Who owns the chat, and where its handover stands."""
        return self.client.get("/api/transcript").json()["state"]


def wait_for(found: Callable[[], object], seconds: float, why: Callable[[], str]) -> object:
    """Wait until ``found`` gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.02)
    raise AssertionError(re.sub(r"token=\S+", "token=…", why()))
