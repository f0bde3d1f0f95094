"""The lists of data/nlu/entities.yml mark whole words, as Rasa's own extractor reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.nlu.extractors.regex_entity_extractor import RegexEntityExtractor
from rasa.shared.core.domain import Domain
from rasa.shared.importers.utils import training_data_from_paths
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

ROOT = Path(__file__).resolve().parents[2]
MARKED = ("who", "when", "adult", "postcode")


@pytest.fixture(scope="module")
def extractor(tmp_path_factory) -> RegexEntityExtractor:
    files = [path for path in (ROOT / "data" / "nlu").glob("*.yml") if path.name != "slang.yml"]
    config = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))
    (entry,) = [e for e in config["pipeline"] if e["name"] == "RegexEntityExtractor"]
    settings = {**RegexEntityExtractor.get_default_config(), **entry}
    storage = LocalModelStorage.create(tmp_path_factory.mktemp("model"))
    made = RegexEntityExtractor(settings, storage, Resource("entities"))
    made.train(training_data_from_paths([str(path) for path in files], "en"))
    return made


def marked(extractor: RegexEntityExtractor, text: str) -> set[tuple[str, str]]:
    (message,) = extractor.process([Message(data={TEXT: text})])
    return {(entity["entity"], entity["value"]) for entity in message.get(ENTITIES)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dad hit mum last night", {("who", "dad"), ("who", "mum"), ("when", "last night")}),
        ("my mum's boyfriend is here right now", {("who", "mum's boyfriend"), ("when", "right now")}),
        ("My Step-Dad does it every day", {("who", "Step-Dad"), ("when", "every day")}),
        ("can you tell my head of year", {("adult", "head of year")}),
        ("the school nurse knows", {("adult", "school nurse")}),
        ("we live in so14 2ab", {("postcode", "so14 2ab")}),
        ("its SW1A1AA", {("postcode", "SW1A1AA")}),
    ],
)
def test_who_when_which_adult_and_where_are_marked(extractor, text, found) -> None:
    assert marked(extractor, text) == found


@pytest.mark.parametrize(
    "text", ["mummified dadaist sonata", "nowhere tonights", "i got 3a 4b in maths", "", "😭"]
)
def test_a_part_of_a_word_is_not_marked(extractor, text) -> None:
    assert marked(extractor, text) == set()


def test_a_marked_word_never_steers_the_dialogue() -> None:
    domain = Domain.load(str(ROOT / "domain.yml"))
    assert set(MARKED) <= set(domain.entities)
    for intent in domain.intents:
        assert not set(MARKED) & set(domain.intent_properties[intent]["used_entities"])
