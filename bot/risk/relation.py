"""Whose safety a message is about: the speaker, a friend, a parent's own child, another child."""

from __future__ import annotations

from collections.abc import Sequence

from bot.risk.families import RiskData
from bot.risk.matching import Message, PhraseIndex, Span
from bot.risk.taxonomy import About, Evidence, Memory

__all__ = ["RelationReader"]

#: When a message names several, the child is more likely the one of the earlier in this list.
_ORDER = (About.OWN_CHILD, About.OTHER_CHILD, About.FRIEND, About.SELF)


class RelationReader:
    """Reads from words, and from what the conversation knows, whom a message is about."""

    def __init__(self, data: RiskData) -> None:
        entries = [(r.about, phrase) for r in data.relations for phrase in r.phrases]
        self._index: PhraseIndex[About] = PhraseIndex(entries, data.negators)
        self._first_person = data.first_person
        self._family_about = {family.name: family.about for family in data.families if family.about}

    def about(self, message: Message, memory: Memory, evidence: Sequence[Evidence]) -> About:
        """The relation told by the most serious evidence, else by the message, else by the memory."""
        found = self._index.find(message)
        prior = memory.about or About.SELF
        for item in evidence:
            if item.level is not evidence[0].level:
                break
            if item.family in self._family_about:
                return self._family_about[item.family]
            told = self._beside(message, item, found)
            if told is not None:
                # A parent or neighbour who says "he hits me as well" still writes about the child.
                return prior if told is About.SELF and prior in _ORDER[:2] else told
        for about in _ORDER:
            if found.get(about):
                return about
        return prior

    def _beside(self, message: Message, item: Evidence, found: dict[About, set[Span]]) -> About | None:
        if item.end <= item.start:
            return None
        inside = [i for i, w in enumerate(message.sources) if w.start < item.end and w.end > item.start]
        for about in _ORDER:
            if any(span.start <= inside[-1] and inside[0] < span.end for span in found.get(about, ())):
                return about
        if any(message.words[i] in self._first_person for i in inside):
            return About.SELF
        return None
