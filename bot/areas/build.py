"""Builds the packed list of postcodes, once, from the published directory.

The result is one folder in the cache, ``areas-<hash>``; the hash covers everything the result depends on,
so a newer directory or another recipe builds beside the old one.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from bot.areas.source import ATTRIBUTION, PACKAGE, SHA256, Columns, fetch_files, read_columns
from bot.areas.table import (
    ARRAYS,
    NO_POSITION,
    UNITS,
    PostcodeTable,
    TableError,
    verify,
    write_manifest,
)
from bot.cache import cache_dir
from bot.nlu.base_model import put_in_place

#: Raised when what the table holds changes: tables built before are then built again.
RECIPE = 1

#: British National Grid; Irish Grid; what the table holds (WGS 84). Numbers of the EPSG registry.
BRITISH_GRID, IRISH_GRID, WGS84 = 27700, 29902, 4326

_SEVEN = re.compile(r"[A-Z][A-Z0-9 ]{3}[0-9][A-Z]{2}")
_DISTRICT = ("E0", "W0", "S1", "N0")


class Progress(Protocol):
    """Told of each step: what it is, and how much of it is done."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """``done`` of ``total`` parts of the step are finished."""


def table_folder(cache: Path | None = None) -> Path:
    """Where the table of this version of Earshot is, built or not."""
    digest = hashlib.sha256(json.dumps(_identity(), sort_keys=True).encode()).hexdigest()
    return (cache or cache_dir()) / f"areas-{digest[:16]}"


def ensure_table(cache: Path | None = None, progress: Progress | None = None) -> Path:
    """The folder of the table, built first when it is missing.

    Takes some seconds and a network the first time (8 MB); afterwards it only checks the files.

    Args:
        cache: where to keep it; :func:`bot.cache.cache_dir` by default.
        progress: told of each step.

    Raises:
        TableError: the directory could not be fetched, or a file is not what it should be.
        OSError: the cache cannot be written.
    """
    target = table_folder(cache)
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="areas-build-", dir=target.parent) as name:
            work = Path(name)
            _tell(progress, "Fetching the list of postcodes (8 MB, once)", 0, 1)
            files = fetch_files(work)
            _tell(progress, "Fetching the list of postcodes (8 MB, once)", 1, 1)
            built = work / "table"
            built.mkdir()
            write_table(built, _counted(read_columns(files), len(files), progress), _identity())
            put_in_place(built, target)
    verify(target)
    return target


def open_table(cache: Path | None = None) -> PostcodeTable:
    """The table of this version, already built; never fetches or builds.

    Raises:
        NotBuiltError: it is not there.
        TamperedError: a file in it has changed since it was built.
    """
    return PostcodeTable.open(table_folder(cache))


def write_table(folder: Path, source: Iterable[Columns], identity: Mapping[str, object]) -> None:
    """Pack listed postcodes into the files of a table.

    Args:
        folder: an existing, empty folder.
        source: the postcodes in any order.
        identity: what the table was built from, for its manifest.

    Raises:
        TableError: nothing is listed, or a postcode or district code is not one.
    """
    parts = [_arrays_of(part) for part in source if part.postcodes]
    if not parts:
        raise TableError("The list of postcodes is empty.")
    outward, packed, codes, east, north = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    outwards, outward_number = np.unique(outward, return_inverse=True)
    # The empty code sorts first, so its number is NOWHERE.
    districts, district_number = np.unique(np.append(codes, b""), return_inverse=True)
    order = np.lexsort((packed, outward_number))
    latitude, longitude = _degrees(codes, east, north)
    columns = {
        "inward": packed,
        "district": district_number[:-1],
        "latitude": latitude,
        "longitude": longitude,
    }
    for name, kind in ARRAYS.items():
        np.save(folder / f"{name}.npy", columns[name][order].astype(kind))
    index = {
        "outwards": [code.decode().rstrip() for code in outwards.tolist()],
        "starts": [*np.searchsorted(outward_number[order], np.arange(len(outwards))).tolist(), len(packed)],
        "districts": [code.decode() for code in districts.tolist()],
    }
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "NOTICE").write_text(ATTRIBUTION, encoding="utf-8")
    write_manifest(folder, dict(identity))


def _degrees(codes: np.ndarray, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of grid references, in millionths of a degree."""
    from pyproj import Transformer

    latitude = np.full(len(codes), NO_POSITION, dtype=np.int64)
    longitude = latitude.copy()
    placed = ~np.isnan(east) & ~np.isnan(north) & (codes != b"")
    irish = np.char.startswith(codes, b"N")
    for grid, rows in ((BRITISH_GRID, placed & ~irish), (IRISH_GRID, placed & irish)):
        if rows.any():
            to_degrees = Transformer.from_crs(grid, WGS84, always_xy=True)
            x, y = to_degrees.transform(east[rows], north[rows])
            longitude[rows], latitude[rows] = np.rint(x * 1e6), np.rint(y * 1e6)
    return latitude, longitude


def _arrays_of(part: Columns) -> tuple[np.ndarray, ...]:
    """Outward codes, packed inward codes, district codes, eastings and northings of some postcodes."""
    odd = [postcode for postcode in part.postcodes if not _SEVEN.fullmatch(postcode)]
    if odd:
        raise TableError(f"The list of postcodes has an entry that is no postcode: {odd[0]!r}.")
    letters = np.array(part.postcodes, dtype="S7").view(np.uint8).reshape(-1, 7)
    sector, first, second = (letters[:, place].astype(np.uint16) for place in (4, 5, 6))
    codes = [code if isinstance(code, str) and code.startswith(_DISTRICT) else "" for code in part.districts]
    return (
        np.ascontiguousarray(letters[:, :4]).view("S4")[:, 0],
        (sector - ord("0")) * UNITS + (first - ord("A")) * 26 + second - ord("A"),
        np.array(codes, dtype="S9"),
        np.array(part.eastings, dtype=float),
        np.array(part.northings, dtype=float),
    )


def _identity() -> dict[str, object]:
    return {"recipe": RECIPE, "package": PACKAGE, "sha256": SHA256}


def _counted(parts: Iterable[Columns], total: int, progress: Progress | None) -> Iterable[Columns]:
    for number, part in enumerate(parts):
        _tell(progress, "Packing the list of postcodes", number, total)
        yield part
    _tell(progress, "Packing the list of postcodes", total, total)


def _tell(progress: Progress | None, step: str, done: int, total: int) -> None:
    if progress is not None:
        progress(step, done, total)
