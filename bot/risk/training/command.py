"""Trains the adapter from start to finish: ``earshot train-encoder``.

1. The messages are read, checked, and written as the encoder will read them; 12% of the scenarios are kept
   back. Everything below runs in a Python that has torch.
2. A first adapter of the encoder Earshot runs learns the labels.
3. So does one of a larger encoder, the teacher. It is five times as slow, so it reads the messages of which
   the first was least sure, and few of the others.
4. Both are asked about these messages, and about stretches and pairs of messages, and copies typed otherwise
   or with swapped words, that nobody labelled: what both think errs less than either.
5. The first adapter goes on learning, now from their mean as well, and from messages with small talk around
   them: the pupil. It is what is kept, with the range of its numbers, which reading in 8 bits needs.
6. The 8-bit encoder is built from it, and temperature and thresholds are chosen on what was kept back.
7. Adapter and provenance are written together.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
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
from bot.risk.training.calibrate import choose, read_cases, temperature
from bot.risk.training.data import (
    data_hash,
    everyday_examples,
    examples,
    hardest,
    held_out,
    phrase_examples,
    prepare,
    retyped,
    unlabelled,
    unsilenced_examples,
)
from bot.risk.training.ranges import keep_ranges
from bot.risk.training.stages import KEPT_BACK, LEARNED, Say, Stages, TrainingError, settle
from bot.risk.training.surroundings import out_of_turn, surrounded
from bot.risk.training.swaps import neighbours, swapped
from bot.risk.training.teacher import WEIGHTS_SHA256 as TEACHER_SHA256
from bot.risk.training.teacher import fetch_teacher

__all__ = ["TrainingError", "calibrate", "find_python", "train_encoder"]

#: Settings that measured best; the table of what was tried is in docs/risk_model_card.md.
COMMON = ("--smooth", "0.1", "--category", "0.7", "--half")
FIRST = (*COMMON, "--rank", "32", "--epochs", "4", "--rate", "8e-4", "--clean", "0.3")
TEACHER = ("--smooth", "0.05", "--half", "--rank", "16", "--epochs", "3", "--rate", "6e-4")
#: Messages the teacher reads in an epoch; what about as many taught it is told in the model card.
HARDEST = 36_000
#: The teacher's part in what the pupil is told; the rest is the first adapter's.
TEACHERS_PART = 0.65
PUPIL = (*COMMON, "--rank", "32", "--epochs", "2", "--rate", "5e-4", "--soft", "0.8", "--clean", "0.5")
#: Lines without a label of each kind that are asked about; messages with small talk around them, and after
#: questions that they do not answer.
BESIDE = {
    "unlabelled": 14_000,
    "retyped": 10_000,
    "swapped": 19_000,
    "surrounded": 14_000,
    "out_of_turn": 20_000,
}
#: In the folder of a training: messages without their copies, the hardest, what is asked about, what was
#: told, and what the pupil reads.
PLAIN, HARD, ASKED, TOLD, LESSONS = "plain.jsonl", "hard.jsonl", "asked.jsonl", "told.npy", "lessons.jsonl"
SEED = 7


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
    """Train, calibrate, and write adapter and provenance. Takes hours; goes on where it was interrupted.

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
    besides = [
        *phrase_examples(words.data),
        *unsilenced_examples(words),
        *everyday_examples(DATA_DIR, words),
    ]
    kept_back = [e for e in labelled if held_out(e.scenario, seed)]
    learned = [e for e in labelled if not held_out(e.scenario, seed)] + besides
    about = {
        "base_weights_sha256": WEIGHTS_SHA256,
        "teacher_weights_sha256": TEACHER_SHA256,
        "data_sha256": data_hash(DATA_DIR),
        "messages": len(labelled),
        "scenarios": len({e.scenario for e in labelled}),
        "phrases_and_everyday": len(besides),
        "validation_messages": len(kept_back),
        "command": "earshot train-encoder",
        "settings": {
            "first": FIRST,
            "teacher": TEACHER,
            "pupil": PUPIL,
            "hardest": HARDEST,
            "teachers_part": TEACHERS_PART,
            "beside": BESIDE,
        },
        "seed": seed,
    }
    with tempfile.TemporaryDirectory(prefix="train-", dir=cache) as name:
        prepared = Path(name) / "training"
        prepared.mkdir()
        prepare(learned, words.data, prepared / LEARNED, seed)
        prepare(kept_back, words.data, prepared / KEPT_BACK, seed)
        work = settle(prepared, cache, json.dumps(about))
    say(f"Training on {len(learned)} messages, {len(kept_back)} kept back, in {work}")
    pupil = _teach(Stages(python, work, seed, say), base, teacher, tuple(words.data.questions.values()), seed)
    adapter = work / ADAPTER.name
    shutil.copyfile(pupil, adapter)
    keep_ranges(adapter, base, _read_rows(work / LEARNED), seed)
    say("Choosing thresholds on the messages kept back")
    with tempfile.TemporaryDirectory(prefix="encoder-", dir=work) as name:
        chosen = calibrate(adapter, Path(name) / "cache", base, words, [e.row for e in kept_back])
    provenance = {"adapter_sha256": sha256_of(adapter), **about, **chosen}
    _put(adapter, provenance)
    shutil.rmtree(work)
    return provenance


