"""What a message is for: logistic regression over the counts and the sentence vector, and a second
opinion from the examples closest in meaning.

Rasa's own component stores its model with skops, whose import takes seconds in a process that has
TensorFlow, and it has no setting for the strength of regularisation. This one keeps plain numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.exceptions import RasaException
from rasa.shared.nlu.constants import INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix, vstack

from bot.nlu import softmax

_NUMBERS = "intent.npz"
_LABELS = "intent.json"


#: How many of an intent's examples have a say beside its nearest, and the share of that say. One odd
#: example close by should not decide alone.
_NEAREST = 3
_SHARE = 0.4


class IntentTrainingError(RasaException):
    """The training data cannot give an intent classifier."""


@dataclass(frozen=True)
class IntentModel:
    """The trained numbers.

    Attributes:
        labels: the intents, in the order of the rows of the weights.
        sparse: weights of the count features, float32 [intents, sparse features].
        dense: weights of the sentence vector, float32 [intents, dense features].
        bias: float32 [intents].
        examples: sentence vectors of the training examples, each of length 1, float32 [n, dense].
        example_labels: index into ``labels`` for each example.
    """

    labels: tuple[str, ...]
    sparse: np.ndarray
    dense: np.ndarray
    bias: np.ndarray
    examples: np.ndarray
    example_labels: np.ndarray

    def probabilities(self, sparse: csr_matrix, dense: np.ndarray) -> np.ndarray:
        """Softmax over the intents, float64 [messages, intents]."""
        scores = (sparse @ self.sparse.T + dense @ self.dense.T + self.bias).astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        return shares / shares.sum(axis=1, keepdims=True)

    def closeness(self, vector: np.ndarray) -> np.ndarray | None:
        """How close in meaning each intent's examples are to a message, -1 to 1, in the order of ``labels``.

        Mostly the cosine of the nearest example, partly the mean of the nearest three. None when the
        vector says nothing (all zero) or there is no dense featurizer.
        """
        length = float(np.linalg.norm(vector))
        if length == 0.0 or not self.examples.size:
            return None
        cosines = self.examples @ (vector / length)
        order = np.lexsort((-cosines, self.example_labels))
        cosines, owners = cosines[order], self.example_labels[order]
        first = np.searchsorted(owners, np.arange(len(self.labels)))
        last = np.append(first[1:], len(owners)) - 1
        nearest = cosines[np.minimum(first[:, None] + np.arange(_NEAREST), last[:, None])]
        return (1.0 - _SHARE) * nearest[:, 0] + _SHARE * nearest.mean(axis=1)

    def save(self, folder: Path) -> None:
        """Write the model as plain numbers and JSON; :meth:`load` reads it back."""
        np.savez(
            folder / _NUMBERS,
            sparse=self.sparse,
            dense=self.dense,
            bias=self.bias,
            examples=self.examples.astype(np.float16),
            example_labels=self.example_labels,
        )
        (folder / _LABELS).write_text(json.dumps(self.labels), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> IntentModel:
        """Read what :meth:`save` wrote. Nothing in the files can run code."""
        labels = tuple(json.loads((folder / _LABELS).read_text(encoding="utf-8")))
        with np.load(folder / _NUMBERS, allow_pickle=False) as numbers:
            return cls(
                labels=labels,
                sparse=numbers["sparse"],
                dense=numbers["dense"],
                bias=numbers["bias"],
                examples=numbers["examples"].astype(np.float32),
                example_labels=numbers["example_labels"],
            )


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LogisticIntentClassifier(IntentClassifier, GraphComponent):
    """Names the intent, a short ranking and the nearest training example.

    Writes ``intent``, ``intent_ranking`` and, when the message has a sentence vector, ``nearest``
    (``{"intent", "closeness"}``) to the output of the pipeline.

    Configuration:
        C: inverse strength of regularisation (scikit-learn's C).
        balance: how far a rare intent counts as much as a common one, 0 to 1. Halfway lets the wide
            intents (a worry, out of scope) keep some of the weight their many examples give them.
        tolerance, max_iter: when fitting stops, as in :func:`bot.nlu.softmax.fit`.
        nearest_weight: how much closeness to an intent's examples adds to its score. 0 is off.
        nearest_threshold: a message less close than this to every example has its confidences lowered
            in proportion: what is like nothing known is out of scope. 0 is off.
        ranking_length: how many intents to report; 0 for all.
    """

    @classmethod
    def required_components(cls) -> list[type]:
        """Components that come before this one."""
        return [Featurizer]

    @staticmethod
    def required_packages() -> list[str]:
        """Python packages this component needs."""
        return ["sklearn", "scipy"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The default configuration."""
        return {
            "C": 1.0,
            "balance": 0.5,
            "tolerance": 1e-3,
            "max_iter": softmax.MAX_STEPS,
            "nearest_weight": 0.0,
            "nearest_threshold": 0.0,
            "ranking_length": 3,
        }

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        model: IntentModel | None = None,
    ) -> None:
        """Use ``model`` if it is trained already; Rasa calls :meth:`create` or :meth:`load`."""
        self._config = {**self.get_default_config(), **config}
        self._model_storage = model_storage
        self._resource = resource
        self._model = model

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LogisticIntentClassifier:
        """A classifier still to be trained."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> LogisticIntentClassifier:
        """A trained classifier from the model.

        Raises:
            ValueError: the model holds no classifier. Rasa then does not start, and the gateway's floor
                answers instead of a dialogue that understands nothing.
        """
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, IntentModel.load(folder))

    def train(self, training_data: TrainingData) -> Resource:
        """Fit the weights and store them.

        Raises:
            IntentTrainingError: fewer than two intents, or no features at all.
        """
        examples = [e for e in training_data.intent_examples if e.get(INTENT) and e.get(TEXT)]
        found = sorted({e.get(INTENT) for e in examples})
        if len(found) < 2:
            raise IntentTrainingError(
                f"An intent classifier needs examples of at least two intents, found {found or 'none'}. "
                "Add examples under data/nlu/ and train again."
            )
        sparse, dense = _features(examples)
        if not sparse.shape[1] + dense.shape[1]:
            raise IntentTrainingError("config.yml: put a featurizer before LogisticIntentClassifier.")
        self._model = self._fit(sparse, dense, [e.get(INTENT) for e in examples])
        with self._model_storage.write_to(self._resource) as folder:
            self._model.save(folder)
        return self._resource

    def _fit(self, sparse: csr_matrix, dense: np.ndarray, intents: list[str]) -> IntentModel:
        weights = softmax.fit(
            sparse,
            dense,
            intents,
            strength=self._config["C"],
            balance=self._config["balance"],
            tolerance=self._config["tolerance"],
            steps=self._config["max_iter"],
        )
        place = {label: index for index, label in enumerate(weights.classes)}
        lengths = np.linalg.norm(dense, axis=1, keepdims=True)
        return IntentModel(
            labels=weights.classes,
            sparse=weights.sparse,
            dense=weights.dense,
            bias=weights.bias,
            examples=dense / np.where(lengths == 0.0, 1.0, lengths),
            example_labels=np.array([place[intent] for intent in intents], dtype=np.int32),
        )

    def process(self, messages: list[Message]) -> list[Message]:
        """Set the intent of each message; a message without any features gets the intents' base rates.

        Raises:
            IntentTrainingError: the classifier was never trained.
        """
        if self._model is None:
            raise IntentTrainingError("The intent classifier is not trained: run rasa train.")
        width = (self._model.sparse.shape[1], self._model.dense.shape[1])
        for message in messages:
            sparse, dense = _features([message], width)
            self._set_intent(message, self._model.probabilities(sparse, dense)[0], dense[0])
        return messages

    def _set_intent(self, message: Message, probabilities: np.ndarray, vector: np.ndarray) -> None:
        closeness = self._model.closeness(vector)
        if closeness is not None:
            best = int(closeness.argmax())
            probabilities = probabilities * np.exp(self._config["nearest_weight"] * closeness)
            probabilities /= probabilities.sum()
            threshold = self._config["nearest_threshold"]
            if closeness[best] < threshold:
                probabilities = probabilities * max(0.0, closeness[best] / threshold)
            nearest = {"intent": self._model.labels[best], "closeness": float(closeness[best])}
            message.set("nearest", nearest, add_to_output=True)
        best_first = np.argsort(-probabilities, kind="stable")
        if self._config["ranking_length"] > 0:
            best_first = best_first[: self._config["ranking_length"]]
        ranking = [{"name": self._model.labels[i], "confidence": float(probabilities[i])} for i in best_first]
        message.set(INTENT, dict(ranking[0]), add_to_output=True)
        message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)


def _features(messages: list[Message], width: tuple[int, int] = (0, 0)) -> tuple[csr_matrix, np.ndarray]:
    """The sentence features of messages: counts and dense vectors, side by side.

    A message may have none (an empty text): it gets zeros, as wide as the others or as ``width``.
    """
    counts = [_sentence(message.get_sparse_features(TEXT)[1]) for message in messages]
    vectors = [_sentence(message.get_dense_features(TEXT)[1]) for message in messages]
    sparse_width = max((c.shape[1] for c in counts if c is not None), default=width[0])
    dense_width = max((v.shape[1] for v in vectors if v is not None), default=width[1])
    empty = csr_matrix((1, sparse_width), dtype=np.float32)
    dense = np.zeros((len(messages), dense_width), dtype=np.float32)
    for row, vector in enumerate(vectors):
        if vector is not None:
            dense[row] = vector[0]
    sparse = vstack([empty if c is None else csr_matrix(c) for c in counts], format="csr")
    return sparse.astype(np.float32), dense


def _sentence(features: Any) -> Any:
    return None if features is None else features.features
