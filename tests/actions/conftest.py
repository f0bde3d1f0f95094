"""Runs the real actions on the real core, with the trackers and the domain that Rasa would send."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
import time_machine
import yaml
from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import (
    _finding,
    _form_answers,
    _place,
    _standing,
    come_back,
    concern_report,
    consent,
    doors,
    fallback,
    find_help,
    friend,
    neglect,
    next_steps,
    own_words,
    parent,
    person,
    safety,
    small_talk,
    stop_delete,
    worry,
)
from bot.bootstrap import Core
from bot.messages import Sender
from bot.risk.taxonomy import Memory
from bot.settings import ROOT
from bot.transcript import append
from tests.standins.houses import begin_chat

CONVERSATION = "c" * 32
#: A Tuesday in term time: the schools' safe adults and the day team are there.
TUESDAY_NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
#: Modules that look the core up by name when an action runs.
ASK_THE_CORE = (
    _finding,
    _form_answers,
    _place,
    _standing,
    come_back,
    concern_report,
    consent,
    doors,
    find_help,
    neglect,
    next_steps,
    own_words,
    parent,
    person,
    safety,
    stop_delete,
    worry,
)


class Said:
    """What an action said and remembered."""

    def __init__(self, dispatcher: CollectingDispatcher, events: list[dict[str, Any]]) -> None:
        self.messages = dispatcher.messages
        self.slots = {e["name"]: e["value"] for e in events if e["event"] == "slot"}

    @property
    def names(self) -> list[str]:
        """The responses that were said, in order."""
        return [message["response"] for message in self.messages if message.get("response")]

    def values(self, response: str) -> dict[str, Any]:
        """The variables a response was said with."""
        return next(message for message in self.messages if message["response"] == response)


class Child:
    """Whoever types, and the slots their conversation has."""

    def __init__(self, core: Core, domain: dict[str, Any]) -> None:
        self.core = core
        self.domain = domain
        self.slots: dict[str, Any] = {
            name: slot.get("initial_value") for name, slot in domain["slots"].items()
        }
        self.events: list[dict[str, Any]] = []

    def types(self, text: str) -> None:
        """A typed message is stored before any action runs, as the gateway does it."""
        with self.core.uow() as uow:
            row = uow.conversation(CONVERSATION, lock=True)
            append(uow, row, Sender.YOU, text, self.core.now())
            uow.commit()

    def hears(
        self,
        action: Action,
        intent: str,
        text: str = "",
        *,
        entities: dict[str, str] | None = None,
        risk: dict[str, Any] | None = None,
        confidence: float = 1.0,
        memory: Memory = Memory(),
    ) -> Said:
        """Runs an action after a message with this intent and keeps what it remembered."""
        message = {
            "intent": {"name": intent, "confidence": confidence},
            "text": text or f"/{intent}",
            "entities": [{"entity": k, "value": v} for k, v in (entities or {}).items()],
            "risk": risk or {"level": "none", "categories": [], "about": "self", "evidence": []},
            "metadata": {"earshot": {"memory": memory.to_dict()}},
        }
        self.events.append({"event": "user", **message})
        tracker = Tracker(
            CONVERSATION, dict(self.slots), message, list(self.events), False, None, {}, "action_listen"
        )
        dispatcher = CollectingDispatcher()
        said = Said(dispatcher, action.run(dispatcher, tracker, self.domain))
        self.slots.update(said.slots)
        self.events += [{"event": "bot", "metadata": {"utter_action": name}} for name in said.names]
        self.events.append({"event": "action", "name": action.name()})
        return said

    def says_by_rule(self, response: str) -> None:
        """A message that a rule answered with this response, without any action of ours."""
        self.events += [
            {"event": "user"},
            {"event": "action", "name": response},
            {"event": "bot", "metadata": {"utter_action": response}},
        ]


@pytest.fixture(scope="session")
def domain() -> dict[str, Any]:
    """The project's own domain."""
    return yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))


@pytest.fixture
def at() -> Callable[[datetime], Any]:
    """Moves the clock: ``with at(TUESDAY_NIGHT): ...``"""
    return lambda when: time_machine.travel(when, tick=False)


@pytest.fixture
def child(core: Core, domain: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Child:
    """Somebody in a new conversation, at noon on a school day."""
    for module in ASK_THE_CORE:
        monkeypatch.setattr(module, "core", lambda: core)
    with time_machine.travel(TUESDAY_NOON, tick=False):
        with core.uow() as uow:
            begin_chat(uow, core.now(), id=CONVERSATION)
            uow.commit()
        yield Child(core, domain)


__all__ = ["CONVERSATION", "TUESDAY_NOON", "Child", "Said", "fallback", "friend", "small_talk"]
