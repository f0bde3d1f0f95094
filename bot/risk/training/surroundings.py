"""Puts small talk around messages, and questions before them that they do not answer.

A mean over all words is diluted by words about something else: "my uncle touches me" is heard, and with two
sentences about football behind it no longer. What the longer message tells is known without asking anybody:
as much as the message told by itself. So the pupil is given its level, and what the teachers made of it.

In the same way "who reads this" after "do you think you might do it tonight?" tells of no harm, and "my uncle
touches me" after "where do you live?" tells what it tells. A pupil that has read only answers after questions
takes whatever follows one for an answer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bot.risk.model_text import after
from bot.risk.taxonomy import Level
from bot.risk.training.data import level_chances

__all__ = ["MOST_WORDS", "out_of_turn", "surrounded"]

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


def out_of_turn(
    rows: Sequence[Mapping[str, Any]], told: np.ndarray, questions: Sequence[str], seed: int, most: int
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Messages after questions that they do not answer: each tells what it told alone.

    Args:
        rows: labelled lines as :func:`bot.risk.training.data.prepare` writes them, none of them an answer.
        told: what the teachers made of each of the ``rows`` as it stands [row, score].
        questions: in plain words, as the encoder reads them before an answer.
        seed: of the choice.
        most: how many are kept.

    Returns:
        Lines of the trainer with one copy and the label of the message, and what the teachers made of it.
    """
    rng = random.Random(seed)  # noqa: S311 - a choice of messages, not a secret
    origins = [i for i, row in enumerate(rows) if len(row["copies"][0].split()) <= MOST_WORDS]
    origins = rng.sample(origins, min(most, len(origins)))
    lines = [
        {**rows[i], "copies": [after(rng.choice(questions), _copy(rows[i]["copies"], rng))]} for i in origins
    ]
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
