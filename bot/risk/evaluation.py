"""Measures the detector on a file of labelled messages, each as the first of a new conversation, as the
answer to the question that its line names, or after the messages that its line says were sent just before.

Every figure can be recomputed from the rows of :meth:`Report.to_dict`: none is kept that is not a count of
them. The measures and their names are those of docs/risk_model_card.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from pathlib import Path
from typing import Any

from bot.risk.detector import Detector, default_detector
from bot.risk.labelled import Labelled, read_labelled
from bot.risk.pieces import in_the_light_of
from bot.risk.taxonomy import Finding, Level

__all__ = ["MEASURES", "Outcome", "Report", "Share", "evaluate", "evaluate_file", "finding_of", "wilson"]


@dataclass(frozen=True)
class Share:
    """``hits`` of ``total``, with the 95% Wilson interval of their share."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """The share from 0 to 1; ``None`` of nothing."""
        return self.hits / self.total if self.total else None

    def to_dict(self) -> dict[str, Any]:
        """Counts, share and interval as plain JSON values."""
        low, high = wilson(self.hits, self.total)
        return {"hits": self.hits, "total": self.total, "value": self.value, "low": low, "high": high}


@dataclass(frozen=True)
class Outcome:
    """One labelled message and what the detector made of it."""

    row: Labelled
    finding: Finding

    @property
    def misses(self) -> tuple[str, ...]:
        """The measures this message counts against."""
        return tuple(m.name for m in MEASURES if m.counts(self.row) and m.hit(self) is not m.good)


@dataclass(frozen=True)
class Measure:
    """A share of the messages it ``counts``; ``good`` says whether a hit is what is wanted."""

    name: str
    counts: Callable[[Labelled], bool]
    hit: Callable[[Outcome], bool]
    good: bool = True


def _raised(outcome: Outcome) -> bool:
    return outcome.finding.level.needs_person


MEASURES = (
    Measure("sensitivity", lambda row: row.level.needs_person, _raised),
    Measure(
        "immediate recall",
        lambda row: row.level is Level.IMMEDIATE,
        lambda outcome: outcome.finding.level is Level.IMMEDIATE,
    ),
    Measure("specificity", lambda row: row.level is Level.NONE, lambda outcome: not _raised(outcome)),
    Measure("over-escalation", lambda row: row.level is Level.CONCERN, _raised, good=False),
    Measure(
        "category recall",
        lambda row: row.level.needs_person and bool(row.categories),
        lambda outcome: not set(outcome.row.categories).isdisjoint(outcome.finding.categories),
    ),
    # Whom an answer is about was said before it.
    Measure(
        "about",
        lambda row: row.level is not Level.NONE and not row.asked,
        lambda outcome: outcome.finding.about is outcome.row.about,
    ),
)


@dataclass(frozen=True)
class Report:
    """What came out for every message, and the seconds it took."""

    outcomes: tuple[Outcome, ...]
    seconds: float

    def figures(self, outcomes: Iterable[Outcome] | None = None) -> dict[str, Share]:
        """Every measure over these outcomes, all by default."""
        chosen = self.outcomes if outcomes is None else tuple(outcomes)
        shares = {}
        for measure in MEASURES:
            counted = [o for o in chosen if measure.counts(o.row)]
            shares[measure.name] = Share(sum(measure.hit(o) for o in counted), len(counted))
        return shares

    def groups(self) -> dict[str, dict[str, dict[str, Share]]]:
        """The measures by level, register, category and about: ``{kind: {group: {measure: share}}}``."""
        found: dict[str, dict[str, list[Outcome]]]
        found = {kind: {} for kind in ("level", "register", "category", "about", "asked", "sent")}
        for outcome in self.outcomes:
            for kind, group in _memberships(outcome.row):
                found[kind].setdefault(group, []).append(outcome)
        return {
            kind: {group: self.figures(members) for group, members in sorted(groups.items())}
            for kind, groups in found.items()
            if groups
        }

    def missed(self) -> list[Outcome]:
        """The messages that came out too low, or too high: what a person reads to improve the data."""
        judged = {"sensitivity", "immediate recall", "specificity", "over-escalation"}
        return [o for o in self.outcomes if judged.intersection(o.misses)]

    def to_dict(self) -> dict[str, Any]:
        """Figures, groups and every row, as plain JSON values."""
        return {
            "messages": len(self.outcomes),
            "seconds": round(self.seconds, 2),
            "figures": {name: share.to_dict() for name, share in self.figures().items()},
            "groups": {
                kind: {
                    group: {name: share.to_dict() for name, share in shares.items() if share.total}
                    for group, shares in groups.items()
                }
                for kind, groups in self.groups().items()
            },
            "rows": [
                {
                    "line": o.row.line,
                    "text": o.row.text,
                    "level": o.row.level.value,
                    "categories": [c.value for c in o.row.categories],
                    "about": o.row.about.value,
                    "register": o.row.register,
                    "asked": o.row.asked,
                    "so_far": o.row.so_far.value,
                    "before": list(o.row.before),
                    "found": o.finding.to_dict(),
                    "misses": list(o.misses),
                }
                for o in self.outcomes
            ],
        }


def evaluate(rows: Sequence[Labelled], detector: Detector | None = None) -> Report:
    """Put every message to the detector as the first of a new conversation, or as what its line says it is.

    The detector is the one the Rasa model's risk component and the gateway use.
    """
    detector = detector or default_detector()
    began = time.monotonic()
    outcomes = tuple(Outcome(row, finding_of(row, detector)) for row in rows)
    return Report(outcomes, time.monotonic() - began)


def finding_of(row: Labelled, detector: Detector) -> Finding:
    """The most serious finding of a message and those sent just before it, each read when it was sent."""
    findings: list[Finding] = []
    memory, sent = row.memory, (*row.before, row.text)
    for text in sent:
        before = [(earlier, found.level) for earlier, found in zip(sent, findings, strict=False)]
        findings.append(detector.assess(text, in_the_light_of(memory, before, text)))
        memory = memory.after(findings[-1], date.today())
    return max(reversed(findings), key=lambda finding: finding.level.rank)


def evaluate_file(path: Path, detector: Detector | None = None) -> Report:
    """:func:`evaluate` on a file.

    Raises:
        LabelError: a line that cannot be used; nothing is measured then.
    """
    return evaluate(read_labelled(path), detector)


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The interval that holds a share with 95% confidence (Wilson 1927); 0 to 1 of nothing."""
    if not total:
        return 0.0, 1.0
    share = hits / total
    middle = share + z * z / (2 * total)
    reach = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    size = 1 + z * z / total
    return max(0.0, (middle - reach) / size), min(1.0, (middle + reach) / size)


def _memberships(row: Labelled) -> Iterator[tuple[str, str]]:
    yield "level", row.level.value
    yield "register", row.register
    yield "about", row.about.value
    for category in row.categories:
        yield "category", category.value
    if row.asked:
        yield "asked", row.asked
    if row.before:
        yield "sent", "in several messages"
