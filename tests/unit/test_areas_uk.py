"""The whole United Kingdom: the table as set-up builds it from the published list of postcodes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.areas.build import ensure_table
from bot.areas.command import app
from bot.areas.describe import describe, words
from bot.areas.finder import Answer, AnswerKind, Areas
from bot.areas.table import PostcodeTable
from bot.content import Content
from bot.settings import ROOT


@pytest.fixture(scope="module")
def folder() -> Path:
    return ensure_table()


@pytest.fixture(scope="module")
def areas(folder: Path) -> Areas:
    return Areas.open()


@pytest.fixture(scope="module")
def content() -> Content:
    return Content.load(ROOT / "data")


@pytest.mark.parametrize(
    ("typed", "district", "authority", "nation"),
    [
        ("GU1 1AA", "E07000209", "Surrey", "England"),
        ("S1 2HH", "E08000039", "Sheffield", "England"),
        ("CA1 1AA", "E06000063", "Cumberland", "England"),
        ("TA1 1AA", "E06000066", "Somerset", "England"),
        ("YO11 1AA", "E06000065", "North Yorkshire", "England"),
        ("SW1A1AA", "E09000033", "Westminster", "England"),
        ("EH1 1YZ", "S12000036", "City of Edinburgh", "Scotland"),
        ("CF10 1EP", "W06000015", "Cardiff", "Wales"),
        ("BT1 5GS", "N09000003", "Belfast Health and Social Care Trust", "Northern Ireland"),
    ],
)
def test_a_real_postcode_leads_to_its_childrens_services(
    areas: Areas, typed: str, district: str, authority: str, nation: str
) -> None:
    answer = areas.find(typed)
    assert answer.kind is AnswerKind.FOUND
    assert answer.settled and answer.settled.name == authority
    (area,) = answer.areas
    assert area.district and (area.district.code, area.nation) == (district, nation)
    assert answer.position is not None


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("IM1 1AA", AnswerKind.CROWN_DEPENDENCY),
        ("JE2 3AB", AnswerKind.CROWN_DEPENDENCY),
        ("sw1a 1a", AnswerKind.PARTIAL),
        ("ZZ99 9ZZ", AnswerKind.UNKNOWN),
        ("12345", AnswerKind.FOREIGN),
        ("AB11 3AG", AnswerKind.TERMINATED),
        ("GIR 0AA", AnswerKind.TERMINATED),
    ],
)
def test_what_is_no_home_in_the_united_kingdom_says_what_it_is(
    areas: Areas, typed: str, kind: AnswerKind
) -> None:
    answer = areas.find(typed)
    assert answer.kind is kind
    assert (answer.settled is not None) == (kind is AnswerKind.PARTIAL)


def test_half_a_postcode_gives_every_authority_the_main_one_first(areas: Areas) -> None:
    assert [body.name for body in areas.find("SO14").authorities] == ["Southampton"]
    assert [body.name for body in areas.find("PO1").authorities] == ["Portsmouth", "Hampshire"]
    assert areas.find("PO1").settled is None


def test_a_half_that_is_not_listed_as_spaced_is_read_without_the_space_and_asked_about(areas: Areas) -> None:
    assert areas.find("S1 9").postcode == "S1 9"
    answer = areas.find("SW1 9")
    assert (answer.postcode, answer.corrected) == ("SW19", True)
    assert answer.settled is None


def test_every_district_of_the_list_has_a_childrens_services_authority(folder: Path, areas: Areas) -> None:
    table = PostcodeTable.open(folder)
    assert len(table) == 2_720_556
    assert len(table.districts) == 361
    assert [code for code in table.districts if areas.authorities.area(code) is None] == []
    assert {district.code for district in areas.authorities.districts} == set(table.districts)


def test_the_table_is_small_and_a_look_up_is_quick(folder: Path, areas: Areas) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < 100e6
    typed = ["gu1 1aa", "S014 7DU", "so14", "sw1a 1a", "ZZ99 9ZZ", "BT1", "12345"] * 60
    seconds = []
    for text in typed:
        started = time.thread_time()
        areas.find(text)
        seconds.append(time.thread_time() - started)
    # 0.02 to 0.1 ms where it was written.
    assert sorted(seconds)[int(len(seconds) * 0.95)] < 1e-3


def test_a_second_build_only_checks_the_files(folder: Path) -> None:
    started = time.thread_time()
    assert ensure_table() == folder
    assert time.thread_time() - started < 1.0


def test_a_look_up_needs_neither_the_readers_of_the_source_nor_rasa(folder: Path) -> None:
    code = (
        "import sys; from bot.areas.finder import Areas; Areas.open().look_up('so14');"
        "print(sorted({'brotli', 'msgpack', 'pyproj', 'rasa', 'spacy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


EVERY_KIND = [
    ("GU1 1AA", "utter_area_found"),
    ("GUI 1AA", "utter_area_corrected"),
    ("BT17 0AA", "utter_area_border"),
    ("PO1", "utter_area_which"),
    ("SW1A", "utter_area_which"),
    ("london", "utter_area_too_wide"),
    ("barnsley", "utter_area_found"),
    ("edinbrugh", "utter_area_corrected"),
    ("SW1A 9ZZ", "utter_area_unknown_nearby"),
    ("ZZ99 9ZZ", "utter_area_unknown"),
    ("AB11 3AG", "utter_area_terminated"),
    ("GY1 1AA", "utter_area_crown_dependency"),
    ("BFPO 58", "utter_area_bfpo"),
    ("12345", "utter_area_foreign"),
    ("asdfgh", "utter_area_malformed"),
]


@pytest.mark.parametrize(("typed", "response"), EVERY_KIND)
def test_every_answer_has_words_of_its_own(areas: Areas, content: Content, typed: str, response: str) -> None:
    name, values = words(areas.look_up(typed))
    assert name == response
    assert "{" not in content.say(name, **values)


def test_every_response_about_areas_is_said_for_some_answer(content: Content) -> None:
    written = {name for name in content.names() if name.startswith("utter_area_")}
    assert written == {response for _, response in EVERY_KIND} | {"utter_area_not_set_up"}
    assert words(Answer(AnswerKind.NOT_SET_UP)) == ("utter_area_not_set_up", {})


@pytest.mark.parametrize("typed", [typed for typed, _ in EVERY_KIND])
def test_a_description_is_plain_json_with_the_same_keys_for_every_answer(areas: Areas, typed: str) -> None:
    described = describe(areas.look_up(typed))
    assert json.loads(json.dumps(described)) == described
    assert set(described) == set(describe(areas.find("GU1 1AA")))


def test_a_description_names_the_authority_the_district_the_nation_and_the_place(areas: Areas) -> None:
    described = describe(areas.find("gu11aa"))
    assert described["kind"] == "found" and described["settled"] is True
    assert described["postcode"] == "GU1 1AA" and described["nation"] == "England"
    assert described["district"] == {"code": "E07000209", "name": "Guildford"}
    assert described["authority"]["code"] == "E10000030"
    assert described["authority"]["report"]["web"].startswith("https://www.gov.uk/")
    assert described["position"] == pytest.approx({"latitude": 51.2453, "longitude": -0.5823}, abs=1e-3)


def test_the_command_finds_a_postcode_given_in_two_words(folder: Path) -> None:
    done = CliRunner().invoke(app, ["find", "sw1a", "1aa"])
    assert done.exit_code == 0
    assert "Westminster (E09000033)" in done.output
    as_json = CliRunner().invoke(app, ["find", "--json", "EH1 1YZ"])
    assert json.loads(as_json.output)["nation"] == "Scotland"


def test_the_command_builds_what_is_missing_and_says_it_is_there(folder: Path) -> None:
    assert CliRunner().invoke(app, ["build"]).exit_code == 0
