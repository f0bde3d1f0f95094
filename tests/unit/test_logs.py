"""Logs: never in the way of what matters more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bot.settings import ROOT

_PROGRAM = """
import logging, resource, sys
import structlog
from bot.logs import configure_logs
configure_logs()
log = structlog.get_logger("here")
log.warning("before")
resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
log.warning("lost")
logging.getLogger("there").warning("lost too")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.warning("after")
sys.exit(7)
"""


def test_a_line_that_a_full_disk_refuses_ends_nothing(tmp_path: Path) -> None:
    written = tmp_path / "log"
    with written.open("wb") as file:
        done = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=ROOT, stderr=file, check=False)
    assert done.returncode == 7, written.read_text()
    events = [json.loads(line)["event"] for line in written.read_text().splitlines() if line.startswith("{")]
    assert events == ["before", "after"]
