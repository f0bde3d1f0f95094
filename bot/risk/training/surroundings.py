"""Puts what people chat about around messages, so that small talk cannot hide a disclosure.

A mean over all words is diluted by words about something else: "my uncle touches me" is heard, and with two
sentences about football behind it no longer. What the longer message tells is known without asking anybody:
as much as the message told by itself. So the pupil is given its level, and what the teachers made of it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bot.risk.taxonomy import Level
from bot.risk.training.data import level_chances

__all__ = ["MOST_WORDS", "surrounded"]

#: Longer ones are read in stretches anyway (:mod:`bot.risk.model_text`).
MOST_WORDS = 75
#: Small talk is what nobody labelled a worry, of at most so many characters, ...
_SHORT = 120
#: ... and in which the teachers see next to no harm.
_HARMLESS = 0.1
_BETWEEN = (". ", " ", "! ", ", ", ". anyway ", " anyway ", ". also ", " and ", " so ", " lol ")


def surrounded(
    rows: Sequence[Mapping[str, Any]], told: np.ndarray, seed: int, most: int = 36_000
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Messages with one or two harmless ones before or after them; worried ones first.

    Args:
        rows: labelled lines as :func:`bot.risk.training.data.prepare` writes them.
        told: what the teachers made of each of the ``rows`` as it stands [row, score].
        seed: of the choice.
        most: how many are kept.

    Returns:
        Lines of the trainer with one copy and the label of the message inside, and what the teachers made
        of that message by itself.
    """
    rng = random.Random(seed)  # noqa: S311 - a choice of messages, not a secret
    harm = level_chances(told)[:, Level.HIGH.rank :].sum(1)
    harmless = [
        row["copies"][0]
        for row, chance in zip(rows, harm, strict=True)
        if row["level"] == Level.NONE.rank and chance < _HARMLESS and len(row["copies"][0]) <= _SHORT
    ]
    worried = [i for i, row in enumerate(rows) if row["level"] > Level.NONE.rank]
    others = [i for i, row in enumerate(rows) if row["level"] == Level.NONE.rank]
    rng.shuffle(worried)
    rng.shuffle(others)
    lines, origins = [], []
    for i in (*worried, *others):
        if len(lines) == most or not harmless:
            break
        text = _between(_copy(rows[i]["copies"], rng), harmless, rng)
        if len(text.split()) <= MOST_WORDS:
            lines.append({**rows[i], "copies": [text]})
            origins.append(i)
    return lines, told[origins]


def _between(text: str, harmless: Sequence[str], rng: random.Random) -> str:
    before = rng.random() < 0.5
    parts = [rng.choice(harmless), text] if before else [text, rng.choice(harmless)]
    if rng.random() < 0.3:
        parts = [*parts, rng.choice(harmless)] if before else [rng.choice(harmless), *parts]
    whole = parts[0]
    for part in parts[1:]:
        between = rng.choice(_BETWEEN)
        whole = whole.rstrip(".!? ") + between + part
    return whole


def _copy(copies: Sequence[str], rng: random.Random) -> str:
    return copies[0] if len(copies) == 1 or rng.random() < 0.6 else rng.choice(copies[1:])
