"""Chooses temperature and thresholds on held-out scenarios, with phrases and 8-bit encoder together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from bot.nlu.encoder import Encoder
from bot.risk.combination import combine
from bot.risk.detector import Detector
from bot.risk.labelled import Labelled
from bot.risk.matching import Message
from bot.risk.model_text import read
from bot.risk.statistical_layer import Reading, StatisticalLayer, Thresholds
from bot.risk.taxonomy import Evidence, Level

__all__ = ["Case", "choose", "read_cases", "temperature"]

#: What one wrong share costs when not every bar can be reached: a disclosure that is missed weighs more than
#: two false alarms. The curve is nearly flat: docs/risk_model_card.md.
_COSTS = {"sensitivity": 2.2, "immediate": 0.15, "specificity": 1.0, "over": 0.5}
#: Below the first of them the bot asks instead.
_HIGH = (0.38, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
#: A sentence is read out of its context.
_PART = (0.9, 0.95)
_IMMEDIATE = (0.3, 0.35, 0.4, 0.45, 0.5)
_GUARDED = 0.9
_CONCERN = 0.5
_ABOVE = 0.8
_CATEGORY = 0.05
#: Not lower: what is said in the middle of a talk is hardly among the messages.
_SHORT = (0.55, 0.62, 0.7, 0.8, 0.9)
_ANSWER = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_ANSWER_IMMEDIATE = (0.3, 0.4, 0.5, 0.6, 0.7)
#: Of messages sent one after the other; what else was tried: docs/risk_model_card.md.
_JOINED, _JOINED_IMMEDIATE = 0.6, 0.4
_UNSURE = 0.3


@dataclass(frozen=True)
class Case:
    """A held-out message, what the phrases found in it, and what the encoder made of it."""

    row: Labelled
    message: Message
    found: tuple[Evidence, ...]
    reading: Reading


def temperature(encoder: Encoder, rows: Sequence[Labelled], phrases: Detector) -> float:
    """The temperature that makes the level's chances fit best (Guo et al. 2017)."""
    scores = []
    for row in rows:
        message = Message(row.text, phrases.normaliser.words(row.text))
        scores.append(encoder.scores(read(message, phrases.data.questions.get(row.asked, "")))[:4])
    levels = np.array([row.level.rank for row in rows])
    logits = np.array(scores, dtype=float)

    def surprise(degrees: float) -> float:
        scaled = logits / degrees
        scaled -= scaled.max(1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(levels)), levels]))

    return min((round(float(t), 2) for t in np.arange(0.5, 3.01, 0.05)), key=surprise)


def read_cases(layer: StatisticalLayer, phrases: Detector, rows: Sequence[Labelled]) -> list[Case]:
    """Every row as phrases and encoder see it. ``phrases`` is a detector without the encoder."""
    cases = []
    for row in rows:
        message = Message(row.text, phrases.normaliser.words(row.text))
        found = phrases.found(message, row.memory)
        cases.append(
            Case(row, message, found, layer.read(message, phrases.data.questions.get(row.asked, "")))
        )
    return cases


def figures(cases: Sequence[Case], at: Thresholds) -> dict[str, float]:
    """The measures of docs/risk_model_card.md for these thresholds."""
    came = [
        max((e.level for e in combine(c.message, c.found, c.reading, at)), default=Level.NONE) for c in cases
    ]

    def share(levels: set[Level], least: Level) -> float:
        chosen = [level for case, level in zip(cases, came, strict=True) if case.row.level in levels]
        return sum(level >= least for level in chosen) / max(len(chosen), 1)

    return {
        "sensitivity": share({Level.HIGH, Level.IMMEDIATE}, Level.HIGH),
        "immediate": share({Level.IMMEDIATE}, Level.IMMEDIATE),
        "specificity": 1 - share({Level.NONE}, Level.HIGH),
        "over": share({Level.CONCERN}, Level.HIGH),
    }


def choose(cases: Sequence[Case]) -> tuple[Thresholds, dict[str, float]]:
    """The thresholds of least cost on these cases, and the figures of those that are no answers."""
    base = Thresholds(
        high=0.5, part=0.95, immediate=0.3, above=_ABOVE, concern=_CONCERN, guarded=_GUARDED,
        category=_CATEGORY, short=0.75, answer=0.4, answer_immediate=0.4, joined=_JOINED,
        joined_immediate=_JOINED_IMMEDIATE, unsure=_UNSURE,
    )  # fmt: skip
    # One after the other: where a person comes, the same of one sentence alone, where 999 is said first.
    steps: tuple[Callable[[Thresholds], list[Thresholds]], ...] = (
        lambda at: [replace(at, high=high, short=short) for high, short in product(_HIGH, _SHORT)],
        lambda at: [replace(at, part=part) for part in _PART],
        lambda at: [replace(at, immediate=immediate) for immediate in _IMMEDIATE],
    )
    for_answers: tuple[Callable[[Thresholds], list[Thresholds]], ...] = (
        lambda at: [replace(at, answer=answer) for answer in _ANSWER],
        lambda at: [replace(at, answer_immediate=immediate) for immediate in _ANSWER_IMMEDIATE],
    )
    best, _ = _least_cost([case for case in cases if case.row.asked], base, for_answers)
    return _least_cost([case for case in cases if not case.row.asked], best, steps)


def _least_cost(
    cases: Sequence[Case], best: Thresholds, steps: Iterable[Callable[[Thresholds], list[Thresholds]]]
) -> tuple[Thresholds, dict[str, float]]:
    reached = figures(cases, best)
    for step in steps:
        for candidate in step(best):
            found = figures(cases, candidate)
            if _cost(found) < _cost(reached):
                best, reached = candidate, found
    return best, reached


def _cost(reached: dict[str, float]) -> float:
    return (
        _COSTS["sensitivity"] * (1 - reached["sensitivity"])
        + _COSTS["immediate"] * (1 - reached["immediate"])
        + _COSTS["specificity"] * (1 - reached["specificity"])
        + _COSTS["over"] * reached["over"]
    )
