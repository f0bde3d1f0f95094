"""What was typed on the people pages, checked and turned into values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time

from bot.rota import NATIONS, ROLES, UK, Rota
from bot.store.models import Leave, Shift
from bot.store.rota_file import ID

#: Longest texts, in characters.
NAME, TITLE, LIST = 80, 120, 12
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


class FormError(Exception):
    """What was typed cannot be taken. ``problem`` names the words that say why, ``field`` where."""

    def __init__(self, problem: str, field: str = "") -> None:
        super().__init__(problem)
        self.problem, self.field = problem, field


@dataclass(frozen=True)
class Details:
    """What a person's form holds."""

    name: str
    role: str
    job_title: str
    email: str
    phone: str
    place_id: str | None
    areas: tuple[str, ...]
    nation: str | None
    trained_for: tuple[str, ...]
    answers_by: tuple[str, ...]
    alert_urls: tuple[str, ...]


def details(form: Mapping[str, str], rota: Rota) -> Details:
    """A person's details.

    Raises:
        FormError: names what to mend.
    """
    email = _line(form, "email", 254)
    if not _EMAIL.fullmatch(email):
        raise FormError("bad_email", "email")
    role = form.get("role", "")
    if role not in ROLES:
        raise FormError("bad_choice", "role")
    place_id = form.get("place") or None
    if place_id and rota.place(place_id) is None:
        raise FormError("bad_choice", "place")
    if role == "safe_adult" and place_id is None:
        raise FormError("needs_place", "place")
    nation = form.get("nation") or None
    if nation and nation not in NATIONS:
        raise FormError("bad_choice", "nation")
    return Details(
        name=_line(form, "name", NAME, needed=True),
        role=role,
        job_title=_line(form, "job_title", TITLE, needed=True),
        email=email,
        phone=_line(form, "phone", 40),
        place_id=place_id,
        areas=tuple(
            area.id for number, area in enumerate(rota.areas) if form.get(f"area{number}") == area.id
        ),
        nation=nation,
        trained_for=_lines(form, "trained_for"),
        answers_by=_lines(form, "answers_by"),
        alert_urls=_alert_urls(form),
    )


def shift(form: Mapping[str, str]) -> Shift:
    """Hours to add.

    Raises:
        FormError: names what to mend.
    """
    first, last = _day(form, "first_day"), _day(form, "last_day")
    days = [day for day in range(1, 8) if form.get(f"d{day}")]
    if first and last == first and not days:
        days = [first.isoweekday()]  # one day alone says itself which day of the week it is
    if not days:
        raise FormError("no_days", "days")
    if first and last and last < first:
        raise FormError("ends_before_it_begins", "last_day")
    return Shift(
        days=days,
        starts=_clock(form, "from"),
        ends=_clock(form, "to"),
        bank_holidays=form.get("bank_holidays") == "1",
        first_day=first,
        last_day=last,
    )


def leave(form: Mapping[str, str]) -> Leave:
    """Leave to add; without a last day it is one day.

    Raises:
        FormError: names what to mend.
    """
    first = _day(form, "first_day")
    last = _day(form, "last_day") or first
    if first is None or last is None:
        raise FormError("no_day", "first_day")
    if last < first:
        raise FormError("ends_before_it_begins", "last_day")
    return Leave(first_day=first, last_day=last)


def moment(form: Mapping[str, str], name: str) -> datetime | None:
    """A local day and time; None when there is none, or none that can be."""
    try:
        at = datetime.fromisoformat(form.get(name, ""))
    except ValueError:
        return None
    return at.replace(tzinfo=UK) if at.tzinfo is None and 2000 < at.year < 2200 else None


def place(form: Mapping[str, str], rota: Rota) -> tuple[str, str, str]:
    """Name, kind and area of a place.

    Raises:
        FormError: names what to mend.
    """
    area = form.get("area", "")
    if area not in {one.id for one in rota.areas}:
        raise FormError("bad_choice", "area")
    return _line(form, "name", TITLE, needed=True), _line(form, "kind", 32, needed=True), area


def area(form: Mapping[str, str]) -> tuple[str, str]:
    """Name and nation of an area.

    Raises:
        FormError: names what to mend.
    """
    nation = form.get("nation", "")
    if nation not in NATIONS:
        raise FormError("bad_choice", "nation")
    return _line(form, "name", TITLE, needed=True), nation


def new_id(name: str, taken: set[str]) -> str:
    """An id made of a name, that nobody has: ``mrs-okoro``, ``mrs-okoro-2``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50] or "somebody"
    found, number = base, 1
    while found in taken or not ID.fullmatch(found):
        number += 1
        found = f"{base}-{number}"
    return found


def _line(form: Mapping[str, str], name: str, longest: int, needed: bool = False) -> str:
    text = " ".join(form.get(name, "").split())
    if needed and not text:
        raise FormError("needed", name)
    if len(text) > longest:
        raise FormError("too_long_here", name)
    return text


def _lines(form: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = [" ".join(line.split()) for line in re.split(r"[\n,]", form.get(name, ""))]
    found = [line for line in found if line]
    if len(found) > LIST or any(len(line) > TITLE for line in found):
        raise FormError("too_long_here", name)
    return tuple(found)


def _alert_urls(form: Mapping[str, str]) -> tuple[str, ...]:
    found = tuple(line.strip() for line in form.get("alerts", "").split("\n") if line.strip())
    if len(found) > LIST or any(len(line) > 500 for line in found):
        raise FormError("too_long_here", "alerts")
    if found:
        from bot.alerts.addresses import is_address  # slow to import, and few forms need it

        if not all(is_address(address) for address in found):
            raise FormError("bad_alert", "alerts")
    return found


def _day(form: Mapping[str, str], name: str) -> date | None:
    text = form.get(name, "")
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise FormError("bad_day", name) from None
    if not 2000 < found.year < 2200:
        raise FormError("bad_day", name)
    return found


def _clock(form: Mapping[str, str], name: str) -> str:
    try:
        found = time.fromisoformat(form.get(name, ""))
    except ValueError:
        raise FormError("bad_time", name) from None
    return f"{found:%H:%M}"
