"""Who is there: places, people, hours, and who is asked first. Plain values and ``now``.

Hours are weekly shifts in UK local time; a shift whose end lies before its start runs over midnight.
Bank holidays (England and Wales) close every shift that does not say it works on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import holidays

if TYPE_CHECKING:
    from bot.store.uow import UnitOfWork

#: All hours in the rota are local time in the UK.
UK = ZoneInfo("Europe/London")

DUTY_WORKER, SAFE_ADULT, LEAD, ADMINISTRATOR = "duty_worker", "safe_adult", "lead", "administrator"


@dataclass(frozen=True)
class Hours:
    """One weekly shift. ``days`` are ISO weekdays (1 = Monday) on which it starts."""

    days: tuple[int, ...]
    starts: time
    ends: time
    bank_holidays: bool = False

    def window(self, day: date) -> tuple[datetime, datetime] | None:
        """Start and end of the shift that starts on ``day``, if there is one."""
        if day.isoweekday() not in self.days or (not self.bank_holidays and _is_bank_holiday(day)):
            return None
        start = datetime.combine(day, self.starts, UK)
        end_day = day if self.ends > self.starts else day + timedelta(days=1)
        return start, datetime.combine(end_day, self.ends, UK)


@dataclass(frozen=True)
class Person:
    """A member of staff as the rota sees them."""

    id: str
    name: str
    role: str
    job_title: str
    place_id: str | None = None
    hours: tuple[Hours, ...] = ()
    off_duty: bool = False
    trained_for: tuple[str, ...] = ()
    answers_by: tuple[str, ...] = ()

    def on_duty(self, now: datetime) -> bool:
        """Whether a shift covers ``now`` and they have not pressed "off duty"."""
        return not self.off_duty and self._window_covering(now) is not None

    def next_start(self, now: datetime) -> datetime | None:
        """When their next shift starts, within two weeks."""
        today = now.astimezone(UK).date()
        starts = [
            window[0]
            for offset in range(15)
            for hours in self.hours
            if (window := hours.window(today + timedelta(days=offset))) and window[0] > now
        ]
        return min(starts, default=None)

    def _window_covering(self, now: datetime) -> tuple[datetime, datetime] | None:
        today = now.astimezone(UK).date()
        for day in (today - timedelta(days=1), today):
            for hours in self.hours:
                window = hours.window(day)
                if window and window[0] <= now < window[1]:
                    return window
        return None


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

    def person(self, staff_id: str | None) -> Person | None:
        """One person by id."""
        return next((person for person in self.people if person.id == staff_id), None)

    def safe_adults(self, place_id: str | None = None) -> list[Person]:
        """Safe adults of a place, or of every place."""
        return [
            person
            for person in self.people
            if person.role == SAFE_ADULT and (place_id is None or person.place_id == place_id)
        ]

    def duty_line(self, now: datetime) -> list[Person]:
        """The duty workers whose shift it is."""
        return [p for p in self.people if p.role == DUTY_WORKER and p.on_duty(now)]

    def everyone_on_duty(self, now: datetime) -> list[Person]:
        """Everyone whose shift it is, whatever their role."""
        return [p for p in self.people if p.role != ADMINISTRATOR and p.on_duty(now)]

    def next_duty_start(self, now: datetime) -> datetime | None:
        """When the duty line is next there."""
        starts = [p.next_start(now) for p in self.people if p.role == DUTY_WORKER and not p.off_duty]
        return min((start for start in starts if start), default=None)


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


def route(rota: Rota, tier: int, chosen: str | None, everyone: bool, now: datetime) -> Route:
    """Who to ask at step ``tier`` of the chain, from there on the first step that has somebody.

    The chain: 0 the safe adult the person named, if on duty; 1 the duty line; 2 everyone on duty;
    3 the leads, on duty or not. ``everyone`` (an immediate risk) alerts all who are on duty at any step.
    Source of the order: RISK levels and the handover chain in docs/architecture.md.
    """
    named = rota.person(chosen)
    steps: list[tuple[Sequence[Person], Person | None]] = [
        ([named], named) if named and named.on_duty(now) else ([], None),
        (rota.duty_line(now), None),
        (rota.everyone_on_duty(now), None),
        ([p for p in rota.people if p.role == LEAD], None),
    ]
    last = len(steps) - 1
    for step in range(min(tier, last), last + 1):
        people, by_name = steps[step]
        if not people:
            continue
        asked = {p.id for p in people}
        if everyone:
            asked |= {p.id for p in rota.everyone_on_duty(now)}
        on_duty = any(p.on_duty(now) for p in people)
        back_at = None if on_duty else rota.next_duty_start(now)
        return Route(step, tuple(sorted(asked)), by_name, back_at, on_duty)
    return Route(last, (), None, rota.next_duty_start(now), False)


@lru_cache(maxsize=4)
def _bank_holidays(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("GB", subdiv="ENG", years=year)


def _is_bank_holiday(day: date) -> bool:
    return day in _bank_holidays(day.year)


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
