"""earshot process: one of the three by itself, as a service manager starts it; and what a set-up rebuilds."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from bot.bootstrap import Core
from bot.operate.model import model_path
from bot.settings import ROOT


@pytest.fixture
def environment(core: Core, tmp_path: Path) -> dict[str, str]:
    """What the house of this test is told."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        **os.environ,
        "EARSHOT_VAR": str(tmp_path),
        "EARSHOT_KEYS": core.settings.keys.get_secret_value(),
        "EARSHOT_LOOKUP_KEY": core.settings.lookup_key.get_secret_value(),
        "EARSHOT_DATABASE_URL": core.settings.database_url,
        "EARSHOT_PORT": str(port),
    }


def run(environment: dict[str, str], *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bot.cli", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**environment, **more}, capture_output=True, text=True, check=False
    )


def test_a_process_that_the_procfile_does_not_name_is_refused(environment: dict[str, str]) -> None:
    done = run(environment, "process", "nosuch")
    assert done.returncode == 1 and "rasa, actions, gateway" in done.stderr


def test_rasa_without_its_model_says_what_to_do(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment, "process", "rasa", EARSHOT_CACHE=str(tmp_path / "empty"))
    assert done.returncode == 1 and "earshot setup --rebuildable" in done.stderr


def test_the_gateway_runs_in_the_very_process_that_was_started(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "process", "gateway"], cwd=ROOT, env=environment
    )
    try:
        url, end = f"http://127.0.0.1:{environment['EARSHOT_PORT']}/healthz", time.monotonic() + 120
        while True:
            try:
                assert httpx.get(url).json() == {"alive": True}
                break
            except httpx.HTTPError:
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.3)
        # No shell and no parent in between: a signal reaches the gateway itself, and it stops cleanly.
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
    finally:
        process.kill()


def test_what_can_be_rebuilt_needs_no_secret_and_makes_none(
    environment: dict[str, str], tmp_path: Path
) -> None:
    if not model_path().exists():
        pytest.skip("the model of the present words is not trained; make test trains it first")
    empty = tmp_path / "var"
    without = {
        name: value
        for name, value in environment.items()
        if name not in ("EARSHOT_KEYS", "EARSHOT_LOOKUP_KEY")
    }
    done = run(without, "setup", "--rebuildable", EARSHOT_VAR=str(empty))
    assert done.returncode == 0 and "Rasa model" in done.stdout
    assert not empty.exists()
