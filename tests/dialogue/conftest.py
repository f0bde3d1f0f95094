"""A young person, the real gateway conversation, the trained model and the real actions, in one process."""

from __future__ import annotations

import contextlib
import itertools
import logging
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest
import time_machine
from rasa.core.agent import Agent
from rasa.core.tracker_store import TrackerStore

import bot.bootstrap
from bot.bootstrap import Core
from bot.changes import Changes
from bot.conversation import Conversations
from bot.custody.backup import copy_sqlite
from bot.messages import Channel, InboundMessage, Kind, Sender
from bot.nlu.wording import FreshWords
from bot.operate.model import train
from bot.operate.transcripts import ActionsHere, RasaHere
from bot.risk import detector
from tests.actions.conftest import TUESDAY_NOON


class YoungPerson:
    """Whoever sits at the other end: says something, presses something, sees what is said."""

    def __init__(self, core: Core, conversations: Conversations, chat: str, trackers: TrackerStore) -> None:
        self._core, self._conversations, self.chat = core, conversations, chat
        self.trackers = trackers
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

    def choice(self, title: str) -> str:
        """The id of a choice in the newest message."""
        return next(c["id"] for c in self._transcript()[-1].choices if c["title"] == title)

    async def presses_again(self, choice: str) -> list[str]:
        """Presses a choice by its id, whatever was said since; returns what the bot says to it."""
        return await self._sends(kind=Kind.CHOICE, choice=choice)

    @contextlib.asynccontextmanager
    async def what_if(self) -> AsyncIterator[None]:
        """What is said inside is taken back at the end, by us, by the database and by Rasa."""
        tracker = await self.trackers.retrieve(self.chat)
        if tracker is None:
            tracker = await self.trackers.create_tracker(self.chat, append_action_listen=False)
        path = str(self._core.store.engine.url.database)
        with contextlib.closing(sqlite3.connect(path)) as house:
            with contextlib.closing(sqlite3.connect(":memory:")) as kept:
                copy_sqlite(house, kept)
                yield
                copy_sqlite(kept, house)
        await self.trackers.save(tracker)

    def offered(self) -> list[str]:
        """The titles of the choices in the newest message."""
        return [choice["title"] for choice in self._transcript()[-1].choices or ()]

    def handover(self) -> Any:
        """The open handover, if there is one."""
        with self._core.store.read() as uow:
            return uow.open_handover_of(self.chat)

    def _transcript(self) -> list[Any]:
        with self._core.store.read() as uow:
            return list(uow.messages(self.chat))

    async def _sends(self, **what: Any) -> list[str]:
        before = len(self._transcript())
        await self._conversations.take_turn(
            InboundMessage(self.chat, Channel.WEB, f"m{next(self._ids)}", **what)
        )
        return [m.text for m in self._transcript()[before:] if m.sender == Sender.BOT.value]


@pytest.fixture(scope="session")
def agent() -> Agent:
    """The trained model of today's files; trained first if it is not there."""
    logging.getLogger("rasa").setLevel(logging.ERROR)
    return Agent.load(str(train()), generator=FreshWords(), action_endpoint=ActionsHere())


@pytest.fixture
async def young_person(core: Core, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> YoungPerson:
    """A new web conversation at noon on a school day, with the demo's people on duty."""
    bot.bootstrap.core.cache_clear()
    monkeypatch.setattr(bot.bootstrap, "build_core", lambda _settings: core)
    monkeypatch.setattr(bot.bootstrap, "load_settings", lambda: core.settings)
    conversations = Conversations(core, RasaHere(agent), detector.assess, Changes(core.store))
    with time_machine.travel(TUESDAY_NOON, tick=True):
        started = await conversations.start_web()
        yield YoungPerson(core, conversations, started.conversation_id, agent.tracker_store)
    bot.bootstrap.core.cache_clear()
