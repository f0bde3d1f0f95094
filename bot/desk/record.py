"""The page of the safeguarding record. Works without scripts; with them it saves as somebody writes."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.casework import neglect, record
from bot.casework.record import BadField, Saved
from bot.desk.case import visible_case
from bot.desk.case_view import likely, lines
from bot.messages import Sender
from bot.risk.census import FACTORS, suggest
from bot.risk.taxonomy import Category, Memory
from bot.store.models import Handover
from bot.store.uow import UnitOfWork


def record_page(request: Request) -> Response:
    """The record, to read or to write."""
    return _show(request, "record.html", read=True)


def save_record(request: Request) -> Response:
    """Save what was typed. Whoever typed on a version that is no longer the newest gets both to see."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    quiet = "x-fragment" in request.headers
    template = "_record.html" if quiet else "record.html"
    now = desk.core.now()
    with desk.core.uow() as uow:
        case = visible_case(uow, request)
        if not record.may_write(case, me.staff_id, me.role):
            return _show(request, template, 409, problem="not_your_record", typed=form)
        try:
            base = _number(form.get("version", ""))
            saved = record.save(uow, case, me.staff_id, base, record.read_form(form), now)
        except BadField as error:
            return _show(request, template, 422, problem=error.problem, field=error.field, typed=form)
        uow.commit()
    desk.changes.changed(case.conversation_id)
    if saved.theirs:
        return _show(request, template, 409, problem="record_conflict", conflict=saved)
    if quiet:
        return desk.render(request, "_saved.html", version=saved.now)
    return RedirectResponse(f"/desk/cases/{case.id}/record?saved=1", 303)


def version_page(request: Request) -> Response:
    """An earlier version, or what was set aside; to read only."""
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    with desk.core.uow() as uow:
        case = visible_case(uow, request)
        shown = record.version(uow, case.id, request.path_params["row"])
        if shown is None:
            return desk.render(request, "problem.html", 404, problem="not_found")
        uow.audit(now, me.staff_id, "record_read", handover=case, version=shown.number)
        uow.commit()
    return desk.render(request, "record_version.html", case=case, shown=shown, factors=FACTORS, r=record)


# Inside ------------------------------------------------------------------------------------------


def _show(
    request: Request,
    template: str,
    status: int = 200,
    *,
    read: bool = False,
    typed: dict[str, str] | None = None,
    conflict: Saved | None = None,
    **context: Any,
) -> Response:
    desk, me = request.app.state.desk, request.state.me
    if read:
        with desk.core.uow() as uow:
            uow.audit(desk.core.now(), me.staff_id, "record_read", handover=visible_case(uow, request))
            uow.commit()
    with desk.core.store.read() as uow:
        case = visible_case(uow, request)
        newest = record.current(uow, case.id)
        values = dict(conflict.now.body if conflict else newest.body if newest else {})
        if typed is not None:
            values = _as_typed(typed)
        conversation = uow.conversation(case.conversation_id)
        signs = neglect.named(Memory.from_dict(conversation.memory or {}).signs, case.details or {})
        return desk.render(
            request,
            template,
            status,
            case=case,
            writes=record.may_write(case, me.staff_id, me.role),
            newest=newest,
            base=_number(typed.get("version", "")) if typed is not None else newest.number if newest else 0,
            values=values,
            quoted={quote["seq"] for quote in values.get("quotes", ())},
            said=[line for line in lines(uow, conversation) if line.sender == Sender.YOU.value],
            gone=_quoted_but_deleted(uow, case, values),
            signs=signs,
            suggested=suggest(map(Category, likely(case))),
            factors=FACTORS,
            versions=record.versions(uow, case.id),
            theirs=conflict.theirs if conflict else None,
            mine=conflict.now if conflict else None,
            differing=_differing(conflict),
            r=record,
            saved=request.query_params.get("saved") == "1",
            do_not_tell=tuple((case.details or {}).get("do_not_tell", "").splitlines()),
            **{"problem": "", "field": "", **context},
        )


def _differing(conflict: Saved | None) -> tuple[str, ...]:
    if conflict is None or conflict.theirs is None:
        return ()
    return record.differing(conflict.now.body, conflict.theirs.body)


def _as_typed(form: dict[str, str]) -> dict[str, Any]:
    """What was typed, as it goes back into the form, whether it can be kept or not."""
    quotes = [{"seq": int(n[2:])} for n in form if n.startswith("q_") and n[2:].isdecimal() and len(n) < 11]
    values: dict[str, Any] = {name: form.get(name, "") for name in record.FIELDS}
    return {**values, "quotes": quotes, "factors": [code for code in FACTORS if f"f_{code}" in form]}


def _quoted_but_deleted(uow: UnitOfWork, case: Handover, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Quotes whose message the person deleted since: they stay in the record."""
    there = {m.seq for m in uow.messages(case.conversation_id) if m.text}
    return [quote for quote in values.get("quotes", ()) if quote["seq"] not in there and "text" in quote]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
