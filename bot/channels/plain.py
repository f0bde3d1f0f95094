"""The chat as pages and forms: what stands before the scripts arrive, and all there is where none run.

Every form ends in the same calls as the interface (``web.py``). What can be sent twice carries an id that
makes it one message, and whatever goes wrong is told on the page, with what was typed still in its field.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from bot.bootstrap import Core
from bot.channels.numbers import with_links
from bot.channels.pages import page_context
from bot.channels.problems import Problem, problem_of
from bot.channels.web_session import COOKIE, WebSession, is_client_id, read_body
from bot.channels.web_view import on_page, transcript_of
from bot.conversation import ConversationError, Conversations, NoSuchConversation, Started
from bot.data_files import read_yaml
from bot.doors import DOORS, UnknownSpeaker
from bot.gateway.headers import POLICY
from bot.gateway.newcomers import WAIT, Newcomers
from bot.gateway.patience import LONGEST, TooSlow, within
from bot.messages import Channel, InboundMessage, Kind
from bot.settings import ROOT

log = structlog.get_logger(__name__)

#: Seconds a form waits for its reply, a little more than Rasa is given; then the page comes without it.
PATIENCE = 3.5
#: Seconds until a form's page comes whatever it waits for, with what was typed still in its field.
LONGEST_FORM = 4.7
#: Largest form, in bytes: what is too long to send is given back whole, up to this.
MAX_FORM = 256 * 1024
#: Seconds for which a conversation begun twice by one form is the same one.
SAME_START = 120.0
#: Only our own page may show the small page that says whether there is news.
FRAMED = POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")

Form = dict[str, str]


class PlainChat:
    """The pages and forms of the chat."""

    def __init__(
        self, core: Core, conversations: Conversations, session: WebSession, newcomers: Newcomers
    ) -> None:
        self._core = core
        self._conversations = conversations
        self._session = session
        self._newcomers = newcomers
        self._templates = Jinja2Templates(ROOT / "bot" / "channels" / "templates")
        self._starts: dict[str, tuple[float, asyncio.Task[Started]]] = {}
        self._answering: set[asyncio.Task[None]] = set()  # asyncio itself holds tasks weakly

    def routes(self) -> list[Route]:
        """Every route of the pages."""
        return [
            Route("/", self.page),
            Route("/start", self.start, methods=["GET", "POST"]),
            Route("/say", self.say, methods=["GET", "POST"]),
            Route("/resume", self.resume, methods=["GET", "POST"]),
            Route("/delete", self.delete, methods=["GET", "POST"]),
            Route("/news", self.news),
            Route("/leave", self.leave),
        ]

    # Pages ----------------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        """The chat as it stands. Sets no cookie: that waits until the person says something."""
        note = "deleted" if "deleted" in request.query_params else ""
        return await self._show(request, {"simple": request.query_params.get("simple", "")}, note=note)

    async def news(self, request: Request) -> Response:
        """A page in a frame that looks again by itself: is there a message after the last one shown?

        The page around it is left alone, so that nobody loses what they are typing.
        """
        after = request.query_params.get("after", "")
        shown = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0
        try:
            conversation_id = await self._session.conversation_of(request)
            newest = await to_thread.run_sync(self._newest, conversation_id)
            standing = "new" if newest > shown else "none"
        except NoSuchConversation:
            standing = "gone"
        except SQLAlchemyError:
            standing = "lost"
        context = {**page_context(self._core), "standing": standing}
        response = self._templates.TemplateResponse(request, "chat/news.html", context)
        response.headers["Content-Security-Policy"] = FRAMED
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    async def leave(self, request: Request) -> Response:
        """Leave quickly, before scripts have loaded or where they are off."""
        try:
            await self._session.forget(request)
        except SQLAlchemyError as error:
            # Whoever has to get away gets away; the browser forgets its cookie all the same.
            log.error("leave_not_stored", error=type(error).__name__)
        return self._session.take(RedirectResponse(self._core.settings.exit_url, 303))

    # Forms ----------------------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        """A door was pressed."""

        async def act(form: Form) -> Response:
            started = await self._begin(request, form.get("client_id", ""), form.get("speaker") or None)
            return self._session.give(_home(form), started)

        return await self._posted(request, act)

    async def say(self, request: Request) -> Response:
        """Send what was typed, press a choice or a ready sentence, look for a reply, or change the look.

        Only the button for sending sends what stands in the field; each other one leaves it there.
        """

        async def act(form: Form) -> Response:
            draft = form.get("text", "").strip()
            if "look" in form:
                form["simple"] = "1" if form["look"] == "simple" else ""
            if "check" in form or "look" in form:
                return await self._show(request, form) if draft else _home(form)
            started = await self._send(request, form)
            if draft and ("choice" in form or "say" in form):
                kept = {**form, "client_id": ""}
                return await self._show(request, kept, started=started)
            return self._session.give(_home(form), started) if started else _home(form)

        return await self._posted(request, act)

    async def resume(self, request: Request) -> Response:
        """A return code was typed."""

        async def act(form: Form) -> Response:
            try:
                async with self._session.guess(request):
                    started = await self._conversations.resume(form.get("code", ""))
            except NoSuchConversation:
                raise Problem(404, "problem_unknown_code") from None
            return self._session.give(_home(form), started)

        return await self._posted(request, act)

    async def delete(self, request: Request) -> Response:
        """Delete the chat, or say why it has to be kept."""

        async def act(form: Form) -> Response:
            conversation_id = await self._session.conversation_of(request)
            if not await self._conversations.erase(conversation_id):
                kept = self._core.content.say(await self._conversations.why_kept(conversation_id))
                return await self._show(request, form, notice=kept)
            return self._session.take(_home(form, "deleted=1"))

        return await self._posted(request, act)

    # Inside ---------------------------------------------------------------------------------------

    async def _posted(self, request: Request, act: Callable[[Form], Awaitable[Response]]) -> Response:
        """Read a form and act on it; whatever is wrong is told on the page, and what was typed is kept."""
        if request.method == "GET":  # the address of an answer, opened again
            return _home({})
        form: Form = {}
        try:
            raw = await read_body(request, MAX_FORM)
            pairs = parse_qsl(raw.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=20)
            form = {name: value.replace("\r\n", "\n") for name, value in pairs}
            return await within(LONGEST_FORM, act(form))
        except TooSlow as error:
            log.error("form_too_slow", path=request.url.path)
            told = self._core.content.say(error.words)
            return await self._show(request, form, notice=told, status=error.status, look=False)
        except (Problem, ConversationError, UnknownSpeaker, SQLAlchemyError, ValueError) as error:
            if isinstance(error, ValueError) and not isinstance(error, UnknownSpeaker):
                error = Problem(400, "problem_not_json")  # over 20 fields: no form of ours
            problem = problem_of(error)
            if problem.status >= 500:
                log.error("form_failed", error=type(error).__name__)
            told = self._core.content.say(problem.words, **problem.values)
            return await self._show(request, form, notice=told, status=problem.status)

    async def _send(self, request: Request, form: Form) -> Started | None:
        """Take one message and wait a moment for its reply. Gives the conversation, if it is a new one."""
        client_id = form.get("client_id", "")
        if not is_client_id(client_id):
            raise Problem(422, "problem_bad_field", field="client_id")
        started = None
        try:
            conversation_id = await self._session.conversation_of(request)
        except NoSuchConversation:
            if "going" in form:  # it was closed elsewhere: a new one only when they know
                raise
            if not form.get("say", form.get("text", "")).strip():
                raise Problem(422, "utter_empty") from None
            started = await self._begin(request, client_id, None)
            conversation_id = started.conversation_id
        self._session.count_message(conversation_id)
        choice = form.get("choice")
        message = InboundMessage(
            conversation_id=conversation_id,
            channel=Channel.WEB,
            client_id=client_id,
            kind=Kind.TEXT if choice is None else Kind.CHOICE,
            text="" if choice is not None else form.get("say", form.get("text", "")),
            choice=choice,
        )
        try:
            await self._conversations.receive(message)
        except ConversationError:
            if started:  # nothing was said: the next try begins anew
                self._starts.pop(client_id, None)
            raise
        answering = asyncio.create_task(self._conversations.answer(conversation_id))
        self._answering.add(answering)
        answering.add_done_callback(self._answered)
        # Waited for, not cancelled: the reply comes all the same, and is seen at the next look.
        await asyncio.wait({answering}, timeout=PATIENCE)
        return started

    def _answered(self, answering: asyncio.Task[None]) -> None:
        self._answering.discard(answering)
        if not answering.cancelled() and (error := answering.exception()):
            # The message is stored; the clock answers what was left unanswered.
            log.error("answer_failed", error=type(error).__name__)

    async def _begin(self, request: Request, client_id: str, speaker: str | None) -> Started:
        """A new conversation; for the same form sent twice, the same one."""
        now = time.monotonic()
        self._starts = {key: kept for key, kept in self._starts.items() if now - kept[0] < SAME_START}
        admission = self._newcomers.admission(request, WAIT)

        async def start() -> Started:
            await self._newcomers.admit(admission)
            return await self._conversations.start_web(speaker)

        if not client_id:
            return await start()
        if client_id not in self._starts:
            self._starts[client_id] = (now, asyncio.ensure_future(start()))
        try:
            return await asyncio.shield(self._starts[client_id][1])
        except Exception:
            self._starts.pop(client_id, None)
            raise

    async def _show(
        self,
        request: Request,
        form: Form,
        *,
        started: Started | None = None,
        notice: str = "",
        note: str = "",
        status: int = 200,
        look: bool = True,
    ) -> Response:
        """The page: the conversation if there is one, ``notice`` in words, and what was typed.

        ``look`` is off where the database is known not to answer: the page comes without what was said.
        """
        chat: dict[str, Any] = {"messages": [], "state": {"owner": "bot"}}
        live, gone = False, False
        try:
            if not look:
                raise TooSlow
            chat = await within(LONGEST, self._chat(request, started))
            live = True
        except NoSuchConversation:
            gone = bool(request.cookies.get(COOKIE))
        except (SQLAlchemyError, TooSlow) as error:
            log.error("database_unavailable", error=type(error).__name__)
            live = "going" in form
            notice = notice or self._core.content.say("problem_down")
            status = max(status, 503)
        at_code = bool(notice) and "code" in form
        response = self._templates.TemplateResponse(
            request,
            "chat/page.html",
            {
                **page_context(self._core),
                "live": live,
                "opening": self._opening(),
                "messages": on_page(chat["messages"], self._core.now()),
                "after": max((each["id"] for each in chat["messages"]), default=0),
                "unanswered": bool(chat["messages"]) and chat["messages"][-1]["from"] == "you",
                "state": chat["state"],
                "notice": "" if at_code else notice,
                "note": note or ("gone" if gone and not notice else ""),
                "code": form.get("code", "") if at_code else "",
                "code_error": notice if at_code else "",
                "simple": bool(form.get("simple")),
                "faces": faces(),
                "emergency_links": with_links(self._core.content.say("utter_emergency_line")),
                **_draft(form, chat["messages"]),
            },
            status,
        )
        if started:
            self._session.give(response, started)
        elif gone and (notice or note):
            response.delete_cookie(COOKIE, path="/")  # told once; the next message begins anew
        return response

    async def _chat(self, request: Request, started: Started | None) -> dict[str, Any]:
        found = started.conversation_id if started else await self._session.conversation_of(request)
        return await to_thread.run_sync(transcript_of, self._core, found)

    def _opening(self) -> dict[str, Any]:
        content = self._core.content
        speakers = {payload: names[0] for payload, names in DOORS.values()}
        doors = [
            {"speaker": speakers[choice["payload"]], "title": choice["title"]}
            for choice in content.choices("utter_opening_doors")
        ]
        return {
            "hello": content.say("utter_opening_hello"),
            "private": content.say("utter_opening_private"),
            "question": content.say("utter_opening_doors"),
            "doors": doors,
        }

    def _newest(self, conversation_id: str) -> int:
        with self._core.store.read() as uow:
            return uow.conversation(conversation_id).next_seq - 1


@lru_cache(maxsize=1)
def faces() -> tuple[str, ...]:
    """The feelings that have a picture: ``faces`` in ``data/feelings.yml``."""
    data = read_yaml(ROOT / "data" / "feelings.yml")
    return tuple(data["faces"])


def _draft(form: Form, messages: list[dict[str, Any]]) -> Form:
    """What stands in the field, and the id under which it will be sent.

    The id stays while the words were not taken, so that trying again is the same message; what was taken
    already, by a first press whose answer was lost, is not offered for sending once more.
    """
    text, client_id = form.get("text", ""), form.get("client_id", "")
    said = {each.get("client_id"): each["text"].strip() for each in messages}
    taken = bool(text.strip()) and said.get(client_id) == text.strip()
    if client_id and text.strip() and client_id not in said:
        return {"draft": text, "client_id": client_id[:64]}
    return {"draft": "" if taken else text, "client_id": secrets.token_hex(16)}


def _home(form: Form, more: str = "") -> RedirectResponse:
    """Back to the page, at the first new message: an answer that a reload does not send again."""
    query = "&".join(filter(None, ["simple=1" if form.get("simple") else "", more]))
    return RedirectResponse("/" + (f"?{query}" if query else "") + ("" if more else "#newest"), 303)
