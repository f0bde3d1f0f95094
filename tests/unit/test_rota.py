"""Hours, holidays and clock changes."""

from __future__ import annotations

from datetime import datetime, time, timezone

import pytest

from bot.rota import UK, Hours, Person, Rota, route

EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)


def worker(*hours: Hours, **more) -> Person:
    return Person(id="w", name="W", role="duty_worker", job_title="duty worker", hours=hours, **more)


def at(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UK)


NIGHT = Hours(EVERY_DAY, time(19), time(7), bank_holidays=True)


@pytest.mark.parametrize(
    ("now", "there"),
    [
        (at(2026, 11, 24, 18, 59), False),
        (at(2026, 11, 24, 19), True),
        (at(2026, 11, 25, 2), True),
        (at(2026, 11, 25, 6, 59), True),
        (at(2026, 11, 25, 7), False),
    ],
)
def test_a_shift_may_run_over_midnight(now: datetime, there: bool) -> None:
    assert worker(NIGHT).on_duty(now) is there


def test_a_shift_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    friday_night = worker(Hours((5,), time(22), time(2)))
    assert friday_night.on_duty(at(2026, 11, 28, 1))  # a Saturday
    assert not friday_night.on_duty(at(2026, 11, 27, 1))  # a Friday


def test_bank_holidays_close_shifts_that_do_not_say_otherwise() -> None:
    christmas = at(2026, 12, 25, 12)
    assert not worker(Hours(EVERY_DAY, time(9), time(17))).on_duty(christmas)
    assert worker(Hours(EVERY_DAY, time(9), time(17), bank_holidays=True)).on_duty(christmas)


def test_hours_are_local_time_in_summer_and_winter() -> None:
    day = worker(Hours(EVERY_DAY, time(9), time(17)))
    assert day.on_duty(datetime(2026, 7, 1, 8, 30, tzinfo=timezone.utc))  # 9:30 in the UK
    assert not day.on_duty(datetime(2026, 11, 24, 8, 30, tzinfo=timezone.utc))


def test_off_duty_beats_the_rota() -> None:
    assert not worker(NIGHT, off_duty=True).on_duty(at(2026, 11, 24, 20))


def test_nobody_at_all_still_gives_a_route_and_no_promise() -> None:
    found = route(Rota(people=()), 0, None, False, at(2026, 11, 24, 12))
    assert (found.staff_ids, found.back_at) == ((), None)
