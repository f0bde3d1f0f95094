"""The lines a person may pass on, changed the way children say it."""

from __future__ import annotations

import pytest

from bot.own_words import Edit, apply_edit, names_who_not, numbered, read_addition, read_edit

LINES = ["they pick on me", "mr hall saw it", "i cried"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("change 2 to mrs hall saw it", Edit(2, words="mrs hall saw it")),
        ("can you change number two to: nobody saw it", Edit(2, words="nobody saw it")),
        ("pls change the last one to i was sad", Edit(3, words="i was sad")),
        ("line 1 should say they hit me with a bag", Edit(1, words="they hit me with a bag")),
        ('2: "nobody saw"', Edit(2, words="nobody saw")),
        ("leave out 3", Edit(3, drop=True)),
        ("take the first one out", Edit(1, drop=True)),
        ("take out number 2 please", Edit(2, drop=True)),
        ("delete line 3", Edit(3, drop=True)),
        ("dont send 2", Edit(2, drop=True)),
        ("not the last bit", Edit(3, drop=True)),
        ("change 2", Edit(2)),
        ("number 3 is wrong", Edit(3)),
        ("2", Edit(2)),
    ],
)
def test_a_line_is_named_as_children_name_it(typed: str, meant: Edit) -> None:
    assert read_edit(typed, len(LINES)) == meant


@pytest.mark.parametrize(
    "typed", ["change 7 to hello", "leave out 0", "i have 2 brothers", "change it", "", "one day he hit me"]
)
def test_what_names_no_line_changes_none(typed: str) -> None:
    assert read_edit(typed, len(LINES)) is None


def test_only_the_named_line_changes() -> None:
    assert apply_edit(LINES, Edit(2, words="nobody saw")) == ["they pick on me", "nobody saw", "i cried"]
    assert apply_edit(LINES, Edit(1, drop=True)) == ["mr hall saw it", "i cried"]
    assert apply_edit(LINES, Edit(3)) == LINES


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("can i add that it was on monday", "it was on monday"),
        ("add: he did it twice", "he did it twice"),
        ("i want to add something", None),
        ("add more", None),
        ("tell them that it happens every week", "it happens every week"),
        ("he hit me again", None),
    ],
)
def test_words_to_add_are_taken_as_they_are(typed: str, words: str | None) -> None:
    assert read_addition(typed) == words


def test_lines_are_shown_with_their_numbers() -> None:
    assert numbered(LINES[:2]) == "1. they pick on me\n2. mr hall saw it"


@pytest.mark.parametrize(
    "typed",
    [
        "dont tell my stepdad i said",
        "pls don't ring home",
        "do not let my mum know about this",
        "ok but never call the school",
        "please dont speak to mr hall",
    ],
)
def test_who_must_not_be_told_is_heard_at_any_time(typed: str) -> None:
    assert names_who_not(typed)


@pytest.mark.parametrize(
    "typed",
    ["dont tell me what to do", "my mum doesnt tell me anything", "dont ring off", "not my mum", "not sure"],
)
def test_other_things_that_are_not_to_be_done_are_no_such_wish(typed: str) -> None:
    assert not names_who_not(typed)


def test_when_words_are_about_to_be_sent_not_my_mum_is_a_wish() -> None:
    assert names_who_not("not my mum pls shes got enough going on", about_to_send=True)
    assert not names_who_not("not yet", about_to_send=True)
