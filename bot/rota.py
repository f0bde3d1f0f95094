"""Who is there: areas, places, people, hours, and who is asked first. Plain values and ``now``.

Hours are shifts in UK local time; a shift whose end lies before its start runs over midnight and belongs
to the day it starts on. Bank holidays of the nation whose holidays a person keeps close every shift that
does not say it works on them, and leave closes every shift that starts on its days.

When clocks go back, a shift that ends in the hour that comes twice lasts until its second end; when they
go forward, a time that does not exist is the same moment for whoever ends then and whoever begins: a
change of clocks never leaves a gap between two shifts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import holidays

if TYPE_CHECKING:
    from bot.store.uow import UnitOfWork

#: All hours in the rota are local time in the UK.
UK = ZoneInfo("Europe/London")

DUTY_WORKER, SAFE_ADULT, LEAD, ADMINISTRATOR = "duty_worker", "safe_adult", "lead", "administrator"
ROLES = (DUTY_WORKER, SAFE_ADULT, LEAD, ADMINISTRATOR)
#: The step of the chain at which the leads are asked; the deadlines after it repeat it.
LAST_STEP = 3

#: The nations whose bank holidays differ, as the ``holidays`` library names them (gov.uk/bank-holidays).
NATIONS = ("ENG", "WLS", "SCT", "NIR")
ENGLAND = "ENG"

#: Days ahead in which the next shift is looked for: past a fortnight of leave at Christmas.
_AHEAD = 29


@dataclass(frozen=True)
class Hours:
    """A weekly shift. ``days`` are ISO weekdays (1 = Monday) on which it starts.

    ``first`` and ``last`` bound the days it counts on; a shift on one day only has both.
    """

    days: tuple[int, ...]
    starts: time
    ends: time
    bank_holidays: bool = False
    first: date | None = None
    last: date | None = None

    def window(self, day: date, nation: str = ENGLAND) -> tuple[datetime, datetime] | None:
        """Start and end, in UTC, of the shift that starts on ``day``, if there is one."""
        if day.isoweekday() not in self.days or (not self.bank_holidays and is_bank_holiday(day, nation)):
            return None
        if (self.first and day < self.first) or (self.last and day > self.last):
            return None
        end_day = day if self.ends > self.starts else day + timedelta(days=1)
        start = datetime.combine(day, self.starts, UK).astimezone(timezone.utc)
        end = datetime.combine(end_day, self.ends, UK)
        return start, max(end.replace(fold=fold).astimezone(timezone.utc) for fold in (0, 1))


@dataclass(frozen=True)
class Leave:
    """Days away, both included."""

    first: date
    last: date


@dataclass(frozen=True)
class Person:
    """A member of staff as the rota sees them.

    ``areas`` they serve; none means every area. ``off_duty`` was pressed at ``off_duty_at`` and counts
    for the shift it was pressed in; without a time, until it is pressed again.
    """

    id: str
    name: str
    role: str
    job_title: str
    place_id: str | None = None
    hours: tuple[Hours, ...] = ()
    off_duty: bool = False
    trained_for: tuple[str, ...] = ()
    answers_by: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    nation: str = ENGLAND
    leave: tuple[Leave, ...] = ()
    off_duty_at: datetime | None = None

    def on_duty(self, now: datetime) -> bool:
        """Whether a shift covers ``now`` for which they have not pressed "off duty"."""
        return any(not self._pressed_off(start) for start, _ in self._windows_covering(now))

    def serves(self, area: str | None) -> bool:
        """Whether what happens in an area is theirs; what happens nobody knows where is everyone's."""
        return area is None or not self.areas or area in self.areas

    def on_leave(self, day: date) -> bool:
        """Whether they are away on a day."""
        return any(leave.first <= day <= leave.last for leave in self.leave)

    def next_start(self, now: datetime) -> datetime | None:
        """When their next shift starts, within four weeks."""
        today = now.astimezone(UK).date()
        starts = [
            window[0]
            for offset in range(_AHEAD)
            for window in self._windows(today + timedelta(days=offset))
            if window[0] > now
        ]
        return min(starts, default=None)

    def _windows(self, day: date) -> Iterable[tuple[datetime, datetime]]:
        if self.on_leave(day):
            return
        for hours in self.hours:
            if window := hours.window(day, self.nation):
                yield window

    def _windows_covering(self, now: datetime) -> Iterable[tuple[datetime, datetime]]:
        now = now.astimezone(timezone.utc)  # times of one zone are compared by the clock on the wall
        today = now.astimezone(UK).date()
        for day in (today - timedelta(days=1), today):
            yield from (window for window in self._windows(day) if window[0] <= now < window[1])

    def _pressed_off(self, start: datetime) -> bool:
        return self.off_duty and (self.off_duty_at is None or self.off_duty_at >= start)


