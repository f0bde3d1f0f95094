"""The Telegram door in the real gateway: the real core, store and outbox; only Rasa is scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.bootstrap import Core, build_core
from bot.gateway.app import create_app
from bot.messages import Channel
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_people import Person

ZEB = 600_100_300


@pytest.fixture
async def gateway(api: TelegramApi, core: Core, dialogue: Any) -> AsyncIterator[Any]:
    settings = core.settings.copy(
        update={
            "telegram_bot_token": type(core.settings.keys)(api.token),
            "telegram_api_base_url": api.base_url,
        }
    )
    app = create_app(build_core(settings), dialogue)
    async with app.router.lifespan_context(app):
        yield app.state


@pytest.fixture
def zeb(api: TelegramApi, gateway: Any) -> Person:
    return api.person(ZEB)


async def test_a_disclosure_on_telegram_opens_a_handover_and_is_answered(
    zeb: Person, core: Core, dialogue: Any
) -> None:
    dialogue.down = True
    zeb.starts()
    await zeb.waits_for("Telegram can tell", timeout=15)
    before = len(zeb.sees())
    zeb.sends_photo(caption="my stepdad hits me every night")
    await zeb.waits_for(lambda seen: "believe" in "".join(s.text for s in seen[before:]), timeout=15)
    with core.store.read() as uow:
        conversation = uow.conversation_by(
            "address_hash", uow.cipher.find_hash(f"address-{Channel.TELEGRAM.value}", str(ZEB))
        )
        assert uow.open_handover_of(conversation.id)


async def test_a_door_is_chosen_by_button_and_deleted_by_command(
    zeb: Person, gateway: Any, dialogue: Any
) -> None:
    zeb.says("hello")
    seen = await zeb.waits_for(lambda seen: any(s.buttons for s in seen), timeout=15)
    title = next(s.buttons[0] for s in seen if s.buttons)
    zeb.presses(title)
    await zeb.waits_for(lambda seen: any(s.buttons == (f"✓ {title}",) for s in seen), timeout=15)
    await zeb.api.waits_until(lambda: "/door_me" in dialogue.asked, timeout=15)
    zeb.says("/delete")
    await zeb.waits_for(lambda seen: any("Yes, delete it" in s.buttons for s in seen), timeout=15)
    zeb.presses("Yes, delete it")
    await zeb.waits_for("I have deleted", timeout=15)
    assert await gateway.conversations.find(Channel.TELEGRAM, str(ZEB)) is None


async def test_who_unblocks_is_reached_again(zeb: Person, api: TelegramApi) -> None:
    zeb.says("hello")
    await zeb.waits_for("Tell me more", timeout=15)
    zeb.blocks_bot()
    await api.waits_until(lambda: not api.pending())
    zeb.unblocks_bot()
    before = len(zeb.sees())
    zeb.says("back")
    await zeb.waits_for(lambda seen: len(seen) > before, timeout=15)


async def test_who_deletes_and_then_blocks_is_not_tried_for_ever(
    zeb: Person, api: TelegramApi, core: Core, gateway: Any
) -> None:
    zeb.says("hello")
    await zeb.waits_for("Tell me more", timeout=15)
    conversation_id = await gateway.conversations.find(Channel.TELEGRAM, str(ZEB))
    zeb.chat.blocked = True
    await gateway.conversations.say(conversation_id, "utter_deleted")
    assert await gateway.conversations.erase(conversation_id)

    def forgotten() -> bool:
        with core.store.read() as uow:
            conversation = uow.conversation(conversation_id)
            return conversation.address is None and not any(m.text for m in uow.messages(conversation_id))

    await api.waits_until(forgotten, timeout=15)


async def test_start_in_a_chat_under_way_gives_the_doors_again(zeb: Person, dialogue: Any) -> None:
    zeb.starts()
    await zeb.waits_for("Telegram can tell", timeout=15)
    zeb.says("hello")
    await zeb.waits_for("Tell me more", timeout=15)
    zeb.starts()
    await zeb.waits_for(lambda seen: sum("A friend" in s.buttons for s in seen[3:]) == 1, timeout=15)
    zeb.presses("A friend")
    await zeb.api.waits_until(lambda: dialogue.asked[-1:] == ["/door_friend"], timeout=15)
