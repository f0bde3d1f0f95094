"""Runs Rasa, the action server and the gateway under one supervisor, as the Procfile says."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import httpx
from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Message, Printer

from bot.operate.model import model_path, rasa_environment
from bot.settings import ROOT, Settings

#: Seconds until somebody is told that the start takes too long.
PATIENCE = 120


class QuietPrinter(Printer):
    """Leaves out what Rasa's pinned libraries say about each other's age; sanic switches it on by itself."""

    def write(self, message: Message) -> None:
        """Print one line of a process."""
        text = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
        if any(said in text for said in ("DeprecationWarning", "implicit namespace packages")) or (
            message.name in ("rasa", "actions") and text.startswith("  ")
        ):
            return
        super().write(message)


class PortTaken(Exception):
    """Another program listens where one of ours wants to."""


class CannotRun(Exception):
    """There is no such process, or what it needs was not built; the message says what to do."""


def environment(settings: Settings, model: Path) -> dict[str, str]:
    """What the three processes are told by environment."""
    return {
        **os.environ,
        **rasa_environment(),
        "EARSHOT_MODEL": str(model),
        "EARSHOT_RASA_PORT": str(urlsplit(settings.rasa_url).port),
        "EARSHOT_ACTIONS_PORT": str(urlsplit(settings.actions_url).port),
        "EARSHOT_ACTIONS_WEBHOOK": f"{settings.actions_url}/webhook",
        # Rasa and its SDK listen on every address of the machine unless they are told not to.
        "SANIC_HOST": "127.0.0.1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
    }


def check_ports(settings: Settings) -> None:
    """Make sure that nobody else listens on our ports.

    Raises:
        PortTaken: names the port and the setting that moves it.
    """
    wanted = {
        "EARSHOT_PORT": (settings.host, settings.port),
        "EARSHOT_RASA_URL": ("127.0.0.1", urlsplit(settings.rasa_url).port),
        "EARSHOT_ACTIONS_URL": ("127.0.0.1", urlsplit(settings.actions_url).port),
    }
    for name, (host, port) in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                raise PortTaken(
                    f"Port {port} is taken by another program. Stop it, or choose another with {name}."
                ) from None


def supervise(
    settings: Settings, model: Path, on_ready: Callable[[], None], on_late: Callable[[], None]
) -> int:
    """Start everything, call ``on_ready`` once ``/readyz`` is green, and stay until told to stop.

    Returns the exit status: 0 after Ctrl-C, otherwise that of the process that died.
    """
    manager = Manager(QuietPrinter(sys.stdout, width=7))
    procfile = parse_procfile((ROOT / "Procfile").read_text())
    for name, command in procfile.processes.items():
        kept = shlex.join([sys.executable, "-m", "bot.operate.keep", name, command])
        manager.add_process(name, f"exec {kept}", cwd=str(ROOT), env=environment(settings, model))
    threading.Thread(target=_watch, args=(settings, on_ready, on_late), daemon=True).start()
    manager.loop()
    return 0 if manager.returncode in (None, 0, -2, 130) else manager.returncode


def become(name: str, settings: Settings) -> NoReturn:
    """Turn this process into one of the Procfile's, under whatever manages services here.

    Raises:
        CannotRun: the Procfile has none of this name, or Rasa's model is missing.
    """
    processes = parse_procfile((ROOT / "Procfile").read_text()).processes
    if name not in processes:
        raise CannotRun(f"There is no process {name}. There are: {', '.join(processes)}.")
    model = model_path()
    if name == "rasa" and not model.exists():
        raise CannotRun(
            "The Rasa model is missing. Run earshot setup --rebuildable with EARSHOT_CACHE as it is here."
        )
    os.chdir(ROOT)
    os.execve("/bin/sh", ["sh", "-c", processes[name]], environment(settings, model))  # noqa: S606 - our own line


def _watch(settings: Settings, on_ready: Callable[[], None], on_late: Callable[[], None]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if httpx.get(f"http://{settings.host}:{settings.port}/readyz", timeout=3).status_code == 200:
                on_ready()
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    on_late()
