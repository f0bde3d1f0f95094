"""The Rasa model: trained when its inputs changed, kept outside the checkout by the hash of its inputs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bot.cache import cache_dir
from bot.settings import ROOT

#: What Rasa learns from. Other files below data/ have keys of the same names that mean other things.
FOLDERS = ("nlu", "stories", "rules", "responses")


class TrainingFailed(Exception):
    """Rasa could not train a model; ``output`` is what it printed."""

    def __init__(self, output: str) -> None:
        super().__init__("Rasa could not train a model")
        self.output = output


def inputs() -> Iterator[Path]:
    """Every file that a trained model depends on."""
    yield from (ROOT / "config.yml", ROOT / "domain.yml", ROOT / "requirements.lock")
    for folder in FOLDERS:
        yield from sorted((ROOT / "data" / folder).glob("*.yml"))
    yield from sorted((ROOT / "bot" / "nlu").glob("*.py"))
    yield from (ROOT / "bot" / "risk" / "component.py", ROOT / "bot" / "risk" / "policy.py")


def model_path() -> Path:
    """Where the model of today's inputs is, or will be once trained."""
    digest = hashlib.sha256()
    for path in inputs():
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return cache_dir() / "models" / f"earshot-{digest.hexdigest()[:16]}.tar.gz"


def train() -> Path:
    """Train the model unless it is there. Atomic: a half-trained model is never left behind.

    Raises:
        TrainingFailed: Rasa refused; the output says why.
    """
    target = model_path()
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = [
            *(sys.executable, "-m", "rasa", "train", "--quiet", "--config", "config.yml"),
            *("--domain", "domain.yml", "--out", folder, "--fixed-model-name", "earshot"),
            *("--data", *(f"data/{name}" for name in FOLDERS)),
        ]
        environment = {**os.environ, **rasa_environment()}
        done = subprocess.run(  # noqa: S603 - our own command
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        made = Path(folder) / "earshot.tar.gz"
        if done.returncode or not made.exists():
            raise TrainingFailed((done.stdout + done.stderr)[-4_000:])
        os.replace(made, target)
    _forget_old(target)
    return target


def rasa_environment() -> dict[str, str]:
    """What Rasa is told by environment: no telemetry, its cache outside the checkout, our code in sight."""
    return {
        "RASA_TELEMETRY_ENABLED": "false",
        "RASA_CACHE_DIRECTORY": str(cache_dir() / "rasa"),
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
        "PYTHONWARNINGS": "ignore",
    }


def _forget_old(newest: Path) -> None:
    models = sorted(newest.parent.glob("earshot-*.tar.gz"), key=lambda path: path.stat().st_mtime)
    for old in models[:-5]:
        old.unlink(missing_ok=True)
    for left in newest.parent.glob("tmp*"):
        shutil.rmtree(left, ignore_errors=True)
