"""A thought that was sent in several messages: "my stepdad", "comes in my room", "and touches me".

What a person sent just before belongs to what they send now. Each message is read by itself, as ever, and
once more together with those before it (:attr:`bot.risk.taxonomy.Memory.just_said`), which counts where it
tells more than they had told. How much that finds is in docs/risk_model_card.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.risk.families import RiskData
from bot.risk.matching import Message, PhraseIndex
from bot.risk.taxonomy import Evidence, Level, Memory

__all__ = ["MOST_MESSAGES", "MOST_WORDS", "SHORT", "PieceReader", "in_the_light_of", "joined", "news"]

#: At most so many earlier messages are read with one.
MOST_MESSAGES = 5
#: At most so many words are read together, as typed: under what the encoder reads at once.
MOST_WORDS = 60
#: After other messages one of up to so many words is taken for a piece: by itself it is out of its context.
SHORT = 6
#: Questions of the bot's that leave a person telling: none, and "tell me more". Others are answered.
_LEAVES_TELLING = frozenset({None, "worry"})


class PieceReader:
    """Tells what goes on with a thought from what is said to the bot."""

    def __init__(self, data: RiskData) -> None:
        entries = [("to the bot", phrase) for phrase in data.to_the_bot]
        self._to_the_bot: PhraseIndex[str] = PhraseIndex(entries, data.negators)

    def continues(self, message: Message, memory: Memory) -> bool:
        """Whether a message may continue what the person sent just before, of which the memory knows."""
        if not memory.just_said or memory.asked not in _LEAVES_TELLING:
            return False
        spans = (span for found in self._to_the_bot.find(message).values() for span in found)
        return not any(span.start == 0 and span.end == len(message.words) for span in spans)

    @staticmethod
    def is_short(message: Message) -> bool:
        """Whether a message that continues another is a piece: by itself out of its context."""
        return len(message.words) <= SHORT


def in_the_light_of(memory: Memory, before: Sequence[tuple[str, Level]], text: str) -> Memory:
    """The memory with what was sent just before a message, as much of it as is read together with it.

    Args:
        memory: what the conversation has shown.
        before: the messages sent just before, oldest first, each with the level it was found to have.
        text: the message that is to be read.
    """
    room = MOST_WORDS - len(text.split())
    taken: list[tuple[str, Level]] = []
    for earlier, level in reversed(before[-MOST_MESSAGES:]):
        room -= len(earlier.split())
        if room < 0:
            break
        taken.insert(0, (earlier, level))
    return replace(
        memory,
        just_said=" ".join(earlier for earlier, _ in taken),
        just_told=max((level for _, level in taken), default=Level.NONE),
    )


def joined(text: str, memory: Memory) -> str:
    """The message after what was sent just before."""
    return f"{memory.just_said} {text}"


def news(found: Iterable[Evidence], memory: Memory) -> list[Evidence]:
    """Of what was found in messages read together (:func:`joined`), what the last of them brought.

    Evidence that ends before the last message began is theirs, and what is no higher than what they had told
    already is known: "ok thanks" after a disclosure tells of nothing.

    Args:
        found: evidence of the messages read together.
        memory: with what was sent before it.

    Returns:
        Evidence with the offsets of its part in the last message, so that this is marked there, and with the
        words of all messages that it was found in: "gets in" alone tells staff nothing.
    """
    begins = len(joined("", memory))
    brought = []
    for item in found:
        if item.end > begins and item.level > memory.just_told:
            start, end = max(item.start - begins, 0), item.end - begins
            brought.append(replace(item, start=start, end=end))
    return brought
