"""The dialogue's safety rule: a message that needs a person opens a handover, whatever else goes on.

Rasa lets predictions marked "no user" overrule all others. So this policy beats a running form before
it fills its slot with a disclosure; the form goes on with the next message. Once the handover action
has run in a turn it ends the turn, so that no other policy speaks on top of it.
"""

from __future__ import annotations

from typing import Any

from rasa.core.policies.policy import Policy, PolicyPrediction
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, UserUttered
from rasa.shared.core.generator import TrackerWithCachedStates
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import InvalidConfigException

from bot.risk.taxonomy import Finding, Level

__all__ = ["OPEN_HANDOVER", "SafetyPolicy", "level_of"]

OPEN_HANDOVER = "action_open_handover"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.POLICY_WITHOUT_END_TO_END_SUPPORT, is_trainable=True)
class SafetyPolicy(Policy):
    """Opens a handover when the last message is ``high`` or ``immediate``; otherwise abstains."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Above RulePolicy (6) and every other; ``max_history`` is not used but Rasa asks for it."""
        return {"priority": 10, "max_history": None}

    def train(
        self, training_trackers: list[TrackerWithCachedStates], domain: Domain, **kwargs: Any
    ) -> Resource:
        """Learns nothing; checks that the handover can be predicted at all.

        Raises:
            InvalidConfigException: the domain has no ``action_open_handover``.
        """
        if OPEN_HANDOVER not in domain.action_names_or_texts:
            raise InvalidConfigException(
                f"Add {OPEN_HANDOVER} to the actions of domain.yml: SafetyPolicy needs it."
            )
        return self._resource

    def predict_action_probabilities(
        self,
        tracker: DialogueStateTracker,
        domain: Domain,
        rule_only_data: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> PolicyPrediction:
        """The handover first, then listening, for a turn that needs a person."""
        if not level_of(tracker.latest_message).needs_person:
            return self._prediction(self._default_predictions(domain))
        action = ACTION_LISTEN_NAME if _handed_over_this_turn(tracker) else OPEN_HANDOVER
        probabilities = self._default_predictions(domain)
        probabilities[domain.index_for_action(action)] = 1.0
        return self._prediction(probabilities, is_no_user_prediction=True)


def level_of(message: UserUttered | None) -> Level:
    """The higher of what the pipeline found and what the gateway found.

    The gateway's finding is there even when a button's payload ("/deny") passed the pipeline by.
    A finding that is there but cannot be read counts as ``high``: better a person too many.
    """
    if message is None:
        return Level.NONE
    earshot = (message.metadata or {}).get("earshot") or {}
    found = [
        (message.parse_data or {}).get("risk"),
        earshot.get("finding") if isinstance(earshot, dict) else None,
    ]
    levels = [Level.NONE]
    for finding in found:
        if finding is not None:
            try:
                levels.append(Finding.from_dict(finding).level)
            except (KeyError, TypeError, ValueError, AttributeError):
                levels.append(Level.HIGH)
    return max(levels, key=lambda level: level.rank)


def _handed_over_this_turn(tracker: DialogueStateTracker) -> bool:
    for event in reversed(tracker.events):
        if isinstance(event, UserUttered):
            return False
        if isinstance(event, ActionExecuted) and event.action_name == OPEN_HANDOVER:
            return True
    return False
