"""The web door: the public chat interface, and the page that uses it (``plain.py``).

The interface is stable; outside programs use it. It is described in ``docs/architecture.md``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.bootstrap import Core
from bot.changes import Changes
from bot.channels.plain import PlainChat
from bot.channels.problems import Problem
from bot.channels.typing_sign import TypingSign
from bot.channels.web_session import COOKIE, WebSession, is_client_id, read_body, same_site
from bot.channels.web_view import as_json, state_of, transcript_of
from bot.conversation import Conversations, NoSuchConversation
from bot.gateway.limits import Limits
from bot.gateway.newcomers import Newcomers
from bot.messages import Channel, InboundMessage, Kind, Sender

log = structlog.get_logger(__name__)

#: Largest request body, in bytes: a message of 4,096 characters takes at most six bytes each in JSON.
MAX_BODY = 32 * 1024
#: Seconds without news after which an event stream looks for itself.
QUIET = 20.0
#: Milliseconds after which a browser whose stream was one too many asks for another.
PUT_OFF = 30_000


class WebDoor:
    """The routes of the web chat."""

    def __init__(self, core: Core, conversations: Conversations, changes: Changes, limits: Limits) -> None:
        self._core = core
        self._conversations = conversations
        self._changes = changes
        self._limits = limits
        self._newcomers = Newcomers(core, limits)
        self._session = WebSession(core, limits)
        self._pages = PlainChat(core, conversations, self._session, self._newcomers)

    def routes(self) -> list[Route]:
        """Every route of the web door."""
        return [
            *self._pages.routes(),
            Route("/api/conversations", self.start, methods=["POST"]),
            Route("/api/messages", self.send, methods=["POST"]),
            Route("/api/events", self.events),
            Route("/api/resume", self.resume, methods=["POST"]),
            Route("/api/transcript", self.transcript),
            Route("/api/conversation", self.erase, methods=["DELETE"]),
            Route("/api/leave", self.leave, methods=["POST"]),
            *TypingSign(self._core, self._changes, self._session, self._limits).routes(),
        ]

    async def start(self, request: Request) -> Response:
        """``POST /api/conversations`` ``{speaker?, channel_hint?, proof?}`` → 201 ``{id, return_code}``."""
        body = await self._body(request, may_be_empty=True)
        speaker, proof = _text(body, "speaker", optional=True), _text(body, "proof", optional=True)
        await self._newcomers.admit(self._newcomers.admission(request, proof))
        started = await self._conversations.start_web(speaker)
        answer = JSONResponse({"id": started.conversation_id, "return_code": started.return_code}, 201)
        return self._session.give(answer, started)

    async def send(self, request: Request) -> Response:
        """``POST /api/messages`` ``{client_id, text}`` or ``{client_id, choice}`` → 202 ``{id}``."""
        conversation_id = await self._session.conversation_of(request)
        self._session.count_message(conversation_id)
        body = await self._body(request)
        client_id = _text(body, "client_id")
        if not is_client_id(client_id):
            raise Problem(422, "problem_bad_field", field="client_id")
        choice = _text(body, "choice", optional=True)
        text = _text(body, "text", optional=choice is not None)
        message = InboundMessage(
            conversation_id=conversation_id,
            channel=Channel.WEB,
            client_id=client_id,
            kind=Kind.CHOICE if choice is not None else Kind.TEXT,
            text=text or "",
            choice=choice,
        )
        seq = await self._conversations.receive(message)
        # The reply travels by /api/events; a crash before it is made up for by the clock.
        after = BackgroundTask(self._answer, conversation_id)
        return JSONResponse({"id": seq}, 202, background=after)

    async def events(self, request: Request) -> Response:
        """``GET /api/events``: server-sent events, resumable by ``Last-Event-ID`` (or ``?after=``)."""
        conversation_id = await self._session.conversation_of(request)
        after = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
        if not (after.isascii() and after.isdigit() and len(after) < 10):
            raise Problem(422, "problem_bad_field", field="Last-Event-ID")
        token = request.cookies[COOKIE]
        return EventSourceResponse(
            self._stream(conversation_id, token, int(after)), headers={"Cache-Control": "no-store"}
        )

    async def resume(self, request: Request) -> Response:
        """``POST /api/resume`` ``{code}`` → 200 ``{id}`` and the cookie of that conversation."""
        code = _text(await self._body(request), "code")
        try:
            async with self._session.guess(request):
                started = await self._conversations.resume(code)
        except NoSuchConversation:
            raise Problem(404, "problem_unknown_code") from None
        return self._session.give(JSONResponse({"id": started.conversation_id}), started)

    async def transcript(self, request: Request) -> Response:
        """``GET /api/transcript`` → everything said so far, and the state."""
        conversation_id = await self._session.conversation_of(request)
        return JSONResponse(await to_thread.run_sync(transcript_of, self._core, conversation_id))

    async def erase(self, request: Request) -> Response:
        """``DELETE /api/conversation`` → 204, or 200 with the reason why it has to be kept."""
        conversation_id = await self._session.conversation_of(request)
        same_site(request)
        if not await self._conversations.erase(conversation_id):
            kept = await self._conversations.why_kept(conversation_id)
            return JSONResponse({"detail": self._core.content.say(kept)})
        return self._session.take(Response(status_code=204))

    async def leave(self, request: Request) -> Response:
        """``POST /api/leave``: this browser forgets the conversation, which the code brings back."""
        same_site(request)
        await self._session.forget(request)
        return self._session.take(Response(status_code=204))

    # Inside ---------------------------------------------------------------------------------------

    async def _answer(self, conversation_id: str) -> None:
        try:
            await self._conversations.answer(conversation_id)
        except SQLAlchemyError as error:
            # The message is stored; the clock takes it up at its next tick.
            log.warning("answer_cut_off", conversation=conversation_id, error=type(error).__name__)

    async def _stream(self, conversation_id: str, token: str, after: int) -> AsyncIterator[ServerSentEvent]:
        shown_state: dict[str, Any] | None = None
        shown_typing: dict[str, bool] = {}
        async with self._changes.watch(conversation_id) as watch:
            with self._limits.streams.place(conversation_id, lambda: watch.wake(conversation_id)) as place:
                while not place.ended:
                    found = await to_thread.run_sync(self._news, conversation_id, token, after)
                    if found is None:
                        yield _event("state", {"owner": "bot", "ended": True})
                        return
                    messages, state = found
                    for message in messages:
                        after = message["id"]
                        yield _event("message", message, event_id=str(after))
                    if state != shown_state:
                        shown_state = state
                        yield _event("state", state)
                    for sender, on in watch.typing.get(conversation_id, {}).items():
                        if sender != Sender.YOU.value and shown_typing.get(sender, False) != on:
                            shown_typing[sender] = on
                            yield _event("typing", {"from": sender, "on": on})
                    await watch.wait(QUIET)
        # Another tab took its place: this one's browser may ask again, but not at once.
        yield ServerSentEvent(comment="one too many", retry=PUT_OFF)

    def _news(
        self, conversation_id: str, token: str, after: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
        with self._core.store.read() as uow:
            conversation = uow.conversation_by("session_hash", uow.cipher.find_hash("session", token))
            if conversation is None or conversation.id != conversation_id:
                return None  # left, erased, or brought back on another device
            messages = [as_json(each, conversation.code) for each in uow.messages(conversation_id, after)]
            return messages, state_of(uow, conversation, self._core.now())

    async def _body(self, request: Request, *, may_be_empty: bool = False) -> Mapping[str, Any]:
        raw = await read_body(request, MAX_BODY)
        if not raw and may_be_empty:
            return {}
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            raise Problem(400, "problem_not_json") from None
        if not isinstance(body, Mapping):
            raise Problem(400, "problem_not_json")
        return body


def _text(body: Mapping[str, Any], field: str, *, optional: bool = False) -> str | None:
    value = body.get(field)
    if value is None and optional:
        return None
    if not isinstance(value, str):
        raise Problem(422, "problem_bad_field", field=field)
    return value


def _event(name: str, data: Mapping[str, Any], event_id: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(data=json.dumps(data), event=name, id=event_id)
