"""Loads a rota file (``data/rota.example.yml`` shows the form) into the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time
from pathlib import Path
from typing import Any

import yaml

from bot.rota import ADMINISTRATOR, DUTY_WORKER, LEAD, SAFE_ADULT
from bot.store.models import Place, Shift, Staff
from bot.store.uow import UnitOfWork

ROLES = (DUTY_WORKER, SAFE_ADULT, LEAD, ADMINISTRATOR)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class RotaFileError(Exception):
    """The rota file is wrong; the message names file, entry and remedy."""


def load_rota(uow: UnitOfWork, path: Path) -> tuple[int, int]:
    """Put the people, places and hours of a file into the database; entries already there are updated.

    People who are not in the file stay as they are, so that a file may hold one school only.
    Returns how many places and people the file holds.

    Raises:
        RotaFileError: nothing was changed; the message says what to mend.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RotaFileError(
            f"{path.name}: cannot be read ({type(error).__name__}). Check it is YAML."
        ) from None
    if not isinstance(document, Mapping) or not document.get("staff"):
        raise RotaFileError(f"{path.name}: has no 'staff:'. See data/rota.example.yml for the form.")
    area = str(document.get("area") or "")
    if not area:
        raise RotaFileError(f"{path.name}: has no 'area:'. Name the area these people serve.")
    places = [_place(path.name, entry, area) for entry in document.get("places") or ()]
    place_ids = {place.id for place in places} | {place.id for place in uow.places()}
    people = [_staff(uow, path.name, entry, place_ids) for entry in document["staff"]]
    for row in (*places, *people):
        uow.session.merge(row)
    uow.session.flush()
    return len(places), len(people)


def _place(file: str, entry: Any, area: str) -> Place:
    for key in ("id", "name", "kind"):
        _need(file, "places", entry, key)
    return Place(id=entry["id"], name=entry["name"], kind=entry["kind"], area=entry.get("area", area))


def _staff(uow: UnitOfWork, file: str, entry: Any, place_ids: set[str]) -> Staff:
    for key in ("id", "name", "role", "job_title", "email"):
        _need(file, "staff", entry, key)
    where = f"{file}: staff {entry['id']}"
    if entry["role"] not in ROLES:
        raise RotaFileError(f"{where}: role {entry['role']!r} is not one of {', '.join(ROLES)}.")
    if entry.get("place") and entry["place"] not in place_ids:
        raise RotaFileError(f"{where}: place {entry['place']!r} is not under 'places:'.")
    before = uow.staff_member(entry["id"])
    staff = Staff(
        id=entry["id"],
        name=entry["name"],
        role=entry["role"],
        job_title=entry["job_title"],
        email=entry["email"],
        sign_in_hash=uow.cipher.find_hash("staff", entry["email"].strip().casefold()),
        password_hash=before.password_hash if before else None,
        off_duty=before.off_duty if before else False,
        active=True,
        trained_for=list(entry.get("trained_for") or ()),
        answers_by=list(entry.get("answers_by") or ()),
        alert_urls=list(entry.get("alerts") or ()),
        place_id=entry.get("place"),
    )
    staff.shifts = list(_shifts(where, entry.get("hours") or ()))
    return staff


def _shifts(where: str, hours: Any) -> Iterator[Shift]:
    for entry in hours:
        if not isinstance(entry, Mapping) or not {"days", "from", "to"} <= set(entry):
            raise RotaFileError(f"{where}: an entry of 'hours:' needs days, from and to.")
        days = _DAYS if entry["days"] == "all" else entry["days"]
        unknown = [day for day in days if day not in _DAYS]
        if unknown:
            raise RotaFileError(f"{where}: day {unknown[0]!r} is not one of {', '.join(_DAYS)}.")
        for key in ("from", "to"):
            try:
                time.fromisoformat(str(entry[key]))
            except ValueError:
                raise RotaFileError(f'{where}: {key} must be a time such as "08:30", in quotes.') from None
        yield Shift(
            days=[_DAYS.index(day) + 1 for day in days],
            starts=str(entry["from"]),
            ends=str(entry["to"]),
            bank_holidays=bool(entry.get("bank_holidays", False)),
        )


def _need(file: str, section: str, entry: Any, key: str) -> None:
    if not isinstance(entry, Mapping) or not entry.get(key):
        name = entry.get("id", "?") if isinstance(entry, Mapping) else "?"
        raise RotaFileError(f"{file}: {section} {name}: has no '{key}:'.")
