"""The gateway: web chat, Telegram, the desk, the outbox and the clock, in one process.

:func:`create_app` puts it together from a core; nothing happens at import.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bot.bootstrap import Core
from bot.changes import Changes
from bot.channels import embed, find, look, openapi, rasa_socket
from bot.channels.embed import FrameSession
from bot.channels.problems import handlers
from bot.channels.rasa_socket import RasaSocket
from bot.channels.telegram import TelegramChannel
from bot.channels.telegram_record import Record
from bot.channels.telegram_webhook import Webhook, webhook_routes
from bot.channels.web import WebDoor
from bot.conversation import Conversations, Dialogue
from bot.custody.daily import Daily
from bot.desk.app import desk_app
from bot.gateway.clock import Clock
from bot.gateway.guard import Guard
from bot.gateway.headers import SecurityHeaders
from bot.gateway.limits import Limits
from bot.gateway.outbox import Outbox
from bot.gateway.patience import Patience
from bot.gateway.rasa import RasaDialogue
from bot.messages import Channel
from bot.risk import detector
from bot.settings import ROOT
from bot.store.migrate import is_current
from bot.tasks import end

log = structlog.get_logger(__name__)


def create_app(core: Core, dialogue: Dialogue | None = None) -> Starlette:
    """The gateway of these settings. ``dialogue`` is Rasa at the address in the settings unless given.

    Raises:
        RiskDataError: the phrases are malformed; better no gateway than one without its safety net.
    """
    detector.default_detector()  # fails here, at start, not at the first disclosure
    dialogue = dialogue or RasaDialogue(core.settings.rasa_url)
    changes = Changes(core.store)
    limits = Limits(core)
    conversations = Conversations(core, dialogue, detector.assess, changes)
    clock = Clock(core, conversations, changes)
    telegram, outbox = _telegram(core, conversations, changes)
    socket = RasaSocket(core, conversations, changes, limits) if core.settings.socketio else None

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        running = [
            asyncio.create_task(_keep("changes", changes.look_forever)),
            asyncio.create_task(_keep("clock", clock.run_forever)),
            asyncio.create_task(_keep("custody", Daily(core).run_forever)),
            asyncio.create_task(_keep("alerts", clock.send_forever)),
        ]
        if telegram and outbox:
            await telegram.start()
            running.append(asyncio.create_task(_keep("outbox", outbox.run_forever)))
        yield
        await end(running)
        if telegram:
            await telegram.stop()
        if socket:
            await socket.stop()
        if isinstance(dialogue, RasaDialogue):
            await dialogue.close()
        core.store.engine.dispose()

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_request: Request) -> Response:
        rasa = dialogue if isinstance(dialogue, RasaDialogue) else None
        parts = {
            "database": await to_thread.run_sync(_database_ready, core),
            "rasa": bool(rasa) and await rasa.alive(),
            "actions": await _answers(f"{core.settings.actions_url}/health"),
            "model": bool(rasa) and await rasa.ready(),
        }
        ready = all(parts.values())
        # Shown, and no part of the verdict: the web door lives without Telegram.
        shown = {**parts, "telegram": telegram.health()} if telegram else parts
        return JSONResponse({"ready": ready, **shown}, 200 if ready else 503)

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *WebDoor(core, conversations, changes, limits).routes(),
            *webhook_routes(telegram),
            *find.routes(core, limits),
            *openapi.routes(),
            *look.routes(core),
            *embed.routes(core),
            *([Mount(rasa_socket.PATH, socket)] if socket else []),
            # Only what is the same for everybody is compressed: a page that mixes secrets with what
            # somebody wrote, compressed, tells of both (BREACH).
            Mount("/static", GZipMiddleware(StaticFiles(directory=ROOT / "bot" / "channels" / "static"))),
            Mount("/desk", desk_app(core, changes)),
        ],
        middleware=_middleware(core, limits),
        exception_handlers=handlers(core.content),
        lifespan=lifespan,
    )
    app.state.conversations = conversations
    app.state.clock = clock
    return app


def _middleware(core: Core, limits: Limits) -> list[Middleware]:
    sites = core.settings.embedding_sites
    headers = Middleware(SecurityHeaders, hsts=core.settings.secure_cookies, framed_by=sites)
    guard, patience = Middleware(Guard, core=core, limits=limits), Middleware(Patience, content=core.content)
    every = [headers, guard, patience]
    return [*every, Middleware(FrameSession, own_origin=core.settings.url)] if sites else every


def _telegram(
    core: Core, conversations: Conversations, changes: Changes
) -> tuple[TelegramChannel | None, Outbox | None]:
    token = core.settings.telegram_bot_token.get_secret_value()
    if not token:
        return None, None
    secret = core.settings.telegram_webhook_secret.get_secret_value()
    telegram = TelegramChannel(
        token,
        conversations,
        core.content,
        Record(core, changes),
        core.settings.telegram_api_base_url or None,
        webhook=Webhook(core.settings.url, secret) if secret else None,
    )
    return telegram, Outbox(core, conversations, changes, Channel.TELEGRAM, telegram)


async def _keep(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run one of the gateway's loops for ever; a fault in it is logged and it starts again."""
    while True:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - a loop that stops would leave a child waiting
            log.error("loop_failed", loop=name, error=type(error).__name__)
            await asyncio.sleep(1)


def _database_ready(core: Core) -> bool:
    try:
        return is_current(core.store)
    except SQLAlchemyError:
        return False


async def _answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=1.0) as client:
            return (await client.get(url)).status_code == 200
    except httpx.HTTPError:
        return False
