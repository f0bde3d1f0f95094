"""data/areas: who runs children's services where."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
import yaml

from bot.areas.authorities import AreaDataError, Authorities
from bot.areas.served import UnknownAuthority, served, serves
from bot.settings import ROOT

FOLDER = ROOT / "data" / "areas"


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    return Authorities.load()


def test_every_nation_has_all_its_authorities(authorities: Authorities) -> None:
    counted = Counter((body.nation, body.kind) for body in authorities)
    assert counted == {
        ("England", "county"): 21,
        ("England", "unitary"): 63,
        ("England", "metropolitan"): 36,
        ("England", "london"): 33,
        ("Wales", "unitary"): 22,
        ("Scotland", "unitary"): 32,
        ("Northern Ireland", "trust"): 5,
    }


def test_every_nation_has_all_its_districts(authorities: Authorities) -> None:
    counted = Counter(district.code[:3] for district in authorities.districts)
    assert counted == {"E06": 63, "E07": 164, "E08": 36, "E09": 33, "W06": 22, "S12": 32, "N09": 11}


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("E07000028", "Cumberland"),
        ("E07000031", "Westmorland and Furness"),
        ("E07000165", "North Yorkshire"),
        ("E07000246", "Somerset"),
        ("E08000019", "Sheffield"),
        ("E08000016", "Barnsley"),
        ("E07000154", "West Northamptonshire"),
        ("E07000201", "Suffolk"),
        ("E10000002", "Buckinghamshire"),
        ("S12000046", "Glasgow City"),
    ],
)
def test_a_code_of_before_leads_to_the_authority_of_today(
    authorities: Authorities, old: str, today: str
) -> None:
    area = authorities.area(old)
    body = area.authority if area else authorities.authority(old)
    assert body is not None and body.name == today


@pytest.mark.parametrize(
    ("district", "outward", "trust", "or_trust"),
    [
        ("N09000003", "BT1", "Belfast", None),
        ("N09000003", "BT17", "South Eastern", "Belfast"),
        ("N09000007", "BT28", "South Eastern", None),
        ("N09000007", "BT8", "Belfast", "South Eastern"),
        ("N09000004", "BT52", "Northern", None),
        ("N09000004", "BT49", "Western", "Northern"),
        ("N09000009", "BT45", "Northern", None),
        ("N09000009", "BT77", "Southern", None),
        ("N09000010", "BT35", "Southern", None),
        ("N09000010", "BT30", "South Eastern", None),
    ],
)
def test_in_northern_ireland_the_trust_follows_the_postcode_where_a_district_is_shared(
    authorities: Authorities, district: str, outward: str, trust: str, or_trust: str | None
) -> None:
    area = authorities.area(district, outward)
    assert area is not None
    assert area.authority.name.startswith(trust) and area.authority.kind == "trust"
    assert (area.alternative and area.alternative.name.startswith(or_trust or "")) or or_trust is None
    assert (area.alternative is None) == (or_trust is None)


def test_an_unknown_code_is_no_area(authorities: Authorities) -> None:
    assert authorities.area("E99999999") is None
    assert authorities.authority("L99999999") is None


def test_every_file_has_a_source_and_is_not_overdue(authorities: Authorities) -> None:
    assert len(authorities.signatures) == 4
    for signature in authorities.signatures:
        assert signature.source
        assert signature.checked_on <= date.today() <= signature.check_by, "check this file again"


def test_helplines_are_those_of_the_numbers_file_and_no_number_stands_here(authorities: Authorities) -> None:
    numbers = yaml.safe_load((ROOT / "data" / "responses" / "numbers.yml").read_text(encoding="utf-8"))
    known = {service["id"] for service in numbers["services"]}
    assert {body.front_door.helpline for body in authorities} <= known
    for path in FOLDER.glob("*.yml"):
        assert not re.search(r"\b0\d[\d ]{7,}\d\b", path.read_text(encoding="utf-8")), path.name


def test_an_authoritys_own_front_door_is_shown_instead_of_the_nations(tmp_path: Path) -> None:
    for path in FOLDER.glob("*.yml"):
        shutil.copy(path, tmp_path)
    wales = tmp_path / "wales.yml"
    text = wales.read_text(encoding="utf-8")
    own = 'front_door: {title: Our own, web: "https://example.org/help", source: example.org}'
    wales.write_text(text.replace("name: Bridgend,", f"name: Bridgend, {own},"), encoding="utf-8")
    changed = Authorities.load(tmp_path)
    bridgend, cardiff = changed.authority("W06000013"), changed.authority("W06000015")
    assert bridgend and bridgend.front_door.web == "https://example.org/help"
    assert bridgend.front_door.helpline == "nspcc"
    assert cardiff and "gov.uk" in cardiff.front_door.web


@pytest.mark.parametrize(
    ("find", "put", "says"),
    [
        ("kind: unitary", "kind: parish", "kind must be one of"),
        ("code: W06000013", "code: W06000015", "is there twice"),
        ('checked_on: "2026-11-22"', 'checked_on: "soon"', "something is missing"),
        ("front_door:\n  title", "front_door:\n  heading", "something is missing"),
        ("authorities:\n", "authorities: [\n", "not valid YAML"),
        ("name: Bridgend,", "name: Bridgend, formerly: [W06000015],", "also a code of today"),
        ("name: Bridgend,", "name: Bridgend, formerly: [E08000019],", "also E08000039's"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_what_is_wrong(
    tmp_path: Path, find: str, put: str, says: str
) -> None:
    for path in FOLDER.glob("*.yml"):
        shutil.copy(path, tmp_path)
    wales = tmp_path / "wales.yml"
    text = wales.read_text(encoding="utf-8")
    assert find in text
    wales.write_text(text.replace(find, put, 1), encoding="utf-8")
    with pytest.raises(AreaDataError, match=re.escape(says)) as error:
        Authorities.load(tmp_path)
    assert "wales.yml" in str(error.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AreaDataError, match="Restore data/areas"):
        Authorities.load(tmp_path / "nothing")


def test_a_deployment_names_whom_it_serves_by_code_or_by_name(authorities: Authorities) -> None:
    assert served(" surrey, E08000039 ", authorities) == {"E10000030", "E08000039"}


def test_without_the_setting_everybody_is_served(authorities: Authorities) -> None:
    assert all(serves(served("", authorities), body) for body in authorities)


def test_with_the_setting_only_those_are_served(authorities: Authorities) -> None:
    codes = served("Surrey", authorities)
    assert [body.name for body in authorities if serves(codes, body)] == ["Surrey"]


def test_a_name_that_is_no_authority_is_named_with_the_remedy(authorities: Authorities) -> None:
    with pytest.raises(UnknownAuthority, match="Atlantis is no authority of data/areas"):
        served("Surrey, Atlantis", authorities)
