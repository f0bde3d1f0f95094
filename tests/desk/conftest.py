"""The desk's fixtures: a world per test, and a served one for what needs a real connection."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from anyio import sleep
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.routing import Mount

from bot.desk import account, second_factor, sign_in
from bot.desk.app import desk_app
from tests.desk.world import World, make_core
from tests.standins import browser


# Not for the session: playwright keeps an event loop running, in which no async test could run later.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.chromium() as running:
        yield running


@pytest.fixture
def world(tmp_path) -> World:
    made = World(make_core(tmp_path))
    made.hire()
    return made


@pytest.fixture
def no_delay(monkeypatch) -> list[float]:
    """What each attempt would have waited, without the waiting."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    for module in (sign_in, second_factor, account):
        monkeypatch.setattr(module, "sleep", note)
    return waited


@pytest.fixture
def served(world: World) -> Iterator[str]:
    """The world's desk on a loopback port, live; gives its address."""

    @asynccontextmanager
    async def lifespan(_app: Starlette):
        looking = asyncio.create_task(world.changes.look_forever())
        yield
        looking.cancel()

    app = Starlette(routes=[Mount("/desk", desk_app(world.core, world.changes))], lifespan=lifespan)
    listening = socket.create_server(("127.0.0.1", 0))
    # Open streams are cut at the end, which uvicorn would report as errors.
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listening.close()
