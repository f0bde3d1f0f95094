"""What a service is to somebody who looks for help. Plain values; nothing here reads or stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import holidays

#: Six months, after which an entry that does not say otherwise counts as overdue.
CHECK_AFTER = timedelta(days=182)
EVENING = time(18, 0)
MONDAY, SATURDAY = 1, 6


@dataclass(frozen=True)
class Opening:
    """When a service is open: the days of one rule of a schedule, UK local time."""

    days: frozenset[int]  # ISO weekdays, 1 = Monday
    opens: time
    closes: time
    #: The first, second … such day of a month; -1 the last; 0 every one.
    nth: int = 0
    #: Every so many weeks, counted from ``starts_on``.
    every: int = 1
    starts_on: date | None = None
    ends_on: date | None = None

    def is_on(self, day: date) -> bool:
        """Whether the rule names this day."""
        if day.isoweekday() not in self.days:
            return False
        if (self.starts_on and day < self.starts_on) or (self.ends_on and day > self.ends_on):
            return False
        if self.every > 1 and self.starts_on:
            return (_monday(day) - _monday(self.starts_on)).days // 7 % self.every == 0
        if self.nth > 0:
            return (day.day - 1) // 7 + 1 == self.nth
        if self.nth == -1:
            return (day + timedelta(days=7)).month != day.month
        return True

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at this local time. One that closes before it opens runs over midnight."""
        clock = at.time()
        if self.opens < self.closes:
            return self.is_on(at.date()) and self.opens <= clock < self.closes
        yesterday = at.date() - timedelta(days=1)
        return (self.is_on(at.date()) and clock >= self.opens) or (
            self.is_on(yesterday) and clock < self.closes
        )

    @property
    def over(self) -> bool:
        """Whether it ends after midnight."""
        return self.closes <= self.opens


@dataclass(frozen=True)
class Place:
    """Where a service can be visited."""

    name: str = ""
    address: str = ""
    postcode: str = ""
    latitude: float | None = None
    longitude: float | None = None
    #: None when nobody said.
    step_free: bool | None = None


@dataclass(frozen=True)
class Service:
    """One service. ``None`` and empty texts mean that nobody told: they are shown so, never guessed."""

    id: str
    name: str
    organization: str = ""
    description: str = ""
    #: Who it is for, in the words of the entry.
    who: str = ""
    #: How to get it.
    how: str = ""
    wait: str = ""
    cost: str = ""
    hours: str = ""
    url: str = ""
    email: str = ""
    phones: tuple[str, ...] = ()
    #: Strength of each need it meets: 2 when it is filed or named for it, 1 when its text mentions it.
    needs: dict[str, int] = field(default_factory=dict)
    minimum_age: float | None = None
    maximum_age: float | None = None
    free: bool | None = None
    self_referral: bool | None = None
    #: Reached by phone, chat or video, from anywhere.
    remote: bool = False
    always_open: bool = False
    openings: tuple[Opening, ...] = ()
    places: tuple[Place, ...] = ()
    #: Nations it serves, and codes of authorities or districts; empty means no limit.
    nations: frozenset[str] = frozenset()
    areas: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    checked_on: date | None = None
    check_by: date | None = None
    source: str = ""
    #: Invented, for a demonstration.
    demo: bool = False
    #: Taxonomy terms it is filed under.
    terms: tuple[str, ...] = ()

    def overdue(self, today: date) -> bool:
        """Whether somebody should have checked it again. An entry nobody ever dated is overdue."""
        return self.check_by is None or today > self.check_by

    def is_open(self, at: datetime) -> bool | None:
        """Whether it is open at this local time; None when its hours are not known.

        On a bank holiday only what never closes counts as open: feeds do not say who works on them.
        """
        if self.always_open:
            return True
        if not self.openings:
            return None
        return at.date() not in _bank_holidays(at.year) and any(
            opening.is_open(at) for opening in self.openings
        )

    @property
    def evenings(self) -> bool:
        """Whether it is open after six in the evening on some weekday."""
        return self.always_open or any(
            (opening.closes > EVENING or opening.over) and min(opening.days) < SATURDAY
            for opening in self.openings
        )

    @property
    def weekends(self) -> bool:
        """Whether it is open on some Saturday or Sunday."""
        return self.always_open or any(max(opening.days) >= SATURDAY for opening in self.openings)

    @property
    def step_free(self) -> bool | None:
        """Whether some place of it can be reached without steps; None when nobody said."""
        told = {place.step_free for place in self.places}
        return True if True in told else (False if False in told else None)


@lru_cache(maxsize=4)
def _bank_holidays(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("GB", subdiv="ENG", years=year)


def _monday(day: date) -> date:
    return day - timedelta(days=day.isoweekday() - MONDAY)
