"""Nothing is written that nobody can meet: every response is said somewhere, every rule can be reached."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
import yaml

from bot.content import Content
from bot.settings import ROOT

FILES = sorted([*(ROOT / "bot").rglob("*.py"), *(ROOT / "actions").glob("*.py")])
DOMAIN = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))


def documents(folder: str) -> Iterator[Any]:
    for path in sorted((ROOT / "data" / folder).glob("*.yml")):
        yield yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def paths() -> dict[str, list[dict[str, Any]]]:
    """The steps of every rule and story, conditions included, by name."""
    found = {}
    for document in [*documents("rules"), *documents("stories")]:
        for rule in document.get("rules", ()):
            found[f"rule {rule['rule']}"] = [*rule.get("condition", ()), *flat(rule["steps"])]
        for story in document.get("stories", ()):
            found[f"story {story['story']}"] = list(flat(story["steps"]))
    return found


def flat(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield from step.get("or", (step,))


PATHS = paths()


@lru_cache(maxsize=1)
def words_in_code() -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """Strings that the code holds, and patterns for those it puts together ("utter_hear_" and a topic)."""
    plain: set[str] = set()
    made: set[str] = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                plain.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                parts = [
                    re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+"
                    for part in node.values
                ]
                made.add("".join(parts))
    # A pattern that begins with no more than the prefix of all responses would let anything pass.
    patterns = tuple(re.compile(one) for one in made if re.match(r"(utter|problem|alert)_\w*[a-z]", one))
    return frozenset(plain), patterns


#: Actions that answer with the response that is called like the intent.
ANSWER_BY_NAME = frozenset({"action_answer_question", "action_hear_parent"})


@lru_cache(maxsize=1)
def answered_by_name() -> frozenset[str]:
    """The intents that rules and stories hand to such an action."""
    return frozenset(
        step["intent"]
        for steps in PATHS.values()
        if ANSWER_BY_NAME & {step.get("action") for step in steps}
        for step in steps
        if "intent" in step
    )


def is_said(name: str) -> bool:
    if name.removeprefix("utter_").removesuffix("_adult") in answered_by_name():
        return True
    plain, patterns = words_in_code()
    if name in plain or any(pattern.fullmatch(name) for pattern in patterns):
        return True
    if any(name.endswith(end) and name.removesuffix(end) in plain for end in plain if end[:1] == "_"):
        return True
    if any(name.startswith(start) and start in plain for start in plain if re.match(r"utter_\w+_$", start)):
        return True
    if any(step.get("action") == name for steps in PATHS.values() for step in steps):
        return True
    slots = {slot for form in DOMAIN["forms"].values() for slot in form["required_slots"]}
    return name.removeprefix("utter_ask_") in slots


@pytest.mark.parametrize("name", sorted(Content.load(ROOT / "data").names()))
def test_every_response_is_said_somewhere(name: str) -> None:
    assert is_said(name), f"nothing says {name}: use it, or take it out of data/responses"


def test_a_response_that_nothing_says_would_be_noticed() -> None:
    assert not is_said("utter_nobody_ever_says_this")


@pytest.mark.parametrize("name", sorted(PATHS))
def test_every_path_can_be_entered(name: str) -> None:
    """Its intents can be typed or pressed, its actions and forms exist, its questions are asked."""
    examples = {
        item["intent"]: item.get("examples", "")
        for document in documents("nlu")
        for item in document.get("nlu", ())
        if "intent" in item
    }
    content = Content.load(ROOT / "data")
    pressed = {
        re.sub(r"[{].*", "", choice["payload"]).removeprefix("/")
        for response in content.names()
        for variation in content.variations(response)
        for choice in variation.buttons
    }
    plain, _ = words_in_code()
    for step in PATHS[name]:
        if intent := step.get("intent"):
            assert intent in DOMAIN["intents"] or intent == "nlu_fallback", intent
            assert examples.get(intent) or intent in pressed or intent == "nlu_fallback", intent
        action = step.get("action")
        if action and action not in DOMAIN["forms"] and action != "action_deactivate_loop":
            assert action in DOMAIN["actions"] or action in content, action
        if step.get("active_loop"):
            assert step["active_loop"] in DOMAIN["forms"]
        for slot in step.get("slot_was_set", ()):
            ((slot_name, value),) = slot.items()
            assert slot_name in DOMAIN["slots"] or slot_name == "requested_slot"
            if slot_name == "asked":
                assert value in DOMAIN["slots"]["asked"]["values"] and value in plain, value


def test_every_action_is_run_by_something() -> None:
    plain, _ = words_in_code()
    run = {step.get("action") for steps in PATHS.values() for step in steps}
    forms = {f"validate_{form}" for form in DOMAIN["forms"]}
    asks = {f"action_ask_{slot}" for form in DOMAIN["forms"].values() for slot in form["required_slots"]}
    alone = {"action_listen_again"}  # the core fallback of config.yml
    assert not [a for a in DOMAIN["actions"] if a not in run | forms | asks | alone]


def test_every_intent_has_an_answer() -> None:
    used = {step.get("intent") for steps in PATHS.values() for step in steps}
    assert not [intent for intent in DOMAIN["intents"] if intent not in used]
