"""Nobody waits long for words: an answer that takes too long is given in its place, with the numbers.

What was begun goes on behind it. A message that is stored late is stored once, as it comes again under the
same client id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.channels.problems import Problem, problem_response
from bot.content import Content

log = structlog.get_logger(__name__)

#: Seconds until a program, or the page's script, hears that it takes too long.
LONGEST = 4.0

Result = TypeVar("Result")
#: asyncio holds tasks weakly; what nobody waits for any more must come to its end all the same.
_going_on: set[asyncio.Future[object]] = set()


class TooSlow(Problem):
    """It takes too long; it goes on all the same."""

    def __init__(self) -> None:
        super().__init__(503, "problem_down")


async def within(seconds: float, work: Awaitable[Result]) -> Result:
    """The result of ``work``, which is not cut off when it takes longer.

    Raises:
        TooSlow: it was not done in time.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        _goes_on(task)
        raise TooSlow
    return task.result()


def _goes_on(task: asyncio.Future[object]) -> None:
    _going_on.add(task)
    task.add_done_callback(_ended)


def _ended(task: asyncio.Future[object]) -> None:
    _going_on.discard(task)
    if not task.cancelled() and (error := task.exception()):
        log.debug("slow_work_failed", error=type(error).__name__)


class Patience:
    """ASGI middleware for the chat's interface: an answer begins within :data:`LONGEST` seconds."""

    def __init__(self, app: ASGIApp, content: Content) -> None:
        self._app, self._content = app, content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the application's place when it takes too long."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        begun, too_late = asyncio.Event(), False

        async def send_in_time(message: Message) -> None:
            if not too_late:
                begun.set()
                await send(message)

        task = asyncio.ensure_future(self._app(scope, receive, send_in_time))
        waiting = asyncio.ensure_future(begun.wait())
        try:
            await asyncio.wait({task, waiting}, timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
            if begun.is_set() or task.done():
                await task
                return
            too_late = True
            _goes_on(task)
            log.warning("answer_too_slow", path=scope["path"])
            await problem_response(self._content, TooSlow())(Request(scope).scope, receive, send)
        except asyncio.CancelledError:
            if not too_late:
                task.cancel()
            raise
        finally:
            waiting.cancel()
