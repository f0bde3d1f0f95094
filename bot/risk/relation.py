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

    def about(
        self, message: Message, memory: Memory, evidence: Sequence[Evidence], guess: About | None = None
    ) -> About:
        """The relation told by the most serious evidence, else by the message, else by the memory.

        Args:
            message: the message as read.
            memory: what the conversation knows.
            evidence: what was found, the most serious first.
            guess: what the encoder takes the relation to be, for what it found itself.
        """
        found = self._index.find(message)
        prior = memory.about or guess or About.SELF
        most_serious = [item for item in evidence if item.level is evidence[0].level]
        for item in sorted(most_serious, key=lambda item: item.layer == "model"):  # reviewed words first
            if item.family in self._family_about:
                return self._family_about[item.family]
            told = self._beside(message, item, found)
            if item.layer == "model" and guess and told in (About.OTHER_CHILD, About.SELF, None):
                # The encoder's words are whole sentences, in which a child may be named who is not the
                # one harmed ("some girls in my class leave me out"): its own reading of it counts.
                # "He told me his dad hits him" fits a friend, a son and a neighbour's child alike: which of
                # them it is, the conversation knows better.
                known = memory.about not in (None, About.SELF) and guess is not About.SELF
                told = memory.about if known and told is not guess else guess
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
