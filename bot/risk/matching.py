"""Finds phrases in the words of a message, fast enough for thousands of phrases.

A phrase is only looked for when the message holds one word of each of its required pieces.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Generic, TypeVar

from bot.nlu.normaliser import Word
from bot.risk.phrases import Phrase

__all__ = ["Message", "PhraseIndex", "Span"]

T = TypeVar("T")

#: Sentences longer than this are read in windows, so that time grows with length and no faster.
WINDOW = 80
#: Words two windows share: more than the longest phrase spans.
OVERLAP = 30
#: At most so many other readings of one message are looked at.
MOST_READINGS = 16
_SENTENCE_END = re.compile(r"[!?;\n]|(?<!\.)\.(?!\.)")


@dataclass(frozen=True)
class Span:
    """A stretch of a message: word numbers from ``start`` up to but not with ``end``."""

    start: int
    end: int

    def meets(self, other: Span) -> bool:
        """Whether the two have a word in common."""
        return self.start < other.end and other.start < self.end


class Message:
    """A message as plain words, cut into sentences.

    Attributes:
        text: as typed.
        words: plain words; ``words[i]`` came from ``sources[i]``.
        sentences: spans of ``words``.
    """

    def __init__(self, text: str, words: Sequence[Word]) -> None:
        self.text = text
        self._read_from = tuple(words)
        self.words: list[str] = []
        self.sources: list[Word] = []
        self.sentences: list[Span] = []
        begin = 0
        end_of_last = 0
        for word in words:
            if len(self.words) > begin and _SENTENCE_END.search(text, end_of_last, word.start):
                self.sentences.append(Span(begin, len(self.words)))
                begin = len(self.words)
            for part in word.norm.split():
                self.words.append(part)
                self.sources.append(word)
            end_of_last = word.end
        if len(self.words) > begin:
            self.sentences.append(Span(begin, len(self.words)))

    def meant(self, known: Set[str]) -> Iterator[Message]:
        """The message with one misspelt word read in another way, for each way that is in ``known``."""
        others = (
            (n, other)
            for n, word in enumerate(self._read_from)
            for other in word.others
            if known.issuperset(other.split())
        )
        for n, other in islice(others, MOST_READINGS):
            word = replace(self._read_from[n], norm=other, others=())
            yield Message(self.text, [*self._read_from[:n], word, *self._read_from[n + 1 :]])

    def windows(self) -> Iterator[Span]:
        """The sentences, those too long cut into overlapping windows."""
        for sentence in self.sentences:
            start = sentence.start
            while sentence.end - start > WINDOW:
                yield Span(start, start + WINDOW)
                start += WINDOW - OVERLAP
            yield Span(start, sentence.end)

    def offsets(self, span: Span) -> tuple[int, int]:
        """Character offsets of a span in the text as typed."""
        return self.sources[span.start].start, self.sources[span.end - 1].end


class PhraseIndex(Generic[T]):
    """Phrases of many owners (families, guards ...), found together in one pass."""

    def __init__(self, entries: Iterable[tuple[T, Phrase]], negators: Iterable[str]) -> None:
        self._negators = frozenset(negators)
        self._entries = list(entries)
        # A phrase is filed under its rarest piece, so that common words wake few phrases.
        uses = Counter(word for _, phrase in self._entries for words in phrase.required for word in words)
        self._by_word: dict[str, list[int]] = defaultdict(list)
        for number, (_, phrase) in enumerate(self._entries):
            for word in min(phrase.required, key=lambda words: sum(uses[word] for word in words)):
                self._by_word[word].append(number)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word that stands in a phrase."""
        elements = (element for _, phrase in self._entries for element in phrase.elements)
        return frozenset(word for element in elements for option in element.options for word in option)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, message: Message) -> dict[T, set[Span]]:
        """Every span of the message that a phrase matches, by owner."""
        found: dict[T, set[Span]] = defaultdict(set)
        for window in message.windows():
            words = message.words[window.start : window.end]
            here = set(words)
            for number in {number for word in here for number in self._by_word.get(word, ())}:
                owner, phrase = self._entries[number]
                if any(here.isdisjoint(piece) for piece in phrase.required):
                    continue
                for start, end in phrase.spans(words, self._negators):
                    found[owner].add(Span(window.start + start, window.start + end))
        return found
