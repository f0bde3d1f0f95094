"""The web door: the public chat interface and the page that uses it.

The interface is stable; outside programs use it. It is described in ``docs/architecture.md``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from anyio import to_thread
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from bot import handover, transcript
from bot.bootstrap import Core
from bot.changes import Changes
from bot.channels.pages import page_context
from bot.channels.problems import Problem
from bot.codes import shown
from bot.conversation import Conversations, NoSuchConversation, Started
from bot.doors import DOORS
from bot.messages import Channel, InboundMessage, Kind, Sender
from bot.settings import ROOT
from bot.store.models import Conversation, Message
from bot.store.uow import UnitOfWork

#: The cookie that ties a browser to its conversation: random, HttpOnly, gone when the tab closes.
COOKIE = "earshot"
#: Largest request body, in bytes: a message of 4,096 characters takes at most six bytes each in JSON.
MAX_BODY = 32 * 1024
#: Guesses at return codes: for one address, and for everybody together.
CODES_BY_ONE, CODES_BY_ALL = parse("5/minute"), parse("60/minute")
#: Messages of one conversation; a fast typist sends one every few seconds.
MESSAGES_BY_ONE = parse("40/minute")
#: Seconds without news after which an event stream looks for itself.
QUIET = 20.0


class WebDoor:
    """The routes of the web chat."""

    def __init__(self, core: Core, conversations: Conversations, changes: Changes) -> None:
        self._core = core
        self._conversations = conversations
        self._changes = changes
        self._storage = MemoryStorage()  # the limiter holds it by a weak reference only
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._templates = Jinja2Templates(ROOT / "bot" / "channels" / "templates")

    def routes(self) -> list[Route]:
        """Every route of the web door."""
        return [
            Route("/", self.page),
            Route("/start", self.start_by_form, methods=["POST"]),
            Route("/leave", self.leave_by_link),
            Route("/api/conversations", self.start, methods=["POST"]),
            Route("/api/messages", self.send, methods=["POST"]),
            Route("/api/events", self.events),
            Route("/api/resume", self.resume, methods=["POST"]),
            Route("/api/transcript", self.transcript),
            Route("/api/conversation", self.erase, methods=["DELETE"]),
            Route("/api/leave", self.leave, methods=["POST"]),
        ]

    # Pages ----------------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        """The chat page. Sets no cookie: that waits until the person says something."""
        content = self._core.content
        speakers = {payload: names[0] for payload, names in DOORS.values()}
        doors = [
            {
                "id": speakers[choice["payload"]],
                "speaker": speakers[choice["payload"]],
                "title": choice["title"],
            }
            for choice in content.choices("utter_opening_doors")
        ]
        context = {
            **page_context(self._core),
            "live": await self._is_live(request),
            "opening": {
                "hello": content.say("utter_opening_hello"),
                "private": content.say("utter_opening_private"),
                "question": content.say("utter_opening_doors"),
                "doors": doors,
            },
        }
        return self._templates.TemplateResponse(request, "chat/page.html", context)

    async def start_by_form(self, request: Request) -> Response:
        """A door pressed where scripts are off."""
        self._same_site(request)
        form = await request.form(max_fields=4, max_part_size=1024)
        started = await self._conversations.start_web(str(form.get("speaker") or "") or None)
        return self._with_cookie(RedirectResponse("/", 303), started)

    async def leave_by_link(self, request: Request) -> Response:
        """Leave quickly, before scripts have loaded or where they are off."""
        await self._forget(request)
        return self._without_chat(RedirectResponse(self._core.settings.exit_url, 303))

    # Interface ------------------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        """``POST /api/conversations`` ``{speaker?, channel_hint?}`` → 201 ``{id, return_code}``."""
        body = await self._body(request, may_be_empty=True)
        started = await self._conversations.start_web(_text(body, "speaker", optional=True))
        answer = JSONResponse({"id": started.conversation_id, "return_code": started.return_code}, 201)
        return self._with_cookie(answer, started)

    async def send(self, request: Request) -> Response:
        """``POST /api/messages`` ``{client_id, text}`` or ``{client_id, choice}`` → 202 ``{id}``."""
        conversation_id = await self._conversation_of(request)
        if not self._limiter.hit(MESSAGES_BY_ONE, "messages", conversation_id):
            raise Problem(429, "utter_slow_down")
        body = await self._body(request)
        client_id = _text(body, "client_id")
        if not 0 < len(client_id) <= 64:
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
        after = BackgroundTask(self._conversations.answer, conversation_id)
        return JSONResponse({"id": seq}, 202, background=after)

    async def events(self, request: Request) -> Response:
        """``GET /api/events``: server-sent events, resumable by ``Last-Event-ID`` (or ``?after=``)."""
        conversation_id = await self._conversation_of(request)
        after = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
        if not (after.isascii() and after.isdigit() and len(after) < 10):
            raise Problem(422, "problem_bad_field", field="Last-Event-ID")
        token = request.cookies[COOKIE]
        return EventSourceResponse(
            self._stream(conversation_id, token, int(after)), headers={"Cache-Control": "no-store"}
        )

    async def resume(self, request: Request) -> Response:
        """``POST /api/resume`` ``{code}`` → 200 ``{id}`` and the cookie of that conversation."""
        caller = self._core.store.cipher.find_hash("caller", request.client.host if request.client else "")
        allowed = self._limiter.hit(CODES_BY_ONE, "codes", caller)
        if not (self._limiter.hit(CODES_BY_ALL, "codes") and allowed):
            raise Problem(429, "problem_too_many_codes")
        body = await self._body(request)
        try:
            started = await self._conversations.resume(_text(body, "code"))
        except NoSuchConversation:
            raise Problem(404, "problem_unknown_code") from None
        return self._with_cookie(JSONResponse({"id": started.conversation_id}), started)

    async def transcript(self, request: Request) -> Response:
        """``GET /api/transcript`` → everything said so far, and the state."""
        conversation_id = await self._conversation_of(request)

        def read() -> dict[str, Any]:
            with self._core.store.read() as uow:
                conversation = uow.conversation(conversation_id)
                return {
                    "messages": [_as_json(m, conversation.code) for m in uow.messages(conversation_id)],
                    "state": self._state(uow, conversation),
                }

        return JSONResponse(await to_thread.run_sync(read))

    async def erase(self, request: Request) -> Response:
        """``DELETE /api/conversation`` → 204, or 200 with the reason why it has to be kept."""
        conversation_id = await self._conversation_of(request)
        self._same_site(request)
        if not await self._conversations.erase(conversation_id):
            return JSONResponse({"detail": self._core.content.say("utter_delete_not_open_case")})
        return self._without_chat(Response(status_code=204))

    async def leave(self, request: Request) -> Response:
        """``POST /api/leave``: this browser forgets the conversation, which the code brings back."""
        self._same_site(request)
        await self._forget(request)
        return self._without_chat(Response(status_code=204))

    # Inside ---------------------------------------------------------------------------------------

    async def _stream(self, conversation_id: str, token: str, after: int) -> AsyncIterator[ServerSentEvent]:
        shown_state: dict[str, Any] | None = None
        shown_typing: dict[str, bool] = {}
        async with self._changes.watch(conversation_id) as watch:
            while True:
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
                    if shown_typing.get(sender, False) != on:
                        shown_typing[sender] = on
                        yield _event("typing", {"from": sender, "on": on})
                await watch.wait(QUIET)

    def _news(
        self, conversation_id: str, token: str, after: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
        with self._core.store.read() as uow:
            conversation = uow.conversation_by("session_hash", uow.cipher.find_hash("session", token))
            if conversation is None or conversation.id != conversation_id:
                return None  # left, erased, or brought back on another device
            messages = [_as_json(m, conversation.code) for m in uow.messages(conversation_id, after)]
            return messages, self._state(uow, conversation)

    def _state(self, uow: UnitOfWork, conversation: Conversation) -> dict[str, Any]:
        now = self._core.now()
        state: dict[str, Any] = {"owner": conversation.owner}
        status = handover.status(uow, conversation.id, now)
        if status.state != "none":
            state["handover"] = {
                "state": status.state,
                **({"with": status.who} if status.who else {}),
                **({"expected_by": status.by_when} if status.by_when else {}),
            }
        return state

    async def _forget(self, request: Request) -> None:
        """Make this browser's cookie worth nothing; the return code still brings the chat back."""
        token = request.cookies.get(COOKIE, "")

        def forget() -> None:
            with self._core.uow() as uow:
                found = uow.conversation_by("session_hash", uow.cipher.find_hash("session", token))
                if found:
                    found.session_hash = None
                    uow.commit()

        if token:
            await to_thread.run_sync(forget)

    def _without_chat(self, response: Response) -> Response:
        response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        response.delete_cookie(COOKIE, path="/")
        return response

    async def _is_live(self, request: Request) -> bool:
        try:
            await self._conversation_of(request)
        except NoSuchConversation:
            return False
        return True

    async def _conversation_of(self, request: Request) -> str:
        token = request.cookies.get(COOKIE, "")

        def find() -> str:
            with self._core.store.read() as uow:
                found = uow.conversation_by("session_hash", uow.cipher.find_hash("session", token))
                if not token or found is None or found.erased_at:
                    raise NoSuchConversation("no cookie of ours")
                return found.id

        return await to_thread.run_sync(find)

    async def _body(self, request: Request, *, may_be_empty: bool = False) -> Mapping[str, Any]:
        self._same_site(request)
        raw = bytearray()
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > MAX_BODY:
                raise Problem(413, "utter_too_long")
        if not raw and may_be_empty:
            return {}
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            raise Problem(400, "problem_not_json") from None
        if not isinstance(body, Mapping):
            raise Problem(400, "problem_not_json")
        return body

    def _same_site(self, request: Request) -> None:
        """Refuse what another website makes a browser send. Programs send no Origin."""
        origin = request.headers.get("origin")
        if origin and origin.split("://")[-1] != request.headers.get("host"):
            raise Problem(403, "problem_wrong_site")

    def _with_cookie(self, response: Response, started: Started) -> Response:
        response.set_cookie(
            COOKIE,
            started.token,
            httponly=True,
            samesite="strict",
            secure=self._core.settings.secure_cookies,
            path="/",
        )
        return response


def _text(body: Mapping[str, Any], field: str, *, optional: bool = False) -> str | None:
    value = body.get(field)
    if value is None and optional:
        return None
    if not isinstance(value, str):
        raise Problem(422, "problem_bad_field", field=field)
    return value


def _event(name: str, data: Mapping[str, Any], event_id: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(data=json.dumps(data), event=name, id=event_id)


def _as_json(message: Message, code: str | None) -> dict[str, Any]:
    """A message as the interface shows it; ``code`` is the return code while we can still open it."""
    out = transcript.outbound(message)
    text = shown(out.text, code) if out.sender is Sender.BOT else out.text
    return {
        "id": out.id,
        "from": out.sender.value,
        # A lone surrogate, which some keyboards send, is not JSON that every browser reads.
        "text": text.encode("utf-8", "replace").decode(),
        "at": out.at.isoformat(),
        **({"name": out.name} if out.name else {}),
        **({"client_id": message.client_id} if message.client_id and out.sender.value == "you" else {}),
        **({"choices": [{"id": c.id, "title": c.title} for c in out.choices]} if out.choices else {}),
        **({"cards": list(out.cards)} if out.cards else {}),
    }
