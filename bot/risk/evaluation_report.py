"""Prints what :mod:`bot.risk.evaluation` measured."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bot.risk.effect import Effect
from bot.risk.evaluation import MEASURES, Report, Share, wilson

__all__ = ["print_effect", "print_report"]

#: So many matches of a family are shown; the rest is counted.
MOST_SHOWN = 40


def print_report(report: Report, out: Console) -> None:
    """The figures with their intervals, the groups, and every miss, one a line."""
    table = Table("measure", "share", "95% interval", "of")
    for name, share in report.figures().items():
        low, high = wilson(share.hits, share.total)
        interval = f"{low:.1%} to {high:.1%}" if share.total else ""
        table.add_row(name, _percent(share), interval, _count(share))
    out.print(table)
    for kind, groups in report.groups().items():
        shown = Table(kind, *(measure.name for measure in MEASURES))
        for group, shares in groups.items():
            cells = (f"{_percent(s)} ({_count(s)})" if s.total else "" for s in shares.values())
            shown.add_row(group, *cells)
        out.print(shown)
    missed = report.missed()
    out.print(f"{len(missed)} of {len(report.outcomes)} messages came out wrong. {report.seconds:.1f} s.")
    for outcome in missed:
        row, found = outcome.row, outcome.finding
        why = "; ".join(f"{e.layer}/{e.family}: {e.words}" for e in found.evidence[:2]).replace("\n", " ")
        text = " / ".join((*row.before, row.text)).replace("\n", " ")
        line = f"line {row.line}: {row.level.value} came out {found.level.value}: {text}"
        out.print(f"{line}  [{why}]" if why else line, markup=False, highlight=False, soft_wrap=True)


def print_effect(family: str, effect: Effect, out: Console) -> None:
    """What the family matches among labelled messages, and what comes out otherwise because of it."""
    changed = [change for change in effect.matched if change.level_changed]
    out.print(
        f"{family} matches {len(effect.matched)} of {effect.messages} messages and decides the level of"
        f" {len(changed)}."
    )
    if figures := effect.figures():
        table = Table("measure", "right because of it", "wrong because of it")
        for name, (gained, lost) in figures.items():
            table.add_row(name, str(gained), str(lost))
        out.print(table)
    for change in [*changed, *(c for c in effect.matched if not c.level_changed)][:MOST_SHOWN]:
        levels = f"{change.without.finding.level.value} → {change.having.finding.level.value}"
        came = levels if change.level_changed else change.having.finding.level.value
        line = f"{change.row.level.value} came out {came}: {change.row.text}".replace("\n", " ")
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if (more := len(effect.matched) - MOST_SHOWN) > 0:
        out.print(f"… and {more} more.")


def _percent(share: Share) -> str:
    return "–" if share.value is None else f"{share.value:.1%}"


def _count(share: Share) -> str:
    return f"{share.hits}/{share.total}"
