"""The queue page: what is open, the most dangerous first, and who is there to take it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bot.desk.access import CASEWORK, may_see_case
from bot.desk.queries import Row, queue_rows
from bot.desk.sessions import SignedIn
from bot.handover import ACCEPTED, WAITING
from bot.rota import Rota
from bot.store.uow import UnitOfWork

TABS = ("all", "waiting", "mine", "closed")


@dataclass(frozen=True)
class Board:
    """The open cases as one person may see them, and who is on duty."""

    rows: tuple[Row, ...]
    rota: Rota
    me: SignedIn
    now: datetime

    @property
    def waiting(self) -> list[Row]:
        """Nobody has them yet."""
        return [row for row in self.rows if row.state == WAITING]

    @property
    def mine(self) -> list[Row]:
        """This person has them."""
        return [row for row in self.rows if row.state == ACCEPTED and row.accepted_by == self.me.staff_id]

    def fingerprint(self) -> int:
        """Changes when the page would: state, holder, level, deadline passed, somebody on or off duty."""
        on_duty = tuple(person.id for person in self.rota.everyone_on_duty(self.now))
        rows = tuple(
            (r.id, r.state, r.level, r.kind, r.categories, r.accepted_by, r.deadline_at, r.overdue(self.now))
            for r in self.rows
        )
        return hash((rows, on_duty))


def board(uow: UnitOfWork, me: SignedIn, now: datetime, *, closed: bool = False) -> Board:
    """The board of one person; empty for who has no casework."""
    rows = queue_rows(uow, closed=closed) if me.role in CASEWORK else []
    seen = (
        r
        for r in rows
        if may_see_case(me.role, me.staff_id, r.routed_to, r.accepted_by, serves=me.areas, area=r.area)
    )
    return Board(tuple(seen), uow.rota(), me, now)


def queue_page(request: Request) -> Response:
    """The whole page."""
    return _render(request, "queue.html")


def queue_fragment(request: Request) -> Response:
    """The parts of the page that change."""
    return _render(request, "_queue.html")


def _render(request: Request, template: str) -> Response:
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    asked = request.query_params.get("tab")
    tab = asked if asked in TABS else "all"
    with desk.core.store.read() as uow:
        current = board(uow, me, now)
        shown: dict[str, Any] = {"all": current.rows, "waiting": current.waiting, "mine": current.mine}
        rows = board(uow, me, now, closed=True).rows if tab == "closed" else shown[tab]
    return desk.render(
        request,
        template,
        board=current,
        rows=rows,
        tab=tab,
        tabs=TABS,
        counts={name: len(found) for name, found in shown.items()},
        names={person.id: person.name for person in current.rota.people},
        on_duty=current.rota.everyone_on_duty(now),
        overdue=sum(row.overdue(now) for row in current.rows),
    )
