"""The conversation's layer: bare answers to what the bot asked, and "he did it again" after a disclosure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.risk.families import Answer, RiskData
from bot.risk.matching import Message, PhraseIndex, Span
from bot.risk.taxonomy import Evidence, Memory

__all__ = ["ContextLayer"]

#: ``asked`` of an answer that holds whenever the conversation has already told of serious harm.
AFTER_DISCLOSURE = "after_disclosure"
#: An answer of a single word counts only if it begins this early in the message.
FIRST_WORDS = 2
#: These answer a question only where nothing follows them: "he is", but not "he is at school".
_BARE_VERBS = frozenset({"am", "is", "are"})


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
        for name, spans in self._index.find(message).items():
            answer: Answer = self._answers[name]
            if asked.isdisjoint(answer.asked):
                continue
            counted = [span for span in spans if _answers(message, span)]
            if not counted:
                continue
            start, end = message.offsets(min(counted, key=lambda s: s.start))
            yield Evidence(
                layer="memory",
                family=name,
                words=message.text[start:end],
                start=start,
                end=end,
                level=answer.level,
                categories=answer.categories or memory.categories,
            )


def _answers(message: Message, span: Span) -> bool:
    if span.end - span.start > 1:
        return True
    # "dad" alone answers a question; "i went with my dad" does not.
    alone = span.end == len(message.words) or message.words[span.start] not in _BARE_VERBS
    return alone and span.start < FIRST_WORDS
