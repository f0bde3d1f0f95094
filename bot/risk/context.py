"""The conversation's layer: bare answers to what the bot asked, and "he did it again" after a disclosure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.risk.families import Answer, RiskData
from bot.risk.matching import Message, PhraseIndex, Span
from bot.risk.taxonomy import Evidence, Level, Memory

__all__ = ["ContextLayer"]

#: ``asked`` of an answer that holds whenever the conversation has already told of serious harm.
AFTER_DISCLOSURE = "after_disclosure"
#: An answer of a single word counts only if it begins this early in the message, or ends it.
FIRST_WORDS = 2
#: These answer a question only where nothing follows them: "he is", but not "he is at school".
_BARE_VERBS = frozenset({"am", "is", "are", "do", "does", "did", "has"})


class ContextLayer:
    """Reads ``data/risk/answers.yml`` against the question asked last."""

    def __init__(self, data: RiskData) -> None:
        self._answers = {answer.name: answer for answer in data.answers}
        entries = [(answer.name, phrase) for answer in data.answers for phrase in answer.phrases]
        self._index: PhraseIndex[str] = PhraseIndex(entries, data.negators)

    def evidence(self, message: Message, memory: Memory, so_far: Sequence[Evidence]) -> Iterator[Evidence]:
        """Evidence from answers that mean danger only in their place."""
        asked = {memory.asked} if memory.asked else set()
        if memory.level.needs_person:
            asked.add(AFTER_DISCLOSURE)
        if not asked:
            return
        meant = {name: answer for name, answer in self._answers.items() if not asked.isdisjoint(answer.asked)}
        found = [
            (meant[name], [span for span in spans if _answers(message, span, meant[name])])
            for name, spans in self._index.find(message).items()
            if name in meant
        ]
        # "Not right now he is at school" holds "right now he": what tells of no harm is read first.
        harmless = [span for answer, spans in found if answer.level is Level.NONE for span in spans]
        for answer, spans in found:
            counted = [span for span in spans if not any(map(span.meets, harmless))]
            if counted and answer.level is not Level.NONE:
                yield _evidence(message, min(counted, key=lambda span: span.start), answer, memory)


def _answers(message: Message, span: Span, answer: Answer) -> bool:
    last = span.end == len(message.words)
    if answer.alone:
        return last and span.start == 0
    bare = message.words[span.end - 1] in _BARE_VERBS
    if bare and not last:
        return False
    # "dad" alone answers a question; "i went with my dad to town" does not.
    return span.end - span.start > 1 or span.start < FIRST_WORDS or (last and not bare)


def _evidence(message: Message, span: Span, answer: Answer, memory: Memory) -> Evidence:
    start, end = message.offsets(span)
    return Evidence(
        layer="memory",
        family=answer.name,
        words=message.text[start:end],
        start=start,
        end=end,
        level=answer.level,
        categories=answer.categories or memory.categories,
    )
