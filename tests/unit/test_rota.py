"""Hours, holidays and clock changes."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from bot.bootstrap import Core, build_core
from bot.rota import UK, Area, Hours, Leave, Person, Place, Rota, is_bank_holiday, nation_of, route
from bot.settings import ROOT
from bot.store.migrate import migrate
from bot.store.rota_file import RotaFileError, export_rota, load_rota, load_rota_text
from tests.conftest import settings_in

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


# Holidays ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "closed_in"),
    [
        (date(2026, 1, 2), {"SCT"}),  # 2 January
        (date(2026, 3, 17), {"NIR"}),  # St Patrick
        (date(2026, 4, 6), {"ENG", "WLS", "NIR"}),  # Easter Monday
        (date(2026, 7, 13), {"NIR"}),  # the Boyne, moved from a Sunday
        (date(2026, 8, 3), {"SCT"}),  # summer, Scotland
        (date(2026, 8, 31), {"ENG", "WLS", "NIR"}),  # summer, elsewhere
        (date(2026, 11, 30), {"SCT"}),  # St Andrew
        (date(2026, 12, 25), {"ENG", "WLS", "SCT", "NIR"}),
        (date(2026, 12, 28), {"ENG", "WLS", "SCT", "NIR"}),  # Boxing Day, moved from a Saturday
        (date(2026, 6, 15), set()),
    ],
)
def test_each_nation_keeps_its_own_bank_holidays(day: date, closed_in: set[str]) -> None:
    """The dates are those of gov.uk/bank-holidays."""
    assert {nation for nation in ("ENG", "WLS", "SCT", "NIR") if is_bank_holiday(day, nation)} == closed_in
    noon = datetime.combine(day, time(12), UK)
    open_hours = Hours(EVERY_DAY, time(9), time(17))
    assert {
        n for n in ("ENG", "WLS", "SCT", "NIR") if not worker(open_hours, nation=n).on_duty(noon)
    } == closed_in


AREAS = (Area("kent", "Kent"), Area("fife", "Fife", "SCT"), Area("gwynedd", "Gwynedd", "WLS"))


@pytest.mark.parametrize(
    ("own", "place_area", "serves", "nation"),
    [
        ("NIR", "fife", ("fife",), "NIR"),
        (None, "fife", ("kent",), "SCT"),
        (None, None, ("gwynedd",), "WLS"),
        (None, None, ("gwynedd", "fife"), "ENG"),  # they do not agree: as nothing tells
        (None, None, (), "ENG"),
        ("atlantis", None, ("fife",), "SCT"),
    ],
)
def test_whose_holidays_a_person_keeps(own, place_area, serves, nation) -> None:
    assert nation_of(own, place_area, serves, AREAS) == nation


# Clock changes -------------------------------------------------------------------------------------

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def utc(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=timezone.utc)


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 11), (AUTUMN, 13), (date(2026, 6, 7), 12)])
def test_a_night_over_a_clock_change_is_as_long_as_it_is(day: date, hours: int) -> None:
    start, end = NIGHT.window(day - timedelta(days=1))
    assert end - start == timedelta(hours=hours)
    assert worker(NIGHT).on_duty(end - timedelta(seconds=1)) and not worker(NIGHT).on_duty(end)


def test_the_hour_that_comes_twice_is_covered_twice() -> None:
    late = worker(Hours(EVERY_DAY, time(20), time(1, 30), bank_holidays=True))
    early = worker(Hours(EVERY_DAY, time(1, 30), time(8), bank_holidays=True))
    assert late.on_duty(utc(AUTUMN, 0, 45)) and late.on_duty(utc(AUTUMN, 1, 29))  # 1:45 and 1:29 again
    assert not late.on_duty(utc(AUTUMN, 1, 30))
    assert early.on_duty(utc(AUTUMN, 0, 30)) and early.on_duty(utc(AUTUMN, 1, 30))


def test_an_hour_that_does_not_come_leaves_no_gap() -> None:
    late = worker(Hours(EVERY_DAY, time(20), time(1, 30), bank_holidays=True))
    early = worker(Hours(EVERY_DAY, time(1, 30), time(8), bank_holidays=True))
    begins = early.hours[0].window(SPRING)[0]
    assert late.on_duty(begins - timedelta(seconds=1)) and early.on_duty(begins)


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
@pytest.mark.parametrize("cut", [time(0, 30), time(1), time(1, 15), time(2), time(2, 30)])
def test_two_shifts_that_meet_never_leave_a_minute_uncovered(day: date, cut: time) -> None:
    people = [worker(Hours(EVERY_DAY, cut, time(14), True)), worker(Hours(EVERY_DAY, time(14), cut, True))]
    for minute in range(0, 9 * 60, 5):
        now = utc(day, 0) - timedelta(hours=2) + timedelta(minutes=minute)
        assert any(person.on_duty(now) for person in people), now


@pytest.mark.parametrize(("fold", "there"), [(0, True), (1, False)])
def test_the_second_of_two_equal_times_is_not_the_first(fold: int, there: bool) -> None:
    """A shift from 1:10 to 1:11 begins the first time it is 1:10, and ends the second time it is 1:11."""
    brief = worker(Hours((7,), time(1, 10), time(1, 11), True))
    assert brief.on_duty(datetime(2026, 10, 25, 1, 10, 30, fold=1, tzinfo=UK))
    assert brief.on_duty(datetime(2026, 10, 25, 1, 15, fold=fold, tzinfo=UK)) is there


def test_the_next_start_is_told_across_a_clock_change() -> None:
    day = worker(Hours(EVERY_DAY, time(9), time(17), bank_holidays=True))
    assert day.next_start(utc(SPRING - timedelta(days=1), 18)) == utc(SPRING, 8)
    assert day.next_start(utc(AUTUMN - timedelta(days=1), 18)) == utc(AUTUMN, 9)


# Leave, dated shifts, off duty ---------------------------------------------------------------------


def test_leave_closes_the_shifts_that_start_on_its_days() -> None:
    away = worker(NIGHT, leave=(Leave(date(2026, 11, 24), date(2026, 11, 25)),))
    assert away.on_duty(at(2026, 11, 24, 3))  # the night that began before
    assert not away.on_duty(at(2026, 11, 24, 20)) and not away.on_duty(at(2026, 11, 26, 3))
    assert away.on_duty(at(2026, 11, 26, 19))
    assert away.next_start(at(2026, 11, 24, 8)) == at(2026, 11, 26, 19)


def test_a_shift_may_count_for_some_days_only() -> None:
    once = worker(Hours((6,), time(10), time(14), first=date(2026, 11, 28), last=date(2026, 11, 28)))
    assert once.on_duty(at(2026, 11, 28, 11))
    assert not once.on_duty(at(2026, 11, 21, 11)) and not once.on_duty(at(2026, 12, 5, 11))


def test_off_duty_counts_for_the_shift_it_was_pressed_in_and_the_next_one_starts_afresh() -> None:
    went = worker(NIGHT, off_duty=True, off_duty_at=at(2026, 11, 24, 23))
    assert not went.on_duty(at(2026, 11, 25, 2))
    assert went.on_duty(at(2026, 11, 25, 19))


# Areas ---------------------------------------------------------------------------------------------

ALWAYS = (Hours(EVERY_DAY, time(0), time(0), bank_holidays=True),)


def someone(name: str, role: str, **more) -> Person:
    return Person(id=name, name=name, role=role, job_title=role, hours=ALWAYS, **more)


TWO_AREAS = Rota(
    people=(
        someone("kent-duty", "duty_worker", areas=("kent",)),
        someone("fife-duty", "duty_worker", areas=("fife",)),
        someone("both-duty", "duty_worker"),
        someone("kent-adult", "safe_adult", place_id="hill"),
        someone("fife-adult", "safe_adult", place_id="bay"),
        someone("kent-lead", "lead", areas=("kent",)),
        someone("fife-lead", "lead", areas=("fife",)),
    ),
    places=(Place("hill", "Hill", "school", "kent"), Place("bay", "Bay", "school", "fife")),
    areas=AREAS,
)
NOON = at(2026, 11, 24, 12)


@pytest.mark.parametrize(
    ("tier", "area", "asked"),
    [
        (1, "kent", {"kent-duty", "both-duty"}),
        (1, "fife", {"fife-duty", "both-duty"}),
        (1, None, {"kent-duty", "fife-duty", "both-duty"}),
        (2, "kent", {"kent-duty", "both-duty", "kent-adult", "kent-lead"}),
        (3, "fife", {"fife-lead"}),
        (3, "gwynedd", {"kent-lead", "fife-lead"}),  # an area without a lead of its own
    ],
)
def test_each_step_of_the_chain_asks_the_people_of_the_area(tier, area, asked) -> None:
    assert set(route(TWO_AREAS, tier, None, False, NOON, area).staff_ids) == asked


def test_an_immediate_risk_alerts_everyone_of_the_area_and_nobody_of_another() -> None:
    found = route(TWO_AREAS, 0, "kent-adult", True, NOON, "kent")
    assert found.named.id == "kent-adult"
    assert set(found.staff_ids) == {"kent-adult", "kent-duty", "both-duty", "kent-lead"}


def test_when_the_line_of_an_area_is_next_there_does_not_count_other_areas() -> None:
    day = Hours(EVERY_DAY, time(9), time(17), bank_holidays=True)
    people = (worker(day, areas=("kent",)), worker(Hours(EVERY_DAY, time(7), time(9), True), areas=("fife",)))
    assert Rota(people).next_duty_start(at(2026, 11, 24, 6), "kent") == at(2026, 11, 24, 9)


# Files ---------------------------------------------------------------------------------------------


def test_what_is_exported_loads_into_the_same_rota(core: Core, tmp_path: Path, house_keys) -> None:
    with core.uow() as uow:
        load_rota_text(
            uow,
            """
