"""What must always happen when somebody tells of harm, through the whole running house."""

from __future__ import annotations

import time

import pytest

from tests.journeys.house import Chat, House

pytestmark = pytest.mark.journey

TOLD = {
    "i dont really want to go home tonight, my stepdad hits me when hes had a drink": "high",
    "my friend cuts herself, she made me swear not to tell": "high",
    "I'm being forced to have sex and I'm only 12 years old": "high",
    "my stepdad hurts me dont tell": "high",
    "ive taken loads of paracetamol": "immediate",
}


def believed(answers: list[str], level: str) -> None:
    """The first thing said is 999 or belief, and there is always who reads it."""
    first = answers[0]
    if level == "immediate":
        assert first.splitlines()[0] == "Call 999 now."
        assert any("telling the duty team" in answer for answer in answers)
    else:
        assert any(word in first for word in ("believe", "did the right thing"))
        assert "the duty team" in first


@pytest.mark.parametrize(("text", "level"), TOLD.items())
def test_a_first_message_that_tells_of_harm_is_answered_within_a_second(house: House, text, level) -> None:
    chat = Chat(house.url, "self")
    began = time.monotonic()
    answers = chat.says(text)
    took = time.monotonic() - began
    believed(answers, level)
    assert house.handover_of(chat.id).level == level
    assert took < 2.0, f"took {took:.2f} s"  # one second on a quiet machine; test machines are not


@pytest.mark.parametrize(("text", "level"), TOLD.items())
def test_harm_told_in_the_middle_of_small_talk_is_not_small_talk(house: House, text, level) -> None:
    chat = Chat(house.url)
    chat.says("hiya")
    chat.says("what can you do")
    believed(chat.says(text), level)
    assert house.handover_of(chat.id).level == level


@pytest.mark.parametrize(("text", "level"), TOLD.items())
def test_a_form_never_swallows_a_disclosure(house: House, text, level) -> None:
    chat = Chat(house.url, "parent")
    chat.says("i want to ask for early help")
    believed(chat.says(text), level)
    assert house.handover_of(chat.id).level == level


@pytest.mark.parametrize("text", ["this homework is killing me", "who won the world cup", "😀😀", "<script>"])
def test_harmless_messages_open_nothing(house: House, text) -> None:
    chat = Chat(house.url, "self")
    assert chat.says(text)
    assert house.handover_of(chat.id) is None


def test_saying_no_to_are_you_safe_puts_999_first(house: House) -> None:
    chat = Chat(house.url, "self")
    chat.says("my stepdad hurts me dont tell")
    answers = chat.presses("No, I'm not")
    assert answers[0].splitlines()[0] == "Call 999 now."
    assert house.handover_of(chat.id).level == "immediate"


def test_the_same_message_twice_is_one(house: House) -> None:
    chat = Chat(house.url, "self")
    chat.says("my stepdad hurts me dont tell", "same-id")
    chat.says("my stepdad hurts me dont tell", "same-id")
    mine = [m for m in chat.transcript() if m["from"] == "you" and m["text"].startswith("my stepdad")]
    assert len(mine) == 1
