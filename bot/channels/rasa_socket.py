"""Rasa's socket.io protocol, so that web widgets made for Rasa work against Earshot.

The events are those of Rasa 3.6's own channel: ``session_request`` → ``session_confirm``, ``user_uttered`` →
``bot_uttered``. Behind them is the one path of every message (:mod:`bot.conversation`), so a widget gets the
same floor, the same handover, and a worker's words as they are written. Off unless ``EARSHOT_SOCKETIO``.

Long polling only; why stands in docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import socketio
import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bot import transcript
from bot.bootstrap import Core
from bot.changes import Changes
from bot.channels.telegram_text import choices_of, pieces
from bot.channels.web_session import is_client_id
from bot.codes import shown
from bot.conversation import (
    Conversations,
    EmptyMessage,
    MessageTooLong,
    NoSuchConversation,
    UnknownChoice,
)
from bot.gateway.limits import Limits
from bot.messages import Channel, InboundMessage, Kind, OutboundMessage, Sender
from bot.tasks import end

log = structlog.get_logger(__name__)

#: Where widgets look for it.
PATH = "/socket.io"
#: Largest request body, in bytes, as on the web door.
MAX_BODY = 32 * 1024
#: Widgets connected at the same time.
AT_ONCE = 1_000
#: Seconds without news after which a pump looks for itself.
QUIET = 20.0
#: After a connection broke, what was sent so many seconds before may never have come (engine.io notices a
#: silent client after 25 + 20 seconds): it is sent again to whoever comes back. Twice is better than never.
IN_DOUBT = 45
#: What a button of ours sends back when it is pressed.
_PRESSED = re.compile(r"/pick_([0-9]+\.[0-9]+)")
#: What widgets send by themselves to begin a chat; the opening has been said already.
_INIT = frozenset(
    {"/get_started", "/greet", "/hello", "/init", "/intro", "/restart", "/session_start", "/start"}
)
_PROBLEMS: dict[type[Exception], str] = {
    NoSuchConversation: "problem_no_session",
    EmptyMessage: "utter_empty",
    MessageTooLong: "utter_too_long",
    UnknownChoice: "problem_unknown_choice",
}


class Session(NamedTuple):
    """A conversation and the session id by which a widget has it."""

    conversation_id: str
    token: str


class RasaSocket:
    """The sessions of widgets; itself the ASGI application to mount at :data:`PATH`."""

    def __init__(self, core: Core, conversations: Conversations, changes: Changes, limits: Limits) -> None:
        self._core = core
        self._conversations = conversations
        self._changes = changes
        self._limits = limits
        self._callers: dict[str, str] = {}  # connection -> hash of its address
        self._sessions: dict[str, Session] = {}  # connection -> its session
        self._pumps: dict[str, asyncio.Task[None]] = {}  # conversation -> what sends its messages
        self._answering: set[asyncio.Task[None]] = set()
        self._server = socketio.AsyncServer(
            async_mode="asgi",
            transports=["polling"],
            async_handlers=False,  # what somebody writes stays in order
            # Never an empty list, which would let every website in.
            cors_allowed_origins=[core.settings.url, *core.settings.widget_sites],
            cors_credentials=False,
            max_http_buffer_size=MAX_BODY,
            logger=False,
            engineio_logger=False,
        )
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)
        self._server.on("session_request", self._session_request)
        self._server.on("user_uttered", self._user_uttered)
        self._app: ASGIApp = socketio.ASGIApp(self._server, socketio_path=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, unless it is too large or one too many."""
        if scope["type"] == "http" and (status := self._refused(scope)):
            await PlainTextResponse("", status)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def stop(self) -> None:
        """End what runs for sessions; what is stored and unanswered is answered after the next start."""
        await self._server.shutdown()
        await end([*self._pumps.values(), *self._answering])

    # Events ---------------------------------------------------------------------------------------

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: object = None) -> None:
        self._callers[sid] = self._caller(environ["asgi.scope"])

    async def _disconnect(self, sid: str, reason: object = None) -> None:
        self._callers.pop(sid, None)
        session = self._sessions.pop(sid, None)
        if session is None or any(
            s.conversation_id == session.conversation_id for s in self._sessions.values()
        ):
            return
        if pump := self._pumps.pop(session.conversation_id, None):
            await end([pump])
        if reason != self._server.reason.CLIENT_DISCONNECT:
            await to_thread.run_sync(self._doubt, session.conversation_id)

    async def _session_request(self, sid: str, data: object = None) -> None:
        """``{session_id?}``: goes on with a session of ours, or begins one; ``session_confirm`` names it."""
        asked = data.get("session_id") if isinstance(data, Mapping) else None
        await self._enter(sid, asked if isinstance(asked, str) else "")

    async def _user_uttered(self, sid: str, data: object = None) -> None:
        """``{message, session_id?, message_id?}``: what somebody typed, or the payload of a button.

        The same ``message_id`` twice is one message.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("message"), str):
            await self._tell(sid, "problem_bad_field", field="message")
            return
        text, given = data["message"], data.get("session_id")
        if text in _INIT:
            return
        session = self._sessions.get(sid)
        token = given if isinstance(given, str) and given else session.token if session else ""
        # Rasa takes a message without a session too, and a first message must not be lost.
        conversation_id = await self._enter(sid, token)
        if conversation_id is None:
            return
        if not self._limits.allow("messages", conversation_id):
            await self._tell(sid, "utter_slow_down")
            return
        named = data.get("message_id")
        own = isinstance(named, str) and is_client_id(f"io-{named}")
        client_id = named if own and named else secrets.token_hex(16)
        pressed = _PRESSED.fullmatch(text)
        try:
            await self._conversations.receive(
                InboundMessage(
                    conversation_id=conversation_id,
                    channel=Channel.WEB,
                    client_id=f"io-{client_id}",
                    kind=Kind.CHOICE if pressed else Kind.TEXT,
                    text="" if pressed else text,
                    choice=pressed[1] if pressed else None,
                )
            )
        except tuple(_PROBLEMS) as error:
            await self._tell(sid, _PROBLEMS[type(error)])
            return
        except SQLAlchemyError as error:
            log.error("database_unavailable", error=type(error).__name__)
            await self._tell(sid, "problem_down")
            return
        self._answer(conversation_id)

    # Inside ---------------------------------------------------------------------------------------

    async def _enter(self, sid: str, token: str) -> str | None:
        """Join a connection to the conversation of a session, or to a new one where the session is not (or no
        longer) one of ours; None, and the person was told, when that is not possible now."""
        try:
            conversation_id = await to_thread.run_sync(self._conversation_of, token) if token else None
            if conversation_id is None:
                one = self._limits.allow("sessions", self._callers.get(sid, ""))
                if not (self._limits.allow("sessions_by_all") and one):
                    await self._tell(sid, "problem_busy")
                    return None
                started = await self._conversations.start_web()
                conversation_id, token = started.conversation_id, started.token
        except SQLAlchemyError as error:
            log.error("database_unavailable", error=type(error).__name__)
            await self._tell(sid, "problem_down")
            return None
        before, session = self._sessions.get(sid), Session(conversation_id, token)
        if before != session:
            if before:
                await self._server.leave_room(sid, before.conversation_id)
            self._sessions[sid] = session
            await self._server.enter_room(sid, conversation_id)
            await self._server.emit("session_confirm", token, room=sid)
        if conversation_id not in self._pumps:
            self._pumps[conversation_id] = asyncio.create_task(self._pump(session))
        return conversation_id

    def _conversation_of(self, session: str) -> str | None:
        with self._core.store.read() as uow:
            found = uow.conversation_by("session_hash", uow.cipher.find_hash("session", session))
            return found.id if found and not found.erased_at else None

    def _caller(self, scope: Scope) -> str:
        return self._limits.caller_at(scope["client"][0] if scope.get("client") else "")

    def _refused(self, scope: Scope) -> int:
        """The status to refuse a request with, or 0. The library reads a whole body before it measures it."""
        if scope["method"] == "POST":
            length = Headers(scope=scope).get("content-length", "")
            if not (length.isascii() and length.isdigit()):
                return 411
            return 413 if int(length[:9]) > MAX_BODY else 0
        if "sid" not in Request(scope).query_params:
            if len(self._server.eio.sockets) >= AT_ONCE:
                return 503
            return 0 if self._limits.allow("connections", self._caller(scope)) else 429
        return 0

    def _answer(self, conversation_id: str) -> None:
        task = asyncio.create_task(self._answer_one(conversation_id))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer_one(self, conversation_id: str) -> None:
        try:
            await self._conversations.answer(conversation_id)
        except Exception as error:  # noqa: BLE001 - stored is stored: the clock answers leftovers
            log.error("socket_answer_failed", conversation=conversation_id, error=type(error).__name__)

    async def _pump(self, session: Session) -> None:
        """Send what is in the outbox, in order, for as long as a widget shows this conversation."""
        async with self._changes.watch(session.conversation_id) as watch:
            while True:
                try:
                    found = await to_thread.run_sync(self._take, session)
                    if isinstance(found, str):
                        await self._close(session, found)
                        return
                    for message in found:
                        for part in as_rasa(message):
                            await self._server.emit("bot_uttered", part, room=session.conversation_id)
                except Exception as error:  # noqa: BLE001 - a pump that stops would leave a child waiting
                    log.error("socket_pump_failed", error=type(error).__name__)
                    await asyncio.sleep(1)
                    continue
                await watch.wait(QUIET)

    def _take(self, session: Session) -> list[OutboundMessage] | str:
        """What no widget has been sent yet; from now on it counts as sent. Words, when the session ended."""
        now = self._core.now()
        with self._core.uow() as uow:
            conversation = uow.conversation(session.conversation_id, lock=True)
            if conversation is None or conversation.erased_at:
                return "utter_deleted"
            if conversation.session_hash != uow.cipher.find_hash("session", session.token):
                return "problem_no_session"  # brought back on another device
            found = []
            for message in uow.messages(session.conversation_id):
                if message.sender == Sender.YOU.value or message.delivered_at or message.text is None:
                    continue
                message.delivered_at = now
                out = transcript.outbound(message)
                if out.sender is Sender.BOT:
                    out = replace(out, text=shown(out.text, conversation.code))
                found.append(out)
            uow.commit()
            return found

    async def _close(self, session: Session, words: str) -> None:
        """Tell the widgets of a session that it ended; what they send next begins another."""
        self._pumps.pop(session.conversation_id, None)
        for sid in [sid for sid, own in self._sessions.items() if own == session]:
            del self._sessions[sid]
            await self._server.leave_room(sid, session.conversation_id)
            await self._server.emit("bot_uttered", {"text": self._core.content.say(words)}, room=sid)

    def _doubt(self, conversation_id: str) -> None:
        """A connection broke: what was sent just before counts as not sent."""
        since = self._core.now() - timedelta(seconds=IN_DOUBT)
        with self._core.uow() as uow:
            for message in uow.messages(conversation_id):
                if (
                    message.sender != Sender.YOU.value
                    and message.delivered_at
                    and message.delivered_at > since
                ):
                    message.delivered_at = None
            uow.commit()

    async def _tell(self, sid: str, words: str, **values: str) -> None:
        """Something that belongs in no transcript, with the emergency line: Rasa has no event for errors."""
        say = self._core.content.say
        for text in (say(words, **values), say("utter_emergency_line")):
            await self._server.emit("bot_uttered", {"text": text}, room=sid)


def as_rasa(message: OutboundMessage) -> list[dict[str, Any]]:
    """A message as Rasa's channel sends it: a text a paragraph, the buttons with the last.

    ``earshot`` is ours and may be ignored: the message's number in the transcript, and who wrote it.
    """
    who = {"id": message.id, "from": message.sender.value, **({"name": message.name} if message.name else {})}
    texts = [part.strip() for piece in pieces(message) for part in piece.split("\n\n") if part.strip()]
    parts: list[dict[str, Any]] = [{"text": text, "earshot": who} for text in texts]
    if parts and (choices := choices_of(message)):
        parts[-1]["quick_replies"] = [
            {"content_type": "text", "title": choice.title, "payload": f"/pick_{choice.id}"}
            for choice in choices
        ]
    return parts
