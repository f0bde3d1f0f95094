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
from typing import NamedTuple, Protocol

from bot.nlu.normaliser import Normaliser
from bot.risk.combination import combine, undecided
from bot.risk.context import ContextLayer
from bot.risk.families import RiskData, RiskDataError, load
from bot.risk.matching import Message
from bot.risk.phrase_layer import PhraseLayer
from bot.risk.pieces import PieceReader, joined, news
from bot.risk.relation import RelationReader
from bot.risk.signs import SignReader
from bot.risk.statistical_layer import StatisticalLayer
from bot.risk.taxonomy import About, Category, Evidence, Finding, Level, Memory

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
        self._pieces = PieceReader(data)
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
        message = self._message(text)
        continues = self._pieces.continues(message, memory)
        seen = self._read(message, memory, piece=continues and self._pieces.is_short(message))
        evidence, unsure = seen.evidence, seen.unsure
        if continues:
            of_all = self._read(self._message(joined(text, memory)), memory, together=True)
            unsure = of_all.unsure
            if brought := news(of_all.evidence, memory):
                known = {(e.layer, e.family, e.level) for e in evidence}
                more = [e for e in brought if (e.layer, e.family, e.level) not in known]
                seen, evidence = of_all, _in_order([*evidence, *more])
        level = max((e.level for e in evidence), key=lambda level: level.rank, default=Level.NONE)
        return Finding(
            level=level,
            categories=tuple(dict.fromkeys(category for e in evidence for category in e.categories)),
            about=self._relations.about(seen.message, memory, seen.evidence, seen.guess),
            evidence=tuple(evidence),
            signs=self._signs.named(seen.message) if _tells_of_neglect(evidence) else (),
            unsure=unsure and not level.needs_person,
            asked=memory.asked if memory.asked in self.data.questions else None,
        )

    def is_piece(self, text: str, memory: Memory) -> bool:
        """Whether a message is short and may continue what the person sent just before."""
        message = self._message(text)
        return self._pieces.is_short(message) and self._pieces.continues(message, memory)

    def _message(self, text: str) -> Message:
        return Message(text, self.normaliser.words(text))

    def _read(
        self, message: Message, memory: Memory, *, piece: bool = False, together: bool = False
    ) -> _Seen:
        found = self.found(message, memory)
        if self._model is None:
            return _Seen(message, _in_order(found), None, False)
        reading = self._model.read(message, self.data.questions.get(memory.asked or "", ""))
        at = self._model.thresholds.of_several() if together else self._model.thresholds
        evidence = combine(message, found, reading.out_of_context() if piece else reading, at)
        unsure = undecided(message, evidence, reading, at)
        return _Seen(message, _in_order(evidence), reading.about, unsure)


class _Seen(NamedTuple):
    """What all layers made of a message, the most serious first, and whether it is left open."""

    message: Message
    evidence: Sequence[Evidence]
    guess: About | None
    unsure: bool


def _in_order(evidence: Iterable[Evidence]) -> list[Evidence]:
    told = [e for e in evidence if e.level is not Level.NONE]
    return sorted(told, key=lambda e: (-e.level.rank, e.start, e.family))


def _tells_of_neglect(evidence: Iterable[Evidence]) -> bool:
    # By reviewed words only: the encoder names neglect beside other worries too readily to count signs by it.
    return any(e.layer == "phrase" and Category.NEGLECT in e.categories for e in evidence)


@lru_cache(maxsize=1)
def default_detector() -> Detector:
    """The detector on the project's own data, loaded once in each process."""
    return Detector.load()


def assess(text: str, memory: Memory = Memory()) -> Finding:
    """What this message tells, by :func:`default_detector`."""
    return default_detector().assess(text, memory)
