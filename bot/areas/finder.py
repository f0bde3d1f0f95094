"""One answer to "where do you live?": from whatever was typed to who runs children's services there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path

from bot.areas.authorities import Area, Authorities, Authority
from bot.areas.build import open_table
from bot.areas.names import Named, NameIndex
from bot.areas.postcode import CROWN_AREAS, NO_PLACE_AREAS, Candidate, Shape, read
from bot.areas.table import Count, Position, PostcodeTable, Row, TableError


class AnswerKind(str, Enum):
    """What is known about the place somebody gave."""

    FOUND = "found"
    #: Half a postcode: every district it covers, the one with the most postcodes first.
    PARTIAL = "partial"
    #: A town, council or county by its name: every place that bears it, the likeliest first.
    PLACE = "place"
    #: On the list without a place: out of use before places were recorded, or a box number. The list has
    #: no dates, so one that went out of use later is FOUND where it was: people do not move with it.
    TERMINATED = "terminated"
    #: Right in form and not on the list. Where its neighbours are is in ``areas``: it may be new.
    UNKNOWN = "unknown"
    CROWN_DEPENDENCY = "crown_dependency"
    #: British Forces Post Office.
    BFPO = "bfpo"
    #: Another country's postcode, or a British overseas territory's.
    FOREIGN = "foreign"
    MALFORMED = "malformed"
    #: The list of postcodes is not here, or damaged; a name is still found.
    NOT_SET_UP = "not_set_up"


@dataclass(frozen=True)
class Answer:
    """What is known about a place. ``repr`` hides what the person typed."""

    kind: AnswerKind
    #: Areas, the main one first.
    areas: tuple[Area, ...] = ()
    #: The postcode as it is written, or the half that was given.
    postcode: str = field(default="", repr=False)
    #: Where it is; the middle, for half a postcode.
    position: Position | None = field(default=None, repr=False)
    #: The places of an :attr:`AnswerKind.PLACE`, one for each of ``areas``.
    names: tuple[str, ...] = field(default=(), repr=False)
    #: The island of a :attr:`AnswerKind.CROWN_DEPENDENCY`.
    island: str = ""
    #: What was typed had to be corrected; a person should be asked whether it is right.
    corrected: bool = False

    @property
    def authorities(self) -> tuple[Authority, ...]:
        """Who may run children's services there, each once, the likeliest first."""
        either = [body for area in self.areas for body in (area.authority, area.alternative) if body]
        return tuple(dict.fromkeys(either))

    @property
    def settled(self) -> Authority | None:
        """The one authority, when the answer leaves no doubt; None when the person should be asked."""
        placed = self.kind in (AnswerKind.FOUND, AnswerKind.PARTIAL, AnswerKind.PLACE)
        sure = placed and not self.corrected and len(self.authorities) == 1
        return self.authorities[0] if sure else None


class Areas:
    """The look-up. Opened once a process; safe to share between threads."""

    def __init__(self, authorities: Authorities, table: PostcodeTable | None, problem: str = "") -> None:
        self._authorities = authorities
        self._table = table
        #: Why postcodes cannot be looked up, for the person who runs this; empty when they can.
        self.problem = problem

    @classmethod
    def open(cls, cache: Path | None = None) -> Areas:
        """Open the look-up with the table in the cache; without it when it is missing or damaged.

        Raises:
            AreaDataError: a file of data/areas is wrong.
        """
        authorities = Authorities.load()
        try:
            return cls(authorities, open_table(cache))
        except (TableError, OSError) as error:
            return cls(authorities, None, str(error))

    @property
    def set_up(self) -> bool:
        """Whether postcodes can be looked up."""
        return self._table is not None

    @property
    def authorities(self) -> Authorities:
        """Who runs children's services where."""
        return self._authorities

    def find(self, text: str) -> Answer:
        """What is known about a postcode, or half of one, as a person typed it. Never raises."""
        reading = read(text)
        first = reading.candidates[0] if reading.candidates else None
        if reading.shape is Shape.CROWN_DEPENDENCY and first:
            return Answer(
                AnswerKind.CROWN_DEPENDENCY,
                postcode=str(first),
                island=CROWN_AREAS[first.outward[:2]],
                corrected=first.corrected,
            )
        if first is None:
            return Answer(AnswerKind(reading.shape.value))
        if first.outward[:2] in NO_PLACE_AREAS:
            return Answer(AnswerKind.UNKNOWN, postcode=str(first))
        if self._table is None:
            return Answer(AnswerKind.NOT_SET_UP, postcode=str(first))
        if reading.shape is Shape.FULL:
            return self._whole(reading.candidates, self._table)
        return self._half(reading.candidates, self._table)

    def by_name(self, text: str, limit: int = 8) -> tuple[Named, ...]:
        """Places by name, however spelt, the likeliest first. ``limit`` 0 means all."""
        return self._names.find(text, limit)

    def look_up(self, text: str) -> Answer:
        """What is known about a postcode or the name of a place. Never raises."""
        answer = self.find(text)
        if answer.kind is not AnswerKind.MALFORMED:
            return answer
        named = self.by_name(text, limit=0)
        if not named:
            return answer
        position = named[0].position if len(named) == 1 else None
        return Answer(
            AnswerKind.PLACE,
            tuple(place.area for place in named),
            position=position,
            names=tuple(place.name for place in named),
            corrected=named[0].typos > 0,
        )

    @cached_property
    def _names(self) -> NameIndex:
        return NameIndex(self._authorities)

    def _whole(self, candidates: Sequence[Candidate], table: PostcodeTable) -> Answer:
        for candidate in candidates:
            row = table.find(candidate.outward, candidate.inward)
            if row is not None:
                return self._listed(candidate, row)
        first = candidates[0]
        return Answer(
            AnswerKind.UNKNOWN,
            self._neighbours(first, table),
            postcode=str(first),
            corrected=first.corrected,
        )

    def _listed(self, candidate: Candidate, row: Row) -> Answer:
        area = self._authorities.area(row.district, candidate.outward)
        if area is None:
            return Answer(AnswerKind.TERMINATED, postcode=str(candidate), corrected=candidate.corrected)
        return Answer(
            AnswerKind.FOUND,
            (area,),
            postcode=str(candidate),
            position=row.position,
            corrected=candidate.corrected,
        )

    def _half(self, candidates: Sequence[Candidate], table: PostcodeTable) -> Answer:
        for candidate in candidates:
            counted = table.count(candidate.outward, candidate.inward)
            if counted is None:
                continue
            counts, middle = counted
            return Answer(
                AnswerKind.PARTIAL if counts else AnswerKind.TERMINATED,
                self._areas(counts),
                postcode=str(candidate),
                position=middle,
                corrected=candidate.corrected,
            )
        return Answer(AnswerKind.UNKNOWN, postcode=str(candidates[0]), corrected=candidates[0].corrected)

    def _neighbours(self, candidate: Candidate, table: PostcodeTable) -> tuple[Area, ...]:
        """The areas of postcodes in the same sector, else district, for a postcode newer than the list."""
        counted = table.count(candidate.outward, candidate.inward[0]) or table.count(candidate.outward)
        return self._areas(counted[0]) if counted else ()

    def _areas(self, counts: Sequence[Count]) -> tuple[Area, ...]:
        found = (self._authorities.area(count.district, count.outward) for count in counts)
        return tuple(area for area in found if area is not None)
