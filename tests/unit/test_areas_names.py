"""Areas by name, for people who do not know their postcode."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.areas.authorities import AreaDataError, Authorities
from bot.areas.names import NameIndex


@pytest.fixture(scope="module")
def names() -> NameIndex:
    return NameIndex(Authorities.load())


def bodies(names: NameIndex, text: str) -> list[str]:
    return list(dict.fromkeys(named.area.authority.name for named in names.find(text, limit=0)))


@pytest.mark.parametrize(
    ("typed", "body"),
    [
        ("barnsley", "Barnsley"),
        ("Surrey", "Surrey"),
        ("guildford", "Surrey"),
        ("Leatherhead", "Surrey"),
        ("edinburgh", "City of Edinburgh"),
        ("city of london", "City of London"),
        ("durham", "County Durham"),
        ("brighton", "Brighton and Hove"),
        ("hove", "Brighton and Hove"),
        ("hull", "Kingston upon Hull"),
        ("st albans", "Hertfordshire"),
        ("Saint Albans", "Hertfordshire"),
        ("kings lynn", "Norfolk"),
        ("herts", "Hertfordshire"),
        ("Caerdydd", "Cardiff"),
        ("Ynys Mon", "Isle of Anglesey"),
        ("Ellon", "Aberdeenshire"),
        ("western isles", "Na h-Eileanan Siar"),
        ("Derry", "Western Health and Social Care Trust"),
        ("lisburn", "South Eastern Health and Social Care Trust"),
        ("we live in barnsley at the moment", "Barnsley"),
        ("Surrey County Council", "Surrey"),
    ],
)
def test_a_name_as_people_say_it_leads_to_one_authority(names: NameIndex, typed: str, body: str) -> None:
    assert bodies(names, typed) == [body]
    assert all(named.typos == 0 for named in names.find(typed))


@pytest.mark.parametrize(
    ("typed", "body"),
    [
        ("edinbrugh", "City of Edinburgh"),
        ("sheffeild", "Sheffield"),
        ("middlesborough", "Middlesbrough"),
        ("mole vally", "Surrey"),
        ("my town is readin", "Reading"),
        ("Scunthrope", "North Lincolnshire"),
    ],
)
def test_a_misspelt_name_is_found_and_counts_its_typos(names: NameIndex, typed: str, body: str) -> None:
    assert bodies(names, typed) == [body]
    assert names.find(typed)[0].typos > 0


@pytest.mark.parametrize(
    ("typed", "some"),
    [
        ("newcastle", {"Newcastle upon Tyne", "Staffordshire", "South Eastern Health and Social Care Trust"}),
        ("richmond", {"Richmond upon Thames", "North Yorkshire"}),
        ("ashford", {"Kent", "Surrey"}),
        ("stockton", {"Stockton-on-Tees", "Warwickshire"}),
        ("newport", {"Newport", "Isle of Wight"}),
        ("cumbria", {"Cumberland", "Westmorland and Furness"}),
        ("south yorkshire", {"Barnsley", "Doncaster", "Rotherham", "Sheffield"}),
        ("mid ulster", {"Northern Health and Social Care Trust", "Southern Health and Social Care Trust"}),
    ],
)
def test_a_name_that_several_places_bear_gives_them_all(names: NameIndex, typed: str, some: set[str]) -> None:
    assert some <= set(bodies(names, typed))


def test_london_is_every_borough(names: NameIndex) -> None:
    assert len(bodies(names, "london")) == 33


@pytest.mark.parametrize("typed", ["", "  ", "no", "dont know", "hello", "mum", "123", "!", "x" * 5_000])
def test_what_names_no_place_finds_none(names: NameIndex, typed: str) -> None:
    assert names.find(typed) == ()


def test_a_short_name_is_never_corrected(names: NameIndex) -> None:
    assert bodies(names, "hove") == ["Brighton and Hove"]
    assert names.find("love") == ()


def test_a_town_has_a_position_and_a_county_has_none(names: NameIndex) -> None:
    (town,), (county,) = names.find("Leatherhead"), names.find("Surrey")
    assert town.position and town.position.latitude == pytest.approx(51.30, abs=0.01)
    assert town.area.district and town.area.district.name == "Mole Valley"
    assert county.position is None and county.area.district is None


def test_the_limit_is_kept(names: NameIndex) -> None:
    assert len(names.find("london", limit=3)) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("town,code\n", "first line must read"),
        ("name,district,outward,latitude,longitude,population\nX,E99,,51,0,1\n", "no district E99"),
        ("name,district,outward,latitude,longitude,population\nX,E07000209,,north,0,1\n", "cannot be read"),
    ],
)
def test_a_wrong_file_of_places_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "places.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AreaDataError, match=says):
        NameIndex(Authorities.load(), path)


def test_a_missing_file_of_places_is_named(tmp_path: Path) -> None:
    with pytest.raises(AreaDataError, match=r"places\.csv cannot be read"):
        NameIndex(Authorities.load(), tmp_path / "places.csv")
