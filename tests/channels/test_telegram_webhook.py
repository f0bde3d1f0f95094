"""The webhook: only Telegram gets in, and it is told the truth about what was taken."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from structlog.testing import capture_logs

from bot.bootstrap import Core
from bot.channels import telegram
from bot.channels.telegram import TelegramChannel
from bot.channels.telegram_updates import ALLOWED
from bot.channels.telegram_webhook import LARGEST, PATH, SECRET_HEADER, Webhook, webhook_routes
from bot.gateway.app import create_app
from bot.settings import Settings
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_door import RecordingConversations

ZEB = 600_100_300
SECRET = "stand-in_secret-0123456789"
WEBHOOK = Webhook("https://earshot.example/", SECRET)


@pytest.fixture
async def door(api: TelegramApi, recorder: RecordingConversations) -> AsyncIterator[TelegramChannel]:
    channel = TelegramChannel(
        api.token, recorder, recorder.content, recorder, api.base_url,
        webhook=WEBHOOK, retry_seconds=0.05, look_seconds=0.2,
    )  # fmt: skip
    await channel.start()
    await api.waits_until(lambda: channel.status == "webhook", 20)
    yield channel
    await channel.stop()


@pytest.fixture
async def outside(door: TelegramChannel) -> AsyncIterator[httpx.AsyncClient]:
    app = httpx.ASGITransport(Starlette(routes=webhook_routes(door)))
    async with httpx.AsyncClient(transport=app, base_url="https://earshot.example") as client:
        yield client


async def test_the_webhook_is_set_with_its_secret_and_the_kinds_asked_for(
    api: TelegramApi, door: TelegramChannel
) -> None:
    assert api.webhook == {"url": f"https://earshot.example{PATH}", "secret_token": SECRET}
    assert api.called("setWebhook")[-1].params["allowed_updates"] == list(ALLOWED)
    assert api.called("getUpdates") == [] and api.called("deleteWebhook") == []


async def test_what_is_pushed_is_taken_once(
    api: TelegramApi, outside: httpx.AsyncClient, recorder: RecordingConversations
) -> None:
    api.person(ZEB).says("hello")
    (update,) = list(api._updates)
    assert await api.pushes(outside) == [200]
    again = await outside.post(PATH, json=update, headers={SECRET_HEADER: SECRET})
    assert again.status_code == 200
    assert recorder.texts() == ["hello"] and api.pending() == []


@pytest.mark.parametrize("secret", [None, "", SECRET[:-1], SECRET + "x", "ü" * 20])
async def test_without_the_secret_nothing_is_read(
    secret: str | None, api: TelegramApi, outside: httpx.AsyncClient, recorder: RecordingConversations
) -> None:
    api.person(ZEB).says("not from Telegram")
    headers = {SECRET_HEADER: secret.encode()} if secret is not None else {}
    answer = await outside.post(PATH, json=api._updates[0], headers=headers)
    assert answer.status_code == 403 and answer.content == b""
    assert recorder.messages == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 200_000, b" " * (LARGEST + 1)])
async def test_what_is_no_update_is_refused(body: bytes, outside: httpx.AsyncClient) -> None:
    answer = await outside.post(PATH, content=body, headers={SECRET_HEADER: SECRET})
    assert answer.status_code == 400


async def test_what_could_not_be_stored_is_asked_for_again(
    api: TelegramApi,
    outside: httpx.AsyncClient,
    recorder: RecordingConversations,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telegram, "PUSH_PATIENCE", 0.1)
    recorder.store_down = True
    api.person(ZEB).says("hello")
    assert await api.pushes(outside) == [503]
    recorder.store_down = False
    await api.waits_until(lambda: recorder.texts() == ["hello"])
    assert await api.pushes(outside) == [200]
    assert recorder.texts() == ["hello"]


async def test_a_webhook_that_somebody_took_away_is_set_again(
    api: TelegramApi, door: TelegramChannel
) -> None:
    api.webhook = {}
    await api.waits_until(lambda: api.webhook.get("secret_token") == SECRET)


async def test_health_says_whether_telegram_gets_through(api: TelegramApi, door: TelegramChannel) -> None:
    assert door.health()["ok"] and door.health()["mode"] == "webhook"
    api.person(ZEB).says("hello")
    api.push_failed_at = time.time() + 60
    await api.waits_until(lambda: door.status == "undelivered")
    assert not door.health()["ok"]


async def test_the_secret_is_in_no_log_and_no_repr(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    with capture_logs() as logs:
        channel = TelegramChannel(
            api.token, recorder, recorder.content, recorder, api.base_url, webhook=WEBHOOK
        )
        await channel.start()
        await api.waits_until(lambda: channel.status == "webhook", 20)
        await channel.stop()
    assert SECRET not in repr(logs) + repr(vars(channel)) + repr(WEBHOOK)


async def test_where_telegram_is_off_or_polled_there_is_no_webhook(core: Core) -> None:
    transport = httpx.ASGITransport(create_app(core))
    async with httpx.AsyncClient(transport=transport, base_url=core.settings.url) as client:
        answer = await client.post(PATH, json={}, headers={SECRET_HEADER: SECRET})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("secret", "url"),
    [("short", "https://a.example"), ("no spaces in it, please", "https://a.example"), (SECRET, "")],
)
def test_a_webhook_that_telegram_would_refuse_stops_the_start(secret: str, url: str, core: Core) -> None:
    known = {"keys": core.settings.keys, "lookup_key": core.settings.lookup_key}
    with pytest.raises(ValidationError) as raised:
        Settings(**known, public_url=url, telegram_webhook_secret=secret)
    assert secret not in str(raised.value)
