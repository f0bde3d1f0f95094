"""The stand-in refuses what the Bot API refuses; else tests against it would prove little."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.standins import telegram_shapes as shapes
from tests.standins.served import free_port
from tests.standins.telegram_api import TOKEN, TelegramApi

ZEB = 600_100_300


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi() as running:
        running.person(ZEB).chat.talked = True
        yield running


async def call(api: TelegramApi, method: str, token: str = TOKEN, **params: Any) -> Any:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = (await client.post(f"{api.base_url}{token}/{method}", json=params)).json()
        if answer["ok"]:
            return answer["result"]
        return answer["error_code"], answer["description"]


def button(data: str) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "Yes", "callback_data": data}]]}


@pytest.mark.parametrize(
    ("method", "params", "code", "says"),
    [
        ("sendMessage", {"chat_id": ZEB, "text": "x" * 4097}, 400, "too long"),
        ("sendMessage", {"chat_id": ZEB, "text": "😢" * 2049}, 400, "too long"),
        ("sendMessage", {"chat_id": ZEB, "text": " "}, 400, "text is empty"),
        ("sendMessage", {"text": "x"}, 400, "chat_id is empty"),
        ("sendMessage", {"chat_id": 1, "text": "x"}, 400, "chat not found"),
        ("sendMessage", {"chat_id": ZEB, "text": "x", "parse_mode": "Word"}, 400, "parse_mode"),
        ("sendMessage", {"chat_id": ZEB, "text": "x", "reply_markup": button("y" * 65)}, 400, "DATA_INVALID"),
        ("sendMessage", {"chat_id": ZEB, "text": "x", "reply_markup": "{"}, 400, "can't parse"),
        ("editMessageReplyMarkup", {"chat_id": ZEB, "message_id": 99}, 400, "not found"),
        ("answerCallbackQuery", {"callback_query_id": "1"}, 400, "too old"),
        ("sendChatAction", {"chat_id": ZEB, "action": "sleeping"}, 400, "wrong parameter action"),
        ("setMyCommands", {"commands": [{"command": "Help", "description": "x"}]}, 400, "COMMAND_INVALID"),
        ("setMyCommands", {"commands": [{"command": "help", "description": ""}]}, 400, "DESCRIPTION_INVALID"),
        ("setWebhook", {"url": "http://plain.example"}, 400, "HTTPS"),
        ("setWebhook", {"url": "https://a.example", "secret_token": "no spaces"}, 400, "unallowed"),
        ("leaveChat", {"chat_id": ZEB}, 400, "private"),
        ("sendPigeon", {}, 404, "method not found"),
    ],
)
async def test_a_wrong_call_is_refused(
    api: TelegramApi, method: str, params: dict[str, Any], code: int, says: str
) -> None:
    assert (await call(api, method, **params))[0] == code
    assert says in (await call(api, method, **params))[1]


async def test_a_wrong_token_is_refused(api: TelegramApi) -> None:
    assert (await call(api, "getMe", "700100200:" + "A" * 35))[0] == 401
    assert (await call(api, "getMe", "nonsense"))[0] == 404


async def test_updates_stay_until_they_are_confirmed(api: TelegramApi) -> None:
    zeb = api.person(ZEB)
    first, second = zeb.says("one"), zeb.says("two")
    assert [u["update_id"] for u in await call(api, "getUpdates")] == [first, second]
    assert [u["update_id"] for u in await call(api, "getUpdates", limit=1)] == [first]
    assert [u["update_id"] for u in await call(api, "getUpdates", offset=second)] == [second]
    assert api.pending() == [second]
    assert await call(api, "getUpdates", offset=second + 1) == []


async def test_a_long_poll_ends_with_the_update_it_waited_for(api: TelegramApi) -> None:
    poll = asyncio.create_task(call(api, "getUpdates", timeout=5))
    await asyncio.sleep(0.2)
    update_id = api.person(ZEB).says("hello")
    (update,) = await asyncio.wait_for(poll, 1)
    assert update["update_id"] == update_id
    assert update["message"]["from"]["username"] == shapes.USERNAME


async def test_the_older_of_two_polls_is_ended(api: TelegramApi) -> None:
    older = asyncio.create_task(call(api, "getUpdates", timeout=5))
    await asyncio.sleep(0.2)
    newer = asyncio.create_task(call(api, "getUpdates", timeout=1))
    assert (await older)[0] == 409
    assert await newer == []


async def test_a_webhook_excludes_polling(api: TelegramApi) -> None:
    assert await call(api, "setWebhook", url="https://a.example", secret_token="s") is True
    assert (await call(api, "getUpdates"))[0] == 409
    assert await call(api, "deleteWebhook") is True
    assert await call(api, "getUpdates") == []


async def test_kinds_that_nobody_asked_for_do_not_come(api: TelegramApi) -> None:
    api.person(ZEB).reacts()
    assert api.pending() == []
    await call(api, "getUpdates", allowed_updates=["message_reaction"])
    api.person(ZEB).reacts()
    api.person(ZEB).says("not asked for")
    assert len(api.pending()) == 1


async def test_a_bot_cannot_write_first_nor_to_who_blocked_it(api: TelegramApi) -> None:
    stranger = api.person(7)
    assert "can't initiate" in (await call(api, "sendMessage", chat_id=7, text="hi"))[1]
    stranger.says("hello")
    assert (await call(api, "sendMessage", chat_id=7, text="hi"))["text"] == "hi"
    stranger.blocks_bot()
    assert "blocked" in (await call(api, "sendMessage", chat_id=7, text="hi"))[1]


async def test_it_runs_as_a_process_and_is_driven_from_outside(socket_enabled: None) -> None:
    port = free_port()
    root = Path(__file__).resolve().parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.standins.telegram_api", "--port", str(port),
        cwd=root, env={**os.environ, "PYTHONPATH": ""}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        assert str(port).encode() in await asyncio.wait_for(process.stdout.readline(), 20)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

            async def order(**what: Any) -> httpx.Response:
                for _ in range(100):
                    try:
                        return await client.post("/control", json=what)
                    except httpx.ConnectError:
                        await asyncio.sleep(0.1)
                raise AssertionError("it never listened")

            update_id = (await order(person=ZEB, do="says", **{"with": ["hello"]})).json()["result"]
            updates = (await client.post(f"/bot{TOKEN}/getUpdates")).json()["result"]
            assert [u["update_id"] for u in updates] == [update_id]
            await client.post(f"/bot{TOKEN}/sendMessage", data={"chat_id": ZEB, "text": "hi"})
            assert (await order(person=ZEB, do="sees")).json()["result"] == [
                {"id": 2, "text": "hi", "buttons": []}
            ]
            assert (await order(person=ZEB, do="_sends")).status_code == 400
    finally:
        process.terminate()
        await process.wait()
