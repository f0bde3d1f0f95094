"""Who runs children's services where: ``data/areas/*.yml``, read and checked.

In England the upper tier does (a county for its districts, elsewhere the council itself), in Wales and
Scotland each council, in Northern Ireland five Health and Social Care Trusts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bot.data_files import DataFileError, read_yaml
from bot.settings import ROOT

#: The kinds of children's-services authority.
KINDS = ("county", "unitary", "metropolitan", "london", "trust")


class AreaDataError(Exception):
    """A file in data/areas is wrong; the message names file, entry and remedy."""


@dataclass(frozen=True)
class FrontDoor:
    """How anyone reports a concern about a child there."""

    title: str
    web: str
    #: The id of an entry of data/responses/numbers.yml; empty when there is none.
    helpline: str
    source: str


@dataclass(frozen=True)
class Authority:
    """A body that runs children's services."""

    code: str
    name: str
    kind: str
    nation: str
    front_door: FrontDoor
    known_as: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """Part of a district, by outward code, that another authority serves."""

    outwards: frozenset[str]
    authority: str
    #: The authority that may serve some homes there instead; empty when the border is clear.
    alternative: str = ""


@dataclass(frozen=True)
class District:
    """A local authority district, as postcodes are assigned to them."""

    code: str
    name: str
    authority: str
    known_as: tuple[str, ...] = ()
    splits: tuple[Split, ...] = ()


@dataclass(frozen=True)
class Area:
    """A district and who runs children's services for the people in it."""

    #: None when only the authority is known, and it serves several districts.
    district: District | None
    authority: Authority
    #: Where a border is not known to the street: the authority it may be instead.
    alternative: Authority | None = None

    @property
    def nation(self) -> str:
        """England, Wales, Scotland or Northern Ireland."""
        return self.authority.nation


@dataclass(frozen=True)
class Signature:
    """Where a file of data/areas comes from, and whether the service lead has signed it."""

    file: str
    source: str
    checked_on: date
    check_by: date
    reviewed_by: str
    reviewed_on: str


class Authorities:
    """All authorities and districts of the United Kingdom."""

    def __init__(
        self,
        authorities: Mapping[str, Authority],
        districts: Mapping[str, District],
        formerly: Mapping[str, str],
        shared_names: Mapping[str, tuple[str, ...]],
        signatures: tuple[Signature, ...],
    ) -> None:
        self._authorities = dict(authorities)
        self._districts = dict(districts)
        self._formerly = dict(formerly)
        self.shared_names = dict(shared_names)
        self.signatures = signatures

    @classmethod
    def load(cls, folder: Path = ROOT / "data" / "areas") -> Authorities:
        """Read and check every nation's file.

        Raises:
            AreaDataError: a file is missing, unreadable, or contradicts itself or another.
        """
        return _Reader().read(folder)

    def __iter__(self) -> Iterator[Authority]:
        return iter(self._authorities.values())

    def authority(self, code: str) -> Authority | None:
        """The authority with this code, also by a code it had before."""
        return self._authorities.get(self._formerly.get(code, code))

    def areas_of(self, district: District) -> tuple[Area, ...]:
        """Everybody who serves part of a district, the one that serves most of it first."""
        codes = (district.authority, *(split.authority for split in district.splits))
        return tuple(Area(district, self._authorities[code]) for code in dict.fromkeys(codes))

    def whole(self, code: str) -> Area:
        """Everything an authority of today serves.

        Raises:
            KeyError: no authority has this code.
        """
        served = [district for district in self._districts.values() if district.authority == code]
        return Area(served[0] if len(served) == 1 else None, self._authorities[code])

    @property
    def districts(self) -> tuple[District, ...]:
        """Every district of today."""
        return tuple(self._districts.values())

    def area(self, district_code: str, outward: str = "") -> Area | None:
        """The area of a district, also by a code it had before.

        Args:
            district_code: code of the Office for National Statistics, such as ``E07000209``.
            outward: first half of the postcode, for the districts that two authorities share.
        """
        district = self._districts.get(self._formerly.get(district_code, district_code))
        if district is None:
            return None
        for split in district.splits:
            if outward in split.outwards:
                other = self._authorities[split.alternative] if split.alternative else None
                return Area(district, self._authorities[split.authority], other)
        return Area(district, self._authorities[district.authority])


