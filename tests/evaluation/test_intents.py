"""The file the intents are measured on: nobody's training data, and the bar it is held to."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import yaml

from bot.nlu.normaliser import Normaliser
from bot.operate.intents import IntentReport, evaluate_file, read_file

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("intents.jsonl")
NLU = ROOT / "data" / "nlu"

#: Share of words two messages have in common from which one is a near duplicate of the other.
TOO_ALIKE = 0.8


@pytest.fixture(scope="module")
def examples() -> dict[str, list[str]]:
    """Every training example by its intent, as typed, without the marks of entities."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(NLU.glob("*.yml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")).get("nlu") or []:
            if "intent" in entry:
                lines = entry["examples"].splitlines()
                found[entry["intent"]] += [re.sub(r"\[([^\]]+)\]\(\w+\)", r"\1", x[2:]) for x in lines]
    return found


@pytest.fixture(scope="module")
def plain() -> Normaliser:
    return Normaliser.load(ROOT / "data")


def words(plain: Normaliser, text: str) -> frozenset[str]:
    """The plain words of a message; for one without words (an emoji, another script) the message itself."""
    normal = " ".join(word.norm for word in plain.words(text)).lower()
    return frozenset(re.findall(r"[^\W_]+", normal)) or frozenset({text.strip()})


def test_no_message_is_a_near_duplicate_of_a_training_example(examples, plain) -> None:
    holders: dict[str, list[frozenset[str]]] = defaultdict(list)
    for bag in {words(plain, text) for texts in examples.values() for text in texts}:
        for word in bag:
            holders[word].append(bag)
    alike = [
        text
        for text, _ in read_file(FILE)
        for bag in [words(plain, text)]
        if any(len(bag & b) / len(bag | b) >= TOO_ALIKE for word in bag for b in holders[word])
    ]
    assert alike == []


def test_no_message_is_in_the_file_twice(plain) -> None:
    counted = Counter(words(plain, text) for text, _ in read_file(FILE))
    assert [bag for bag, times in counted.items() if times > 1] == []


def test_every_intent_is_measured_and_out_of_scope_widely() -> None:
    domain = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
    counted = Counter(intent for _, intent in read_file(FILE))
    assert set(counted) == set(domain["intents"])
    assert counted["out_of_scope"] >= 100
    assert min(counted.values()) >= 8


def test_every_intent_has_examples_enough(examples) -> None:
    domain = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
    assert set(examples) == set(domain["intents"])
    assert len(examples) >= 45
    assert min(len(texts) for texts in examples.values()) >= 55


def test_no_text_is_an_example_of_two_intents(examples) -> None:
    holders: dict[str, set[str]] = defaultdict(set)
    for intent, texts in examples.items():
        for text in texts:
            holders[text.lower()].add(intent)
    assert {text: intents for text, intents in holders.items() if len(intents) > 1} == {}


@pytest.fixture(scope="module")
def report() -> IntentReport:
    """The trained model's answers to the whole file."""
    return evaluate_file(FILE)


def test_nine_in_ten_messages_get_their_intent(report) -> None:
    hits, total = report.in_scope
    assert hits / total >= 0.90, report.confusions()


def test_nine_in_ten_messages_out_of_scope_are_known_as_such(report) -> None:
    hits, total = report.out_of_scope
    assert hits / total >= 0.90, report.confusions()
