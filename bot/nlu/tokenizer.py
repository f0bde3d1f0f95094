"""Rasa's tokens, in the words of Earshot's normaliser.

A token keeps the text and the offsets as they were typed; its lemma is the plain form ("gonna" is "going
to"), which is what ``CountVectorsFeaturizer`` counts. So typos and text-speak meet the training examples
in plain English, while entities and evidence still quote the person.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.training_data.message import Message

from bot.messages import MAX_TEXT
from bot.nlu import normaliser
from bot.nlu.normaliser import Normaliser

#: The project's data folder, beside ``bot``.
DATA = Path(__file__).resolve().parents[2] / "data"


@lru_cache(maxsize=1)
def _normaliser() -> Normaliser:
    # Half a second and 10 MB: training builds the component twice.
    return Normaliser.load(DATA)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class NormalisingTokenizer(Tokenizer):
    """Splits a message into words, and each emoji into a token of its own.

    An emoji's lemma is its Unicode name ("crying face"): a thumb up is an answer. Text after
    :data:`bot.messages.MAX_TEXT` characters is not read; channels refuse such messages anyway.
    """

    @staticmethod
    def required_packages() -> list[str]:
        """Python packages this component needs."""
        return ["symspellpy"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Rasa's own settings for the names of intents; words need none."""
        return {"intent_tokenization_flag": False, "intent_split_symbol": "_"}

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """What the lemmas depend on besides the configuration, so that ``rasa train`` notices a change."""
        digest = hashlib.sha256()
        for path in (Path(normaliser.__file__), DATA / "nlu" / "slang.yml", *sorted(DATA.glob("risk/*.yml"))):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> NormalisingTokenizer:
        """Load the normaliser.

        Raises:
            DataFileError: the slang table or a phrase file cannot be used.
        """
        return cls(config, _normaliser())

    def __init__(self, config: dict[str, Any], reader: Normaliser) -> None:
        """Use ``reader``; Rasa calls :meth:`create`."""
        super().__init__(config)
        self._normaliser = reader

    def tokenize(self, message: Message, attribute: str) -> list[Token]:
        """The tokens of one attribute of a message; none for a text without words or emoji."""
        text = message.get(attribute)[:MAX_TEXT]
        words = self._normaliser.words(text)
        tokens = [Token(word.text, word.start, word.end, lemma=word.norm) for word in words]
        if not text.isascii():
            tokens += [
                Token(character, place, place + 1, lemma=unicodedata.name(character, "symbol").lower())
                for place, character in enumerate(text)
                if unicodedata.category(character) == "So"
            ]
            tokens.sort(key=lambda token: token.start)
        return tokens