class _Reader:
    def __init__(self) -> None:
        self._authorities: dict[str, Authority] = {}
        self._districts: dict[str, District] = {}
        self._formerly: dict[str, str] = {}
        self._shared: dict[str, tuple[str, ...]] = {}
        self._signatures: list[Signature] = []
        self._file = ""

    def read(self, folder: Path) -> Authorities:
        paths = sorted(folder.glob("*.yml"))
        if not paths:
            raise AreaDataError(f"{folder} has no files. Restore data/areas from the repository.")
        for path in paths:
            self._file = path.name
            try:
                document = read_yaml(path)
            except DataFileError as error:
                raise AreaDataError(str(error)) from None
            try:
                self._document(document)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise AreaDataError(
                    f"{path.name}: something is missing or of the wrong kind ({error}). "
                    "Compare the entry with those around it."
                ) from None
        self._check()
        return Authorities(
            self._authorities, self._districts, self._formerly, self._shared, tuple(self._signatures)
        )

    def _document(self, document: Mapping[str, Any]) -> None:
        self._signatures.append(
            Signature(
                self._file,
                str(document["source"]),
                date.fromisoformat(document["checked_on"]),
                date.fromisoformat(document["check_by"]),
                document["reviewed_by"],
                document["reviewed_on"],
            )
        )
        here = _front_door(document["front_door"], "")
        for item in document["authorities"]:
            self._authority(item, document["nation"], here)
        for item in document.get("shared_names") or ():
            codes = item.get("authorities") or [
                a.code for a in self._authorities.values() if a.kind == item["kind"]
            ]
            self._shared[item["name"]] = tuple(codes)

    def _authority(self, item: Mapping[str, Any], nation: str, here: FrontDoor) -> None:
        code, name = str(item["code"]), str(item["name"])
        if item["kind"] not in KINDS:
            self._wrong(name, f"kind must be one of {', '.join(KINDS)}")
        if code in self._authorities:
            self._wrong(name, f"the code {code} is there twice; keep one")
        own = item.get("front_door")
        door = _front_door(own, here.helpline) if own else here
        known_as = tuple(item.get("known_as") or ())
        self._authorities[code] = Authority(code, name, item["kind"], nation, door, known_as)
        self._former(item, code)
        # Without districts of its own it is one: a unitary, a borough.
        for district in item.get("districts") or [{"code": code, "name": name}]:
            self._district(district, code)

    def _district(self, item: Mapping[str, Any], authority: str) -> None:
        code, name = str(item["code"]), str(item["name"])
        if code in self._districts:
            self._wrong(name, f"the code {code} is there twice; keep one")
        splits = tuple(
            Split(frozenset(part["outcodes"]), part["authority"], part.get("or", ""))
            for part in item.get("split") or ()
        )
        self._districts[code] = District(code, name, authority, tuple(item.get("known_as") or ()), splits)
        self._former(item, code)

    def _former(self, item: Mapping[str, Any], code: str) -> None:
        for old in item.get("formerly") or ():
            if self._formerly.get(old, code) != code:
                self._wrong(item["name"], f"the former code {old} is also {self._formerly[old]}'s")
            self._formerly[old] = code

    def _check(self) -> None:
        for old in self._formerly:
            if old in self._authorities or old in self._districts:
                self._wrong(old, "a former code is also a code of today; remove one")
        for district in self._districts.values():
            for split in district.splits:
                for code in filter(None, (split.authority, split.alternative)):
                    if code not in self._authorities:
                        self._wrong(district.name, f"{code} under 'split' is no authority")
        for name, codes in self._shared.items():
            for code in codes:
                if code not in self._authorities:
                    self._wrong(name, f"{code} under 'shared_names' is no authority")

    def _wrong(self, entry: str, what: str) -> None:
        raise AreaDataError(f"{self._file}: {entry}: {what}.")


def _front_door(item: Mapping[str, Any], helpline: str) -> FrontDoor:
    return FrontDoor(item["title"], item["web"], item.get("helpline", helpline), item["source"])
