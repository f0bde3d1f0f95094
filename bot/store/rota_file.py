"""Rota files: areas, places, people, hours and leave. ``data/rota.example.yml`` shows the form.

What :func:`export_rota` writes, :func:`load_rota` reads back to the same rota.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any

import yaml

from bot.rota import ENGLAND, NATIONS, ROLES
from bot.store.models import Area, Leave, Place, Shift, Staff
from bot.store.uow import UnitOfWork

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: The nations as a file names them.
NATION_WORDS = {"england": "ENG", "wales": "WLS", "scotland": "SCT", "northern ireland": "NIR"}
_NATION_NAMES = {code: words for words, code in NATION_WORDS.items()}
#: What an id may look like: it stands in addresses and in the audit log.
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


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
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RotaFileError(
            f"{path.name}: cannot be read ({type(error).__name__}). Check it is YAML."
        ) from None
    places, people = load_rota_text(uow, text, path.name)
    return len(places), len(people)


def load_rota_text(uow: UnitOfWork, text: str, file: str) -> tuple[list[str], list[str]]:
    """The same for the text of a file. Returns the ids of the places and people it holds.

    Raises:
        RotaFileError: nothing was changed; the message says what to mend.
    """
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise RotaFileError(f"{file}: cannot be read ({type(error).__name__}). Check it is YAML.") from None
    if not isinstance(document, Mapping) or not document.get("staff"):
        raise RotaFileError(f"{file}: has no 'staff:'. See data/rota.example.yml for the form.")
    area = _text(file, "area", document.get("area"))
    if not area and not document.get("areas"):
        raise RotaFileError(f"{file}: has no 'area:'. Name the area these people serve.")
    areas = _areas(uow, file, document, area)
    known = {one.id for one in areas} | {one.id for one in uow.session.query(Area)}
    places = [_place(file, entry, area, known) for entry in _list(file, "places", document)]
    place_ids = {place.id for place in places} | {place.id for place in uow.places()}
    people = [_staff(uow, file, entry, place_ids, known) for entry in _list(file, "staff", document)]
    _no_twins(file, uow, people)
    for row in (*areas, *places, *people):
        uow.session.merge(row)
    uow.session.flush()
    return [place.id for place in places], [person.id for person in people]


def export_rota(uow: UnitOfWork) -> str:
    """The whole rota as a file. It holds names, addresses and alert addresses: keep it as you keep those."""
    areas = [
        {"id": area.id, "name": area.name, "nation": _NATION_NAMES[area.nation]}
        for area in uow.session.query(Area).order_by(Area.id)
    ]
    places = [
        {"id": place.id, "name": place.name, "kind": place.kind, "area": place.area}
        for place in sorted(uow.places(), key=lambda place: place.id)
        if place.active
    ]
    document = {"areas": areas, "places": places, "staff": [_exported(staff) for staff in uow.staff()]}
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=110)


def _exported(staff: Staff) -> dict[str, Any]:
    entry = {
        "id": staff.id,
        "name": staff.name,
        "role": staff.role,
        "job_title": staff.job_title,
        "place": staff.place_id,
        "areas": list(staff.areas or ()),
        "nation": _NATION_NAMES.get(staff.nation or ""),
        "email": staff.email,
        "phone": staff.phone,
        "trained_for": list(staff.trained_for or ()),
        "answers_by": list(staff.answers_by or ()),
        "alerts": list(staff.alert_urls or ()),
        "hours": [_exported_hours(shift) for shift in staff.shifts],
        "leave": [{"from": one.first_day, "to": one.last_day} for one in staff.leave],
    }
    return {key: value for key, value in entry.items() if value}


def _exported_hours(shift: Shift) -> dict[str, Any]:
    entry = {
        "days": [_DAYS[day - 1] for day in sorted(shift.days)],
        "from": shift.starts,
        "to": shift.ends,
        "bank_holidays": shift.bank_holidays,
        "first_day": shift.first_day,
        "last_day": shift.last_day,
    }
    return {key: value for key, value in entry.items() if value}


def _areas(uow: UnitOfWork, file: str, document: Mapping[str, Any], area: str) -> list[Area]:
    found = []
    for entry in _list(file, "areas", document):
        _need(file, "areas", entry, "id")
        identity = _id(file, "areas", entry)
        where = f"{file}: areas {identity}"
        nation = _nation(where, entry.get("nation")) or ENGLAND
        found.append(
            Area(id=identity, name=_text(where, "name", entry.get("name")) or identity, nation=nation)
        )
    if area and area not in {one.id for one in found}:
        nation = _nation(file, document.get("nation"))
        before = uow.session.get(Area, area)
        if before is None or nation:
            name = before.name if before else area
            found.append(Area(id=area[:64], name=name, nation=nation or ENGLAND))
    return found


def _place(file: str, entry: Any, area: str, known: set[str]) -> Place:
    for key in ("id", "name", "kind"):
        _need(file, "places", entry, key)
    identity = _id(file, "places", entry)
    where = f"{file}: places {identity}"
    there = _text(where, "area", entry.get("area")) or area
    if there not in known:
        raise RotaFileError(f"{where}: area {there!r} is not under 'areas:'.")
    return Place(
        id=identity,
        name=_text(where, "name", entry["name"])[:120],
        kind=_text(where, "kind", entry["kind"])[:32],
        area=there,
        active=True,
    )


def _staff(uow: UnitOfWork, file: str, entry: Any, place_ids: set[str], areas: set[str]) -> Staff:
    for key in ("id", "name", "role", "job_title", "email"):
        _need(file, "staff", entry, key)
    identity = _id(file, "staff", entry)
    where = f"{file}: staff {identity}"
    if entry["role"] not in ROLES:
        raise RotaFileError(f"{where}: role {entry['role']!r} is not one of {', '.join(ROLES)}.")
    if entry.get("place") and entry["place"] not in place_ids:
        raise RotaFileError(f"{where}: place {entry['place']!r} is not under 'places:'.")
    serves = _words(where, "areas", entry)
    if unknown := [area for area in serves if area not in areas]:
        raise RotaFileError(f"{where}: area {unknown[0]!r} is not under 'areas:'.")
    before = uow.staff_member(identity)
    email = _text(where, "email", entry["email"]).strip()
    staff = Staff(
        id=identity,
        name=_text(where, "name", entry["name"]),
        role=entry["role"],
        job_title=_text(where, "job_title", entry["job_title"])[:120],
        email=email,
        phone=_text(where, "phone", entry.get("phone")) or None,
        sign_in_hash=uow.cipher.find_hash("staff", email.casefold()),
        password_hash=before.password_hash if before else None,
        totp_secret=before.totp_secret if before else None,
        totp_step=before.totp_step if before else None,
        off_duty=before.off_duty if before else False,
        off_duty_at=before.off_duty_at if before else None,
        active=True,
        areas=serves,
        nation=_nation(where, entry.get("nation")),
        trained_for=_words(where, "trained_for", entry),
        answers_by=_words(where, "answers_by", entry),
        alert_urls=_words(where, "alerts", entry),
        place_id=entry.get("place"),
    )
    staff.shifts = list(_shifts(where, _list(where, "hours", entry)))
    staff.leave = list(_leave(where, _list(where, "leave", entry)))
    return staff


def _shifts(where: str, hours: list[Any]) -> Iterator[Shift]:
    for entry in hours:
        if not isinstance(entry, Mapping) or not {"days", "from", "to"} <= set(entry):
            raise RotaFileError(f"{where}: an entry of 'hours:' needs days, from and to.")
        days = _DAYS if entry["days"] == "all" else entry["days"]
        if not isinstance(days, list | tuple) or not days:
            raise RotaFileError(f"{where}: days must be a list such as [mon, tue], or all.")
        unknown = [day for day in days if day not in _DAYS]
        if unknown:
            raise RotaFileError(f"{where}: day {unknown[0]!r} is not one of {', '.join(_DAYS)}.")
        first, last = _day(where, "first_day", entry), _day(where, "last_day", entry)
        if first and last and last < first:
            raise RotaFileError(f"{where}: last_day lies before first_day.")
        yield Shift(
            days=sorted({_DAYS.index(day) + 1 for day in days}),
            starts=_clock(where, "from", entry),
            ends=_clock(where, "to", entry),
            bank_holidays=bool(entry.get("bank_holidays", False)),
            first_day=first,
            last_day=last,
        )


def _leave(where: str, leave: list[Any]) -> Iterator[Leave]:
    for entry in leave:
        if not isinstance(entry, Mapping) or not {"from", "to"} <= set(entry):
            raise RotaFileError(f"{where}: an entry of 'leave:' needs from and to.")
        first, last = _day(where, "from", entry), _day(where, "to", entry)
        if first is None or last is None or last < first:
            raise RotaFileError(f"{where}: leave must end on the day it begins, or later.")
        yield Leave(first_day=first, last_day=last)


def _clock(where: str, key: str, entry: Mapping[str, Any]) -> str:
    try:
        found = time.fromisoformat(str(entry[key]))
    except ValueError:
        raise RotaFileError(f'{where}: {key} must be a time such as "08:30", in quotes.') from None
    if found.tzinfo or found.second or found.microsecond:
        raise RotaFileError(f'{where}: {key} must be a time such as "08:30", in quotes.')
    return f"{found:%H:%M}"


def _day(where: str, key: str, entry: Mapping[str, Any]) -> date | None:
    value = entry.get(key)
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise RotaFileError(f"{where}: {key} must be a day such as 2026-12-24.") from None


def _nation(where: str, value: Any) -> str | None:
    if not value:
        return None
    code = NATION_WORDS.get(str(value).casefold(), str(value).upper())
    if code not in NATIONS:
        raise RotaFileError(f"{where}: nation {value!r} is not one of {', '.join(NATION_WORDS)}.")
    return code


def _list(where: str, key: str, entry: Mapping[str, Any]) -> list[Any]:
    value = entry.get(key) or []
    if not isinstance(value, list):
        raise RotaFileError(f"{where}: '{key}:' must be a list.")
    return value


def _words(where: str, key: str, entry: Mapping[str, Any]) -> list[str]:
    return [_text(where, key, one) for one in _list(where, key, entry)]


def _text(where: str, key: str, value: Any) -> str:
    if isinstance(value, Mapping | list):
        raise RotaFileError(f"{where}: '{key}:' must be one line of text.")
    return "" if value is None else str(value)


def _id(file: str, section: str, entry: Mapping[str, Any]) -> str:
    found = _text(file, "id", entry["id"])
    # An area used to be any name; it stands in no address.
    if section != "areas" and not ID.fullmatch(found) or len(found) > 64:
        raise RotaFileError(f"{file}: {section} {found}: an id is made of letters, digits and hyphens.")
    return found


def _need(file: str, section: str, entry: Any, key: str) -> None:
    if not isinstance(entry, Mapping) or not entry.get(key):
        name = entry.get("id", "?") if isinstance(entry, Mapping) else "?"
        raise RotaFileError(f"{file}: {section} {name}: has no '{key}:'.")


def _no_twins(file: str, uow: UnitOfWork, people: list[Staff]) -> None:
    """Two people with one e-mail address could not both sign in."""
    taken = {staff.sign_in_hash: staff.id for staff in uow.session.query(Staff)}
    for person in people:
        holder = taken.setdefault(person.sign_in_hash, person.id)
        if holder != person.id:
            raise RotaFileError(f"{file}: staff {person.id}: the e-mail address is that of {holder} already.")
