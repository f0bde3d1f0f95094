"""A process of the house that dies is started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bot.settings import ROOT


def start(name: str, command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot.operate.keep", name, command],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_lines(path: Path, count: int) -> list[str]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.05)
    raise AssertionError(f"never started {count} times")


def test_a_killed_process_comes_back_and_stopping_stops_it(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    keeper = start("rasa", f"echo $$ >> {starts}; exec sleep 600")
    first = int(wait_for_lines(starts, 1)[0])
    os.kill(first, signal.SIGKILL)
    second = int(wait_for_lines(starts, 2)[1])
    assert second != first
    keeper.terminate()
    assert keeper.wait(10) == 0
    assert not Path(f"/proc/{second}").exists() or sys.platform == "darwin"


def test_a_process_that_cannot_start_is_given_up_with_its_status(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    keeper = start("gateway", f"echo x >> {starts}; exit 7")
    assert keeper.wait(60) == 7
    assert len(starts.read_text().splitlines()) == 3
