"""The queue page: what is open, the most dangerous first, and who is there to take it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from bot.desk.access import CASEWORK, may_see_case
from bot.desk.queries import Row, queue_rows
from bot.desk.sessions import SignedIn
from bot.handover import ACCEPTED, KINDS, WAITING
from bot.risk.taxonomy import Level
from bot.rota import Rota
from bot.store.uow import UnitOfWork

#: ``asked``: cases in which this person is asked for a second opinion.
TABS = ("all", "waiting", "mine", "asked", "closed")
#: What stands for cases whose area nobody knows, in the address.
UNKNOWN = "-"


@dataclass(frozen=True)
class Filter:
    """What the queue is narrowed to. All of it stands in the address, so it can be kept and shared."""

    tab: str = "all"
    level: str = ""
    kind: str = ""
    area: str = ""
    q: str = ""  # part of a reference

    @property
    def narrowed(self) -> bool:
        """Whether anything but the tab is chosen."""
        return bool(self.level or self.kind or self.area or self.q)

    def fits(self, row: Row) -> bool:
        """Whether a case is to be shown."""
        return (
            self.level in ("", row.level)
            and self.kind in ("", row.kind)
            and self.area in ("", row.area or UNKNOWN)
            and _letters(self.q) in _letters(row.reference)
        )

    def address(self, **other: str) -> str:
        """The query of this filter, perhaps with another tab."""
        values = {**dataclasses.asdict(self), **other}
        return urlencode({name: value for name, value in values.items() if value})


def filter_of(query: Mapping[str, str]) -> Filter:
    """The filter of an address; what it does not know is as if it were not there."""
    tab, level, kind = query.get("tab", ""), query.get("level", ""), query.get("kind", "")
    return Filter(
        tab=tab if tab in TABS else "all",
        level=level if level in {one.value for one in Level} else "",
        kind=kind if kind in KINDS else "",
        area=query.get("area", "")[:64],
        q=query.get("q", "").strip()[:12],
    )


def _letters(reference: str) -> str:
    return "".join(filter(str.isalnum, reference.upper()))


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
            (
                r.id,
                r.state,
                r.level,
                r.kind,
                r.categories,
                r.accepted_by,
                r.deadline_at,
                r.overdue(self.now),
                r.guests,
            )
            for r in self.rows
        )
        return hash((rows, on_duty))


def board(uow: UnitOfWork, me: SignedIn, now: datetime, *, closed: bool = False) -> Board:
    """The board of one person; empty for who has no casework."""
    rows = queue_rows(uow, closed=closed) if me.role in CASEWORK else []
    seen = (
        r
        for r in rows
        if may_see_case(me.role, me.staff_id, r.came_to, r.accepted_by, serves=me.areas, area=r.area)
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
    asked = filter_of(request.query_params)
    with desk.core.store.read() as uow:
        current = board(uow, me, now)
        shown: dict[str, Any] = {"all": current.rows, "waiting": current.waiting, "mine": current.mine}
        if any(me.staff_id in row.guests for row in current.rows):
            shown["asked"] = [row for row in current.rows if me.staff_id in row.guests]
        rows = board(uow, me, now, closed=True).rows if asked.tab == "closed" else shown.get(asked.tab, ())
        names = {person.id: person.name for person in current.rota.people}
    return desk.render(
        request,
        template,
        board=current,
        rows=[row for row in rows if asked.fits(row)],
        hidden=len(rows) - sum(map(asked.fits, rows)),
        tab=asked.tab,
        asked=asked,
        levels=[level.value for level in reversed(Level)],
        kinds=KINDS,
        areas=sorted({row.area for row in (*current.rows, *rows) if row.area}),
        tabs=[name for name in TABS if name in shown or name == "closed" or name == asked.tab],
        counts={name: len(found) for name, found in shown.items()},
        names=names,
        looking={
            case_id: [names[one] for one in who if one != me.staff_id and one in names]
            for case_id, who in desk.presence.looking()
        },
        on_duty=current.rota.everyone_on_duty(now),
        overdue=sum(row.overdue(now) for row in current.rows),
    )
