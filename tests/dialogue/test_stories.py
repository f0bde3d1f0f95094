"""Rasa's own checks: the project is valid, and every test story plays as written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.operate.model import FOLDERS, rasa_environment, train
from bot.settings import ROOT

pytestmark = pytest.mark.journey


def rasa(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Rasa's command line as a developer would."""
    return subprocess.run(
        [sys.executable, "-m", "rasa", *arguments],
        cwd=ROOT,
        env={**os.environ, **rasa_environment()},
        capture_output=True,
        text=True,
        check=False,
    )


def test_rasa_finds_the_project_valid() -> None:
    folders = [f"data/{name}" for name in FOLDERS]
    done = rasa("data", "validate", "--fail-on-warnings", "--domain", "domain.yml", "--data", *folders)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_every_test_story_plays_as_written(tmp_path: Path) -> None:
    done = rasa(
        *("test", "core", "--model", str(train()), "--stories", "tests/dialogue", "--e2e"),
        *("--fail-on-prediction-errors", "--no-plot", "--out", str(tmp_path)),
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
