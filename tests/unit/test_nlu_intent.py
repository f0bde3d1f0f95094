"""The intent classifier names intents, admits doubt, and never fails on a message."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix

from bot.nlu.intent import IntentTrainingError, LogisticIntentClassifier

RESOURCE = Resource("intent")


def message(counts: list[float] | None, vector: list[float] | None, intent: str | None = None) -> Message:
    made = Message(data={TEXT: "words", **({INTENT: intent} if intent else {})})
    if counts is not None:
        made.add_features(Features(csr_matrix([counts]), FEATURE_TYPE_SENTENCE, TEXT, "counts"))
    if vector is not None:
        made.add_features(Features(np.array([vector]), FEATURE_TYPE_SENTENCE, TEXT, "encoder"))
    return made


EXAMPLES = [
    *[message([1, 0, 0], [9.0, i], "greet") for i in range(5)],
    *[message([0, 1, 0], [i, 9.0], "bye") for i in range(5)],
    message([0, 0, 1], [-9.0, -9.0], "stop"),  # one example only
]


def train(tmp_path, examples=EXAMPLES, **config) -> LogisticIntentClassifier:
    tmp_path.mkdir(exist_ok=True)
    storage = LocalModelStorage.create(tmp_path)
    LogisticIntentClassifier(config, storage, RESOURCE).train(TrainingData(examples))
    return LogisticIntentClassifier.load(config, storage, RESOURCE, None)


def parse(classifier: LogisticIntentClassifier, made: Message) -> dict:
    (done,) = classifier.process([made])
    return done.as_dict(only_output_properties=True)


def test_a_message_gets_the_intent_of_its_like(tmp_path) -> None:
    classifier = train(tmp_path)
    for made, intent in [
        (message([1, 0, 0], [8.0, 1.0]), "greet"),
        (message([0, 1, 0], [1.0, 8.0]), "bye"),
        (message([0, 0, 1], [-8.0, -8.0]), "stop"),
    ]:
        output = parse(classifier, made)
        assert output[INTENT]["name"] == intent
        assert output[INTENT] == output[INTENT_RANKING_KEY][0]
        assert output["nearest"]["intent"] == intent


def test_the_output_is_plain_json_and_adds_up(tmp_path) -> None:
    output = parse(train(tmp_path, ranking_length=0), message([1, 0, 0], [8.0, 1.0]))
    assert json.loads(json.dumps(output)) == output
    confidences = [entry["confidence"] for entry in output[INTENT_RANKING_KEY]]
    assert sum(confidences) == pytest.approx(1.0)
    assert confidences == sorted(confidences, reverse=True)


def test_the_ranking_is_as_long_as_configured(tmp_path) -> None:
    output = parse(train(tmp_path, ranking_length=2), message([1, 0, 0], [8.0, 1.0]))
    assert len(output[INTENT_RANKING_KEY]) == 2


@pytest.mark.parametrize(
    "made",
    [
        message(None, None),
        message([0, 0, 0], [0.0, 0.0]),
        message(None, [8.0, 1.0]),
        message([1, 0, 0], None),
    ],
)
def test_a_message_with_missing_features_still_gets_an_answer(tmp_path, made) -> None:
    output = parse(train(tmp_path), made)
    assert output[INTENT]["name"] in {"greet", "bye", "stop"}
    assert 0.0 < output[INTENT]["confidence"] <= 1.0


def test_three_intents_get_the_probabilities_scikit_learn_gives(tmp_path) -> None:
    from sklearn.linear_model import LogisticRegression

    classifier = train(tmp_path, balance=1.0, C=0.5, tolerance=1e-6, max_iter=2000)
    output = parse(classifier, message([1, 0, 0], [5.0, 4.0]))
    rows = [[1, 0, 0, 9, i] for i in range(5)] + [[0, 1, 0, i, 9] for i in range(5)] + [[0, 0, 1, -9, -9]]
    reference = LogisticRegression(C=0.5, class_weight="balanced", max_iter=2000, tol=1e-6)
    reference.fit(rows, ["greet"] * 5 + ["bye"] * 5 + ["stop"])
    expected = dict(zip(reference.classes_, reference.predict_proba([[1, 0, 0, 5, 4]])[0], strict=True))
    for entry in output[INTENT_RANKING_KEY]:
        assert entry["confidence"] == pytest.approx(expected[entry["name"]], abs=1e-3)


def test_balance_gives_a_rare_intent_more_say(tmp_path) -> None:
    # All different: Rasa drops an example that is there twice.
    examples = [*[message([1, i / 100], None, "greet") for i in range(9)], message([0, 1], None, "stop")]
    unsure = message([0, 0], None)
    shares = []
    for balance in (0.0, 0.5, 1.0):
        ranking = parse(train(tmp_path / str(balance), examples, balance=balance), unsure)[INTENT_RANKING_KEY]
        shares.append({entry["name"]: entry["confidence"] for entry in ranking}["stop"])
    assert shares == sorted(shares)
    assert shares[0] < 0.3 < shares[2]


def test_closeness_to_the_examples_adds_to_an_intents_share(tmp_path) -> None:
    near_greet = [9.0, 5.0]
    plain = parse(train(tmp_path / "a", C=0.001), message([0, 0, 0], near_greet))
    helped = parse(train(tmp_path / "b", C=0.001, nearest_weight=10.0), message([0, 0, 0], near_greet))
    share = {e["name"]: e["confidence"] for e in helped[INTENT_RANKING_KEY]}
    before = {e["name"]: e["confidence"] for e in plain[INTENT_RANKING_KEY]}
    assert helped[INTENT]["name"] == "greet"
    assert share["greet"] > before["greet"]
    assert share["stop"] < before["stop"]


def test_an_intent_with_one_example_is_not_judged_by_its_neighbours_examples(tmp_path) -> None:
    output = parse(train(tmp_path, nearest_weight=10.0), message([0, 0, 0], [-8.0, -8.0]))
    assert output["nearest"] == {"intent": "stop", "closeness": pytest.approx(1.0, abs=1e-3)}


def test_counts_alone_or_vectors_alone_are_enough(tmp_path) -> None:
    counts = [message([1, 0], None, "greet"), message([0, 1], None, "bye")]
    output = parse(train(tmp_path / "a", counts), message([1, 0], None))
    assert output[INTENT]["name"] == "greet"
    assert "nearest" not in output
    vectors = [message(None, [1.0, 0.0], "greet"), message(None, [0.0, 1.0], "bye")]
    assert parse(train(tmp_path / "b", vectors), message(None, [0.0, 1.0]))[INTENT]["name"] == "bye"


def test_a_message_unlike_every_example_is_trusted_less(tmp_path) -> None:
    strange = [9.0, -9.0]
    plain = parse(train(tmp_path / "a"), message([0, 0, 0], strange))
    doubting = parse(train(tmp_path / "b", nearest_threshold=0.9), message([0, 0, 0], strange))
    assert plain["nearest"]["closeness"] == pytest.approx(doubting["nearest"]["closeness"])
    assert doubting["nearest"]["closeness"] < 0.9
    share = doubting["nearest"]["closeness"] / 0.9
    assert doubting[INTENT]["name"] == plain[INTENT]["name"]
    assert doubting[INTENT]["confidence"] == pytest.approx(plain[INTENT]["confidence"] * share, rel=1e-3)


def test_a_message_like_an_example_keeps_its_confidence(tmp_path) -> None:
    seen = message([1, 0, 0], [9.0, 1.0])
    plain = parse(train(tmp_path / "a"), seen)
    assert parse(train(tmp_path / "b", nearest_threshold=0.9), message([1, 0, 0], [9.0, 1.0])) == plain


@pytest.mark.parametrize("examples", [EXAMPLES[:5], []])
def test_training_on_fewer_than_two_intents_says_what_to_do(tmp_path, examples) -> None:
    with pytest.raises(IntentTrainingError, match="data/nlu"):
        train(tmp_path, examples)


def test_training_without_a_featurizer_says_what_to_do(tmp_path) -> None:
    with pytest.raises(IntentTrainingError, match="featurizer"):
        train(tmp_path, [message(None, None, "greet"), message(None, None, "bye")])


def test_an_untrained_classifier_refuses_to_guess(tmp_path) -> None:
    storage = LocalModelStorage.create(tmp_path)
    classifier = LogisticIntentClassifier({}, storage, RESOURCE)
    with pytest.raises(IntentTrainingError, match="rasa train"):
        classifier.process([message([1, 0, 0], [8.0, 1.0])])
    with pytest.raises(ValueError, match="intent"):
        LogisticIntentClassifier.load({}, storage, RESOURCE, None)


def test_the_stored_model_is_numbers_and_names_only(tmp_path) -> None:
    train(tmp_path)
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["intent.json", "intent.npz"]
