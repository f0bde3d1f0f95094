"""The case page: read it, take it, talk to the person, hand it on, close it with words for them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot import handover
from bot.desk.access import ELSEWHERE, may_see_case
from bot.desk.case_view import case_view, lines
from bot.desk.queries import area_of
from bot.desk.queue import board
from bot.handover import (
    ACCEPTED,
    AlreadyTaken,
    HandoverError,
    NoSuchHandover,
    NotOnDuty,
    NotYours,
    WrongState,
)
from bot.messages import MAX_TEXT, Sender
from bot.store.models import Handover
from bot.store.uow import UnitOfWork

MAX_OUTCOME = 1_000
#: How far behind the newest message a page's news reach back: levels and delivery come after the words.
REACH_BACK = 30

#: How a named error of the core is told: the name of its words in the templates, and the HTTP status.
PROBLEMS: dict[type[Exception], tuple[str, int]] = {
    AlreadyTaken: ("already_taken", 409),
    NotOnDuty: ("not_on_duty", 409),
    NotYours: ("not_yours", 409),
    WrongState: ("wrong_state", 409),
    NoSuchHandover: ("no_such_case", 404),
}


class BadForm(Exception):
    """What was typed cannot be taken. ``problem`` names the words that say why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class NotForYou(Exception):
    """This case is not this person's to see."""


def case_page(request: Request) -> Response:
    """The whole page. Opening it is written in the audit log, and others are shown that we look."""
    return _show(request, "case.html")


def case_news(request: Request) -> Response:
    """The parts of the page that change, and the messages after ``?after=``."""
    return _show(request, "_case.html")


def accept(request: Request) -> Response:
    """Take a waiting case."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        handover.accept(uow, case_id, staff_id, request.app.state.desk.core.now())

    return _act(request, act, then="#latest")


def reply(request: Request) -> Response:
    """Write to the person. One ``client_id`` is one message, however often it is sent."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        text = form.get("text", "")
        if not text.strip():
            raise BadForm("empty")
        if len(text) > MAX_TEXT:
            raise BadForm("too_long")
        given = form.get("client_id", "")[:40]
        client_id = f"desk-{given}" if given else None
        handover.reply(uow, case_id, staff_id, text, request.app.state.desk.core.now(), client_id=client_id)

    return _act(request, act, then="#latest")


def release(request: Request) -> Response:
    """Give the case back to the queue."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        handover.release(uow, case_id, staff_id, request.app.state.desk.core.now())

    return _act(request, act)


def transfer(request: Request) -> Response:
    """Hand the case to a colleague on duty."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        if not form.get("to"):
            raise BadForm("nobody_chosen")
        try:
            handover.transfer(uow, case_id, staff_id, form["to"], request.app.state.desk.core.now())
        except NotOnDuty:
            raise BadForm("colleague_off_duty") from None

    return _act(request, act)


def close(request: Request) -> Response:
    """Close the case with the words that the person receives."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        outcome = form.get("outcome", "").strip()
        if not outcome:
            raise BadForm("no_outcome")
        if len(outcome) > MAX_OUTCOME:
            raise BadForm("outcome_too_long")
        handover.close(uow, case_id, staff_id, outcome, request.app.state.desk.core.now())

    return _act(request, act)


def typing(request: Request) -> Response:
    """The worker types, or stopped: shown to the person, kept nowhere."""
    desk, me = request.app.state.desk, request.state.me
    with desk.core.store.read() as uow:
        case = _visible_case(uow, request)
        if case.state == ACCEPTED and case.accepted_by == me.staff_id:
            desk.changes.typing(case.conversation_id, Sender.WORKER, request.state.form.get("on") == "1")
    return Response(status_code=204)


def left(request: Request) -> Response:
    """The page was closed."""
    desk, me = request.app.state.desk, request.state.me
    with desk.core.store.read() as uow:
        case = _visible_case(uow, request)
    desk.presence.left(case.id, me.staff_id)
    desk.changes.changed(case.conversation_id)
    return Response(status_code=204)


def not_for_you(request: Request, _error: Exception) -> Response:
    """Told the same whether the case exists or not."""
    return request.app.state.desk.render(request, "problem.html", 403, problem="not_for_you")


def no_such_case(request: Request, _error: Exception) -> Response:
    """A case that does not exist, to somebody who may see them all."""
    return request.app.state.desk.render(request, "problem.html", 404, problem="no_such_case")


# Inside ------------------------------------------------------------------------------------------

Act = Callable[[UnitOfWork, int, str, dict[str, str]], None]


def _act(request: Request, act: Act, then: str = "") -> Response:
    """Do something to a case; a problem is told on the page, beside what was typed."""
    desk, me = request.app.state.desk, request.state.me
    quiet = "x-fragment" in request.headers
    problem, status, by = "", 200, ""
    with desk.core.uow() as uow:
        case = _visible_case(uow, request)
        try:
            act(uow, case.id, me.staff_id, request.state.form)
            uow.commit()
        except BadForm as error:
            problem, status = error.problem, 422
        except HandoverError as error:
            problem, status = PROBLEMS[type(error)]
            by = getattr(error, "by", "")
    if problem:
        if quiet:
            return desk.render(request, "_problem.html", status, problem=problem, by=by)
        return _show(request, "case.html", status, problem=problem, by=by)
    desk.changes.changed(case.conversation_id)
    if quiet:
        return _show(request, "_case.html")
    return RedirectResponse(f"/desk/cases/{case.id}{then}", 303)


def _visible_case(uow: UnitOfWork, request: Request) -> Handover:
    me = request.state.me
    case = uow.handover(request.path_params["id"])
    routed_to, holder = (case.routed_to or (), case.accepted_by) if case else ((), None)
    area = area_of(uow, case) if case else ELSEWHERE
    allowed = may_see_case(me.role, me.staff_id, routed_to, holder, serves=me.areas, area=area)
    if case is not None and allowed:
        return case
    if allowed:
        raise NoSuchHandover(str(request.path_params["id"]))
    raise NotForYou


def _show(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    after = _number(request.query_params.get("after"))
    whole = template == "case.html"
    with desk.core.store.read() as uow:
        case = _visible_case(uow, request)
    arrived = desk.presence.seen(case.id, me.staff_id)
    if whole or arrived:
        with desk.core.uow() as uow:
            uow.audit(now, me.staff_id, "read", handover=case)
            uow.commit()
    with desk.core.store.read() as uow:
        case = _visible_case(uow, request)
        current = board(uow, me, now)
        view = case_view(uow, case, me.staff_id, current.rota)
        response = desk.render(
            request,
            template,
            status,
            view=view,
            lines=lines(uow, view.conversation, 0 if whole else after - REACH_BACK),
            board=current,
            looking=[uow.staff_member(one).name for one in desk.presence.others(case.id, me.staff_id)],
            colleagues=[p for p in current.rota.everyone_on_duty(now) if p.id != me.staff_id],
            draft=request.state.form,
            client_id=secrets.token_urlsafe(12),
            max_text=MAX_TEXT,
            max_outcome=MAX_OUTCOME,
            **{"problem": "", "by": "", **context},
        )
    if arrived:
        desk.changes.changed(case.conversation_id)
    return response


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0
