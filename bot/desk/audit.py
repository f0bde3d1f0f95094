"""The audit page: who read or changed what, searched, exported and checked. Looking is an entry too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from anyio import to_thread
from sqlalchemy import and_, func, or_, select
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bot.desk.sessions import SignedIn
from bot.rota import UK
from bot.spreadsheet import csv_row
from bot.store.audit import verify
from bot.store.models import AuditEntry, Conversation, Handover, Place, Staff
from bot.store.uow import UnitOfWork

SHOWN = 50
#: Entries fetched at once for an export.
_PIECE = 500
#: Actors that are no member of staff.
NO_STAFF = ("person", "bot", "floor", "clock", "nobody", "operator")
_COLUMNS = (
    "entry", "at", "actor", "actor_name", "action", "subject", "subject_name", "case", "conversation",
    "detail", "previous_hash", "hash",
)  # fmt: skip


@dataclass(frozen=True)
class Search:
    """What is looked for; empty fields match everything. Days are UK days, both included."""

    who: str = ""
    case: str = ""
    action: str = ""
    since: date | None = None
    until: date | None = None

    def to_dict(self) -> dict[str, str]:
        """The fields that are set, as text: for links, and for the log."""
        found = {"who": self.who, "case": self.case, "action": self.action}
        found |= {"since": str(self.since or ""), "until": str(self.until or "")}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True)
class Line:
    """One entry, with the names of whom it is about."""

    entry: AuditEntry
    actor_name: str | None
    subject_name: str | None
    reference: str | None


def audit_page(request: Request) -> Response:
    """The newest entries that match, and older ones from ``?before=``."""
    return _show(request)


async def check_chain(request: Request) -> Response:
    """Walk the whole chain; what was found is told on the page, and that somebody looked is noted."""
    desk, me = request.app.state.desk, request.state.me

    def check() -> Any:
        with desk.core.store.read() as uow:
            verdict = verify(uow.session, desk.core.store.cipher)
        with desk.core.uow() as uow:
            uow.audit(desk.core.now(), me.staff_id, "audit_checked", breaks=len(verdict.breaks))
            uow.commit()
        return verdict

    verdict = await to_thread.run_sync(check)
    return await to_thread.run_sync(lambda: _show(request, verdict=verdict))


def export_csv(request: Request) -> Response:
    """Everything that matches, oldest first, for a spreadsheet; no cell can be a formula."""

    def rows() -> Iterator[str]:
        yield csv_row(_COLUMNS)
        for line in _everything(request):
            yield csv_row(_fields(line)[name] for name in _COLUMNS)

    return _download(request, rows(), "text/csv", "csv")


def export_json(request: Request) -> Response:
    """Everything that matches, oldest first, with the hashes: without a search the chain can be checked."""

    def rows() -> Iterator[str]:
        yield "[\n"
        for number, line in enumerate(_everything(request)):
            yield f"{',' if number else ''}{json.dumps(_fields(line), ensure_ascii=False)}\n"
        yield "]\n"

    return _download(request, rows(), "application/json", "json")


def search_of(query: Mapping[str, str]) -> Search:
    """What a request looks for; a date that is none is left out."""

    def day(name: str) -> date | None:
        try:
            return date.fromisoformat(query.get(name, ""))
        except ValueError:
            return None

    return Search(
        who=query.get("who", "")[:64],
        case=query.get("case", "").strip().upper()[:12],
        action=query.get("action", "")[:48],
        since=day("since"),
        until=day("until"),
    )


def noted(uow: UnitOfWork, search: Search) -> dict[str, str]:
    """What the log says was looked for. What is no id of ours may be somebody's name, and is not written."""
    there = {
        "who": search.who in NO_STAFF or uow.staff_member(search.who) is not None,
        "case": uow.reference_taken(search.case),
        "action": uow.session.scalar(
            select(AuditEntry.id).where(AuditEntry.action == search.action).limit(1)
        ),
    }
    return {name: value if there.get(name, True) else "unknown" for name, value in search.to_dict().items()}


