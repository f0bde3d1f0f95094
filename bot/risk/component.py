"""Risk in the Rasa pipeline: last in ``config.yml``, so that no intent can overrule what it finds."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import METADATA, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.risk.detector import Detector, default_detector
from bot.risk.taxonomy import Memory

__all__ = ["RISK", "RiskGuard"]

#: Where the finding stands on a message, and in ``tracker.latest_message.parse_data``.
RISK = "risk"


# An entity extractor that is not trained is the one kind of component Rasa leaves out of training.
@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class RiskGuard(GraphComponent):
    """Puts the finding of :mod:`bot.risk.detector` on every message, as plain JSON values."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> RiskGuard:
        """A guard on the project's reviewed data.

        Raises:
            RiskDataError: the data cannot be used; the server then does not start.
        """
        return cls(default_detector())

    @staticmethod
    def required_packages() -> list[str]:
        """Python packages this component needs."""
        return ["symspellpy"]

    def process(self, messages: list[Message]) -> list[Message]:
        """Assess every message in the light of the memory the gateway sent with it, if any."""
        for message in messages:
            finding = self._detector.assess(message.get(TEXT) or "", memory_of(message.get(METADATA)))
            message.set(RISK, finding.to_dict(), add_to_output=True)
        return messages


def memory_of(metadata: Any) -> Memory:
    """The memory in a message's metadata (``earshot.memory``); empty if it has none or it is not one."""
    try:
        return Memory.from_dict(metadata["earshot"]["memory"])
    except (KeyError, TypeError, ValueError, AttributeError):
        # Whatever the memory was, the message itself is still read.
        return Memory()
