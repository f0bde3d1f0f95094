"""Which of the ways of saying something is said: not the one that was said last time.

Rasa picks a variation by chance, so a child may read the same sentence twice running. Here the variations
of a response take turns within a conversation; each conversation begins at another one.
"""

from __future__ import annotations

import copy
from typing import Any
from zlib import crc32

from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.core.nlg.generator import ResponseVariationFilter
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

__all__ = ["FreshWords"]


class FreshWords(TemplatedNaturalLanguageGenerator):
    """Reviewed responses, in turn. Named in ``endpoints.yml`` under ``nlg``."""

    def __init__(self, endpoint_config: EndpointConfig | None = None, domain: Domain | None = None) -> None:
        super().__init__(domain.responses if domain else {})

    async def generate(
        self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any
    ) -> dict[str, Any] | None:
        """The words of a response, filled in; None if there is no such response."""
        if utter_action not in self.responses:
            return None
        slots = tracker.current_slot_values()
        ways = ResponseVariationFilter(self.responses).responses_for_utter_action(
            utter_action, output_channel, slots
        )
        if not ways:
            return None
        # Not random: the start hangs on the conversation, so that two children read different words.
        turn = crc32(f"{tracker.sender_id}{utter_action}".encode()) + _times_said(tracker, utter_action)
        return self._fill_response(copy.deepcopy(ways[turn % len(ways)]), slots, **kwargs)


def _times_said(tracker: DialogueStateTracker, response: str) -> int:
    said = (event for event in tracker.events if isinstance(event, BotUttered))
    return sum(event.metadata.get("utter_action") == response for event in said)
