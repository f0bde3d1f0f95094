"""The evaluation sets were never trained on, and the detector does on them what the card says."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import pytest

from bot.risk.detector import DATA_DIR, default_detector
from bot.risk.evaluation import Report, evaluate_file
from bot.risk.labelled import read_labelled
from bot.risk.statistical_layer import ADAPTER, PROVENANCE
from bot.risk.taxonomy import Memory
from bot.risk.training.data import data_hash, training_files

HERE = Path(__file__).parent
HELD_OUT = HERE / "heldout.jsonl"
#: Written later and apart from everything; nobody has looked at what it misses.
FRESH = HERE / "fresh.jsonl"
#: Answers to the bot's questions, each with its question.
ANSWERS = HERE / "answers.jsonl"
#: Thoughts sent in several messages; the labels are of all of it.
PIECES = HERE / "pieces.jsonl"
NAMED = sorted((HERE / "named").glob("*.jsonl"))
#: Shares of shared pairs of words from which on two messages count as the same.
TOO_CLOSE = 0.8


@lru_cache(maxsize=4)
def _report(path: Path) -> Report:
    return evaluate_file(path)


@lru_cache(maxsize=1)
def _provenance() -> dict:
    return json.loads(PROVENANCE.read_text(encoding="utf-8"))


def _pairs(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z0-9]+", " ".join(default_detector().normaliser.norms(text)))
    return frozenset(map(" ".join, zip(words, words[1:], strict=False))) or frozenset(words)


@lru_cache(maxsize=1)
def _training() -> tuple[list[tuple[str, int, frozenset[str]]], dict[str, list[int]]]:
    messages = [
        (file.name, row.line, _pairs(row.text))
        for file in training_files(DATA_DIR)
        for row in read_labelled(file)
    ]
    by_pair = defaultdict(list)
    for number, (_, _, pairs) in enumerate(messages):
        for pair in pairs:
            by_pair[pair].append(number)
    return messages, by_pair


def _near_duplicates(path: Path) -> list[str]:
    training, by_pair = _training()
    found = []
    for row in read_labelled(path):
        ours = _pairs(" ".join((*row.before, row.text)))
        shared: dict[int, int] = defaultdict(int)
        for pair in ours:
            for number in by_pair.get(pair, ()):
                shared[number] += 1
        for number, count in shared.items():
            file, line, theirs = training[number]
            if len(ours) >= 3 and count / len(ours | theirs) >= TOO_CLOSE:
                found.append(f"{path.name} line {row.line} is as good as {file} line {line}: reword one")
    return found


# The first of them reads every training message: two minutes with nothing beside it.
@pytest.mark.timeout(540)
@pytest.mark.parametrize("path", [HELD_OUT, FRESH, ANSWERS, PIECES, *NAMED], ids=lambda path: path.stem)
def test_no_evaluation_message_was_trained_on(path: Path) -> None:
    assert _near_duplicates(path) == []


def test_the_adapter_was_trained_on_the_data_as_it_stands() -> None:
    assert _provenance()["data_sha256"] == data_hash(DATA_DIR), (
        "data/risk/training changed after the adapter was trained: run earshot train-encoder"
    )


def test_the_adapter_and_its_provenance_lie_together() -> None:
    assert ADAPTER.is_file() and PROVENANCE.is_file()


@pytest.mark.parametrize(
    ("path", "measure", "least"),
    # One to two points under what docs/risk_model_card.md measured: a fall is noticed, not hidden.
    [
        (HELD_OUT, "sensitivity", 0.955), (HELD_OUT, "immediate recall", 0.96),
        (HELD_OUT, "specificity", 0.88),
        (HELD_OUT, "category recall", 0.93), (HELD_OUT, "about", 0.88),
        (FRESH, "sensitivity", 0.965), (FRESH, "immediate recall", 0.965), (FRESH, "specificity", 0.96),
        (FRESH, "category recall", 0.95), (FRESH, "about", 0.86),
        (ANSWERS, "sensitivity", 0.97), (ANSWERS, "immediate recall", 0.95), (ANSWERS, "specificity", 0.91),
        (PIECES, "sensitivity", 0.97), (PIECES, "immediate recall", 0.95), (PIECES, "specificity", 0.62),
    ],
)  # fmt: skip
def test_the_figures_of_the_card_hold(path: Path, measure: str, least: float) -> None:
    share = _report(path).figures()[measure]
    assert share.value is not None and share.value >= least


@pytest.mark.parametrize(("path", "most"), [(HELD_OUT, 0.12), (FRESH, 0.06), (PIECES, 0.3)])
def test_worries_are_not_escalated_more_than_the_card_says(path: Path, most: float) -> None:
    share = _report(path).figures()["over-escalation"]
    assert share.value is not None and share.value <= most


def test_a_disclosure_is_heard_after_any_question() -> None:
    risk = default_detector()
    heard = [
        o.row.text
        for o in _report(FRESH).outcomes
        if o.row.level.needs_person and o.finding.level.needs_person
    ]
    for asked in risk.data.questions:
        still = sum(risk.assess(text, Memory(asked=asked)).level.needs_person for text in heard[::4])
        assert still / len(heard[::4]) >= 0.92, f"{asked}: {still} of {len(heard[::4])}"


def test_the_answers_are_to_every_question_that_is_read_with_its_answer() -> None:
    rows = [o.row for o in _report(ANSWERS).outcomes]
    assert len(rows) >= 400 and {row.asked for row in rows} == set(default_detector().data.questions)


def test_the_thoughts_in_pieces_are_of_every_level_and_all_in_several_messages() -> None:
    rows = [o.row for o in _report(PIECES).outcomes]
    assert len(rows) >= 300 and len({row.level for row in rows}) == 4 and all(row.before for row in rows)


def test_every_disclosure_of_the_bbc_prompts_is_heard() -> None:
    figures = evaluate_file(HERE / "named" / "bbc_2018.jsonl").figures()
    assert figures["sensitivity"].value == 1.0
    assert figures["immediate recall"].value == 1.0


@pytest.mark.parametrize(
    ("name", "measure", "least"),
    [
        ("escalation_uk_child", "sensitivity", 0.9),
        ("friend", "sensitivity", 0.9),
        ("hyperbole", "specificity", 0.85),
        ("negation", "specificity", 0.8),
        ("neighbour", "sensitivity", 0.85),
        ("parent", "sensitivity", 0.9),
        ("textspeak", "sensitivity", 0.9),
        ("young_child", "sensitivity", 0.8),
    ],
)
def test_a_named_set_does_not_fall_behind(name: str, measure: str, least: float) -> None:
    share = evaluate_file(HERE / "named" / f"{name}.jsonl").figures()[measure]
    assert share.value is not None and share.value >= least


def test_a_thousand_messages_are_measured_in_a_minute() -> None:
    report = _report(HELD_OUT)
    assert report.seconds / len(report.outcomes) * 1_000 < 60


def test_the_held_out_set_has_every_level_and_speaker() -> None:
    rows = [o.row for o in _report(HELD_OUT).outcomes]
    assert len(rows) >= 800
    assert len({row.level for row in rows}) == 4 and len({row.about for row in rows}) == 4
