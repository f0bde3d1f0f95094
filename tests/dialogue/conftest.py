"""A young person, the real gateway conversation, the trained model and the real actions, in one process."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from typing import Any

import pytest
import time_machine
from rasa.core.agent import Agent
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.utils.endpoints import EndpointConfig
from rasa_sdk.executor import ActionExecutor

import bot.bootstrap
from bot.bootstrap import Core
from bot.changes import Changes
from bot.conversation import Conversations
from bot.messages import Channel, InboundMessage, Kind, Sender
from bot.operate.model import train
from bot.risk import detector
from tests.actions.conftest import TUESDAY_NOON


class ActionsHere(EndpointConfig):
    """The action server without the server: Rasa's requests are run by rasa-sdk in this process."""

    def __init__(self) -> None:
        super().__init__(url="http://127.0.0.1")
        self._executor = ActionExecutor()
        self._executor.register_package("actions")

    async def request(self, *args: Any, json: Mapping[str, Any], **kwargs: Any) -> Any:
        """Run the action that Rasa asks for."""
        return await self._executor.run(json)


class RasaHere:
    """The dialogue, asked as over REST."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def ask(
        self, conversation_id: str, text: str, metadata: Mapping[str, Any], timeout: float
    ) -> list[dict[str, Any]]:
        """The replies to one message."""
        channel = CollectingOutputChannel()
        await self._agent.handle_message(
            UserMessage(text, channel, conversation_id, input_channel="rest", metadata=dict(metadata))
        )
        return channel.messages


class YoungPerson:
    """Whoever sits at the other end: says something, presses something, sees what is said."""

    def __init__(self, core: Core, conversations: Conversations, chat: str) -> None:
        self._core, self._conversations, self._chat = core, conversations, chat
        self._ids = itertools.count(1)

    async def says(self, text: str) -> list[str]:
        """Types a message; returns what the bot says to it."""
        return await self._sends(text=text)

    async def presses(self, title: str) -> list[str]:
        """Presses the newest choice with this title; returns what the bot says to it."""
        for message in reversed(self._transcript()):
            for choice in message.choices or ():
                if choice["title"] == title:
                    return await self._sends(kind=Kind.CHOICE, choice=choice["id"])
        raise AssertionError(f"was not offered: {title}")

    def offered(self) -> list[str]:
        """The titles of the choices in the newest message."""
        return [choice["title"] for choice in self._transcript()[-1].choices or ()]

    def handover(self) -> Any:
        """The open handover, if there is one."""
        with self._core.store.read() as uow:
            return uow.open_handover_of(self._chat)

    def _transcript(self) -> list[Any]:
        with self._core.store.read() as uow:
            return list(uow.messages(self._chat))

    async def _sends(self, **what: Any) -> list[str]:
        before = len(self._transcript())
        await self._conversations.take_turn(
            InboundMessage(self._chat, Channel.WEB, f"m{next(self._ids)}", **what)
        )
        return [m.text for m in self._transcript()[before:] if m.sender == Sender.BOT.value]


@pytest.fixture(scope="session")
def agent() -> Agent:
    """The trained model of today's files; trained first if it is not there."""
    logging.getLogger("rasa").setLevel(logging.ERROR)
    return Agent.load(str(train()), action_endpoint=ActionsHere())


@pytest.fixture
async def young_person(core: Core, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> YoungPerson:
    """A new web conversation at noon on a school day, with the demo's people on duty."""
    bot.bootstrap.core.cache_clear()
    monkeypatch.setattr(bot.bootstrap, "build_core", lambda _settings: core)
    monkeypatch.setattr(bot.bootstrap, "load_settings", lambda: core.settings)
    conversations = Conversations(core, RasaHere(agent), detector.assess, Changes(core.store))
    with time_machine.travel(TUESDAY_NOON, tick=True):
        started = await conversations.start_web()
        yield YoungPerson(core, conversations, started.conversation_id)
    bot.bootstrap.core.cache_clear()
