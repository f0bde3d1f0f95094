"""A database that is late or fails: words come in time all the same, and the message is answered once."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bot.bootstrap import Core
from bot.changes import Changes
from bot.channels import plain
from bot.conversation import Conversations
from bot.gateway import patience
from bot.gateway.app import create_app
from bot.gateway.patience import Patience, TooSlow, within
from bot.messages import Channel, InboundMessage
from bot.risk import detector
from tests.conftest import ScriptedDialogue

DISCLOSURE = "my stepdad hits me when hes had a drink"


@pytest.fixture
def hurried(monkeypatch) -> None:
    monkeypatch.setattr(patience, "LONGEST", 0.05)


def asking(core: Core, *routes: Route) -> httpx.AsyncClient:
    app = Starlette(routes=list(routes), middleware=[Middleware(Patience, content=core.content)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_an_answer_that_takes_too_long_is_words_with_the_numbers_and_the_work_goes_on(
    core: Core, hurried
) -> None:
    may_go_on, done = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> JSONResponse:
        await may_go_on.wait()
        done.set()
        return JSONResponse({"id": 1}, 202)

    async with asking(core, Route("/api/messages", slow, methods=["POST"])) as client:
        answer = await client.post("/api/messages", json={})
        assert answer.status_code == 503
        assert "999" in answer.json()["emergency"] and "0800 1111" in answer.json()["emergency"]
        may_go_on.set()
        await asyncio.wait_for(done.wait(), 5)


async def test_an_answer_in_time_and_pages_outside_the_interface_are_left_alone(core: Core, hurried) -> None:
    async def quick(_request: Request) -> JSONResponse:
        return JSONResponse({"id": 1}, 202)

    async def slow(_request: Request) -> JSONResponse:
        await asyncio.sleep(0.2)
        return JSONResponse({"fine": True})

    async with asking(core, Route("/api/quick", quick), Route("/desk", slow)) as client:
        assert (await client.get("/api/quick")).status_code == 202
        assert (await client.get("/desk")).json() == {"fine": True}


async def test_what_takes_too_long_is_not_cut_off() -> None:
    may_go_on, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await may_go_on.wait()
        done.set()

    with pytest.raises(TooSlow):
        await within(0.01, work())
    may_go_on.set()
    await asyncio.wait_for(done.wait(), 5)


async def test_a_form_that_takes_too_long_comes_back_with_the_numbers_and_what_was_typed(
    core: Core, dialogue: ScriptedDialogue, monkeypatch
) -> None:
    monkeypatch.setattr(plain, "LONGEST_FORM", 0.2)

    @event.listens_for(core.store.engine, "before_cursor_execute")
    def late(_connection, _cursor, statement, *_rest) -> None:
        if statement.startswith("INSERT INTO message"):
            time.sleep(0.5)

    transport = httpx.ASGITransport(create_app(core, dialogue))
    async with httpx.AsyncClient(transport=transport, base_url=core.settings.url) as client:
        answer = await client.post("/say", data={"client_id": "one", "text": "he shouts at night"})
        assert answer.status_code == 503
        assert "he shouts at night</textarea>" in answer.text
        assert "999" in answer.text and "0800 1111" in answer.text
        await asyncio.gather(*patience._going_on, return_exceptions=True)


async def test_a_turn_that_the_database_cut_off_is_answered_at_the_next_tick_and_once(
    core: Core, dialogue: ScriptedDialogue
) -> None:
    conversations = Conversations(core, dialogue, detector.assess, Changes(core.store))
    chat = (await conversations.start_web()).conversation_id
    await conversations.receive(InboundMessage(chat, Channel.WEB, "m1", text=DISCLOSURE))
    broken = True

    @event.listens_for(core.store.engine, "before_cursor_execute")
    def fail(_connection, _cursor, statement, *_rest) -> None:
        if broken and statement.startswith("UPDATE message"):
            raise OperationalError(statement, {}, Exception("database is locked"))

    with pytest.raises(OperationalError):
        await conversations.answer(chat)
    broken = False
    long_ago = core.now() - timedelta(hours=1)  # no crash is waited for
    assert await conversations.answer_leftovers(long_ago) == 1
    assert await conversations.answer_leftovers(long_ago) == 0
    with core.store.read() as uow:
        assert uow.open_handover_of(chat).level == "high"
        assert sum("believe" in m.text for m in uow.messages(chat)) == 1


async def test_a_message_left_behind_before_the_clock_was_put_back_is_not_waited_for(
    core: Core, dialogue: ScriptedDialogue
) -> None:
    conversations = Conversations(core, dialogue, detector.assess, Changes(core.store))
    chat = (await conversations.start_web()).conversation_id
    await conversations.receive(InboundMessage(chat, Channel.WEB, "m1", text=DISCLOSURE))
    with core.uow() as uow:
        uow.messages(chat)[-1].created_at += timedelta(hours=1)
        uow.commit()
    assert await conversations.answer_leftovers(core.now() - timedelta(seconds=15)) == 1
    with core.store.read() as uow:
        assert uow.open_handover_of(chat) is not None
