"""The action server, as the Procfile starts it, logs that an action failed and nothing a person wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
from honcho.environ import parse_procfile

from bot.settings import ROOT
from tests.journeys.house import wait_for
from tests.standins.served import free_port

_PACKAGE = """
from rasa_sdk import Action

class Failing(Action):
    def name(self):
        return "action_that_fails"

    async def run(self, dispatcher, tracker, domain):
        raise ValueError(f"cannot read {tracker.latest_message['text']}")
"""


def test_an_action_that_fails_over_what_was_written_is_logged_without_it(tmp_path: Path) -> None:
    package = tmp_path / "failing_actions"
    package.mkdir()
    (package / "__init__.py").write_text(_PACKAGE)
    command = parse_procfile((ROOT / "Procfile").read_text()).processes["actions"]
    assert "--actions actions " in command
    port = free_port()
    written = tmp_path / "log"
    with written.open("wb") as log:
        server = subprocess.Popen(
            ["bash", "-c", command.replace("--actions actions ", "--actions failing_actions ")],
            cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
            env={
                **os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(tmp_path), "EARSHOT_ACTIONS_PORT": str(port), "SANIC_HOST": "127.0.0.1",
            },
        )  # fmt: skip
    try:
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}/health"), 60, written.read_text)
        answer = httpx.post(f"http://127.0.0.1:{port}/webhook", json=_call("my stepdad hits me"), timeout=10)
    finally:
        server.kill()
        server.wait(10)
    assert answer.status_code == 500, "the action failed"
    lines = written.read_text()
    assert "ERROR rasa_sdk.endpoint" in lines and "ValueError" in lines, lines
    assert "stepdad" not in lines


def _call(text: str) -> dict[str, object]:
    tracker = {
        "sender_id": "x", "slots": {}, "latest_message": {"text": text}, "events": [], "paused": False,
        "followup_action": None, "active_loop": {}, "latest_action_name": None,
    }  # fmt: skip
    return {"next_action": "action_that_fails", "tracker": tracker, "domain": {}, "version": "3.6.2"}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).is_success
    except httpx.TransportError:
        return False
