"""The labelled messages the encoder is tuned on: read, checked, split by scenario, and written out."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.data_files import read_yaml
from bot.risk.detector import Detector
from bot.risk.families import RiskData
from bot.risk.labelled import Labelled, read_labelled
from bot.risk.matching import Message
from bot.risk.model_text import read
from bot.risk.taxonomy import About, Category, Level
from bot.risk.training.noise import dress, noisy

__all__ = [
    "VALIDATION_SHARE",
    "data_hash",
    "everyday_examples",
    "examples",
    "hardest",
    "held_out",
    "level_chances",
    "phrase_examples",
    "prepare",
    "retyped",
    "training_files",
    "unlabelled",
    "unsilenced_examples",
    "without_label",
]

#: The share of scenarios kept back; all messages of one scenario stand on the same side.
VALIDATION_SHARE = 0.12
#: How many differently typed copies of a message training draws from.
COPIES = 6
#: How hard a message counts at most and at least where the hardest are drawn, in nats of surprise. What
#: surprises more may be labelled wrongly; what does not surprise at all is to be remembered.
MOST_SURPRISE, LEAST_SURPRISE = 1.5, 0.12


@dataclass(frozen=True)
class Example:
    """A message to learn from; ``weight`` is its share in the loss."""

    row: Labelled
    scenario: str
    weight: float = 1.0


def training_files(data_dir: Path) -> list[Path]:
    """The files of ``data/risk/training``, in a fixed order."""
    return sorted((data_dir / "risk" / "training").glob("*.jsonl"))


def data_hash(data_dir: Path) -> str:
    """sha256 over the names and bytes of the training files; the adapter's provenance names it."""
    digest = hashlib.sha256()
    for path in training_files(data_dir):
        digest.update(path.name.encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def examples(data_dir: Path) -> list[Example]:
    """Every labelled message of the training files.

    Raises:
        LabelError: a line that cannot be used.
    """
    found = []
    for path in training_files(data_dir):
        for row in read_labelled(path):
            found.append(Example(row, row.scenario or f"{path.stem}-line-{row.line}"))
    return found


def phrase_examples(data: RiskData) -> Iterator[Example]:
    """The examples of phrase families and guards whose level their file tells.

    A family's ``must_match`` has at least the family's level; what a guard calls innocent needs nobody.
    """
    for family in data.families:
        if family.level.needs_person and not family.needs:
            for text in family.must_match:
                row = Labelled(
                    text, family.level, family.categories, family.about or About.SELF, "phrase", "", 0
                )
                yield Example(row, f"phrase-{family.name}", 0.5)
    for guard in data.guards:
        for text in guard.innocent:
            yield Example(
                Labelled(text, Level.NONE, (), About.SELF, "phrase", "", 0), f"guard-{guard.name}", 0.5
            )


def unsilenced_examples(words: Detector) -> Iterator[Example]:
    """What no guard may silence (``still_heard``), with the level and categories that the phrases give it."""
    for guard in words.data.guards:
        for text in guard.still_heard:
            heard = words.assess(text)
            if heard.level.needs_person:
                row = Labelled(text, heard.level, heard.categories, heard.about, "phrase", "", 0)
                yield Example(row, f"still-{guard.name}", 0.5)


#: Files of ``data/nlu`` whose examples tell of no worry: what people say to a chat, whatever is wrong.
EVERYDAY = ("doors", "small_talk", "privacy", "next_steps", "person", "stop_delete", "fallback")


def everyday_examples(data_dir: Path, words: Detector) -> Iterator[Example]:
    """What people say to the bot in passing ("who reads this", "bye"), as messages that need nobody.

    An example in which the phrases hear a worry after all is left out.
    """
    for name in EVERYDAY:
        for block in read_yaml(data_dir / "nlu" / f"{name}.yml")["nlu"]:
            lines = [line.strip()[2:] for line in block["examples"].splitlines() if line.strip()]
            for text in lines if "intent" in block else ():
                if text and words.assess(text).level is Level.NONE:
                    row = Labelled(text, Level.NONE, (), About.SELF, "everyday", "", 0)
                    yield Example(row, f"everyday-{text.casefold()}", 0.5)


def held_out(scenario: str, seed: int) -> bool:
    """Whether a scenario is kept back for validation: the same answer everywhere, for one seed."""
    digest = hashlib.sha256(f"{seed}:{scenario}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < VALIDATION_SHARE


def prepare(found: Sequence[Example], data: RiskData, path: Path, seed: int) -> None:
    """Write what the trainer reads: one JSON object a line, with copies in the encoder's reading.

    Raises:
        KeyError: an answer to a question that ``data/risk/answers.yml`` does not hold.
    """
    rng = random.Random(seed)  # noqa: S311 - noise, not a secret
    unasked = [e.row for e in found if not e.row.asked]
    harmless = [row.text for row in unasked if row.level is Level.NONE and len(row.text) < 120]

    def reading(text: str, row: Labelled) -> str:
        return read(
            Message(text, data.normaliser.words(text)), data.questions[row.asked] if row.asked else ""
        )

    with path.open("w", encoding="utf-8") as file:
        for example in found:
            row = example.row
            copies = [reading(row.text, row)]
            for _ in range(COPIES):
                typed = noisy(row.text, rng)
                typed = typed if row.asked else dress(typed, rng.choice(harmless), rng)
                copies.append(reading(typed, row))
            line: dict[str, Any] = {
                "copies": copies,
                "level": row.level.rank,
                "categories": [list(Category).index(c) for c in row.categories],
                "about": list(About).index(row.about),
                "weight": example.weight,
                # Of an answer only its level was labelled: what it is about was said before.
                "level_only": bool(row.asked),
            }
            file.write(json.dumps(line) + "\n")


def hardest(rows: Sequence[dict[str, Any]], told: np.ndarray, seed: int, most: int) -> list[dict[str, Any]]:
    """The messages an encoder is least sure of, and some of the others, in their old order.

    Drawn without replacement (Efraimidis and Spirakis 2006): the less chance it gave the true level, the
    likelier a message is drawn, so that one wrong label cannot be sure of its place.

    Args:
        rows: lines as :func:`prepare` writes them.
        told: what the encoder made of each of the ``rows`` as it stands [row, score].
        seed: of the draw.
        most: how many are kept.
    """
    surprise = -np.log(level_chances(told)[np.arange(len(rows)), [row["level"] for row in rows]] + 1e-9)
    weights = np.minimum(surprise, MOST_SURPRISE) + LEAST_SURPRISE
    keys = np.random.default_rng(seed).random(len(rows)) ** (1 / weights)
    return [rows[i] for i in sorted(np.argsort(-keys)[:most])]


def level_chances(told: np.ndarray) -> np.ndarray:
    """The chance of each level [row, level], from an encoder's scores [row, score]."""
    scores = told[:, : len(Level)].astype(np.float64)
    odds = np.exp(scores - scores.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def unlabelled(rows: Sequence[Mapping[str, Any]], seed: int, most: int = 30_000) -> list[dict[str, Any]]:
    """Stretches of messages, and two messages run together, as lines of the trainer without a label.

    Only teachers say what they tell: a sentence out of its context, and a worry between other things.

    Args:
        rows: lines as :func:`prepare` writes them.
        seed: of the choice.
        most: how many are kept.
    """
    rng = random.Random(seed)  # noqa: S311 - a choice of messages, not a secret
    texts = []
    for row in rows:
        words = row["copies"][0].split()
        if len(words) >= 12:
            length = rng.randint(5, len(words) - 3)
            start = rng.randint(0, len(words) - length)
            texts.append(" ".join(words[start : start + length]))
        other = rng.choice(rows)["copies"][rng.choice((0, 1, 2))]
        if len(words) + len(other.split()) < 70:
            pair = [row["copies"][0], other]
            rng.shuffle(pair)
            texts.append(". ".join(pair))
    return without_label(texts, rng, most)


def retyped(rows: Sequence[Mapping[str, Any]], seed: int, most: int = 20_000) -> list[dict[str, Any]]:
    """Further copies of messages as others might have typed them, as lines of the trainer without a label.

    The first two of each are asked about with the message itself (``TAUGHT_COPIES`` of the trainer).
    """
    rng = random.Random(seed)  # noqa: S311 - a choice of messages, not a secret
    return without_label([copy for row in rows for copy in row["copies"][2:4]], rng, most)


def without_label(texts: list[str], rng: random.Random, most: int) -> list[dict[str, Any]]:
    """At most so many of the texts, chosen by ``rng``, as lines of the trainer that only teachers judge."""
    rng.shuffle(texts)
    return [{"copies": [t], "level": 0, "categories": [], "about": 0, "weight": 0.0} for t in texts[:most]]
