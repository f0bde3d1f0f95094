"""Where somebody lives, as far as finding help needs it: codes, nation, a rounded position; no postcode."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.areas.finder import Answer
from bot.directory.index import Query

#: Decimals of a degree that are kept: about a kilometre. A whole postcode points at some fifteen homes.
DECIMALS = 2


@dataclass(frozen=True)
class Where:
    """What is kept of a place somebody typed."""

    codes: frozenset[str] = frozenset()
    nation: str = ""
    position: tuple[float, float] | None = None

    def __str__(self) -> str:
        """As it is kept in a conversation: ``E06000045|England|50.91,-1.4``."""
        point = ",".join(map(str, self.position)) if self.position else ""
        return "|".join((",".join(sorted(self.codes)), self.nation, point))

    @classmethod
    def read(cls, text: str) -> Where:
        """Back from what ``str`` made. Anything else is nowhere."""
        parts = text.split("|")
        if len(parts) != 3:
            return cls()
        point = parts[2].split(",") if parts[2] else []
        position = (float(point[0]), float(point[1])) if len(point) == 2 else None
        return cls(frozenset(filter(None, parts[0].split(","))), parts[1], position)

    def of(self, query: Query) -> Query:
        """The query, asked from here."""
        return replace(query, codes=self.codes, nation=self.nation, position=self.position)


def where(answer: Answer) -> Where | None:
    """What to keep of an answer of the look-up; None when it names no place in the United Kingdom."""
    if not answer.areas:
        return None
    codes = {body.code for body in answer.authorities}
    codes |= {area.district.code for area in answer.areas if area.district}
    nations = {area.nation for area in answer.areas}
    at = answer.position
    return Where(
        frozenset(codes),
        nations.pop() if len(nations) == 1 else "",
        (round(at.latitude, DECIMALS), round(at.longitude, DECIMALS)) if at else None,
    )
