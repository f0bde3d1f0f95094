"""The return code, typed by hand."""

from __future__ import annotations

import pytest

from bot.codes import HIDDEN, new_code, shown, without_code, wrong_words

CODE = "acorn-drum-lake-maple-otter"


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("acorn drum lake maple otter", ()),
        ("Acorn, Drum, Lake, Maple, Otter.", ()),
        ("acorn drum lakes maple otter", (3,)),
        ("acorn drum lake maple", (5,)),
        ("drum acorn lake maple otter", (1, 2)),
        ("is it acorn drum lake maple otter", ()),
    ],
)
def test_a_code_typed_back_is_checked_word_by_word(typed: str, wrong: tuple[int, ...]) -> None:
    assert wrong_words(typed, CODE) == wrong


@pytest.mark.parametrize(
    "typed",
    [
        "hello",
        "my dad hits me",
        "i saw an otter by the lake",
        "acorn drum lake maple otter and my stepdad hits me",
        "",
    ],
)
def test_words_that_are_no_attempt_at_the_code_are_left_alone(typed: str) -> None:
    assert wrong_words(typed, CODE) is None


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("acorn drum my stepdad hits me LAKE", "• • my stepdad hits me •"),
        ("acorn-drum-lake-maple-otter", "•-•-•-•-•"),
        ("i saw an otter by the lake", "i saw an otter by the lake"),
        ("", ""),
    ],
)
def test_what_is_said_besides_a_code_is_kept_and_the_code_is_not(typed: str, left: str) -> None:
    assert without_code(typed, CODE) == left


def test_a_stored_message_shows_the_code_only_to_whom_it_belongs() -> None:
    assert shown(f"Here: {HIDDEN}", CODE) == "Here: acorn drum lake maple otter"
    assert shown(f"Here: {HIDDEN}", None) == f"Here: {HIDDEN}"


def test_no_two_codes_are_alike() -> None:
    codes = {new_code() for _ in range(50)}
    assert len(codes) == 50 and all(len(code.split("-")) == 5 for code in codes)
