"""Writes messages nobody wrote, for teachers to judge: some words give way to words used like them.

A pupil needs many more messages than anybody can label to come near its teacher (Jiao et al. 2020,
"TinyBERT"). What a swapped word does to the meaning is for the teachers to say; nothing is labelled here.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.nlu.base_model import load_weights
from bot.nlu.encoder import read_tokenizer
from bot.risk.training.data import without_label

__all__ = ["neighbours", "swapped"]

#: Words a word may give way to.
NEAREST = 12
#: Shares of the words of a message that give way, and that are left out.
SWAPPED, DROPPED = 0.25, 0.05


def neighbours(base: Path, words: set[str]) -> dict[str, list[str]]:
    """The words nearest to each of ``words`` in the encoder's own table of word vectors.

    Args:
        base: folder with ``model.safetensors`` and ``tokenizer.json``.
        words: their case and punctuation around them are ignored; those that are not one whole piece of the
            tokenizer are left out.
    """
    vocabulary = read_tokenizer(base).get_vocab()
    whole = sorted(word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 1)
    vectors = load_weights(base)["embeddings.word_embeddings.weight"]
    table = vectors[[vocabulary[word] for word in whole]].astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    sought = {_bare(word) for word in words}
    found = {}
    for place, word in enumerate(whole):
        if word in sought:
            near = np.argsort(-(table @ table[place]))[1 : NEAREST + 1]
            found[word] = [whole[i] for i in near]
    return found


def swapped(
    rows: Sequence[Mapping[str, Any]], near: Mapping[str, Sequence[str]], seed: int, most: int = 95_000
) -> list[dict[str, Any]]:
    """Messages with words swapped and dropped, as lines of the trainer without a label.

    Args:
        rows: lines as :func:`bot.risk.training.data.prepare` writes them.
        near: what :func:`neighbours` found.
        seed: of the choice.
        most: how many are kept.
    """
    rng = random.Random(seed)  # noqa: S311 - a choice of words, not a secret
    texts = dict.fromkeys(_swap(row["copies"][0], near, rng) for _ in range(3) for row in rows)
    plain = {row["copies"][0] for row in rows}
    return without_label([text for text in texts if text and text not in plain], rng, most)


def _swap(text: str, near: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    words = []
    for word in text.split():
        bare = _bare(word)
        if rng.random() < DROPPED:
            continue
        if bare in near and rng.random() < SWAPPED:
            word = word.lower().replace(bare, rng.choice(near[bare]))
        words.append(word)
    return " ".join(words)


def _bare(word: str) -> str:
    return word.strip(".,!?").lower()
