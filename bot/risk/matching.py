"""Finds phrases in the words of a message, fast enough for thousands of phrases.

A phrase is only looked for when the message holds one word of each of its required pieces.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.nlu.normaliser import Word
from bot.risk.phrases import Phrase

__all__ = ["Message", "PhraseIndex", "Span"]

T = TypeVar("T")

#: Sentences longer than this are read in windows, so that time grows with length and no faster.
WINDOW = 80
#: Words two windows share: more than the longest phrase spans.
OVERLAP = 30
_SENTENCE_END = re.compile(r"[!?;\n]|(?<!\.)\.(?!\.)")


@dataclass(frozen=True)
class Span:
    """A stretch of a message: word numbers from ``start`` up to but not with ``end``."""

    start: int
    end: int


class Message:
    """A message as plain words, cut into sentences.

    Attributes:
        text: as typed.
        words: plain words; ``words[i]`` came from ``sources[i]``.
        sentences: spans of ``words``.
    """

    def __init__(self, text: str, words: Sequence[Word]) -> None:
        self.text = text
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
