"""The case page: read it, take it, talk to the person, hand it on, close it with words for them.

What is done among colleagues (level, notes, second opinions) is in :mod:`bot.desk.teamwork`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot import handover
from bot.casework import opinions, replies
from bot.casework.notes import MAX_NOTE
from bot.custody.hold import hold_of
from bot.desk.access import CASEWORK, ELSEWHERE, may_see_case
from bot.desk.aftermath import aftermath_of
from bot.desk.case_view import case_view, lines
from bot.desk.queries import area_of, unanswered
from bot.desk.queue import board
from bot.handover import (
    ACCEPTED,
    AlreadyTaken,
    HandoverError,
    NoReason,
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
    NoReason: ("no_reason", 422),
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
    """The parts of the page that change, and the messages after ``?after=``; ``?side=1`` for a column."""
    return _show(request, _fragment(request))


def accept(request: Request) -> Response:
    """Take a waiting case."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        handover.accept(uow, case_id, staff_id, request.app.state.desk.core.now())

    return act_on(request, act, then="#latest")


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

    return act_on(request, act, then="#latest")


def release(request: Request) -> Response:
    """Give the case back to the queue."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        handover.release(uow, case_id, staff_id, request.app.state.desk.core.now())

    return act_on(request, act)


def transfer(request: Request) -> Response:
    """Hand the case to a colleague on duty."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        if not form.get("to"):
            raise BadForm("nobody_chosen")
        try:
            handover.transfer(uow, case_id, staff_id, form["to"], request.app.state.desk.core.now())
        except NotOnDuty:
            raise BadForm("colleague_off_duty") from None

    return act_on(request, act)


