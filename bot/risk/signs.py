"""Which signs of neglect a message names: food, clothes, home ... as ``data/risk/signs.yml`` words them."""

from __future__ import annotations

from bot.risk.families import RiskData
from bot.risk.matching import Message, PhraseIndex

__all__ = ["SignReader"]


class SignReader:
    """Reads signs by their words. Says nothing about whether a message tells of neglect at all."""

    def __init__(self, data: RiskData) -> None:
        # Negation is no objection here: "no food" and "nobody hugs me" are the sign.
        entries = [(sign.name, phrase) for sign in data.signs for phrase in sign.phrases]
        self._index: PhraseIndex[str] = PhraseIndex(entries, frozenset())

    def named(self, message: Message) -> tuple[str, ...]:
        """The names of the signs in the message, in alphabetical order."""
        return tuple(sorted(self._index.find(message)))
