"""Finds areas by the name of a council, district, county, town or part of a city, however it is spelt."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from symspellpy import SymSpell, Verbosity

from bot.areas.authorities import Area, AreaDataError, Authorities
from bot.areas.table import Position
from bot.settings import ROOT

#: Words that do not tell one place from another, so a name is found without them too.
_FILLER = frozenset(
    "a an and at borough by city council county district for from here i im in is it live lives living local "
    "me metropolitan my near of on our royal the their they to town under unitary upon we with".split()
)
#: Longest run of words compared with a name.
_LONGEST = 5
#: Longest text read.
_MAX_LENGTH = 300
#: Population from which a town is called by the first part of its name: Stockton, Burton.
_LARGE = 20_000
_COLUMNS = ["name", "district", "outward", "latitude", "longitude", "population"]


@dataclass(frozen=True)
class Named:
    """A place that bears a name, and the area it is in."""

    name: str
    area: Area
    #: The middle of a town or village; None for a council or district.
    position: Position | None = None
    #: Letters that had to be changed to read the name.
    typos: int = 0


@dataclass(frozen=True)
class _Entry:
    name: str
    areas: tuple[Area, ...]
    position: Position | None
    #: 0 a body, or a name several share; 1 a district, or part of a body's name; 2 a town; 3 part of one's.
    rank: int
    population: int = 0


class NameIndex:
    """Every name an area goes by, for spelling-tolerant search."""

    def __init__(
        self, authorities: Authorities, places: Path = ROOT / "data" / "areas" / "places.csv"
    ) -> None:
        """Read the names.

        Raises:
            AreaDataError: the file of places is missing or names a district that is not there.
        """
        self._entries: dict[str, list[_Entry]] = {}
        for name, entry in (*_bodies(authorities), *_towns(authorities, places)):
            for key in dict.fromkeys((_key(name), " ".join(_telling(_words(name))))):
                self._entries.setdefault(key, []).append(entry)
        self._spelling = SymSpell(max_dictionary_edit_distance=2, prefix_length=7)
        for key in self._entries:
            self._spelling.create_dictionary_entry(key, 1)

    def find(self, text: str, limit: int = 8) -> tuple[Named, ...]:
        """The places a text names, the likeliest first; nothing when it names none.

        Names are looked for as typed before any is corrected, and long ones before short ones; a name of
        fewer than five letters is never corrected. ``limit`` 0 means all.
        """
        words = _words(text[:_MAX_LENGTH])
        telling = _telling(words)
        for search, among in ((self._exact, words), (self._exact, telling), (self._spelt, telling)):
            for run in _runs(among):
                if found := search(run):
                    return tuple(found[:limit] if limit else found)
        return ()

    def _exact(self, key: str) -> list[Named]:
        return _ranked([(entry, 0) for entry in self._entries.get(key, ())])

    def _spelt(self, key: str) -> list[Named]:
        distance = 0 if len(key) < 5 else 1 if len(key) < 8 else 2
        if not distance:
            return []
        close = self._spelling.lookup(key, Verbosity.CLOSEST, max_edit_distance=distance)
        return _ranked([(entry, hit.distance) for hit in close for entry in self._entries[hit.term]])


def _ranked(found: Sequence[tuple[_Entry, int]]) -> list[Named]:
    ordered = sorted(found, key=lambda pair: (pair[1], pair[0].rank, -pair[0].population, pair[0].name))
    named: dict[tuple[str, str], Named] = {}
    for entry, typos in ordered:
        for area in entry.areas:
            # Newport the city and Newport its council are one answer: the council's, where the city is.
            key = (area.authority.code, area.district.code if area.district else "")
            known = named.get(key)
            if known is None:
                named[key] = Named(entry.name, area, entry.position, typos)
            elif known.position is None:
                named[key] = replace(known, position=entry.position)
    return list(named.values())


def _bodies(authorities: Authorities) -> Iterator[tuple[str, _Entry]]:
    for district in authorities.districts:
        # A district that several authorities share is named for each of them.
        areas = authorities.areas_of(district)
        if district.code != district.authority:
            for name in (district.name, *district.known_as):
                yield from _with_parts(name, _Entry(district.name, areas, None, 1), split=len(areas) == 1)
    for authority in authorities:
        for name in (authority.name, *authority.known_as):
            yield from _with_parts(
                name, _Entry(authority.name, (authorities.whole(authority.code),), None, 0)
            )
    for name, codes in authorities.shared_names.items():
        yield name, _Entry(name, tuple(authorities.whole(code) for code in codes), None, 0)


def _with_parts(name: str, entry: _Entry, *, split: bool = True) -> Iterator[tuple[str, _Entry]]:
    """The name, and what people leave of it: Brighton, or Hove; Newcastle, which is not the only one."""
    yield name, entry
    parts = [*re.split(r",|\band\b|\bwith\b", name), re.split(r"[ -](?:on|upon|under)[ -]", name)[0]]
    if split:
        for part in dict.fromkeys(part.strip() for part in parts):
            if part and part != name:
                yield part, replace(entry, rank=entry.rank + 1)


def _towns(authorities: Authorities, places: Path) -> Iterator[tuple[str, _Entry]]:
    try:
        with places.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if rows.fieldnames != _COLUMNS:
                raise AreaDataError(f"{places.name}: the first line must read {','.join(_COLUMNS)}.")
            for row in rows:
                area = authorities.area(row["district"], row["outward"])
                if area is None:
                    raise AreaDataError(f"{places.name}: {row['name']}: no district {row['district']}.")
                position = Position(float(row["latitude"]), float(row["longitude"]))
                town = _Entry(row["name"], (area,), position, 2, int(row["population"]))
                yield from _with_parts(town.name, town, split=town.population >= _LARGE)
    except (OSError, ValueError, TypeError) as error:
        raise AreaDataError(
            f"{places.name} cannot be read ({error}). Restore it from the repository."
        ) from None


def _runs(words: Sequence[str]) -> Iterator[str]:
    """Runs of words, the longest first: ``york road hull`` before ``york``."""
    for length in range(min(len(words), _LONGEST), 0, -1):
        for start in range(len(words) - length + 1):
            yield " ".join(words[start : start + length])


def _key(name: str) -> str:
    return " ".join(_words(name))


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = re.sub(r"[’'.]", "", plain)
    return ["saint" if word == "st" else word for word in re.findall(r"[a-z]+", plain)]


def _telling(words: list[str]) -> list[str]:
    """The words without those that many names share; all of them when nothing else is left."""
    return [word for word in words if word not in _FILLER] or words
