"""How what the phrases found and what the encoder thinks become one list of evidence.

The rule:

1. What the phrases and the conversation's memory found stands. The encoder only adds to it; it takes
   nothing back, so that a phrase somebody has reviewed can be relied on.
2. The encoder adds ``immediate``, ``high`` or ``concern`` where its chance reaches the threshold. One
   sentence on its own needs a higher chance of ``high`` than a whole message: it is read out of its context.
3. Where a phrase has found ``high``, its reviewed level stands unless the encoder is very sure of
   ``immediate``: small talk around the words must not tip it one way and the other.
4. Where a guard has called words of the message harmless and no phrase has found harm, the encoder must be
   surer still.
5. It says nothing of fewer than :data:`FEWEST_WORDS` words. "He is outside" depends on what was said before,
   which the conversation's memory knows and the encoder does not.
6. A message of up to :data:`FEW_WORDS` words needs a higher chance, most of all to be ``immediate``: "im safe
   for now", "i have to go" and "can you pass it on" are said a hundred times for every disclosure that
   short. What it costs and saves: docs/risk_model_card.md.
7. A message that answers a question of the bot's is read together with it, however short it is. It has
   thresholds of its own, and neither 5 nor 6 holds for it. It is read without the question, too, but out of
   its context then, like a sentence.
8. What a person sent just before is read once more together with the message (:mod:`bot.risk.pieces`), with
   thresholds of their own. A message of a few words that follows others is read alone, too, but out of its
   context: "kill me" is the middle of something.
9. The highest level of all evidence is the message's.
10. Where that is below ``high`` and the encoder's chance of it is not small, it is undecided: the bot asks
    one plain question (:func:`undecided`).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.risk.matching import Message
from bot.risk.statistical_layer import Part, Reading, Thresholds
from bot.risk.taxonomy import Evidence, Level

__all__ = ["FAMILY", "FEWEST_WORDS", "combine", "undecided"]

#: ``family`` of the encoder's evidence.
FAMILY = "tuned encoder"
#: Shorter readings are left to phrases and memory.
FEWEST_WORDS = 5
#: Messages up to this long must reach :attr:`Thresholds.short`.
FEW_WORDS = 9


def combine(message: Message, found: Sequence[Evidence], reading: Reading, at: Thresholds) -> list[Evidence]:
    """All evidence of a message, by the rule of this module.

    Args:
        message: the message as read.
        found: from phrases and memory; level ``none`` marks words that a guard called harmless.
        reading: what the encoder makes of the message.
        at: from which chance on the encoder speaks.
    """
    stands = [e for e in found if e.level is not Level.NONE]
    told = any(e.level.needs_person for e in stands)
    guarded = len(stands) < len(found) and not told
    parts = [p for p in reading.parts if _long_enough(p, reading.answers)]
    short = len(message.words) <= FEW_WORDS

    def raised(part: Part) -> bool:
        if reading.answers and part.window.whole:
            least = at.answer
        else:
            least = at.high if part.window.whole else at.part
            least = max(least, at.short) if short else least
        return part.raised >= (max(least, at.guarded) if guarded else least)

    if reading.answers:
        first_999 = at.answer_immediate
    else:
        first_999 = at.above if told or short else at.immediate
    immediate = [p for p in parts if p.chances[3] >= first_999 and (told or raised(p))]
    high = [p for p in parts if raised(p)]
    concern = [p for p in parts if p.window.whole and 1 - p.chances[0] >= at.concern]
    if immediate:
        return [*stands, _evidence(message, max(immediate, key=lambda p: p.chances[3]), Level.IMMEDIATE, at)]
    if high:
        return [*stands, _evidence(message, max(high, key=lambda p: p.raised), Level.HIGH, at)]
    if concern and not reading.answers:
        return [*stands, _evidence(message, min(concern, key=lambda p: p.chances[0]), Level.CONCERN, at)]
    return stands


def undecided(message: Message, found: Sequence[Evidence], reading: Reading, at: Thresholds) -> bool:
    """Whether the message may tell of significant harm and may not, by what all layers found in it."""
    if any(e.level.needs_person for e in found) or len(message.words) < FEWEST_WORDS:
        return False
    return any(part.window.whole and part.raised >= at.unsure for part in reading.parts)


def _long_enough(part: Part, answers: bool) -> bool:
    return (answers and part.window.whole) or part.window.span.end - part.window.span.start >= FEWEST_WORDS


def _evidence(message: Message, part: Part, level: Level, at: Thresholds) -> Evidence:
    start, end = message.offsets(part.window.span)
    return Evidence(
        layer="model",
        family=FAMILY,
        words=message.text[start:end],
        start=start,
        end=end,
        level=level,
        categories=part.named(at.category),
    )
