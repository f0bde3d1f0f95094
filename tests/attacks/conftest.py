"""The real gateway and the real desk on an empty database, with nothing counted unless a test counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from limits import parse
from telegram.error import TelegramError

from bot.bootstrap import Core
from bot.changes import Changes
from bot.channels.telegram_intake import chat_id_of
from bot.channels.telegram_record import Record
from bot.channels.telegram_updates import UpdateHandler
from bot.channels.telegram_wire import build_bot
from bot.conversation import Conversations
from bot.gateway import limits
from bot.gateway.app import create_app
from bot.risk import detector
from tests.attacks.driver import PATIENCE, Driver, finish
from tests.attacks.seats import Staffed
from tests.conftest import ScriptedDialogue
from tests.desk.world import World, make_core
from tests.standins.telegram_api import TelegramApi


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so wide that an attack gets past them to what is behind."""
    for name in limits.RATES:
        monkeypatch.setitem(limits.RATES, name, parse("1000000/second"))
    monkeypatch.setattr(limits, "REQUESTS", parse("1000000/second"))


@pytest.fixture
def gateway(core: Core, dialogue: ScriptedDialogue) -> Iterator[Driver]:
    """The gateway as it is served, Rasa apart."""
    house = type(core)(core.settings.copy(update={"new_chats": 1_000_000}), core.content, core.store)
    driver = Driver(create_app(house, dialogue))
    yield driver
    driver.close()


@pytest.fixture
def chat(gateway: Driver, uncounted: None) -> Driver:
    """The gateway, and a conversation that the caller's cookie has."""
    begun = gateway("POST", "/api/conversations")
    gateway.cookies["earshot"] = begun.set_cookies[0].partition(";")[0].partition("=")[2]
    return gateway


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    built = World(make_core(tmp_path))
    built.hire()
    yield built
    built.core.store.engine.dispose()


@pytest.fixture
def desk(world: World) -> Iterator[Staffed]:
    staffed = Staffed(world)
    yield staffed
    staffed.driver.close()


@pytest.fixture
def door(core: Core, dialogue: ScriptedDialogue) -> Iterator[Any]:
    """The handler of updates on the real core, with Telegram's side on loopback."""
    with TelegramApi() as api:
        loop = asyncio.new_event_loop()
        changes = Changes(core.store)
        conversations = Conversations(core, dialogue, detector.assess, changes)
        bot = build_bot(api.token, api.base_url, None)
        loop.run_until_complete(bot.initialize())
        handler = UpdateHandler(bot, conversations, Record(core, changes), core.content)

        def take(update: dict[str, Any]) -> None:
            chat_id_of(update)

            async def both() -> None:
                try:
                    await handler.handle(update)
                    await handler.tell_trouble(update)
                except TelegramError:
                    return  # Telegram's side would not: the update comes again

            loop.run_until_complete(asyncio.wait_for(both(), PATIENCE))

        yield take
        loop.run_until_complete(bot.shutdown())
        finish(loop)
