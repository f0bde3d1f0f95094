"""The words: loaded, checked, and never half there."""

from __future__ import annotations

import shutil
from datetime import datetime, time, timezone
from pathlib import Path

import pytest

from bot.content import SAID_BY_THE_HOUSE, Content, ContentError
from bot.rota import Hours
from bot.settings import ROOT


@pytest.fixture(scope="module")
def content() -> Content:
    return Content.load(ROOT / "data")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "data" / "responses", tmp_path / "responses")
    return tmp_path


def test_every_word_the_house_says_itself_is_there(content: Content) -> None:
    assert all(name in content for name in SAID_BY_THE_HOUSE)


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("safety.yml", "responses: [", "safety.yml: line 2: is not valid YAML"),
        ("safety.yml", "responses: {}", "missing .*utter_safety_fallback_high"),
        ("extra.yml", "responses:\n  utter_empty:\n  - text: again", "utter_empty is already in|already in"),
        ("extra.yml", "responses:\n  utter_new:\n  - buttons: []", "utter_new has an entry without text"),
        ("extra.yml", "responses:\n  utter_new: []", "utter_new has no text"),
        ("extra.yml", "responses:\n  utter_new:\n  - text: 'a { brace'", "lone brace"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_remedy(data: Path, file: str, text: str, told: str) -> None:
    (data / "responses" / file).write_text(text)
    with pytest.raises(ContentError, match=told):
        Content.load(data)


def test_words_a_person_gave_cannot_break_a_sentence(content: Content) -> None:
    said = content.say("utter_outcome", name="Sam", outcome="{who} {0} %s <b>")
    assert "{who} {0} %s <b>" in said


def test_a_value_that_is_missing_is_an_error_and_not_a_gap(content: Content) -> None:
    with pytest.raises(ContentError, match="utter_outcome needs a value"):
        content.say("utter_outcome", name="Sam")


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2026, 11, 24, 17, 40, tzinfo=timezone.utc), "5:40pm"),
        (datetime(2026, 11, 25, 8, 0, tzinfo=timezone.utc), "8am tomorrow"),
        (datetime(2026, 11, 27, 0, 5, tzinfo=timezone.utc), "12:05am on Friday"),
    ],
)
def test_times_are_said_as_people_say_them(content: Content, at: datetime, words: str) -> None:
    now = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
    assert content.clock_words(at, now) == words


def test_times_are_local_in_summer(content: Content) -> None:
    noon = datetime(2026, 7, 1, 11, 0, tzinfo=timezone.utc)
    assert content.clock_words(noon, noon) == "12pm"


def test_hours_are_said_shortly(content: Content) -> None:
    hours = [
        Hours((1, 2, 3, 4, 5), time(8, 30), time(16)),
        Hours((6,), time(11), time(17)),
        Hours(tuple(range(1, 8)), time(19), time(7)),
    ]
    assert content.hours_words(hours) == (
        "Mon to Fri, 8:30am to 4pm; Sat, 11am to 5pm; every day, 7pm to 7am"
    )


def test_nothing_pretends_to_be_signed(content: Content) -> None:
    assert {name for _, name in content.drafts()} == set(content.names())