def entries(
    uow: UnitOfWork,
    me: SignedIn,
    search: Search,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = SHOWN,
) -> list[Line]:
    """Entries that match and that this lead may see: newest first, or oldest first ``after`` an id."""
    query = select(AuditEntry, Handover.reference).outerjoin(Handover, Handover.id == AuditEntry.handover_id)
    for condition in (*_matching(search), *_open_to(uow, me)):
        query = query.where(condition)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    if after is not None:
        query = query.where(AuditEntry.id > after).order_by(AuditEntry.id)
    else:
        query = query.order_by(AuditEntry.id.desc())
    names = names_of(uow)
    return [
        Line(entry, names.get(entry.actor), names.get(entry.subject), reference)
        for entry, reference in uow.session.execute(query.limit(limit)).all()
    ]


def names_of(uow: UnitOfWork) -> dict[str | None, str]:
    """Everybody's name, of those who left too."""
    return dict(uow.session.execute(select(Staff.id, Staff.name)).all())


def _matching(search: Search) -> Iterator[Any]:
    if search.who:
        yield or_(AuditEntry.actor == search.who, AuditEntry.subject == search.who)
    if search.case:
        yield Handover.reference == search.case
    if search.action:
        yield AuditEntry.action == search.action
    if search.since:
        yield AuditEntry.at >= _midnight(search.since)
    if search.until:
        yield AuditEntry.at < _midnight(search.until + timedelta(days=1))


def _open_to(uow: UnitOfWork, me: SignedIn) -> Iterator[Any]:
    """A lead of some areas sees what was done to their cases and by or to their people."""
    if not me.areas:
        return
    area = func.coalesce(Handover.area, Place.area)
    cases = (
        select(Handover.id)
        .join(Conversation, Conversation.id == Handover.conversation_id)
        .outerjoin(Place, Place.id == Conversation.place_id)
        .where(or_(area.in_(me.areas), area.is_(None)))
    )
    people = [s.id for s in uow.session.scalars(select(Staff)) if set(s.areas or ()) & set(me.areas)]
    yield or_(
        AuditEntry.handover_id.in_(cases),
        and_(
            AuditEntry.handover_id.is_(None),
            AuditEntry.conversation_id.is_(None),
            or_(AuditEntry.actor.in_(people), AuditEntry.subject.in_(people)),
        ),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UK)


def _show(request: Request, verdict: Any = None) -> Response:
    desk, me = request.app.state.desk, request.state.me
    search = search_of(request.query_params)
    before = request.query_params.get("before", "")
    with desk.core.uow() as uow:
        uow.audit(desk.core.now(), me.staff_id, "audit_read", search=noted(uow, search))
        uow.commit()
    with desk.core.store.read() as uow:
        found = entries(uow, me, search, before=int(before) if before.isdecimal() else None, limit=SHOWN + 1)
        actions = uow.session.scalars(select(AuditEntry.action).distinct().order_by(AuditEntry.action)).all()
        names = {who: name for who, name in names_of(uow).items() if who}
    return desk.render(
        request,
        "audit.html",
        lines=found[:SHOWN],
        older=found[SHOWN - 1].entry.id if len(found) > SHOWN else None,
        search=search,
        fields=search.to_dict(),
        actions=actions,
        people=sorted(names.items(), key=lambda one: one[1].casefold()),
        others=NO_STAFF,
        verdict=verdict,
    )


def _everything(request: Request) -> Iterator[Line]:
    desk, me = request.app.state.desk, request.state.me
    search, after = search_of(request.query_params), 0
    while True:
        with desk.core.store.read() as uow:
            piece = entries(uow, me, search, after=after, limit=_PIECE)
        yield from piece
        if len(piece) < _PIECE:
            return
        after = piece[-1].entry.id


def _download(request: Request, rows: Iterator[str], media_type: str, ending: str) -> Response:
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    with desk.core.uow() as uow:
        search = noted(uow, search_of(request.query_params))
        uow.audit(now, me.staff_id, "audit_exported", form=ending, search=search)
        uow.commit()
    name = f"earshot-audit-{now.astimezone(UK):%Y-%m-%d}.{ending}"
    return StreamingResponse(
        rows, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _fields(line: Line) -> dict[str, Any]:
    entry = line.entry
    values = (
        entry.id, entry.at.isoformat(timespec="microseconds"), entry.actor, line.actor_name, entry.action,
        entry.subject, line.subject_name, line.reference, entry.conversation_id, entry.detail,
        entry.prev_hash, entry.hash,
    )  # fmt: skip
    return dict(zip(_COLUMNS, values, strict=True)) | {"handover_id": entry.handover_id}