@dataclass(frozen=True)
class Area:
    """A part of the country that is served on its own, with the nation whose holidays it keeps."""

    id: str
    name: str
    nation: str = ENGLAND


@dataclass(frozen=True)
class Place:
    """A school, youth centre or other place that safe adults belong to."""

    id: str
    name: str
    kind: str
    area: str


@dataclass(frozen=True)
class Rota:
    """Everyone and every place."""

    people: tuple[Person, ...]
    places: tuple[Place, ...] = ()
    areas: tuple[Area, ...] = ()

    def person(self, staff_id: str | None) -> Person | None:
        """One person by id."""
        return next((person for person in self.people if person.id == staff_id), None)

    def place(self, place_id: str | None) -> Place | None:
        """One place by id."""
        return next((place for place in self.places if place.id == place_id), None)

    def area_at(self, place_id: str | None) -> str | None:
        """The area of a place; None when no place was told."""
        place = self.place(place_id)
        return place.area if place else None

    def safe_adults(self, place_id: str | None = None) -> list[Person]:
        """Safe adults of a place, or of every place."""
        return [
            person
            for person in self.people
            if person.role == SAFE_ADULT and (place_id is None or person.place_id == place_id)
        ]

    def duty_line(self, now: datetime, area: str | None = None) -> list[Person]:
        """The duty workers of an area (or of all) whose shift it is."""
        return [p for p in self._duty_workers(area) if p.on_duty(now)]

    def everyone_on_duty(self, now: datetime, area: str | None = None) -> list[Person]:
        """Everyone of an area (or of all) whose shift it is, whatever their role."""
        return [p for p in self.people if p.role != ADMINISTRATOR and self._is_there(p, area, now)]

    def leads(self, area: str | None = None) -> list[Person]:
        """The leads of an area, on duty or not; where an area has none, all of them."""
        everywhere = [p for p in self.people if p.role == LEAD]
        return [p for p in everywhere if p.serves(area)] or everywhere

    def next_duty_start(self, now: datetime, area: str | None = None) -> datetime | None:
        """When the duty line of an area (or any) is next there."""
        away = {p.id for p in self.people if p.off_duty and p.off_duty_at is None}
        starts = [p.next_start(now) for p in self._duty_workers(area) if p.id not in away]
        return min((start for start in starts if start), default=None)

    def _duty_workers(self, area: str | None) -> list[Person]:
        return [p for p in self.people if p.role == DUTY_WORKER and p.serves(area)]

    def _is_there(self, person: Person, area: str | None, now: datetime) -> bool:
        if person.role == SAFE_ADULT and area is not None and not person.areas:
            # A safe adult serves the area of their place, if they do not serve more.
            if self.area_at(person.place_id) not in (None, area):
                return False
        return person.serves(area) and person.on_duty(now)


