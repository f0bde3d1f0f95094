"""What one phrase family does to a set of labelled messages: what it matches, and what comes out otherwise.

Only messages that the family matches can come out differently with it, so only those are read twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.risk.detector import Detector
from bot.risk.evaluation import Outcome, finding_of
from bot.risk.labelled import Labelled
from bot.risk.matching import Message

__all__ = ["Change", "Effect", "UnknownFamily", "effect_of"]


class UnknownFamily(ValueError):
    """No family has this name; the message names those that come close."""


@dataclass(frozen=True)
class Change:
    """A message that the family matches, and what came out without it and with it."""

    without: Outcome
    having: Outcome

    @property
    def row(self) -> Labelled:
        """The labelled message."""
        return self.having.row

    @property
    def level_changed(self) -> bool:
        """Whether the family decides the level of this message."""
        return self.without.finding.level is not self.having.finding.level


@dataclass(frozen=True)
class Effect:
    """Everything the family matches among ``messages`` labelled messages."""

    messages: int
    matched: tuple[Change, ...]

    def figures(self) -> dict[str, tuple[int, int]]:
        """For each measure how many messages it gains and loses through the family."""
        gained: Counter[str] = Counter()
        lost: Counter[str] = Counter()
        for change in self.matched:
            before, after = set(change.without.misses), set(change.having.misses)
            gained.update(before - after)
            lost.update(after - before)
        return {name: (gained[name], lost[name]) for name in sorted({*gained, *lost})}


def effect_of(name: str, rows: Sequence[Labelled], detector: Detector) -> Effect:
    """What the family of this name does to these messages.

    Raises:
        UnknownFamily: there is none.
    """
    names = [family.name for family in detector.data.families]
    if name not in names:
        near = [other for other in names if other.startswith(name[:4])] or names
        raise UnknownFamily(f"No family is called {name}. There are: {', '.join(sorted(near))}.")
    without = detector.with_data(
        replace(detector.data, families=tuple(f for f in detector.data.families if f.name != name))
    )
    matched = []
    for row in rows:
        message = Message(row.text, detector.normaliser.words(row.text))
        if any(evidence.family == name for evidence in detector.found(message)):
            before, after = finding_of(row, without), finding_of(row, detector)
            matched.append(Change(Outcome(row, before), Outcome(row, after)))
    return Effect(len(rows), tuple(matched))
