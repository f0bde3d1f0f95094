"""A bit of a thought gets no answer of its own: "my step dad" after "so basically" asks for nothing.

A thought often comes in several messages. Taken by itself, a bit of it looks like whatever is spelt like it:
"at lunch" like the time to ring somebody, "but like" like a wish to go on, "and then he" like nothing. Of 481
short messages of bursts that were given an intent that asks for something, 294 were given it with a
confidence under 0.8; of 254 short messages that do ask for something, 35 (tests/evaluation/pieces.jsonl and
intents.jsonl, 2026-11-24).
"""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import (
    INTENT,
    INTENT_NAME_KEY,
    METADATA,
    PREDICTED_CONFIDENCE_KEY,
    TEXT,
)
from rasa.shared.nlu.training_data.message import Message

from bot.risk.component import memory_of
from bot.risk.detector import Detector, default_detector

__all__ = ["PIECE", "PieceOfThought"]

#: The intent of a message that is a bit of a thought.
PIECE = "piece"


# Registered as what it is not, for the reason given in bot/risk/component.py.
@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class PieceOfThought(GraphComponent):
    """Gives a short message that continues what was sent just before the intent :data:`PIECE`.

    Only where the classifier is unsure, and never one of the intents that must be heard at any confidence.

    Configuration:
        threshold: from this confidence on (0 to 1) an intent stands.
        always: the intents that stand at any confidence.
    """

    def __init__(self, config: dict[str, Any], detector: Detector) -> None:
        self._threshold = float(config["threshold"])
        self._always = frozenset(config["always"])
        self._detector = detector

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> PieceOfThought:
        """A component that knows what is said to the bot by the project's reviewed data.

        Raises:
            InvalidConfigException: a threshold that is none, or intents that are no list.
            RiskDataError: the data cannot be used; the server then does not start.
        """
        threshold, always = config["threshold"], config["always"]
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
            raise InvalidConfigException("config.yml: PieceOfThought's threshold must be from 0 to 1.")
        if not isinstance(always, list) or not all(isinstance(name, str) for name in always):
            raise InvalidConfigException("config.yml: PieceOfThought's always must be a list of intents.")
        return cls(config, default_detector())

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The default configuration."""
        return {"threshold": 0.8, "always": []}

    def process(self, messages: list[Message]) -> list[Message]:
        """Rename the intent of every message that is a bit of a thought."""
        for message in messages:
            intent = message.get(INTENT) or {}
            name, confidence = intent.get(INTENT_NAME_KEY), intent.get(PREDICTED_CONFIDENCE_KEY) or 0.0
            if (
                not name
                or name in self._always
                or (confidence >= self._threshold and name != DEFAULT_NLU_FALLBACK_INTENT_NAME)
            ):
                continue
            if self._detector.is_piece(message.get(TEXT) or "", memory_of(message.get(METADATA))):
                renamed = {INTENT_NAME_KEY: PIECE, PREDICTED_CONFIDENCE_KEY: confidence}
                message.set(INTENT, renamed, add_to_output=True)
        return messages
