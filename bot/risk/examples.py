"""Checks that every example in ``data/risk`` comes out as its file says. Run by the tests and the CLI."""

from __future__ import annotations

from collections.abc import Iterable

from bot.risk.detector import Detector, default_detector
from bot.risk.families import Family, Guard

__all__ = ["check_examples", "check_family", "check_guard"]


def check_examples(families: Iterable[Family] | None = None, detector: Detector | None = None) -> list[str]:
    """What is wrong, one line an example, naming file, entry, text and remedy; empty if all is well.

    Args:
        families: those to check; all, and all guards, by default.
        detector: the detector to check with; the project's own by default.
    """
    detector = detector or default_detector()
    if families is not None:
        return [line for family in families for line in check_family(family, detector)]
    return [
        *(line for family in detector.data.families for line in check_family(family, detector)),
        *(line for guard in detector.data.guards for line in check_guard(guard, detector)),
    ]


def check_family(family: Family, detector: Detector) -> list[str]:
    """What is wrong with the examples of one family."""
    wrong = []
    for text in family.must_match:
        finding = detector.assess(text)
        if family.name not in {e.family for e in finding.evidence}:
            wrong.append(
                f"{family.file}: {family.name}: must_match “{text}” does not match. Remedy: add a phrase that"
                " matches it, or see whether a guard in a harmless file takes it back."
            )
    for text in family.must_not_match:
        for item in detector.assess(text).evidence:
            if item.family == family.name:
                wrong.append(
                    f"{family.file}: {family.name}: must_not_match “{text}” matches with “{item.words}”."
                    " Remedy: make that phrase narrower, or add a guard to a harmless file."
                )
    return wrong


def check_guard(guard: Guard, detector: Detector) -> list[str]:
    """What is wrong with the examples of one guard."""
    wrong = []
    for text in guard.innocent:
        finding = detector.assess(text)
        if finding.level.needs_person:
            wrong.append(
                f"{guard.file}: {guard.name}: innocent “{text}” comes out {finding.level.value} by"
                f" {finding.evidence[0].family}. Remedy: widen the guard, or narrow that family."
            )
    for text in guard.still_heard:
        if not detector.assess(text).level.needs_person:
            wrong.append(
                f"{guard.file}: {guard.name}: still_heard “{text}” is not heard. Remedy: narrow the guard, or"
                " add to its `spares` or `unless`."
            )
    return wrong
