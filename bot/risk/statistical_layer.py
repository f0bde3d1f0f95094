"""The statistical layer: a small sentence encoder tuned on labelled messages, for what no phrase foresaw.

Reads the whole message and each sentence of it, and gives for every stretch the chance of each level, of
each category, and of whom it is about. :mod:`bot.risk.combination` says what follows from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bot.cache import cache_dir
from bot.nlu.base_model import EncoderError, Progress, sha256_of
from bot.nlu.encoder import Encoder
from bot.nlu.encoder_build import build_base, built_base
from bot.risk.matching import Message
from bot.risk.model_text import Window, windows
from bot.risk.taxonomy import About, Category, Level

__all__ = ["ADAPTER", "PROVENANCE", "Part", "Reading", "StatisticalLayer", "Thresholds", "build_risk_encoder"]

MODEL_DIR = Path(__file__).resolve().parents[2] / "data" / "risk" / "model"
ADAPTER = MODEL_DIR / "adapter.safetensors"
PROVENANCE = MODEL_DIR / "provenance.json"

#: Categories named of one part at most: more would say nothing.
MOST_NAMED = 4

#: Messages of this many words or more are read sentence by sentence, whatever the whole says.
LONG = 60
#: The same where the chance of harm in the whole lies between these (tried: docs/risk_model_card.md).
OPEN_FROM, OPEN_TO = 0.2, 0.45

_LEVELS = tuple(Level)
_CATEGORIES = tuple(Category)
_ABOUTS = tuple(About)


@dataclass(frozen=True)
class Thresholds:
    """From which chance (0 to 1) on the layer speaks; chosen on held-out scenarios, kept with the adapter.

    Attributes:
        high: high or above, of a whole message.
        part: the same, of a sentence read out of its context.
        immediate: immediate, where high is reached too.
        above: immediate, where a reviewed phrase has already found high and the encoder would overrule it.
        concern: concern or above.
        guarded: high or above, where a guard has just called words of the message harmless.
        category: a second category is named from here on.
        short: high or above, of a message of few words: "i have to go now" can be anything.
        answer: high or above, of a message read together with the question it answers.
        answer_immediate: immediate, where ``answer`` is reached too.
        joined: high or above, of a message read together with those sent just before it.
        joined_immediate: immediate, where ``joined`` is reached too.
        unsure: the bot asks, where the chance of high or above is at least this and below the others.
    """

    high: float
    part: float
    immediate: float
    above: float
    concern: float
    guarded: float
    category: float
    short: float
    answer: float
    answer_immediate: float
    joined: float
    joined_immediate: float
    unsure: float

    def of_several(self) -> Thresholds:
        """The thresholds for messages that are read together."""
        return replace(self, high=self.joined, short=self.joined, immediate=self.joined_immediate)


@dataclass(frozen=True)
class Part:
    """What the encoder makes of one stretch of a message; ``chances`` by level, in order, adding to 1."""

    window: Window
    chances: tuple[float, ...]
    categories: tuple[float, ...]
    abouts: tuple[float, ...]

    @property
    def raised(self) -> float:
        """The chance of high or immediate."""
        return self.chances[2] + self.chances[3]

    def named(self, least: float) -> tuple[Category, ...]:
        """The likeliest category, and up to three others with at least this chance, likeliest first."""
        order = sorted(range(len(_CATEGORIES)), key=lambda i: -self.categories[i])[:MOST_NAMED]
        return tuple(_CATEGORIES[i] for n, i in enumerate(order) if n == 0 or self.categories[i] >= least)


@dataclass(frozen=True)
class Reading:
    """What the encoder makes of a message: one part for the whole of it, others for its sentences.

    ``answers`` says that the whole was read together with a question that the message answers.
    """

    parts: tuple[Part, ...]
    answers: bool = False

    def out_of_context(self) -> Reading:
        """The same, the whole of it taken for a part: of a thought that is sent in several messages."""
        parts = tuple(replace(p, window=replace(p.window, whole=False)) for p in self.parts)
        return replace(self, parts=parts)

    @cached_property
    def about(self) -> About | None:
        """Whom the message is about, by its most worrying part; nobody if there was nothing to read."""
        if not self.parts:
            return None
        abouts = max(self.parts, key=lambda part: (part.window.whole, part.raised)).abouts
        return _ABOUTS[abouts.index(max(abouts))]


class StatisticalLayer:
    """The tuned encoder with its thresholds. Safe to use from several threads; holds no message."""

    def __init__(self, encoder: Encoder, temperature: float, thresholds: Thresholds) -> None:
        self._encoder = encoder
        self._temperature = temperature
        self.thresholds = thresholds

    @classmethod
    def load(cls, adapter: Path = ADAPTER, cache: Path | None = None) -> StatisticalLayer:
        """The layer the set-up built. There is no running without it.

        Raises:
            EncoderError: it was not built, a file changed since, or adapter and provenance do not belong
                together; the message says what to do.
        """
        provenance = read_provenance(adapter)
        encoder = Encoder.load(built_base(cache, adapter))
        return cls(encoder, float(provenance["temperature"]), _thresholds(provenance["thresholds"]))

    def read(self, message: Message, question: str = "") -> Reading:
        """What the encoder makes of the message, after the question it answers, if any. Never fails.

        Sentences are read by themselves only where that can change anything: in a long message, or where
        the whole leaves it open. That is most of the time a message takes. An answer is read once more
        without its question, out of its context like a sentence: harm is told in the middle of a form, too.
        """
        found = windows(message, question)
        whole = tuple(self._part(window) for window in found if window.whole)
        surest = max((part.raised for part in whole), default=0.0)
        alone = windows(message) if question else ()
        others = [replace(window, whole=False) for window in alone if window.whole]
        if len(message.words) >= LONG or OPEN_FROM <= surest < OPEN_TO:
            others += [window for window in found if not window.whole]
        return Reading((*whole, *map(self._part, others)), answers=bool(question))

    def _part(self, window: Window) -> Part:
        scores = self._encoder.scores(window.text)
        levels, rest = scores[: len(_LEVELS)], scores[len(_LEVELS) :]
        categories, abouts = rest[: len(_CATEGORIES)], rest[len(_CATEGORIES) :]
        return Part(
            window=window,
            chances=_shares(levels / self._temperature),
            categories=tuple((1 / (1 + np.exp(-categories.astype(float)))).tolist()),
            abouts=_shares(abouts),
        )


def build_risk_encoder(cache: Path | None = None, progress: Progress | None = None) -> Path:
    """Build the tuned encoder from the base weights and the committed adapter; quick when it is there.

    Raises:
        EncoderError: as :func:`bot.nlu.encoder_build.build_base`, or the adapter is not the one its
            provenance describes.
    """
    read_provenance(ADAPTER)
    return build_base(cache or cache_dir(), progress, ADAPTER)


def read_provenance(adapter: Path) -> Mapping[str, Any]:
    """Where the adapter came from, its thresholds and its figures.

    Raises:
        EncoderError: adapter or provenance is missing, unreadable, or they do not belong together.
    """
    path = adapter.with_name(PROVENANCE.name)
    remedy = "Restore data/risk/model from the repository, or train again: earshot train-encoder."
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))
        _thresholds(provenance["thresholds"])
        if not float(provenance["temperature"]) > 0:
            raise ValueError("temperature is not above 0")
        if sha256_of(adapter) != provenance["adapter_sha256"]:
            raise ValueError(f"{adapter.name} is not the file it describes")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{path} cannot be used: {error}. {remedy}") from error
    return dict(provenance)


def _thresholds(values: Mapping[str, Any]) -> Thresholds:
    chosen = {field.name: float(values[field.name]) for field in fields(Thresholds)}
    for name, value in chosen.items():
        if not 0 < value < 1:
            raise ValueError(f"threshold “{name}” is not between 0 and 1")
    return Thresholds(**chosen)


def _shares(scores: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    odds = np.exp(np.asarray(scores, dtype=float) - np.max(scores))
    return tuple((odds / odds.sum()).tolist())
