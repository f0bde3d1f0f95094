"""The components train and answer inside Rasa itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.exceptions import InvalidConfigException

from bot.nlu.encoder_build import NotBuiltError, build_base
from bot.nlu.encoder_component import SentenceEncoder

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {
    "greet": ["hello", "hi there", "hey", "good evening", "hiya", "yo", "hi is anyone there", "morning"],
    "is_this_private": [
        "is this private",
        "who can see what i write",
        "will anyone find out",
        "do you keep this secret",
        "are you going to show this to my school",
        "is this chat anonymous",
        "can my mum read this",
        "i dont want people knowing",
    ],
    "talk_to_person": [
        "can i talk to a real person",
        "i want a human",
        "is there someone i can speak to",
        "put me through to someone",
        "i dont want to talk to a bot",
        "i would rather talk to a grown up",
        "please get me an adult",
        "can somebody ring me",
    ],
    "bullied": [
        "people at school are mean to me",
        "they call me names every day",
        "some girls keep laughing at me",
        "a boy in my class pushes me around",
        "im getting bullied",
        "they made a group chat about me",
        "nobody lets me sit with them",
        "they take my lunch money",
    ],
}


@pytest.fixture(scope="module")
def pipeline() -> list[dict]:
    """The project's own pipeline up to the fallback; risk has tests of its own."""
    config = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))
    return [entry for entry in config["pipeline"] if not entry["name"].startswith("bot.risk.")]


@pytest.fixture(scope="module")
def agent(tmp_path_factory, pipeline):
    from rasa.core.agent import Agent
    from rasa.model_training import train_nlu

    build_base()
    folder = tmp_path_factory.mktemp("rasa")
    config = {"recipe": "default.v1", "assistant_id": "test", "language": "en", "pipeline": pipeline}
    (folder / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    nlu = [{"intent": i, "examples": "".join(f"- {t}\n" for t in ts)} for i, ts in EXAMPLES.items()]
    data = yaml.safe_dump({"version": "3.1", "nlu": nlu})
    (folder / "nlu.yml").write_text(data, encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RASA_TELEMETRY_ENABLED", "false")
        # A cache of its own: what another run trained must not answer here.
        environment.setenv("RASA_CACHE_DIRECTORY", str(folder / "cache"))
        model = train_nlu(str(folder / "config.yml"), str(folder / "nlu.yml"), str(folder / "models"))
    return Agent.load(model)


def parse(agent, text: str) -> dict:
    return asyncio.run(agent.parse_message(text))


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("hello there", "greet"),
        ("heyyyy", "greet"),
        ("will anyone at school see what i tell you", "is_this_private"),
        ("is dis privte", "is_this_private"),
        ("i want to speak to an actual human being", "talk_to_person"),
        ("can i tlk 2 a reel persn plz", "talk_to_person"),
        ("these boys call me horrible names", "bullied"),
        ("i am getin bullyed", "bullied"),
    ],
)
def test_a_message_never_seen_finds_its_intent(agent, text, intent) -> None:
    parsed = parse(agent, text)
    ranking = [entry["name"] for entry in parsed["intent_ranking"] if entry["name"] != "nlu_fallback"]
    assert ranking[0] == intent
    assert parsed["nearest"]["closeness"] > 0.35


@pytest.mark.parametrize("text", ["who won the world cup", "what is the capital of peru"])
def test_what_is_out_of_scope_falls_back(agent, text) -> None:
    assert parse(agent, text)["intent"]["name"] == "nlu_fallback"


@pytest.mark.parametrize(
    "text",
    ["", " ", "😭😭", "👍", "?", "\x00", "a\x00b", "\ud83d", "<script>1</script>", "x" * 50_000, "你好"],
)
def test_any_string_is_answered(agent, text) -> None:
    assert parse(agent, text)["intent"]["name"]


def test_the_same_message_gives_the_same_numbers(agent) -> None:
    first = parse(agent, "is this a secret")
    parse(agent, "hello")
    assert parse(agent, "is this a secret")["intent_ranking"] == first["intent_ranking"]


def test_the_configuration_names_the_encoder_it_was_made_for(pipeline) -> None:
    (config,) = [entry for entry in pipeline if entry["name"].endswith("SentenceEncoder")]
    assert config["sha256"] == SentenceEncoder.get_default_config()["sha256"]


@pytest.mark.parametrize("wrong", [{"sha256": "0" * 64}, {"scale": 0}, {"scale": "big"}])
def test_a_wrong_encoder_configuration_is_refused(wrong) -> None:
    with pytest.raises(InvalidConfigException, match=r"config\.yml"):
        SentenceEncoder.validate_config({**SentenceEncoder.get_default_config(), **wrong})


def test_without_the_encoder_rasa_is_told_to_run_the_set_up(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EARSHOT_CACHE", str(tmp_path))
    context = ExecutionContext(GraphSchema({}), node_name="encoder")
    with pytest.raises(NotBuiltError, match="set-up"):
        SentenceEncoder.create(
            SentenceEncoder.get_default_config(),
            LocalModelStorage.create(tmp_path),
            Resource("encoder"),
            context,
        )


def test_nothing_in_the_pipeline_can_overrule_the_risk_guard() -> None:
    config = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))
    assert config["pipeline"][-1]["name"] == "bot.risk.component.RiskGuard"
    priorities = {policy["name"]: policy.get("priority", 0) for policy in config["policies"]}
    assert max(priorities, key=priorities.__getitem__) == "bot.risk.policy.SafetyPolicy"
    # Rasa's own policies stay below: RulePolicy's default is 6.
    assert priorities["bot.risk.policy.SafetyPolicy"] > 6
