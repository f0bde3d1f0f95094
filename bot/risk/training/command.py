"""Trains the adapter from start to finish: ``earshot train-encoder``.

1. The messages are read, checked, and written as the encoder will read them.
2. The trainer runs in a Python that has torch, on 88% of the scenarios: once for each of :data:`ORDERS`, from
   the same beginning, with the messages in another order. Several are averaged (Wortsman et al. 2022).
3. The 8-bit encoder is built from the result, and temperature and thresholds are chosen on the other 12%:
   the adapter that is kept is the very one they were measured on.
4. Adapter and provenance are written together.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from bot.cache import cache_dir
from bot.nlu.base_model import WEIGHTS_SHA256, fetch_base, sha256_of
from bot.nlu.encoder import Encoder
from bot.nlu.encoder_build import build_base
from bot.risk.detector import DATA_DIR, Detector
from bot.risk.labelled import Labelled
from bot.risk.statistical_layer import ADAPTER, PROVENANCE, StatisticalLayer
from bot.risk.training import trainer
from bot.risk.training.calibrate import choose, read_cases, temperature
from bot.risk.training.data import data_hash, everyday_examples, examples, held_out, phrase_examples, prepare

__all__ = ["TrainingError", "average", "calibrate", "find_python", "train_encoder"]

Say = Callable[[str], None]

#: Settings of the trainer that measured best; the table of what was tried is in docs/risk_model_card.md.
SETTINGS: tuple[str, ...] = (
    *("--epochs", "4", "--rank", "16", "--rate", "8e-4"),
    *("--smooth", "0.1", "--clean", "0.3", "--category", "0.7", "--half"),
)
SEED = 7
#: Each run's order of messages; the adapters of several runs are averaged.
ORDERS = (7,)


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


def train_encoder(
    python: str, say: Say, settings: Sequence[str] = SETTINGS, seed: int = SEED, cache: Path | None = None
) -> dict[str, Any]:
    """Train, calibrate, and write adapter and provenance. Takes tens of minutes on two cores.

    Returns:
        The provenance that was written.

    Raises:
        LabelError: a training message cannot be used.
        TrainingError: the trainer stopped.
        EncoderError: the base weights cannot be fetched, or the encoder cannot be built.
    """
    cache = cache or cache_dir()
    base = fetch_base(cache, say)
    words = Detector.of_words()
    labelled = examples(DATA_DIR)
    besides = [*phrase_examples(words.data), *everyday_examples(DATA_DIR, words)]
    digest = data_hash(DATA_DIR)
    kept_back = [e for e in labelled if held_out(e.scenario, seed)]
    with tempfile.TemporaryDirectory(prefix="train-", dir=cache) as name:
        work = Path(name)

        say(f"Training on {len(labelled) - len(kept_back)} messages, {len(kept_back)} kept back")
        prepare(
            [e for e in labelled if not held_out(e.scenario, seed)] + besides,
            words.data,
            work / "train.jsonl",
            seed,
        )
        prepare(kept_back, words.data, work / "valid.jsonl", seed)
        files = [
            *("--base", base),
            *("--train", work / "train.jsonl", "--valid", work / "valid.jsonl"),
        ]
        command = [python, trainer.__file__, *map(str, files), "--seed", str(seed), *settings]
        for order in ORDERS:
            _run_trainer([*command, "--order", str(order), "--out", str(work / str(order))], say)
        adapter = work / ADAPTER.name
        average([work / str(order) / ADAPTER.name for order in ORDERS], adapter)
        say("Choosing thresholds on the messages kept back")
        chosen = calibrate(adapter, work / "cache", base, words, [e.row for e in kept_back])
        provenance = {
            "adapter_sha256": sha256_of(adapter),
            "base_weights_sha256": WEIGHTS_SHA256,
            "data_sha256": digest,
            "messages": len(labelled),
            "scenarios": len({e.scenario for e in labelled}),
            "phrases_and_everyday": len(besides),
            "validation_messages": len(kept_back),
            "command": "earshot train-encoder",
            "settings": list(settings),
            "seed": seed,
            "orders": list(ORDERS),
            **chosen,
        }
        _put(adapter, provenance)
    return provenance


def average(adapters: Sequence[Path], target: Path) -> None:
    """Write the mean of adapters: of what they add to the weights, and of their heads.

    The ranks add up: side by side, ``up`` and ``down`` multiply to the sum of the single products.
    """
    arrays = [load_file(path) for path in adapters]
    mean = {}
    for name in arrays[0]:
        parts = [array[name].astype(np.float32) for array in arrays]
        if name.endswith(".down"):
            mean[name] = np.concatenate(parts, axis=0)
        elif name.endswith(".up"):
            mean[name] = np.concatenate(parts, axis=1) / len(parts)
        else:
            mean[name] = sum(parts) / len(parts)
    save_file({name: array.astype(np.float16) for name, array in mean.items()}, target)


def _run_trainer(command: list[str], say: Say) -> None:
    with subprocess.Popen(  # noqa: S603 - our own program, in the Python the developer named
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            say(line.strip())
        trouble = process.stderr.read()
    if process.returncode:
        reason = (trouble.strip().splitlines() or ["no reason given"])[-1]
        raise TrainingError(f"The trainer stopped: {reason}")


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
