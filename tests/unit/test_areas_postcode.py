"""What a person typed as a postcode, before anything is looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.areas.postcode import MAX_LENGTH, Shape, read, without_inward


def first(text: str) -> str:
    return str(read(text).candidates[0])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("SW1A 1AA", "SW1A 1AA"),
        ("SW1A1AA", "SW1A 1AA"),
        ("sw1a1aa", "SW1A 1AA"),
        ("  s1   2hh ", "S1 2HH"),
        ("S12HH", "S1 2HH"),
        ("so14-7du.", "SO14 7DU"),
        ("ｓｏ１４　７ｄｕ", "SO14 7DU"),
        ("EC1A1BB", "EC1A 1BB"),
        ("GIR 0AA", "GIR 0AA"),
    ],
)
def test_a_whole_postcode_is_read_however_it_is_spaced(typed: str, meant: str) -> None:
    reading = read(typed)
    assert (reading.shape, str(reading.candidates[0])) == (Shape.FULL, meant)
    assert not reading.candidates[0].corrected


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("S014 7DU", "SO14 7DU"),
        ("SOl4 7DU", "SO14 7DU"),
        ("0X1 2JD", "OX1 2JD"),
        ("P01 1AA", "PO1 1AA"),
        ("SWIA 1AA", "SW1A 1AA"),
        ("BT1 SGS", None),
        ("GU1 IAA", "GU1 1AA"),
        ("CRO OAA", None),
        ("CR0 OAA", "CR0 0AA"),
    ],
)
def test_letters_mistaken_for_digits_are_put_right_and_said_so(typed: str, meant: str | None) -> None:
    reading = read(typed)
    if meant is None:
        assert reading.shape is not Shape.FULL
    else:
        assert str(reading.candidates[0]) == meant
        assert reading.candidates[0].corrected


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("SO14", "SO14"),
        ("so14", "SO14"),
        ("sw1a 1a", "SW1A 1A"),
        ("SW1A 1", "SW1A 1"),
        ("SO147", "SO14 7"),
        ("S1", "S1"),
        ("SO1 4", "SO1 4"),
    ],
)
def test_half_a_postcode_is_half_a_postcode(typed: str, meant: str) -> None:
    assert read(typed).shape is Shape.PARTIAL
    assert first(typed) == meant


def test_without_a_space_the_longer_first_half_is_likelier_but_the_shorter_is_kept() -> None:
    assert [str(c) for c in read("SO14").candidates][:2] == ["SO14", "SO1 4"]
    assert "SO14" in [str(c) for c in read("SO1 4").candidates]


@pytest.mark.parametrize("typed", ["IM1 1AA", "JE2 3AB", "gy1 1aa", "im1", "JE2 3", "1M1 1AA"])
def test_a_crown_dependency_is_not_the_united_kingdom(typed: str) -> None:
    assert read(typed).shape is Shape.CROWN_DEPENDENCY


@pytest.mark.parametrize("typed", ["BFPO 58", "bfpo58", "BFPO", "BF1 0AX", "BF1", "we are at bfpo 58 now"])
def test_a_forces_address_is_known_as_one(typed: str) -> None:
    assert read(typed).shape is Shape.BFPO


@pytest.mark.parametrize(
    "typed",
    ["12345", "75008", "90210-1234", "1011 AB", "K1A 0B1", "D02 AF30", "D6W XY00", "GX11 1AA", "FIQQ 1ZZ"],
)
def test_another_countrys_postcode_is_not_turned_into_one_of_ours(typed: str) -> None:
    assert read(typed).shape is Shape.FOREIGN


@pytest.mark.parametrize(
    "typed", ["", "   ", "no", "hello", "Ellon", "123", "07700 900123", "SO", "!!!", "QQ1 1AA", "A" * 9_999]
)
def test_what_is_no_postcode_is_malformed(typed: str) -> None:
    assert read(typed).shape is Shape.MALFORMED
    assert read(typed).candidates == ()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("we live at so14 7du at the moment", "SO14 7DU"),
        ("its SO147DU i think", "SO14 7DU"),
        ("somewhere in so14", "SO14"),
    ],
)
def test_a_postcode_in_a_sentence_is_found(typed: str, meant: str) -> None:
    assert first(typed) == meant


@pytest.mark.parametrize(
    "typed", ["my son is in S1 at school", "how old are you", "I am in year 9", "so I am"]
)
def test_prose_is_not_turned_into_a_postcode(typed: str) -> None:
    assert read(typed).shape is Shape.MALFORMED


@given(st.text())
def test_any_text_has_a_shape_and_candidates_fit_it(text: str) -> None:
    reading = read(text)
    placed = reading.shape in (Shape.FULL, Shape.PARTIAL, Shape.CROWN_DEPENDENCY)
    assert bool(reading.candidates) == placed
    for candidate in reading.candidates:
        assert 2 <= len(candidate.outward) <= 4
        assert len(candidate.inward) <= 3


@given(st.from_regex(r"[A-Za-z0-9 OIl-]{2,9}", fullmatch=True))
def test_spaces_around_it_never_matter(text: str) -> None:
    assert read(text) == read(f" {text}\t")


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert read("x " * MAX_LENGTH + "so14 7du").shape is Shape.MALFORMED


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("12 Mill Lane, gu1 1aa", "12 Mill Lane, gu1 …"),
        ("im at SW1A1AA please come", "im at SW1A … please come"),
        ("gu1 1aa or S1 2HH", "gu1 … or S1 …"),
        ("no one came at 2am", "no one came at 2am"),
        ("year 7 in room q9 2ab", "year 7 in room q9 2ab"),
        ("GU1", "GU1"),
        ("", ""),
    ],
)
def test_the_second_half_of_a_postcode_is_taken_out_and_nothing_else(typed: str, left: str) -> None:
    assert without_inward(typed) == left
