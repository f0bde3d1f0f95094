"""Who a young person means."""

from __future__ import annotations

import pytest

from bot.names import find_name

STAFF = {"amina": "Ms Begum", "tom": "Mr Reilly", "dev": "Dev", "sam": "Sam Okafor", "samira": "Samira Khan"}
PLACES = {"oak": "Oakfield Secondary School", "brook": "Brookside Primary School", "hall": "St Mary's"}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("can i talk to miss begum pls", "amina"),
        ("BEGUM", "amina"),
        ("mr reilly i think", "tom"),
        ("is sam there", "sam"),
        ("okafor", "sam"),
        ("dev!", "dev"),
        ("i want samira khan", "samira"),
        ("my mum", None),
        ("devon is nice", None),
        ("mr reilly or ms begum", None),
        ("", None),
    ],
)
def test_a_name_is_found_as_children_type_it(typed: str, meant: str | None) -> None:
    assert find_name(typed, STAFF) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("i go oakfield", "oak"), ("Brookside primary", "brook"), ("st mary's", "hall"), ("school", None)],
)
def test_a_place_is_found_without_its_kind(typed: str, meant: str | None) -> None:
    assert find_name(typed, PLACES) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("oakfeild", "oak"), ("i go to brooksid", "brook"), ("brokside pls", "brook"), ("really", None)],
)
def test_a_misspelt_place_is_found_where_a_place_was_asked_for(typed: str, meant: str | None) -> None:
    assert find_name(typed, PLACES, misspelt=True) == meant
    assert find_name(typed, PLACES) is None
