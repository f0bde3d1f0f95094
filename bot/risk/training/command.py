"""Trains the adapter from start to finish: ``earshot train-encoder``.

1. The messages are read, checked, and written as the encoder will read them; 12% of the scenarios are kept
   back. Everything below runs in a Python that has torch.
2. A first adapter of the encoder Earshot runs, and one of a larger encoder, the teacher, learn the labels.
3. Both are asked about the same messages, and about stretches and pairs of them, and copies with swapped
   words, that nobody labelled.
4. The first adapter goes on learning, now from their mean as well: the pupil. It is what is kept, with the
   range of its numbers, which reading in 8 bits needs.
5. The 8-bit encoder is built from it, and temperature and thresholds are chosen on what was kept back.
6. Adapter and provenance are written together.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bot.cache import cache_dir
from bot.nlu.base_model import WEIGHTS_SHA256, fetch_base, sha256_of
from bot.nlu.encoder import Encoder
from bot.nlu.encoder_build import build_base
from bot.risk.detector import DATA_DIR, Detector
from bot.risk.labelled import Labelled
from bot.risk.statistical_layer import ADAPTER, PROVENANCE, StatisticalLayer
from bot.risk.training import trainer
from bot.risk.training.calibrate import choose, read_cases, temperature
from bot.risk.training.data import (
    data_hash,
    everyday_examples,
    examples,
    held_out,
    phrase_examples,
    prepare,
    unlabelled,
)
from bot.risk.training.ranges import keep_ranges
from bot.risk.training.swaps import neighbours, swapped
from bot.risk.training.teacher import WEIGHTS_SHA256 as TEACHER_SHA256
from bot.risk.training.teacher import fetch_teacher
from bot.settings import ROOT

__all__ = ["TrainingError", "calibrate", "find_python", "train_encoder"]

Say = Callable[[str], None]

#: Settings that measured best; the table of what was tried is in docs/risk_model_card.md.
COMMON = ("--rank", "16", "--smooth", "0.1", "--category", "0.7", "--half")
FIRST = (*COMMON, "--epochs", "4", "--rate", "8e-4", "--clean", "0.3")
#: All of its layers learn. With three epochs its upper half had been as good; with more it is not.
TEACHER = (*COMMON, "--epochs", "5", "--rate", "4e-4", "--clean", "0.3")
PUPIL = (*COMMON, "--epochs", "6", "--rate", "8e-4", "--soft", "0.7", "--clean", "0.5")
#: What is asked of the teachers, and what they told, in the folder of a training.
ASKED, TOLD = "asked.jsonl", "told.npy"
#: The teacher's part in the mean that the pupil learns from.
TEACHER_SHARE = 0.7
SEED = 7


class TrainingError(RuntimeError):
    """The adapter cannot be trained; the message says what is missing."""


def find_python(chosen: str | None) -> str:
    """A Python with torch: the one chosen, or ``EARSHOT_TRAIN_PYTHON``.

    Raises:
        TrainingError: none is named, or it cannot import what the trainer needs.
    """
    python = chosen or os.environ.get("EARSHOT_TRAIN_PYTHON")
    how = "docs/risk_model_card.md says how to make one (“How to train again”)."
    if not python:
        raise TrainingError(f"Name a Python that has torch, with --python or EARSHOT_TRAIN_PYTHON. {how}")
    try:
        done = subprocess.run(  # noqa: S603 - a program the developer named
            [python, "-c", "import torch, safetensors.numpy, tokenizers, numpy"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError as error:
        raise TrainingError(f"{python} cannot be run ({error.strerror}). {how}") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it stopped"])[-1]
        raise TrainingError(f"{python} cannot train: {reason}. {how}")
    return python


def train_encoder(python: str, say: Say, seed: int = SEED, cache: Path | None = None) -> dict[str, Any]:
    """Train, calibrate, and write adapter and provenance. Takes more than two hours on two cores.

    Returns:
        The provenance that was written.

    Raises:
        LabelError: a training message cannot be used.
        TrainingError: the trainer stopped.
        EncoderError: weights cannot be fetched, or the encoder cannot be built.
    """
    cache = cache or cache_dir()
    base, teacher = fetch_base(cache, say), fetch_teacher(cache, say)
    words = Detector.of_words()
    labelled = examples(DATA_DIR)
    besides = [*phrase_examples(words.data), *everyday_examples(DATA_DIR, words)]
    digest = data_hash(DATA_DIR)
    kept_back = [e for e in labelled if held_out(e.scenario, seed)]
    with tempfile.TemporaryDirectory(prefix="train-", dir=cache) as name:
        work = Path(name)
        learned = [e for e in labelled if not held_out(e.scenario, seed)] + besides
        prepare(learned, words.data, work / "train.jsonl", seed)
        prepare(kept_back, words.data, work / "valid.jsonl", seed)
        say(f"Training on {len(learned)} messages, {len(kept_back)} kept back")
        run = partial(_run_trainer, python, work, seed, say)
        first = run(base, FIRST, "first")
        say("The teacher learns")
        taught = run(teacher, TEACHER, "teacher")
        say("Both are asked")
        _write_asked(work, base, seed)
        by_first = run(base, (*FIRST, *_telling(first)), "first", ASKED).with_name(TOLD)
        by_teacher = run(teacher, (*TEACHER, *_telling(taught)), "teacher", ASKED).with_name(TOLD)
        mean = TEACHER_SHARE * np.load(by_teacher) + (1 - TEACHER_SHARE) * np.load(by_first)
        np.save(work / TOLD, mean.astype(np.float16))
        say("The pupil learns")
        adapter = run(base, (*PUPIL, "--begin", str(first), "--taught", str(work / TOLD)), "pupil", ASKED)
        keep_ranges(adapter, base, _read_rows(work / "train.jsonl"), seed)
        say("Choosing thresholds on the messages kept back")
        chosen = calibrate(adapter, work / "cache", base, words, [e.row for e in kept_back])
        provenance = {
            "adapter_sha256": sha256_of(adapter),
            "base_weights_sha256": WEIGHTS_SHA256,
            "teacher_weights_sha256": TEACHER_SHA256,
            "data_sha256": digest,
            "messages": len(labelled),
            "scenarios": len({e.scenario for e in labelled}),
            "phrases_and_everyday": len(besides),
            "validation_messages": len(kept_back),
            "command": "earshot train-encoder",
            "settings": {"first": FIRST, "teacher": TEACHER, "pupil": PUPIL, "share": TEACHER_SHARE},
            "seed": seed,
            **chosen,
        }
        _put(adapter, provenance)
    return provenance


def _read_rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _write_asked(work: Path, base: Path, seed: int) -> None:
    rows = _read_rows(work / "train.jsonl")
    near = neighbours(base, {word for row in rows for word in row["copies"][0].split()})
    with (work / ASKED).open("w", encoding="utf-8") as file:
        for row in [*rows, *unlabelled(rows, seed), *swapped(rows, near, seed)]:
            file.write(json.dumps(row) + "\n")


def _telling(adapter: Path) -> tuple[str, ...]:
    return "--begin", str(adapter), "--tell", str(adapter.with_name(TOLD))


def _run_trainer(
    python: str,
    work: Path,
    seed: int,
    say: Say,
    encoder: Path,
    settings: Sequence[str],
    name: str,
    rows: str = "train.jsonl",
) -> Path:
    """Run the trainer once; gives where its adapter lies."""
    out = work / name
    files = ["--base", encoder, "--train", work / rows, "--valid", work / "valid.jsonl", "--out", out]
    out.mkdir(exist_ok=True)
    command = [python, "-m", trainer.__name__, *map(str, files), "--seed", str(seed), *settings]
    with subprocess.Popen(  # noqa: S603 - our own program, in the Python the developer named
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            say(line.strip())
        trouble = process.stderr.read()
    if process.returncode:
        reason = (trouble.strip().splitlines() or ["no reason given"])[-1]
        raise TrainingError(f"The trainer stopped: {reason}")
    return out / ADAPTER.name


def calibrate(
    adapter: Path, cache: Path, base: Path, words: Detector, rows: Sequence[Labelled]
) -> dict[str, Any]:
    """Temperature, thresholds and the figures on the messages kept back, as the provenance holds them."""
    cache.mkdir()
    # The published weights are there already; only the tuned encoder is built anew.
    (cache / base.name).symlink_to(base, target_is_directory=True)
    encoder = Encoder.load(build_base(cache, adapter=adapter))
    degrees = temperature(encoder, rows, words)
    cases = read_cases(StatisticalLayer(encoder, degrees, None), words, rows)
    thresholds, reached = choose(cases)
    return {
        "temperature": degrees,
        "thresholds": asdict(thresholds),
        "validation": {name: round(value, 4) for name, value in reached.items()},
    }


def _put(adapter: Path, provenance: dict[str, Any]) -> None:
    ADAPTER.parent.mkdir(parents=True, exist_ok=True)
    # Whoever stops between the two is told so by the hash, and starts nothing with a wrong pair.
    fresh = ADAPTER.with_suffix(".new")
    shutil.copyfile(adapter, fresh)
    os.replace(fresh, ADAPTER)
    fresh = PROVENANCE.with_suffix(".new")
    fresh.write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    os.replace(fresh, PROVENANCE)
