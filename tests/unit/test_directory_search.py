"""What is found for whom: needs in parents' words, places, ages, hours, and honest widening."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, time, timezone

import pytest
import yaml

from bot.content import Content
from bot.directory.ages import age_in
from bot.directory.index import Directory, Notice, Open, Query
from bot.directory.model import Opening, Place, Service
from bot.directory.national import entries
from bot.directory.needs import DirectoryDataError, Needs
from bot.directory.records import clean, service_of
from bot.directory.shown import lines, show
from bot.directory.where import Where
from bot.settings import ROOT

#: A Saturday at 21:00 in winter, UK time.
SATURDAY_NIGHT = datetime(2026, 11, 21, 21, 0, tzinfo=timezone.utc)
TUESDAY_NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
HERE = (51.5, -1.2)
NEEDS = Needs.load()
WEEKDAYS = Opening(frozenset({1, 2, 3, 4, 5}), time(9), time(17))

FORTNIGHTLY = Opening(frozenset({1}), time(9), time(12), every=2, starts_on=date(2026, 11, 2))


def service(name: str, **more) -> Service:
    met = {"needs": {"behaviour": 2}, **more}
    return Service(id=name, name=name, **met)


def at(miles: float, **more) -> tuple[Place, ...]:
    """A place so many miles north of here."""
    return (Place(latitude=HERE[0] + miles * 1609.344 / 111_195, longitude=HERE[1], **more),)


def search(services, now=TUESDAY_NOON, **query):
    return Directory(services, NEEDS).search(Query(**{"needs": ("behaviour",), **query}), now)


def names(found) -> list[str]:
    return [hit.service.name for hit in found.hits]


@pytest.mark.parametrize(
    ("words", "need"),
    [
        ("i cant cope with his behaviour", "behaviour"),
        ("his behavour is out of control", "behaviour"),
        ("she wont sleep", "sleep"),
        ("im skint", "money"),
        ("is there a food bank", "food"),
        ("we r getting evicted", "housing"),
        ("i think im depressed", "my_mood"),
        ("my daughter's anxiety", "child_mood"),
        ("waiting for an autism assesment", "send"),
        ("he wont go to school", "school"),
        ("my partner is controlling", "domestic_abuse"),
        ("his dad is an alcoholic", "drink_drugs"),
        ("crying baby", "new_baby"),
        ("free hours at nursery", "childcare"),
        ("holiday clubs", "clubs"),
        ("i need a break", "respite"),
        ("her nan died", "bereavement"),
        ("we split up", "separation"),
        ("hes being bullied", "bullying"),
        ("always on tiktok", "online_safety"),
        ("im raising my grandchild", "kinship"),
        ("county lines", "exploitation"),
    ],
)
def test_parents_own_words_lead_to_the_need(words, need):
    assert need in NEEDS.find(words)[:2]


@pytest.mark.parametrize("words", ["", "hello", "the house over there", "asdf qwer", "😀"])
def test_words_without_a_need_lead_to_none(words):
    assert NEEDS.find(words) == []


def test_every_need_finds_help_in_every_nation():
    directory = Directory(
        [replace(service_of(r, "files"), needs=met) for r, met in entries(NEEDS, demo=False)], NEEDS
    )
    for need in NEEDS:
        for nation in ("England", "Scotland", "Wales", "Northern Ireland"):
            found = directory.search(Query(needs=(need.id,), nation=nation), TUESDAY_NOON)
            assert found.hits and Notice.GENERAL not in found.notices, (need.id, nation)
            assert all(not h.service.nations or nation in h.service.nations for h in found.hits)


def test_fit_comes_before_distance_and_distance_before_the_rest():
    found = search(
        [
            service("mentions, next door", needs={"behaviour": 1}, places=at(0.1)),
            service("made for it, far", needs={"behaviour": 3}, places=at(8)),
            service("made for it, near", needs={"behaviour": 3}, places=at(2)),
        ],
        position=HERE,
    )
    assert names(found) == ["made for it, near", "made for it, far", "mentions, next door"]
    assert [hit.miles for hit in found.hits] == [2.0, 8.0, 0.1]


def test_nothing_near_is_widened_and_said():
    found = search([service("far", places=at(20)), service("farther", places=at(40))], position=HERE)
    assert names(found) == ["far"] and found.notices == (Notice.WIDER,) and found.miles == 25


def test_nothing_near_at_all_leaves_the_lines_and_says_so():
    found = search([service("line", remote=True), service("far", places=at(300))], position=HERE)
    assert names(found) == ["line"] and found.notices == (Notice.NOTHING_NEAR,)


def test_a_weak_mention_nearby_does_not_hide_what_is_made_for_it_further_off():
    found = search(
        [service("weak", needs={"behaviour": 1}, places=at(1)), service("right", places=at(20))],
        position=HERE,
    )
    assert names(found)[0] == "right" and Notice.WIDER in found.notices


def test_without_a_place_help_for_everybody_comes_first_and_it_is_noted():
    welsh = service("Wales only", nations=frozenset({"Wales"}))
    found = search([service("local", places=at(1)), welsh, service("anywhere", remote=True)])
    assert names(found) == ["anywhere", "local", "Wales only"] and found.notices == (Notice.NO_PLACE,)


def test_a_council_that_serves_its_own_only_is_not_offered_to_others():
    services = [service("theirs", areas=frozenset({"E10000030"})), service("all")]
    assert names(search(services, codes=frozenset({"E06000045"}))) == ["all"]
    assert set(names(search(services, codes=frozenset({"E10000030"})))) == {"theirs", "all"}


@pytest.mark.parametrize(
    ("age", "expected"), [(1, []), (2, ["two to four"]), (4.5, ["two to four"]), (5, [])]
)
def test_ages_are_kept_to_whole_years_of_life(age, expected):
    found = search([service("two to four", minimum_age=2, maximum_age=4)], age=age)
    assert names(found) == expected


@pytest.mark.parametrize(
    ("asked", "notice"),
    [
        ({"open": Open.NOW}, Notice.NOT_OPEN),
        ({"free": True}, Notice.NOT_FREE),
        ({"self_referral": True}, Notice.NOT_SELF_REFERRAL),
        ({"online": True}, Notice.NOT_ONLINE),
        ({"language": "Welsh"}, Notice.NOT_LANGUAGE),
        ({"step_free": True}, Notice.NOT_STEP_FREE),
    ],
)
def test_a_filter_that_leaves_nothing_is_dropped_and_named(asked, notice):
    other = service("other", openings=(WEEKDAYS,), places=at(1, step_free=False))
    found = search([other], now=SATURDAY_NIGHT, nation="England", **asked)
    assert names(found) == ["other"] and notice in found.notices
    fits = service(
        "fits",
        always_open=True,
        free=True,
        self_referral=True,
        remote=True,
        languages=frozenset({"welsh"}),
        places=at(1, step_free=True),
    )
    found = search([other, fits], now=SATURDAY_NIGHT, nation="England", **asked)
    assert names(found) == ["fits"] and found.notices == ()


def test_only_the_filter_in_the_way_is_dropped():
    found = search([service("a", free=True), service("b")], nation="England", free=True, language="Welsh")
    assert names(found) == ["a"] and found.notices == (Notice.NOT_LANGUAGE,)


def test_a_need_nobody_meets_gives_family_help_and_says_so():
    found = search([service("family", needs={"family": 2})], needs=("sleep",), nation="Wales")
    assert names(found) == ["family"] and found.notices == (Notice.GENERAL,)


def test_somebody_who_looks_at_night_gets_one_that_is_open():
    services = [service(f"day {n}", needs={"behaviour": 3}, openings=(WEEKDAYS,)) for n in range(4)]
    found = search(
        [*services, service("night line", needs={"behaviour": 3}, always_open=True)], SATURDAY_NIGHT
    )
    first = found.first(3)
    assert len(first) == 3 and first[-1].service.name == "night line" and first[-1].open_now


def test_names_are_found_in_spite_of_slips():
    services = [service(name, needs={"clubs": 1}) for name in ("Harbourside Project", "Riverside Project")]
    services += [service(f"other {n}", needs={"clubs": 1}) for n in range(40)]
    found = Directory(services, NEEDS).search(Query(text="harborside projct"), TUESDAY_NOON)
    assert names(found)[0] == "Harbourside Project"


@pytest.mark.parametrize(
    ("opening", "day", "is_on"),
    [
        (Opening(frozenset({6}), time(9), time(12), nth=1), date(2026, 11, 7), True),
        (Opening(frozenset({6}), time(9), time(12), nth=1), date(2026, 11, 14), False),
        (Opening(frozenset({6}), time(9), time(12), nth=-1), date(2026, 11, 28), True),
        (
            Opening(frozenset({1}), time(9), time(12), every=2, starts_on=date(2026, 11, 2)),
            date(2026, 11, 16),
            True,
        ),
        (
            Opening(frozenset({1}), time(9), time(12), every=2, starts_on=date(2026, 11, 2)),
            date(2026, 11, 9),
            False,
        ),
        (Opening(frozenset({1}), time(9), time(12), ends_on=date(2026, 11, 1)), date(2026, 11, 2), False),
    ],
)
def test_schedules_of_weeks_and_months_are_read(opening, day, is_on):
    assert opening.is_on(day) is is_on


def test_hours_over_midnight_and_bank_holidays():
    late = service("late", openings=(Opening(frozenset({6}), time(20), time(2)),))
    assert late.is_open(datetime(2026, 11, 22, 1, 0)) and not late.is_open(datetime(2026, 11, 22, 3, 0))
    daily = service("daily", openings=(Opening(frozenset(range(1, 8)), time(9), time(17)),))
    assert daily.is_open(datetime(2026, 12, 24, 10, 0)) and not daily.is_open(datetime(2026, 12, 25, 10, 0))
    assert service("unknown").is_open(datetime(2026, 12, 24, 10, 0)) is None


@pytest.mark.parametrize(
    ("words", "age"),
    [
        ("8", 8),
        ("hes 8", 8),
        ("3 and 11", 3),
        ("18 months", 1.5),
        ("6 weeks", 0),
        ("newborn", 0),
        ("nearly three", 3),
        ("a teenager", 14),
        ("15yr old", 15),
        ("no idea", None),
        ("at 10pm", None),
        ("2 kids", None),
        ("2026", None),
    ],
)
def test_ages_are_read_from_words(words, age):
    assert age_in(words) == age


def test_what_is_kept_of_a_place_is_no_postcode_and_comes_back_the_same():
    kept = Where(frozenset({"E06000045", "E07000085"}), "England", (50.91, -1.4))
    assert Where.read(str(kept)) == kept
    assert Where.read("") == Where.read("SO14 0AA") == Where()


def test_every_entry_of_the_files_says_the_five_things_or_not_told():
    content = Content.load(ROOT / "data")
    seen = 0
    for record, met in entries(NEEDS, demo=True):
        shown = show(replace(service_of(record, "files"), needs=met), content, date(2026, 11, 22))
        told = lines(shown, content)
        assert all(line.split(": ", 1)[1].strip() for line in told[:6]) and told[6].startswith(
            "Last checked: "
        )
        seen += 1
    assert seen > 60


def test_a_service_nobody_told_anything_of_says_so_instead_of_guessing():
    content = Content.load(ROOT / "data")
    told = lines(show(service("Bare"), content, date(2026, 11, 22)), content)
    assert told[:6] == [
        "Who it is for: not told",
        "How to get it: not told",
        "Wait: not told",
        "Cost: not told",
        "When: not told",
        "Where: not told",
    ]
    assert told[6].startswith("Last checked: not told")


def test_an_overdue_entry_says_that_it_may_have_changed():
    content = Content.load(ROOT / "data")
    old = service("old", checked_on=date(2026, 1, 1), check_by=date(2026, 7, 1))
    assert "ask first" in show(old, content, date(2026, 7, 2)).checked
    assert "ask first" not in show(old, content, date(2026, 7, 1)).checked


def test_the_demo_shows_every_field():
    record = next(r for r, _ in entries(NEEDS, demo=True) if r["name"] == "Calmer Days parenting course")
    found = service_of(record, "files")
    told = vars(found)
    assert found.demo
    fields = "who how wait cost hours url email phones openings places languages checked_on check_by"
    assert not [name for name in (*fields.split(), "organization", "description") if not told[name]]
    assert (found.minimum_age, found.maximum_age, found.free, found.self_referral) == (2, 11, True, True)
    assert found.step_free is True


def directory_files() -> list[dict]:
    files = [ROOT / "data" / "directory" / name for name in ("national.yml", "demo.yml")]
    return [entry for file in files for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["services"]]


@pytest.mark.parametrize("entry", [e for e in directory_files() if "checked_on" in e], ids=lambda e: e["id"])
def test_every_national_entry_has_a_source_and_dates(entry):
    assert entry["source"] and date.fromisoformat(entry["checked_on"]) <= date.today()
    overdue_on_purpose = entry["id"] == "youth_club"  # shows a demonstration what overdue looks like
    assert date.today() <= date.fromisoformat(entry["check_by"]) or overdue_on_purpose, (
        "check this entry again"
    )


def test_no_national_entry_holds_a_number_of_its_own():
    text = (ROOT / "data" / "directory" / "national.yml").read_text(encoding="utf-8")
    entry_lines = [
        line for line in text.splitlines() if line.startswith(("  name", "  about", "  who", "  how"))
    ]

    assert not [line for line in entry_lines if re.search(r"\d{3}[\d ]*\d", line)]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{id: x, name: X, source: s, checked_on: '2026-01-01', check_by: '2026-07-01'}", "needs 'needs:'"),
        ("{id: x, needs: [family]}", "lacks name"),
        ("{number: nobody, needs: [family]}", "not in data/responses/numbers.yml"),
        ("{number: childline, name: Twin, needs: [family]}", "name stand in numbers.yml"),
        ("{number: childline, needs: [flying]}", "not flying"),
        ("{number: childline, needs: [family], colour: red}", "unknown fields: colour"),
    ],
)
def test_a_wrong_entry_is_named_with_its_remedy(tmp_path, entry, told):
    (tmp_path / "directory").mkdir()
    (tmp_path / "responses").mkdir()
    numbers = (ROOT / "data" / "responses" / "numbers.yml").read_text(encoding="utf-8")
    (tmp_path / "responses" / "numbers.yml").write_text(numbers, encoding="utf-8")
    (tmp_path / "directory" / "national.yml").write_text(f"services:\n- {entry}\n", encoding="utf-8")
    with pytest.raises(DirectoryDataError, match=told):
        list(entries(NEEDS, tmp_path, demo=False))


@pytest.mark.parametrize(
    ("how", "fees", "expected"),
    [
        ("Self-referral by phone", "Free", (True, True)),
        ("Drop-in, no need to book", "£3.50 a session", (True, False)),
        ("By professional referral only", "No charge", (False, True)),
        ("Ask us", "Varies", (None, None)),
    ],
)
def test_what_a_feed_says_in_words_is_read_and_doubt_stays_doubt(how, fees, expected):
    record = clean({"id": "1", "name": "N", "status": "active", "application_process": how, "fees": fees})
    found = service_of(record, "feed")
    assert (found.self_referral, found.free) == expected


@pytest.mark.parametrize(
    ("access", "step_free"),
    [
        ("Wheelchair accessible", True),
        ("No wheelchair access", False),
        ("Steps up to the door", False),
        ("", None),
    ],
)
def test_access_is_read_from_words(access, step_free):
    location = {"location_type": "physical", "accessibility": [{"description": access}] if access else None}
    record = clean(
        {"id": "1", "name": "N", "status": "active", "service_at_locations": [{"location": location}]}
    )
    assert service_of(record, "feed").step_free is step_free


def test_areas_are_read_as_nations_codes_and_names():
    areas = [
        {"name": "England and Wales"},
        {"uri": "https://example.org/id/E10000014"},
        {"name": "Kent County Council"},
    ]
    record = clean({"id": "1", "name": "N", "status": "active", "service_areas": areas})
    found = service_of(record, "feed", {"kent": "E10000016"})
    assert found.nations == {"England", "Wales"} and found.areas == {"E10000014", "E10000016"}