areas: [{id: fife, name: Fife, nation: scotland}]
places: [{id: bay, name: Bay School, kind: school, area: fife}]
staff:
- {id: una, name: Una, role: duty_worker, job_title: duty worker, email: una@example.org, areas: [fife],
   phone: 01632 960099, alerts: ["json://localhost"], nation: wales,
   leave: [{from: 2026-12-21, to: 2026-12-23}],
   hours: [{days: [sat], from: "22:00", to: "06:00", first_day: 2026-11-28, last_day: 2026-11-28}]}
""",
            "fife.yml",
        )
        uow.commit()
    with core.store.read() as uow:
        text, before = export_rota(uow), uow.rota()
    (tmp_path / "there").mkdir()
    other = build_core(settings_in(tmp_path / "there", house_keys))
    migrate(other.store)
    with other.uow() as uow:
        load_rota_text(uow, text, "export.yml")
        uow.commit()
    with other.store.read() as uow:
        assert uow.rota() == before
        assert export_rota(uow) == text
    una = before.person("una")
    assert (una.nation, una.areas, una.leave) == (
        "WLS",
        ("fife",),
        (Leave(date(2026, 12, 21), date(2026, 12, 23)),),
    )
    assert yaml.safe_load(text)["staff"][-1]["phone"] == "01632 960099"
    other.store.engine.dispose()


def test_loading_a_file_again_keeps_passwords_and_second_factors(core: Core) -> None:
    with core.uow() as uow:
        staff = uow.staff_member("sam-okafor")
        staff.password_hash, staff.totp_secret = "hash", "secret"
        uow.commit()
    with core.uow() as uow:
        load_rota(uow, ROOT / "data" / "rota.example.yml")
        uow.commit()
    with core.store.read() as uow:
        staff = uow.staff_member("sam-okafor")
        assert (staff.password_hash, staff.totp_secret) == ("hash", "secret")
        assert len(staff.shifts) == 1  # the hours were replaced, not added to


PERSON = "id: a, name: A, role: lead, job_title: t, email: e"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"area: x\nstaff: [{{{PERSON}, areas: [y]}}]", "area 'y'"),
        (f"areas: [{{id: x, nation: france}}]\nstaff: [{{{PERSON}}}]", "nation 'france'"),
        (f"area: x\nstaff: [{{{PERSON}, leave: [{{from: 2026-12-24, to: 2026-12-23}}]}}]", "leave must end"),
        (f"area: x\nstaff: [{{{PERSON}, leave: [{{from: soon, to: later}}]}}]", "from must be a day"),
        (f"area: x\nstaff: [{{{PERSON}, hours: mornings}}]", "'hours:' must be a list"),
        (
            f"area: x\nstaff: [{{{PERSON}, hours: [{{days: mon, from: '09:00', to: '10:00'}}]}}]",
            "days must be",
        ),
        ("area: x\nstaff: [{id: ../etc, name: A, role: lead, job_title: t, email: e}]", "an id is made of"),
        ("area: x\nstaff: [{id: a, name: [A], role: lead, job_title: t, email: e}]", "must be one line"),
        (
            f"area: x\nstaff: [{{{PERSON}}}, {{id: b, name: B, role: lead, job_title: t, email: E}}]",
            "that of a",
        ),
        ("area: x\nstaff: 7", "'staff:' must be a list"),
        ("area: x\nplaces: [{id: p, name: P, kind: k, area: z}]\nstaff: [{id: a}]", "area 'z'"),
    ],
)
def test_a_mistake_in_a_file_is_named(core: Core, text: str, told: str) -> None:
    with core.uow() as uow, pytest.raises(RotaFileError, match=told):
        load_rota_text(uow, text, "rota.yml")
