"""News for open desk pages as server-sent events: that something changed and where, never what was said.

One stream serves a whole browser (see ``static/stream.js``): with a stream for each tab, six open chats
would use up the six connections that a browser allows a site, and nothing could be sent any more.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from bot.changes import ALL, Watch
from bot.desk.access import may_see_case
from bot.desk.alerting import Ring, rings_for
from bot.desk.queries import Touched, cases_of
from bot.desk.queue import board
from bot.desk.sessions import COOKIE, SignedIn, keep_awake, who_is
from bot.messages import Sender

#: Seconds between two looks when nothing was announced: deadlines pass and shifts end unannounced.
TICK = 5.0
#: Milliseconds after which a browser that lost the stream comes back.
RETRY = 1_500


@dataclass(frozen=True)
class News:
    """What a look found: the state of the queue, and the cases of the conversations that changed."""

    queue: int
    cases: tuple[Touched, ...]
    rings: tuple[Ring, ...] = ()


def events(request: Request) -> Response:
    """The stream of one browser; it ends when the session does."""
    return EventSourceResponse(_stream(request), ping=15)


async def _stream(request: Request) -> AsyncIterator[ServerSentEvent]:
    desk, token = request.app.state.desk, request.cookies.get(COOKIE)

    def look(changed: Iterable[str]) -> News | None:
        now = desk.core.now()
        with desk.core.store.read() as uow:
            me = who_is(uow, token, now)
            if me is None or not me.complete:
                return None
            cases = tuple(case for case in cases_of(uow, changed) if _may_see(me, case))
            current = board(uow, me, now)
            rings = tuple(rings_for(uow, me.staff_id, rung, now))
        person = current.rota.person(me.staff_id)
        if not me.awake(now) and person and person.on_duty(now):
            # Whoever is on duty may watch a quiet queue for hours without touching it.
            with desk.core.uow() as uow:
                keep_awake(uow, me, now)
                uow.commit()
        return News(hash((current.fingerprint(), desk.presence.looking())), cases, rings)

    typing: dict[int, bool] = {}
    queue: int | None = None
    rung = 0
    changed: set[str] = set()
    async with desk.changes.watch(ALL) as watch:
        # A stream that begins, or begins again, has missed things: pages fetch all they show.
        yield _event("hello")
        while True:
            news = await to_thread.run_sync(look, changed)
            if news is None:
                yield _event("signed_out")
                return
            if queue is not None and news.queue != queue:
                yield _event("queue")
            queue = news.queue
            for ring in news.rings:
                rung = ring.id
                yield _event("alert", id=ring.id, case=ring.case, level=ring.level)
            for case in news.cases:
                yield _event("case", id=case.id, seq=case.seq)
                on = _typing(watch, case.conversation_id)
                if typing.get(case.id, False) != on:
                    typing[case.id] = on
                    yield _event("typing", id=case.id, on=on)
            changed = await watch.wait(TICK)


def _may_see(me: SignedIn, case: Touched) -> bool:
    return may_see_case(
        me.role, me.staff_id, case.routed_to, case.accepted_by, serves=me.areas, area=case.area
    )


def _typing(watch: Watch, conversation_id: str) -> bool:
    return watch.typing.get(conversation_id, {}).get(Sender.YOU.value, False)


def _event(name: str, **data: Any) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data), event=name, retry=RETRY)
