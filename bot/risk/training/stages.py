"""Runs the trainer stage by stage, and keeps what each stage made until the training is finished.

A training takes hours. One that is interrupted (a closed laptop, a full disk) goes on at the stage it was in
when the same command is given again, and within the stage after the last whole epoch
(:mod:`bot.risk.training.trainer`). What it goes by is the content: other messages, settings or weights
are another training, in another folder.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.nlu.base_model import put_in_place, sha256_of
from bot.risk.statistical_layer import ADAPTER
from bot.risk.training import trainer
from bot.settings import ROOT

__all__ = ["Say", "Stages", "TrainingError", "settle"]

Say = Callable[[str], None]

#: Messages to learn from, and those kept back, in the folder of a training.
LEARNED, KEPT_BACK = "train.jsonl", "valid.jsonl"


class TrainingError(RuntimeError):
    """The adapter cannot be trained; the message says what is missing."""


def settle(prepared: Path, cache: Path, identity: str) -> Path:
    """The folder of the training of these messages: the one an interrupted training left, or a new one.

    Args:
        prepared: a folder with :data:`LEARNED` and :data:`KEPT_BACK`; it is moved if no such training began.
        cache: where trainings in progress lie.
        identity: settings, seed and weights in words.
    """
    digest = hashlib.sha256(identity.encode())
    for name in (LEARNED, KEPT_BACK):
        digest.update(sha256_of(prepared / name).encode())
    target = cache / f"training-{digest.hexdigest()[:16]}"
    put_in_place(prepared, target)
    return target


@dataclass(frozen=True)
class Stages:
    """The stages of one training.

    Attributes:
        python: a Python with torch.
        work: the folder of the training, from :func:`settle`.
        seed: of the adapters' first values.
        say: is given one line at a time of how it goes.
    """

    python: str
    work: Path
    seed: int
    say: Say

    def tune(self, name: str, base: Path, settings: Sequence[str], rows: str = LEARNED) -> Path:
        """Where the adapter of this stage lies, tuned first if it is not there.

        Args:
            name: of the stage.
            base: folder of the weights.
            settings: arguments of the trainer.
            rows: file in the folder of the training.

        Raises:
            TrainingError: the trainer stopped.
        """
        target = self.work / f"{name}.safetensors"
        if not self._kept(target):
            out = self.work / f"{name}.new"
            self._run(base, rows, "--out", str(out), "--valid", str(self.work / KEPT_BACK), *settings)
            os.replace(out / ADAPTER.name, target)
        return target

    def tell(self, name: str, base: Path, settings: Sequence[str], adapter: Path, rows: str) -> Path:
        """Where lies what the tuned encoder makes of each of ``rows``, asked first if it is not there.

        Raises:
            TrainingError: the trainer stopped.
        """
        target = self.work / f"{name}.npy"
        if not self._kept(target):
            fresh = self.work / f"{name}.new.npy"
            self._run(base, rows, "--begin", str(adapter), "--tell", str(fresh), *settings)
            os.replace(fresh, target)
        return target

    def write(self, make: Callable[..., None], *names: str) -> None:
        """Have these files of the folder written, unless an interrupted training has left all of them.

        Args:
            make: is given a path for each of ``names``, in their order, and writes them.
            names: files in the folder of the training.
        """
        targets = [self.work / name for name in names]
        if all(map(self._kept, targets)):
            return
        fresh = [self.work / f"new-{name}" for name in names]
        make(*fresh)
        for path, target in zip(fresh, targets, strict=True):
            os.replace(path, target)

    def _kept(self, target: Path) -> bool:
        if target.is_file():
            self.say(f"{target.name} is there from a training that was interrupted")
        return target.is_file()

    def _run(self, base: Path, rows: str, *arguments: str) -> None:
        files = ["--base", str(base), "--train", str(self.work / rows), "--seed", str(self.seed)]
        # What it complains of goes to a file: a pipe that nobody reads until the end would fill, and stop it.
        with tempfile.TemporaryFile("w+") as trouble:
            with subprocess.Popen(  # noqa: S603 - our own program, in the Python the developer named
                [self.python, "-m", trainer.__name__, *files, *arguments],
                stdout=subprocess.PIPE, stderr=trouble, text=True, cwd=ROOT,
            ) as process:  # fmt: skip
                assert process.stdout is not None
                for line in process.stdout:
                    self.say(line.strip())
            trouble.seek(0)
            complaints = trouble.read().strip().splitlines()
        if process.returncode:
            raise TrainingError(f"The trainer stopped: {(complaints or ['no reason given'])[-1]}")
