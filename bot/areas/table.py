"""The packed list of the UK's postcodes, read from disk as it is needed.

A table is a folder in the cache: four arrays with one row a postcode in the order of the postcodes, and an
index by outward code. The arrays are mapped into memory, so a process holds only the pages it touches, and
a look-up is two searches in sorted lists.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.nlu.base_model import sha256_of

#: Arrays: inward code, number of the district, latitude and longitude in millionths of a degree.
ARRAYS = {"inward": np.uint16, "district": np.uint16, "latitude": np.int32, "longitude": np.int32}
FILES = (*(f"{name}.npy" for name in ARRAYS), "index.json", "NOTICE")

#: A postcode that is listed without a place.
NOWHERE = 0
NO_POSITION = np.iinfo(np.int32).min
_MICRO = 1e-6
#: Units (the two last letters) of a sector.
UNITS = 26 * 26


class TableError(Exception):
    """The list of postcodes cannot be used; the message says why and what to do."""


class NotBuiltError(TableError):
    """The list of postcodes is not in the cache."""


class TamperedError(TableError):
    """A file is not the one that was published or built."""


@dataclass(frozen=True)
class Position:
    """A point in WGS 84 degrees, good to some metres for the middle of a postcode."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class Row:
    """One listed postcode. ``district`` is empty when it is listed without a place."""

    district: str
    position: Position | None


@dataclass(frozen=True)
class Count:
    """How many postcodes of a half-given one lie in a district, and their middle."""

    district: str
    outward: str
    postcodes: int


class PostcodeTable:
    """Look-up of postcodes; safe to share between threads, for it is never written."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self._districts: list[str] = index["districts"]
        self._outwards: list[str] = index["outwards"]
        self._starts: list[int] = index["starts"]
        self._arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}

    @classmethod
    def open(cls, folder: Path) -> PostcodeTable:
        """Open a built table after checking each of its files against its manifest.

        Raises:
            NotBuiltError: the folder is not there.
            TamperedError: a file has changed since the table was built.
        """
        verify(folder)
        return cls(folder)

    def __len__(self) -> int:
        return len(self._arrays["inward"])

    @property
    def districts(self) -> tuple[str, ...]:
        """Codes of the districts in the table."""
        return tuple(code for code in self._districts if code)

    def has_outward(self, outward: str) -> bool:
        """Whether any postcode begins with this outward code."""
        return self._slice(outward) is not None

    def find(self, outward: str, inward: str) -> Row | None:
        """One postcode, or None when it is not listed."""
        found = self._slice(outward)
        if found is None:
            return None
        part = self._arrays["inward"][found]
        wanted = pack_inward(inward)
        offset = int(np.searchsorted(part, np.uint16(wanted)))
        if offset == len(part) or int(part[offset]) != wanted:
            return None
        row = found.start + offset
        return Row(self._districts[int(self._arrays["district"][row])], self._position(row))

    def count(self, outward: str, start: str = "") -> tuple[list[Count], Position | None] | None:
        """The districts of all postcodes that begin so, the one with the most first, and their middle.

        Returns:
            None when no postcode begins so; an empty list when all of them are without a place.
        """
        found = self._slice(outward)
        if found is None:
            return None
        if start:
            low, high = inward_range(start)
            part = self._arrays["inward"][found]
            begin, end = (int(np.searchsorted(part, np.uint16(edge))) for edge in (low, high))
            found = slice(found.start + begin, found.start + end)
            if begin == end:
                return None
        counts = np.bincount(self._arrays["district"][found], minlength=1)
        order = [int(number) for number in np.argsort(-counts, kind="stable") if counts[number]]
        districts = [
            Count(self._districts[number], outward, int(counts[number]))
            for number in order
            if number != NOWHERE
        ]
        return districts, self._middle(found)

    def _slice(self, outward: str) -> slice | None:
        place = bisect.bisect_left(self._outwards, outward)
        if place == len(self._outwards) or self._outwards[place] != outward:
            return None
        return slice(self._starts[place], self._starts[place + 1])

    def _position(self, row: int) -> Position | None:
        latitude, longitude = (int(self._arrays[name][row]) for name in ("latitude", "longitude"))
        if latitude == NO_POSITION:
            return None
        return Position(round(latitude * _MICRO, 6), round(longitude * _MICRO, 6))

    def _middle(self, found: slice) -> Position | None:
        latitudes, longitudes = (self._arrays[name][found] for name in ("latitude", "longitude"))
        placed = latitudes != NO_POSITION
        if not placed.any():
            return None
        middle = (float(np.median(array[placed])) * _MICRO for array in (latitudes, longitudes))
        latitude, longitude = middle
        return Position(round(latitude, 6), round(longitude, 6))


def pack_inward(inward: str) -> int:
    """An inward code such as ``7DU`` as a number that sorts like it: 0 to 6,759."""
    return int(inward[0]) * UNITS + (ord(inward[1]) - 65) * 26 + ord(inward[2]) - 65


def inward_range(start: str) -> tuple[int, int]:
    """The packed inward codes that begin with ``7`` or ``7D``: the first, and the one after the last."""
    if len(start) == 1:
        return int(start) * UNITS, (int(start) + 1) * UNITS
    low = pack_inward(start + "A")
    return low, low + 26


def verify(folder: Path) -> None:
    """Check every file of a built table against the manifest beside it.

    Raises:
        NotBuiltError: the folder is not there.
        TamperedError: a file is missing or changed.
    """
    if not folder.is_dir():
        raise NotBuiltError(
            f"The list of postcodes is missing ({folder}). Run 'earshot areas build' once with a network; "
            "if it ran before, check that EARSHOT_CACHE names the same folder."
        )
    try:
        expected: dict[str, str] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        expected = {}
    changed = [
        name
        for name in FILES
        if not (folder / name).is_file() or sha256_of(folder / name) != expected.get(name)
    ]
    if changed:
        raise TamperedError(
            f"{', '.join(changed)} in {folder} is not what was built. Delete the folder and run "
            "'earshot areas build' again."
        )


def write_manifest(folder: Path, identity: dict[str, object], names: Sequence[str] = FILES) -> None:
    """Write the sha256 of each file, and what the table was built from."""
    files = {name: sha256_of(folder / name) for name in names}
    text = json.dumps({**identity, "files": files}, indent=1)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
