"""Which conversation a browser has: the cookie, what other sites may not do, and how fast is too fast."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from bot.bootstrap import Core
from bot.channels.problems import Problem
from bot.conversation import NoSuchConversation, Started
from bot.gateway.limits import Limits

#: The cookie that ties a browser to its conversation: random, HttpOnly, gone when the browser closes.
COOKIE = "earshot"

Answer = TypeVar("Answer", bound=Response)


class WebSession:
    """What the interface and the pages of the chat share."""

    def __init__(self, core: Core, limits: Limits) -> None:
        self._core = core
        self._limits = limits

    async def conversation_of(self, request: Request) -> str:
        """The id of the conversation that this browser has.

        Raises:
            NoSuchConversation: no cookie, or not (any longer) one of ours.
        """
        token = request.cookies.get(COOKIE, "")

        def find() -> str:
            with self._core.store.read() as uow:
                found = uow.conversation_by("session_hash", uow.cipher.find_hash("session", token))
                if not token or found is None or found.erased_at:
                    raise NoSuchConversation("no cookie of ours")
                return found.id

        return await to_thread.run_sync(find)

    async def forget(self, request: Request) -> None:
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

    def give(self, response: Answer, started: Started) -> Answer:
        """Tie the browser to a conversation."""
        response.set_cookie(
            COOKIE,
            started.token,
            httponly=True,
            samesite="strict",
            secure=self._core.settings.secure_cookies,
            path="/",
        )
        return response

    def take(self, response: Answer) -> Answer:
        """Have the browser forget the chat, with whatever it kept of it."""
        response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        response.delete_cookie(COOKIE, path="/")
        return response

    def count_message(self, conversation_id: str) -> None:
        """Count one message of a conversation.

        Raises:
            Problem: too many of them.
        """
        if not self._limits.allow("messages", conversation_id):
            raise Problem(429, "utter_slow_down")

    @asynccontextmanager
    async def guess(self, request: Request) -> AsyncIterator[None]:
        """Around one try of a return code. Only wrong ones count against a caller: a class may come back at
        once. When very many try, from wherever, each is slowed, and nobody with a right code is shut out.

        Raises:
            Problem: too many wrong ones, or too many at the same time.
            NoSuchConversation: from within; it was a wrong one.
        """
        caller = self._limits.caller(request)
        if not self._limits.may("wrong_codes", caller):
            raise Problem(429, "problem_too_many_codes")
        if not self._limits.allow("codes_by_all"):
            await self._limits.hold(caller)
        try:
            yield
        except NoSuchConversation:
            self._limits.allow("wrong_codes", caller)
            raise


def is_client_id(told: str) -> bool:
    """Whether this can name a message. It stands in the database as it is: no NUL, no half surrogates."""
    return 0 < len(told) <= 64 and told.isprintable()


def same_site(request: Request) -> None:
    """Refuse what another website makes a browser send. Programs send no Origin.

    Raises:
        Problem: it came from elsewhere.
    """
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Problem(403, "problem_wrong_site")
    origin = request.headers.get("origin")
    if origin and origin.split("://")[-1] != request.headers.get("host"):
        raise Problem(403, "problem_wrong_site")


async def read_body(request: Request, limit: int) -> bytes:
    """The body of a request from our own pages or from a program, at most ``limit`` bytes.

    Raises:
        Problem: it came from another website, or is longer.
    """
    same_site(request)
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise Problem(413, "utter_too_long")
    return bytes(raw)
