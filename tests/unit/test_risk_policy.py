"""In the dialogue a message that needs a person opens a handover, over any form and any rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rasa.core.policies.ensemble import DefaultPolicyPredictionEnsemble
from rasa.core.policies.policy import PolicyPrediction
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.training_data.message import Message

from bot.risk.component import RISK, RiskGuard
from bot.risk.detector import DATA_DIR, RiskDataError, assess
from bot.risk.policy import OPEN_HANDOVER, SafetyPolicy
from bot.risk.taxonomy import Finding, Level, Memory

DOMAIN = Domain.from_yaml(
    """
version: "3.1"
intents: [inform, deny]
actions: [action_open_handover, utter_hello]
responses: {utter_hello: [{text: hi}]}
slots: {worry: {type: text, mappings: [{type: from_text, conditions: [{active_loop: worry_form}]}]}}
forms: {worry_form: {required_slots: [worry]}}
"""
)
CONTEXT = ExecutionContext(GraphSchema({}), "model")


@pytest.fixture
def policy(tmp_path: Path) -> SafetyPolicy:
    return SafetyPolicy.create(
        SafetyPolicy.get_default_config(), LocalModelStorage(tmp_path), Resource("safety"), CONTEXT
    )


def heard(
    text: str = "x", risk: dict[str, Any] | None = None, gateway: Any = None, then: tuple[Any, ...] = ()
) -> DialogueStateTracker:
    """A conversation that has just heard ``text``, inside a form."""
    metadata = {} if gateway is None else {"earshot": {"finding": gateway}}
    said = UserUttered(
        text,
        intent={"name": "inform"},
        parse_data={"text": text, RISK: risk} if risk else None,
        metadata=metadata,
    )
    events = [ActionExecuted("action_listen"), ActiveLoop("worry_form"), said, *then]
    return DialogueStateTracker.from_events("c", events, domain=DOMAIN)


def chosen(policy: SafetyPolicy, tracker: DialogueStateTracker) -> tuple[str | None, bool]:
    """The action predicted, if any, and whether it overrules forms."""
    prediction = policy.predict_action_probabilities(tracker, DOMAIN)
    if prediction.max_confidence == 0.0:
        return None, prediction.is_no_user_prediction
    return DOMAIN.action_names_or_texts[prediction.max_confidence_index], prediction.is_no_user_prediction


HARM = assess("my dad hits me").to_dict()
WORRY = assess("i feel so lonely").to_dict()


def test_a_disclosure_opens_a_handover_over_everything_else(policy: SafetyPolicy) -> None:
    assert chosen(policy, heard(risk=HARM)) == (OPEN_HANDOVER, True)


def test_the_turn_ends_after_the_handover(policy: SafetyPolicy) -> None:
    tracker = heard(risk=HARM, then=(ActionExecuted(OPEN_HANDOVER),))
    assert chosen(policy, tracker) == ("action_listen", True)


def test_the_next_disclosure_is_handed_over_again(policy: SafetyPolicy) -> None:
    before = (ActionExecuted(OPEN_HANDOVER), ActionExecuted("action_listen"))
    again = UserUttered("y", parse_data={"text": "y", RISK: HARM})
    assert chosen(policy, heard(risk=HARM, then=(*before, again))) == (OPEN_HANDOVER, True)


@pytest.mark.parametrize("risk", [None, Finding().to_dict(), WORRY])
def test_what_needs_no_person_is_left_to_the_others(
    policy: SafetyPolicy, risk: dict[str, Any] | None
) -> None:
    assert chosen(policy, heard(risk=risk)) == (None, False)


def test_nothing_heard_yet_is_left_to_the_others(policy: SafetyPolicy) -> None:
    assert chosen(policy, DialogueStateTracker.from_events("c", [], domain=DOMAIN)) == (None, False)


def test_the_gateways_finding_counts_when_a_button_bypassed_the_pipeline(policy: SafetyPolicy) -> None:
    assert chosen(policy, heard("/deny", gateway=HARM)) == (OPEN_HANDOVER, True)


def test_the_higher_of_two_findings_wins(policy: SafetyPolicy) -> None:
    assert chosen(policy, heard(risk=WORRY, gateway=HARM))[0] == OPEN_HANDOVER
    assert chosen(policy, heard(risk=HARM, gateway=Finding().to_dict()))[0] == OPEN_HANDOVER


@pytest.mark.parametrize("broken", [{"level": "catastrophic"}, {}, [], "high"])
def test_a_finding_that_cannot_be_read_calls_a_person(policy: SafetyPolicy, broken: Any) -> None:
    assert chosen(policy, heard(gateway=broken))[0] == OPEN_HANDOVER


def test_the_ensemble_prefers_safety_to_a_running_form(policy: SafetyPolicy) -> None:
    tracker = heard(risk=HARM)
    form = [0.0] * DOMAIN.num_actions
    form[DOMAIN.index_for_action("worry_form")] = 1.0
    best = DefaultPolicyPredictionEnsemble().combine_predictions(
        [
            PolicyPrediction(form, "RulePolicy", 6, is_no_user_prediction=True),
            policy.predict_action_probabilities(tracker, DOMAIN),
        ],
        tracker,
        DOMAIN,
    )
    assert DOMAIN.action_names_or_texts[best.max_confidence_index] == OPEN_HANDOVER


def test_a_domain_without_the_handover_does_not_train(policy: SafetyPolicy) -> None:
    with pytest.raises(InvalidConfigException, match=OPEN_HANDOVER):
        policy.train([], Domain.empty())
    assert policy.train([], DOMAIN) == Resource("safety")


@pytest.fixture
def guard(tmp_path: Path) -> RiskGuard:
    return RiskGuard.create({}, LocalModelStorage(tmp_path), Resource("guard"), CONTEXT)


def test_the_pipeline_puts_the_finding_on_the_message(guard: RiskGuard) -> None:
    message = guard.process([Message.build("my dad hits me")])[0]
    assert message.get(RISK)["level"] == "high"
    assert message.as_dict(only_output_properties=True)[RISK] == message.get(RISK)


def test_the_pipeline_reads_the_memory_the_gateway_sends(guard: RiskGuard) -> None:
    message = Message.build("yes")
    message.set("metadata", {"earshot": {"memory": Memory(level=Level.HIGH, asked="danger_now").to_dict()}})
    assert guard.process([message])[0].get(RISK)["level"] == "immediate"


@pytest.mark.parametrize(
    "metadata", [None, {}, {"earshot": None}, {"earshot": {"memory": {"level": "odd"}}}, "x", []]
)
def test_a_memory_that_cannot_be_read_does_not_stop_the_reading(guard: RiskGuard, metadata: Any) -> None:
    message = Message.build("my dad hits me")
    message.set("metadata", metadata)
    assert guard.process([message])[0].get(RISK)["level"] == "high"


def test_a_message_without_text_is_nothing(guard: RiskGuard) -> None:
    assert guard.process([Message(data={})])[0].get(RISK)["level"] == "none"


def test_without_its_data_the_guard_refuses_to_start(tmp_path: Path) -> None:
    from bot.risk.detector import Detector

    assert DATA_DIR.is_dir()
    with pytest.raises(RiskDataError):
        Detector.load(tmp_path)
