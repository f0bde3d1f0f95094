"""The desk has words for everything it may have to name."""

from __future__ import annotations

import pytest

from bot import handover
from bot.desk.app import _environment
from bot.desk.case import PROBLEMS
from bot.messages import Channel
from bot.risk.families import load
from bot.risk.taxonomy import About, Category, Level
from bot.settings import ROOT

WORDS = _environment().get_template("_words.html").module


@pytest.mark.parametrize(
    ("names", "table"),
    [
        ([level.value for level in Level], WORDS.LEVELS),
        ([category.value for category in Category], WORDS.CATEGORIES),
        ([about.value for about in About], WORDS.ABOUT),
        (list(handover.KINDS), WORDS.KINDS),
        ([channel.value for channel in Channel], WORDS.CHANNELS),
    ],
)
def test_every_value_of_the_vocabulary_has_words(names, table):
    assert set(names) == set(table)


def test_every_question_that_an_answer_is_read_with_has_words():
    assert set(load(ROOT / "data").questions) == set(WORDS.QUESTIONS)


@pytest.mark.parametrize("error", handover.HandoverError.__subclasses__())
def test_every_error_of_a_handover_has_words_of_its_own(error):
    problem, _ = PROBLEMS[error]
    assert "Something broke" not in str(WORDS.problem_words(problem))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "under 1 min"), (60, "1 min"), (3_599, "59 min"), (3_660, "1 h 1 min"), (200_000, "2 days")],
)
def test_waiting_time_is_told_in_plain_words(seconds, words):
    assert str(WORDS.span(seconds)).strip() == words
