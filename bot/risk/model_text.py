"""The form in which the tuned encoder reads a message, at run time and in training alike.

Words are read in their normal form (typos, text-speak and evasive spelling undone), with the commas, full
stops, question marks and quotation marks that stood between them. Greetings before, and laughter or kisses
after, say nothing about harm and are left out, so that "lol" can never talk a disclosure down. An answer is
read with its question before it: "hes not here" tells one thing after "are you safe?", and another alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.risk.matching import Message, Span

__all__ = ["Window", "after", "read", "windows"]

#: Longest stretch read at once, in words: about 120 word pieces, under the encoder's 128.
LONGEST = 80
#: Words two neighbouring stretches share.
OVERLAP = 30
#: Sentences of fewer words are read with the next: "He did." alone tells nothing.
FEWEST = 4
#: At most so many stretches of one message are read: the first and the last. The phrases read all of it.
MOST = 40

_BEFORE = frozenset(
    "hi hello hey hiya heya yo hullo morning evening lol lmao haha hahaha um umm er erm so well ok x".split()
)
_AFTER = frozenset("lol lmao rofl jk haha hahaha hahahaha hehe thanks x xx xxx xo xoxo".split())
_MARKS = {"?": "?", ",": ",", ";": ",", ":": ",", "!": ".", ".": ".", "\n": ".", "…": "."}
_QUOTES = '"“”«»'


@dataclass(frozen=True)
class Window:
    """A stretch of a message as the encoder reads it.

    ``text`` is the reading; ``span`` numbers the words it covers; ``whole`` says that it is all of the
    message, or as much of a long one as can be read at once, and not a sentence out of its context.
    """

    text: str
    span: Span
    whole: bool


def read(message: Message, question: str = "") -> str:
    """The whole message as one reading, for training; empty if nothing is left to read.

    Args:
        message: the message.
        question: what it answers, in plain words, if anything.
    """
    span = _bare(message, Span(0, len(message.words)))
    return after(question, _reading(message, span))


def windows(message: Message, question: str = "") -> list[Window]:
    """Every stretch of a message the encoder reads: the whole after its question, and each sentence."""
    whole = _bare(message, Span(0, len(message.words)))
    if whole.end <= whole.start:
        return []
    spans = _cut(whole)
    found = [Window(after(question, _reading(message, span)), span, True) for span in spans]
    sentences = _sentences(message, whole)
    if len(sentences) > 1:
        for sentence in sentences:
            found += [Window(_reading(message, span), span, False) for span in _cut(sentence)]
    unique = list({window.span: window for window in found if window.text}.values())
    if len(unique) > MOST:
        unique.sort(key=lambda w: w.span.start)
        unique = [*unique[: MOST // 2], *unique[-MOST // 2 :]]
    return unique


def after(question: str, reading: str) -> str:
    """A reading as the answer to a question, both in plain words; as it is where either is empty."""
    return f"{question}? {reading}" if question and reading else reading


def _sentences(message: Message, whole: Span) -> list[Span]:
    found: list[Span] = []
    start = whole.start
    for sentence in message.sentences:
        if sentence.end <= whole.start or sentence.start >= whole.end:
            continue
        end = min(sentence.end, whole.end)
        bare = _bare(message, Span(start, end))
        if bare.end - bare.start >= FEWEST:
            found.append(bare)
            start = end
    if found and start < whole.end:
        # A short last sentence belongs to the one before it.
        found[-1] = Span(found[-1].start, whole.end)
    return found


def _cut(span: Span) -> list[Span]:
    """A span as stretches of at most :data:`LONGEST` words."""
    found = []
    start = span.start
    while span.end - start > LONGEST:
        found.append(Span(start, start + LONGEST))
        start += LONGEST - OVERLAP
    return [*found, Span(start, span.end)]


def _bare(message: Message, span: Span) -> Span:
    """The span without greetings before and laughter after."""
    start, end = span.start, span.end
    while start < end and message.words[start] in _BEFORE:
        start += 1
    if span.start < start < end and message.words[start] == "there":
        start += 1  # "hello there"
    while end > start and message.words[end - 1] in _AFTER:
        end -= 1
    return Span(start, end)


def _reading(message: Message, span: Span) -> str:
    parts: list[str] = []
    last = None
    for position in range(span.start, span.end):
        source = message.sources[position]
        if last is not None and source is not last:
            parts.append(_marks(message.text[last.end : source.start]))
        parts.append((" " if parts and not parts[-1].endswith(" ") else "") + message.words[position])
        last = source
    if last is not None:
        after = message.text[last.end : last.end + 3]
        parts.append("?" if "?" in after else "")
    return "".join(parts).strip()


def _marks(between: str) -> str:
    mark = next((_MARKS[c] for c in between if c in _MARKS), "")
    quote = ' "' if any(c in _QUOTES for c in between) else ""
    return f"{mark}{quote}"
