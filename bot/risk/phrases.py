"""The phrase language of ``data/risk``: plain words, read by people, matched on tokens and lemmas.

===============  =========================================================================
``dad hits me``  these words, one after the other, in plain spelling
``hits|kicks``   one of these words
``<carer>``      any member of the word set of that name in ``words.yml``
``~hit``         any form of the word: hit, hits, hitting
``(a b|c)``      one of these, where one may be several words
``[really]``     this, or nothing; what is inside may be ``a|b``, a set or several words
``..``  ``...``  a gap of up to two, or up to four, other words; never over the end of a sentence
                 and never over a "not", "never" or "nobody"
===============  =========================================================================

Phrases are read by the same normaliser as messages, so ``don't`` in a phrase also finds "dont" and
"dnt", and a phrase must hold plain spelling only.

Why not spaCy's Matcher: it has no choice between words and *several* words, so a phrase must be
multiplied out into token patterns. The first 124 phrases of ``data/risk`` came to more than 10,000
patterns for one phrase alone. Here a phrase is walked piece by piece, each piece one table look-up.
Forms of a word come from spaCy's lemma tables (``spacy-lookups-data``).
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path

__all__ = ["Element", "Phrase", "PhraseError", "Vocabulary", "parse"]

#: A word or several in a row.
Option = tuple[str, ...]

GAPS = {"..": 2, "...": 4}
_PIECE = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|\S+")


class PhraseError(ValueError):
    """A phrase that cannot be read. ``problem`` and ``remedy`` are for the person who wrote it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True)
class Element:
    """One piece of a phrase: a choice of words, or a gap of up to ``gap`` words."""

    options: frozenset[Option] = frozenset()
    optional: bool = False
    gap: int = 0

    @cached_property
    def first_words(self) -> frozenset[str]:
        """The words one of which a message must hold for this piece to be found."""
        return frozenset(option[0] for option in self.options)

    @cached_property
    def _by_first(self) -> dict[str, list[Option]]:
        table: dict[str, list[Option]] = defaultdict(list)
        for option in self.options:
            table[option[0]].append(option)
        return table

    def ends(self, words: Sequence[str], start: int, negators: Collection[str]) -> Iterator[int]:
        """Every place this piece can end if it begins at ``start``."""
        if self.gap:
            yield start
            for position in range(start, min(start + self.gap, len(words))):
                if words[position] in negators:
                    return
                yield position + 1
            return
        if self.optional:
            yield start
        if start < len(words):
            for option in self._by_first.get(words[start], ()):
                end = start + len(option)
                if len(option) == 1 or tuple(words[start:end]) == option:
                    yield end


@dataclass(frozen=True)
class Phrase:
    """A phrase as written and as read."""

    source: str
    elements: tuple[Element, ...]

    @cached_property
    def required(self) -> tuple[frozenset[str], ...]:
        """For every piece that cannot be left out, the words one of which must be there."""
        return tuple(e.first_words for e in self.elements if e.options and not e.optional)

    @cached_property
    def _starters(self) -> frozenset[str]:
        starters: frozenset[str] = frozenset()
        for element in self.elements:
            starters |= element.first_words
            if not element.optional:
                break
        return starters

    def spans(self, words: Sequence[str], negators: Collection[str]) -> Iterator[tuple[int, int]]:
        """Every stretch of ``words``, from start up to but not with end, that this phrase matches."""
        for start, word in enumerate(words):
            if word not in self._starters:
                continue
            places = {start}
            for element in self.elements:
                places = {end for place in places for end in element.ends(words, place, negators)}
                if not places:
                    break
            for end in places:
                yield start, end


class Vocabulary:
    """The named word sets, and how words are read in plain form.

    Args:
        sets: name of a set to its members as written.
        read: text to its plain words, from the normaliser; kept as an attribute.
    """

    def __init__(self, sets: Mapping[str, Iterable[str]], read: Callable[[str], list[str]]) -> None:
        self._sources = sets
        self.read = read
        self._sets: dict[str, frozenset[Option]] = {}
        self._open: list[str] = []

    def members(self, name: str) -> frozenset[Option]:
        """The members of a set, sets within it included.

        Raises:
            PhraseError: there is no such set, it is empty, or it holds itself.
        """
        if name in self._sets:
            return self._sets[name]
        if name not in self._sources:
            raise PhraseError(
                f"there is no word set <{name}>.", "Correct the name, or add the set to words.yml."
            )
        if name in self._open:
            raise PhraseError(f"the word set <{name}> holds itself.", "Take it out of its own members.")
        self._open.append(name)
        members = frozenset(o for member in self._sources[name] for o in self.options(str(member)))
        self._open.pop()
        if not members:
            raise PhraseError(f"the word set <{name}> is empty.", "Give it at least one word.")
        self._sets[name] = members
        return members

    def options(self, text: str) -> frozenset[Option]:
        """What ``a|b c|<set>|~word`` stands for."""
        found: set[Option] = set()
        for alternative in text.split("|"):
            parts = [self._part(part) for part in alternative.split()]
            if not parts:
                raise PhraseError(
                    f"there is nothing on one side of a | in “{text}”.", "Write a word there, or take | out."
                )
            found.update(sum(combined, ()) for combined in product(*parts))
        return frozenset(found)

    def _part(self, part: str) -> frozenset[Option]:
        if part.startswith("<") and part.endswith(">"):
            return self.members(part[1:-1])
        if part.startswith("~"):
            return frozenset((form,) for form in forms(part[1:].lower()))
        if not re.fullmatch(r"[\w'’\-/]+", part):
            raise PhraseError(
                f"“{part}” holds a sign that means nothing here.", "Use words, | < > [ ] ( ) ~ ..."
            )
        words = tuple(self.read(part))
        if not words:
            raise PhraseError(f"“{part}” is not a word.", "Write a word.")
        return frozenset([words])


def parse(source: str, vocabulary: Vocabulary) -> Phrase:
    """Read one phrase.

    Raises:
        PhraseError: it is empty, names an unknown set, or is not written as the language asks.
    """
    elements: list[Element] = []
    for piece in _PIECE.findall(source):
        if piece in GAPS:
            elements.append(Element(gap=GAPS[piece]))
        elif piece.startswith("["):
            elements.append(Element(vocabulary.options(piece[1:-1]), optional=True))
        elif piece.startswith("("):
            elements.append(Element(vocabulary.options(piece[1:-1])))
        else:
            elements.append(Element(vocabulary.options(piece)))
    if not elements or all(e.optional or e.gap for e in elements):
        raise PhraseError(
            "the phrase has no word that must be there.", "Write at least one word outside [ ]."
        )
    if elements[0].gap or elements[-1].gap:
        raise PhraseError("a gap stands at the beginning or the end.", "Take the dots out there.")
    return Phrase(source, tuple(elements))


@lru_cache(maxsize=4096)
def forms(lemma: str) -> frozenset[str]:
    """All forms of a word, by the English lookup table of ``spacy-lookups-data``, itself included."""
    return frozenset({lemma, *_inflections().get(lemma, ())})


@lru_cache(maxsize=1)
def _inflections() -> dict[str, list[str]]:
    import spacy_lookups_data

    path = Path(spacy_lookups_data.__file__).parent / "data" / "en_lemma_lookup.json.gz"
    table: dict[str, list[str]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for form, lemma in json.load(file).items():
            table[lemma].append(form)
    return table
