"""What a message tells about the safety of a child: the one place where Earshot reads risk.

Pure: text, and what this conversation has shown so far, in; a :class:`Finding` out. It is built from
layers of words that each bring evidence, and from the tuned encoder;
:func:`bot.risk.combination.combine` says how they become one list, and :meth:`Detector.assess` takes the
most serious level in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from bot.nlu.normaliser import Normaliser
from bot.risk.combination import combine, undecided
from bot.risk.context import ContextLayer
from bot.risk.families import RiskData, RiskDataError, load
from bot.risk.matching import Message
from bot.risk.phrase_layer import PhraseLayer
from bot.risk.relation import RelationReader
from bot.risk.signs import SignReader
from bot.risk.statistical_layer import StatisticalLayer
from bot.risk.taxonomy import Category, Evidence, Finding, Level, Memory

__all__ = ["Detector", "Layer", "RiskDataError", "assess", "default_detector"]

DATA_DIR = Path(__file__).resolve().parents[2] / "data"


class Layer(Protocol):
    """One way of reading risk. Layers see the message and what was found before them."""

    def evidence(self, message: Message, memory: Memory, so_far: Sequence[Evidence]) -> Iterable[Evidence]:
        """What this layer sees in the message."""
        ...


class Detector:
    """Reads risk in messages. Holds no state of any message or person."""

    def __init__(
        self,
        data: RiskData,
        layers: Sequence[Layer],
        relations: RelationReader,
        model: StatisticalLayer | None = None,
    ) -> None:
        self.data = data
        self._layers = tuple(layers)
        self._relations = relations
        self._signs = SignReader(data)
        self._model = model

    @classmethod
    def load(cls, data_dir: Path | None = None) -> Detector:
        """A detector on the reviewed files of ``data_dir`` (the project's own by default), with the encoder.

        Raises:
            RiskDataError: a file that cannot be used. Callers must not start without a detector.
            EncoderError: the tuned encoder is not built, or not the one it should be; nor without it.
        """
        words = cls.of_words(data_dir)
        return cls(words.data, words._layers, words._relations, StatisticalLayer.load())

    @classmethod
    def of_words(cls, data_dir: Path | None = None) -> Detector:
        """A detector without the encoder: to train it, to measure what it adds, and to check phrases alone.

        Raises:
            RiskDataError: a file that cannot be used.
        """
        data = load(data_dir or DATA_DIR)
        return cls(data, [PhraseLayer(data), ContextLayer(data)], RelationReader(data))

    def with_data(self, data: RiskData) -> Detector:
        """The same detector, the encoder too, on other phrases."""
        return Detector(data, [PhraseLayer(data), ContextLayer(data)], RelationReader(data), self._model)

    @property
    def normaliser(self) -> Normaliser:
        """The normaliser the phrases were read with."""
        return self.data.normaliser

    def found(self, message: Message, memory: Memory = Memory()) -> tuple[Evidence, ...]:
        """What phrases and memory found; level ``none`` marks words that a guard called harmless."""
        evidence: list[Evidence] = []
        for layer in self._layers:
            evidence.extend(layer.evidence(message, memory, evidence))
        return tuple(evidence)

    def assess(self, text: str, memory: Memory = Memory()) -> Finding:
        """What this message tells, read in the light of the conversation so far.

        The level is of this message; a conversation keeps the highest by :meth:`Memory.after`.
        Never fails, whatever the text holds.
        """
        message = Message(text, self.normaliser.words(text))
        evidence = list(self.found(message, memory))
        guess, unsure = None, False
        if self._model is not None:
            question = self.data.questions.get(memory.asked or "", "")
            reading = self._model.read(message, question)
            evidence = combine(message, evidence, reading, self._model.thresholds)
            guess = reading.about
            unsure = undecided(message, evidence, reading, self._model.thresholds)
        evidence = [e for e in evidence if e.level is not Level.NONE]
        evidence.sort(key=lambda e: (-e.level.rank, e.start, e.family))
        categories = _categories(evidence)
        return Finding(
            level=max((e.level for e in evidence), key=lambda level: level.rank, default=Level.NONE),
            categories=categories,
            about=self._relations.about(message, memory, evidence, guess),
            evidence=tuple(evidence),
            signs=self._signs.named(message) if _tells_of_neglect(evidence) else (),
            unsure=unsure,
        )


def _tells_of_neglect(evidence: Iterable[Evidence]) -> bool:
    # By reviewed words only: the encoder names neglect beside other worries too readily to count signs by it.
    return any(e.layer == "phrase" and Category.NEGLECT in e.categories for e in evidence)


def _categories(evidence: Iterable[Evidence]) -> tuple[Category, ...]:
    return tuple(dict.fromkeys(category for e in evidence for category in e.categories))


@lru_cache(maxsize=1)
def default_detector() -> Detector:
    """The detector on the project's own data, loaded once in each process."""
    return Detector.load()


def assess(text: str, memory: Memory = Memory()) -> Finding:
    """What this message tells, by :func:`default_detector`."""
    return default_detector().assess(text, memory)
