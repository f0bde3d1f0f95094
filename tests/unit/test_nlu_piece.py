"""A bit of a thought is told from what asks for something."""

from __future__ import annotations

import pytest
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.piece import PIECE, PieceOfThought
from bot.risk.taxonomy import Memory

CONFIG = {"threshold": 0.8, "always": ["talk_to_person"]}


def intent_of(text: str, intent: str, confidence: float, memory: Memory) -> str:
    """What a message that was taken for ``intent`` is taken for afterwards."""
    message = Message(
        {
            "text": text,
            "intent": {"name": intent, "confidence": confidence},
            "metadata": {"earshot": {"memory": memory.to_dict()}},
        }
    )
    PieceOfThought.create(CONFIG, None, None, None).process([message])
    return message.get("intent")["name"]


@pytest.mark.parametrize(
    ("text", "intent", "confidence", "memory", "after"),
    [
        ("when mums at work", "contact_wish", 0.5, Memory(just_said="my step dad"), PIECE),
        ("in the loo", "nlu_fallback", 0.95, Memory(just_said="my step dad"), PIECE),
        ("is this private", "is_this_private", 0.97, Memory(just_said="hi"), "is_this_private"),
        ("a human", "talk_to_person", 0.45, Memory(just_said="hi"), "talk_to_person"),
        ("when mums at work", "contact_wish", 0.5, Memory(), "contact_wish"),
        ("in the loo", "my_postcode", 0.5, Memory(just_said="hi", asked="safe_now"), "my_postcode"),
        ("never mind", "stop", 0.5, Memory(just_said="my step dad"), "stop"),
        ("what time do you open on a sunday then", "how_long", 0.5, Memory(just_said="hi"), "how_long"),
    ],
)
def test_only_a_short_unsure_message_that_goes_on_is_a_piece(text, intent, confidence, memory, after) -> None:
    assert intent_of(text, intent, confidence, memory) == after


@pytest.mark.parametrize("text", ["", "😭", "x" * 5_000, "<b>"])
def test_any_string_keeps_an_intent(text) -> None:
    assert intent_of(text, "nlu_fallback", 0.3, Memory(just_said="hi"))


@pytest.mark.parametrize(
    "wrong", [{"threshold": 2}, {"threshold": True}, {"always": "stop"}, {"always": [1]}]
)
def test_a_wrong_configuration_stops_the_start(wrong) -> None:
    with pytest.raises(InvalidConfigException, match="PieceOfThought"):
        PieceOfThought.create(CONFIG | wrong, None, None, None)
