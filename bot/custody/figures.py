"""The counts as tables: what the command prints, the spreadsheet holds and the desk's page shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.custody.counts import (
    ACCEPT_BANDS,
    ACCEPTED,
    CASE,
    CATEGORY,
    CLOSE_BANDS,
    CLOSED_IN,
    LONGER,
    NEVER,
    Cell,
    counts,
    hide_small,
)
from bot.custody.retention import ALL_KINDS, CONVERSATION
from bot.risk.taxonomy import Category, Level
from bot.spreadsheet import csv_row
from bot.store.uow import UnitOfWork

COLUMNS = ("month", "area", "what", "value", "count")
#: Stands for a figure that is not shown.
HIDDEN = "<5"
_MONTH, _AREA, _KIND, _LEVEL, _MEASURE, _VALUE = range(6)
#: The tables, by name: of which measure, by which part of a cell, in which order.
_TABLES = {
    "kind": (CASE, _KIND, ALL_KINDS),
    "level": (CASE, _LEVEL, tuple(level.value for level in Level)),
    "category": (CATEGORY, _VALUE, tuple(category.value for category in Category)),
    "accepted_in": (ACCEPTED, _VALUE, (*(name for _, name in ACCEPT_BANDS), LONGER, NEVER)),
    "closed_in": (CLOSED_IN, _VALUE, (*(name for _, name in CLOSE_BANDS), LONGER, NEVER)),
}


@dataclass(frozen=True)
class Row:
    """One figure. ``count`` is None when it is hidden: too small, or it would give one away."""

    month: str
    area: str
    what: str
    value: str
    count: int | None

    def told(self) -> tuple[str, ...]:
        """As the columns of a table or a spreadsheet."""
        number = HIDDEN if self.count is None else str(self.count)
        return self.month, self.area or "not told", self.what, self.value.replace("_", " "), number


def rows(uow: UnitOfWork, areas: Sequence[str] = ()) -> list[Row]:
    """Every table for every month and area. Figures whose sum can be read elsewhere are hidden with it."""
    groups: dict[tuple[str, str], Counter[Cell]] = {}
    for cell, number in counts(uow, areas).items():
        groups.setdefault((cell[_MONTH], cell[_AREA]), Counter())[cell] += number
    found = []
    for month, area in sorted(groups):
        for what, figures in tables(groups[(month, area)]).items():
            found += [Row(month, area, what, value, count) for value, count in figures]
    return found


def tables(found: Mapping[Cell, int]) -> dict[str, list[tuple[str, int | None]]]:
    """``(value, count)`` of each table of these counts; values that nobody had are left out."""
    shown = {}
    for what, (measure, part, order) in _TABLES.items():
        sums: Counter[str] = Counter()
        for cell, number in found.items():
            # Levels of conversations without a case are their own matter: nobody was asked.
            alone = cell[_KIND] == CONVERSATION and what != "kind"
            if cell[_MEASURE] == measure and not alone:
                sums[cell[part]] += number
        names = [name for name in order if name in sums] + sorted(set(sums) - set(order))
        shown[what] = list(zip(names, hide_small([sums[name] for name in names]), strict=True))
    return shown


def by_month(found: Mapping[Cell, int]) -> list[tuple[str, int | None]]:
    """Cases by month, newest first; conversations without one left out."""
    sums: Counter[str] = Counter()
    for cell, number in found.items():
        if cell[_MEASURE] == CASE and cell[_KIND] != CONVERSATION:
            sums[cell[_MONTH]] += number
    months = sorted(sums, reverse=True)
    return list(zip(months, hide_small([sums[month] for month in months]), strict=True))


def narrowed(found: Mapping[Cell, int], area: str = "", year: str = "") -> Counter[Cell]:
    """The counts of one area or year; empty means all."""
    return Counter(
        {
            cell: number
            for cell, number in found.items()
            if (not area or cell[_AREA] == area) and cell[_MONTH].startswith(year)
        }
    )


def as_csv(found: Sequence[Row]) -> Iterator[str]:
    """The rows for a spreadsheet; no cell can be a formula."""
    yield csv_row(COLUMNS)
    for row in found:
        yield csv_row(row.told())