def close(request: Request) -> Response:
    """Close the case with the words that the person receives."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        outcome = form.get("outcome", "").strip()
        if not outcome:
            raise BadForm("no_outcome")
        if len(outcome) > MAX_OUTCOME:
            raise BadForm("outcome_too_long")
        feedback = form.get("feedback", "")
        if len(feedback) > MAX_OUTCOME:
            raise BadForm("outcome_too_long")
        handover.close(
            uow,
            case_id,
            staff_id,
            outcome,
            request.app.state.desk.core.now(),
            feedback=feedback,
            offer_check_ins=form.get("check_ins") == "1",
        )

    return act_on(request, act)


def typing(request: Request) -> Response:
    """The worker types, or stopped: shown to the person, kept nowhere."""
    desk, me = request.app.state.desk, request.state.me
    with desk.core.store.read() as uow:
        case = visible_case(uow, request)
        if case.state == ACCEPTED and case.accepted_by == me.staff_id:
            desk.changes.typing(case.conversation_id, Sender.WORKER, request.state.form.get("on") == "1")
    return Response(status_code=204)


def left(request: Request) -> Response:
    """The page was closed."""
    desk, me = request.app.state.desk, request.state.me
    with desk.core.store.read() as uow:
        case = visible_case(uow, request)
    desk.presence.left(case.id, me.staff_id)
    desk.changes.changed(case.conversation_id)
    return Response(status_code=204)


def not_for_you(request: Request, _error: Exception) -> Response:
    """Told the same whether the case exists or not."""
    return request.app.state.desk.render(request, "problem.html", 403, problem="not_for_you")


def no_such_case(request: Request, _error: Exception) -> Response:
    """A case that does not exist, to somebody who may see them all."""
    return request.app.state.desk.render(request, "problem.html", 404, problem="no_such_case")


Act = Callable[[UnitOfWork, int, str, dict[str, str]], None]


def act_on(request: Request, act: Act, then: str = "") -> Response:
    """Do something to a case; a problem is told on the page, beside what was typed. Then back to it."""
    desk, me = request.app.state.desk, request.state.me
    quiet = "x-fragment" in request.headers
    problem, status, by = "", 200, ""
    with desk.core.uow() as uow:
        case = visible_case(uow, request)
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
        return _show(request, _fragment(request))
    return RedirectResponse(f"/desk/cases/{case.id}{then}", 303)


def visible_case(uow: UnitOfWork, request: Request) -> Handover:
    """The case of this address.

    Raises:
        NotForYou: it is not this person's to see; said to them also where there is none.
        NoSuchHandover: there is none, to somebody who sees them all.
    """
    me = request.state.me
    case = uow.handover(request.path_params["id"])
    holder, area = (case.accepted_by, area_of(uow, case)) if case else (None, ELSEWHERE)
    came_to = (*(case.routed_to or ()), *opinions.asked(uow, case.id)) if case else ()
    allowed = may_see_case(me.role, me.staff_id, came_to, holder, serves=me.areas, area=area)
    if case is not None and allowed:
        return case
    if allowed:
        raise NoSuchHandover(str(request.path_params["id"]))
    raise NotForYou


def columns(request: Request) -> list[int]:
    """The cases that ``?cases=3,5`` names, each once."""
    asked = request.query_params.get("cases", "").split(",")
    return list(dict.fromkeys(number for one in asked if (number := _number(one))))


# Inside ------------------------------------------------------------------------------------------


def _show(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    after = _number(request.query_params.get("after"))
    whole = template == "case.html"
    with desk.core.store.read() as uow:
        case = visible_case(uow, request)
    arrived = desk.presence.seen(case.id, me.staff_id)
    if whole or arrived:
        with desk.core.uow() as uow:
            uow.audit(now, me.staff_id, "read", handover=case)
            uow.commit()
    with desk.core.store.read() as uow:
        case = visible_case(uow, request)
        current = board(uow, me, now)
        view = case_view(uow, case, me, current.rota)
        values = placeholders(desk.core.settings.body_name, view.my_name, view.my_title)
        ready = replies.replies(uow) if view.mine else []
        chosen = next((r for r in ready if r.id == request.query_params.get("reply")), None)
        draft = dict(request.state.form)
        if chosen and "text" not in draft:
            draft["text"] = chosen.filled(values)
        response = desk.render(
            request,
            template,
            status,
            view=view,
            aftermath=aftermath_of(uow, case, me, now),
            held=hold_of(uow, case),
            lines=lines(uow, view.conversation, 0 if whole else after - REACH_BACK),
            board=current,
            looking=[uow.staff_member(one).name for one in desk.presence.others(case.id, me.staff_id)],
            colleagues=[p for p in current.rota.everyone_on_duty(now) if p.id != me.staff_id],
            could_be_asked=[
                p
                for p in current.rota.people
                if p.role in CASEWORK and p.id not in (me.staff_id, *view.guest_ids)
            ],
            unanswered=unanswered(uow, (row.conversation_id for row in current.mine)),
            replies=[(reply, reply.filled(values)) for reply in ready],
            draft=draft,
            max_note=MAX_NOTE,
            suffix=f"-{case.id}" if template == "_pane_news.html" else "",
            client_id=secrets.token_urlsafe(12),
            max_text=MAX_TEXT,
            max_outcome=MAX_OUTCOME,
            **({"shown": columns(request)} if template == "_pane_news.html" else {}),
            **{"problem": "", "by": "", **context},
        )
    if arrived:
        desk.changes.changed(case.conversation_id)
    return response


def _fragment(request: Request) -> str:
    return "_pane_news.html" if request.query_params.get("side") == "1" else "_case.html"


def placeholders(body: str, name: str, title: str) -> dict[str, str]:
    """What stands in the brackets of a reply template. A title before a name is no first name."""
    first, _, rest = name.partition(" ")
    with_title = first.rstrip(".") in ("Mr", "Mrs", "Ms", "Miss", "Mx", "Dr")
    return {
        "first_name": name if with_title or not rest else first,
        "name": name,
        "role": title,
        "body": body,
    }


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0