def _teach(stages: Stages, base: Path, teacher: Path, questions: Sequence[str], seed: int) -> Path:
    """All stages in their order; gives where the pupil's adapter lies."""
    say, work = stages.say, stages.work
    first = stages.tune("first", base, FIRST)
    rows = _read_rows(work / LEARNED)
    stages.write(lambda plain: _write_rows(plain, _plain(rows)), PLAIN)
    sure = np.load(stages.tell("first-of-all", base, FIRST, first, PLAIN))
    stages.write(lambda hard: _write_rows(hard, hardest(rows, sure, seed, HARDEST)), HARD)
    say("The teacher learns")
    taught = stages.tune("teacher", teacher, TEACHER, HARD)
    stages.write(lambda asked: _write_asked(asked, rows, work, base, seed), ASKED)
    say("The teacher and the first are asked")
    by_teacher = np.load(stages.tell("told-by-teacher", teacher, TEACHER, taught, ASKED)).astype(np.float32)
    by_first = np.load(stages.tell("told-by-first", base, FIRST, first, ASKED)).astype(np.float32)
    told = TEACHERS_PART * by_teacher + (1 - TEACHERS_PART) * by_first
    stages.write(
        lambda lessons, beside: _write_lessons(lessons, beside, work, told, questions, seed), LESSONS, TOLD
    )
    say("The pupil learns")
    return stages.tune("pupil", base, (*PUPIL, "--begin", str(first), "--taught", str(work / TOLD)), LESSONS)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _write_rows(path: Path, rows: Sequence[Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _plain(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "copies": row["copies"][:1]} for row in rows]


def _write_asked(to: Path, rows: Sequence[dict[str, Any]], work: Path, base: Path, seed: int) -> None:
    near = neighbours(base, {word for row in rows for word in row["copies"][0].split()})
    # An answer is nothing without its question, which must neither be cut off nor swapped.
    whole = [row for row in rows if not row["level_only"]]
    beside = [
        *unlabelled(whole, seed, BESIDE["unlabelled"]),
        *retyped(rows, seed, BESIDE["retyped"]),
        *swapped(whole, near, seed, BESIDE["swapped"]),
    ]
    _write_rows(to, [*_plain(_read_rows(work / HARD)), *beside])


def _write_lessons(
    to: Path, to_told: Path, work: Path, told: np.ndarray, questions: Sequence[str], seed: int
) -> None:
    """What was asked about, and messages with other words around them, about which nobody need be asked."""
    hard, asked = _read_rows(work / HARD), _read_rows(work / ASKED)
    places = [i for i, row in enumerate(hard) if not row["level_only"]]
    own, of_own = [hard[i] for i in places], told[places]
    lines, theirs = surrounded(own, of_own, seed, BESIDE["surrounded"])
    others, of_others = out_of_turn(own, of_own, questions, seed, BESIDE["out_of_turn"])
    _write_rows(to, [*asked, *lines, *others])
    np.save(to_told, np.concatenate([told, theirs, of_others]).astype(np.float16))


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
