"""What somebody looks for, understood from their own words: ``data/directory/needs.yml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rapidfuzz.distance import OSA

from bot.data_files import DataFileError, read_yaml
from bot.settings import ROOT

#: The need that stands for any: what is offered when nothing fits better.
ANY_NEED = "family"
#: How firmly a service meets a need: it is what the service is for, it is filed for it, or it mentions it.
MADE_FOR, MEETS, MENTIONS = 3, 2, 1
_LONGEST = 7  # words of the longest phrase looked for


class DirectoryDataError(Exception):
    """A file of data/directory is wrong; the message names file, entry and remedy."""


@dataclass(frozen=True)
class Need:
    """One thing parents look for."""

    id: str
    title: str
    words: tuple[str, ...]
    terms: tuple[str, ...]
    topics: tuple[str, ...]


def tokens(text: str) -> list[str]:
    """Plain words of a text: small letters, no apostrophes, plural endings off."""
    plain = text.casefold().replace("'", "").replace("\u2019", "")
    return [_stem(word) for word in re.findall(r"[a-z0-9]+", plain)]


class Needs:
    """Every need, and the words that tell of it."""

    def __init__(self, needs: Iterable[Need]) -> None:
        self._needs = {need.id: need for need in needs}
        self._phrases: dict[tuple[str, ...], set[str]] = {}
        self._terms: dict[tuple[str, ...], set[str]] = {}
        self._topics: dict[str, list[str]] = {}
        for need in self:
            for words in (*need.words, *need.terms, need.title):
                self._phrases.setdefault(tuple(tokens(words)), set()).add(need.id)
            for words in (*need.terms, need.title, need.id.replace("_", " ")):
                self._terms.setdefault(tuple(tokens(words)), set()).add(need.id)
            for topic in need.topics:
                self._topics.setdefault(topic, []).append(need.id)
        self._by_letter: dict[str, list[str]] = {}
        self._known = {word for phrase in self._phrases for word in phrase}
        for word in sorted(self._known):
            if len(word) >= 5:
                self._by_letter.setdefault(word[0], []).append(word)

    @classmethod
    def load(cls, folder: Path = ROOT / "data" / "directory") -> Needs:
        """Read ``needs.yml``.

        Raises:
            DirectoryDataError: it is missing, unreadable, or an entry is wrong.
        """
        path = folder / "needs.yml"
        try:
            document = read_yaml(path)
        except DataFileError as error:
            raise DirectoryDataError(str(error)) from None
        entries = document.get("needs") if isinstance(document, Mapping) else None
        if not isinstance(entries, list):
            raise DirectoryDataError(f"{path.name}: has no list 'needs:'.")
        needs = [_need(path.name, entry) for entry in entries]
        ids = [need.id for need in needs]
        if len(set(ids)) < len(ids) or ANY_NEED not in ids:
            raise DirectoryDataError(f"{path.name}: every id once, and one of them '{ANY_NEED}'.")
        return cls(needs)

    def __iter__(self) -> Iterator[Need]:
        return iter(self._needs.values())

    def __contains__(self, need: str) -> bool:
        return need in self._needs

    def title(self, need: str) -> str:
        """What a need is called."""
        return self._needs[need].title

    def of_topic(self, topic: str) -> list[str]:
        """The needs that a worry points to (the names of ``utter_hear_…``)."""
        return list(self._topics.get(topic, ()))

    def find(self, text: str) -> list[str]:
        """The needs somebody's words tell of, the likeliest first. Small slips of spelling do not matter."""
        found = self._found(tokens(text[:2000]))
        if not found:
            found = self._found([self._spelt(word) for word in tokens(text[:2000])])
        return sorted(found, key=lambda need: -found[need])

    def met_by(self, name: str, terms: Iterable[str], description: str) -> dict[str, int]:
        """The needs that a service meets, and how firmly."""
        met = {need: MENTIONS for need in self._found(tokens(description[:3000]))}
        for term in terms:
            words = tuple(tokens(term))
            met.update({need: MEETS for need in self._terms.get(words) or self._found(list(words))})
        met.update({need: MADE_FOR for need in self._found(tokens(name))})
        return met

    def _found(self, words: list[str]) -> dict[str, int]:
        """Needs and the number of words of the phrases that told of them; longer phrases first."""
        found: dict[str, int] = {}
        taken = [False] * len(words)
        for size in range(min(_LONGEST, len(words)), 0, -1):
            for start in range(len(words) - size + 1):
                needs = self._phrases.get(tuple(words[start : start + size]))
                if not needs or all(taken[start : start + size]):
                    continue
                taken[start : start + size] = [True] * size
                for need in needs:
                    found[need] = found.get(need, 0) + size * size
        return found

    def _spelt(self, word: str) -> str:
        if len(word) < 5 or word in self._known:
            return word
        allowed = 1 if len(word) < 8 else 2
        # The first letter is seldom wrong, and keeping it keeps "house" from being "mouse".
        near = ((OSA.distance(word, k, score_cutoff=allowed), k) for k in self._by_letter.get(word[0], ()))
        best = min(near, default=(allowed + 1, word))
        return best[1] if best[0] <= allowed else word


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _need(file: str, entry: Any) -> Need:
    if not isinstance(entry, Mapping) or not all(entry.get(name) for name in ("id", "title", "words")):
        raise DirectoryDataError(f"{file}: an entry lacks id, title or words: {str(entry)[:60]}")
    lists = [entry.get(name) or [] for name in ("words", "terms", "topics")]
    for words in lists:
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise DirectoryDataError(
                f"{file}: words, terms and topics of {entry['id']} should be lists of words."
            )
        if any(len(tokens(word)) > _LONGEST for word in words):
            raise DirectoryDataError(f"{file}: {entry['id']} has a phrase of more than {_LONGEST} words.")
    return Need(str(entry["id"]), str(entry["title"]), *map(tuple, lists))