@dataclass(frozen=True)
class Route:
    """Who is asked at one step of the chain.

    ``named`` is the safe adult the person chose, when it is them; otherwise the duty line is asked.
    ``on_duty`` is false when nobody who is asked is there now; ``back_at`` then says when somebody next
    is, if the rota knows.
    """

    tier: int
    staff_ids: tuple[str, ...]
    named: Person | None = None
    back_at: datetime | None = None
    on_duty: bool = True


def route(
    rota: Rota,
    tier: int,
    chosen: str | None,
    everyone: bool,
    now: datetime,
    area: str | None = None,
    last: str | None = None,
) -> Route:
    """Who to ask at step ``tier`` of the chain, from there on the first step that has somebody.

    The chain: 0 the safe adult the person named and whoever had their last case (``last``), if on duty;
    1 the duty line of the area; 2 everyone on duty there; 3 the leads, on duty or not. ``everyone`` (an
    immediate risk) alerts all who are on duty at any step. ``area`` is None when nobody knows it: then every
    area is asked.
    Source of the order: RISK levels and the handover chain in docs/architecture.md.
    """
    known = [rota.person(one) for one in dict.fromkeys((chosen, last)) if one]
    there = [p for p in known if p and p.role != ADMINISTRATOR and p.on_duty(now)]
    steps: list[tuple[Sequence[Person], Person | None]] = [
        (there, there[0] if there else None),
        (rota.duty_line(now, area), None),
        (rota.everyone_on_duty(now, area), None),
        (rota.leads(area), None),
    ]
    for step in range(min(tier, LAST_STEP), LAST_STEP + 1):
        people, by_name = steps[step]
        if not people:
            continue
        asked = {p.id for p in people}
        if everyone:
            asked |= {p.id for p in rota.everyone_on_duty(now, area)}
        on_duty = any(p.on_duty(now) for p in people)
        back_at = None if on_duty else rota.next_duty_start(now, area)
        return Route(step, tuple(sorted(asked)), by_name, back_at, on_duty)
    return Route(last, (), None, rota.next_duty_start(now, area), False)


def nation_of(
    own: str | None, place_area: str | None, serves: Collection[str], areas: Collection[Area]
) -> str:
    """Whose holidays a person keeps: as they say, else those of their place, of the areas they serve, or of
    every area there is, where these agree; England where nothing tells."""
    known = {area.id: area.nation for area in areas}
    if own in NATIONS:
        return own
    for some in ([place_area] if place_area else [], list(serves), list(known)):
        nations = {known[area] for area in some if area in known}
        if len(nations) == 1:
            return nations.pop()
    return ENGLAND


@lru_cache(maxsize=32)
def _bank_holidays(year: int, nation: str) -> holidays.HolidayBase:
    return holidays.country_holidays("GB", subdiv=nation, years=year)


def is_bank_holiday(day: date, nation: str = ENGLAND) -> bool:
    """Whether a day is a bank holiday in a nation of the UK."""
    return day in _bank_holidays(day.year, nation)


@dataclass(frozen=True)
class SafeAdult:
    """A safe adult as a young person is shown them."""

    id: str
    name: str
    role: str
    trained_for: tuple[str, ...]
    hours: str
    answers_by: tuple[str, ...]
    on_duty: bool


def places(uow: UnitOfWork) -> list[Place]:
    """Places that have a safe adult, by name."""
    everything = uow.rota()
    with_adults = {adult.place_id for adult in everything.safe_adults()}
    return [place for place in everything.places if place.id in with_adults]


def safe_adults(uow: UnitOfWork, place_id: str | None, now: datetime) -> list[SafeAdult]:
    """Safe adults of a place (or of all), those who are there now first."""
    found = [
        SafeAdult(
            id=person.id,
            name=person.name,
            role=person.job_title,
            trained_for=person.trained_for,
            hours=uow.content.hours_words(person.hours),
            answers_by=person.answers_by,
            on_duty=person.on_duty(now),
        )
        for person in uow.rota().safe_adults(place_id)
    ]
    return sorted(found, key=lambda adult: (not adult.on_duty, adult.name))
