"""Abuse of the service, at the desk: a worker warns, slows or pauses; leads see, confirm and lift it all."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot import conduct
from bot.conduct import MEASURES, MINUTES, WARN, NeedsAnotherLead, NoSuchMeasure
from bot.desk.aftermath import Names, measure_of
from bot.desk.case import BadForm, act_on
from bot.desk.queries import area_of
from bot.desk.sessions import SignedIn
from bot.handover import ACCEPTED, NotYours
from bot.rota import LEAD
from bot.store import aftercare
from bot.store.models import Conduct, Handover
from bot.store.uow import UnitOfWork

MAX_REASON = 500
#: Measures on the page, newest first.
SHOWN = 200


def take(request: Request) -> Response:
    """Warn, slow or pause the person of a case: whoever has it, or a lead."""
    me = request.state.me

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        case = uow.handover(case_id)
        if me.role != LEAD and not (case.state == ACCEPTED and case.accepted_by == staff_id):
            raise NotYours(staff_id)
        measure, minutes = form.get("measure", ""), _minutes(form)
        reason = form.get("reason", "").strip()
        if measure not in MEASURES or (measure != WARN and minutes not in MINUTES):
            raise BadForm("bad_choice")
        if not reason or len(reason) > MAX_REASON:
            raise BadForm("no_conduct_reason")
        conduct.take(uow, case_id, staff_id, measure, reason, request.app.state.desk.core.now(), minutes)

    return act_on(request, act, then="#conduct")


def lift_here(request: Request) -> Response:
    """End a measure from the page of its case: whoever has the case, or a lead."""
    me = request.state.me

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        case = uow.handover(case_id)
        row = aftercare.measure(uow, request.path_params["row"])
        if row is None or row.conversation_id != case.conversation_id:
            raise BadForm("no_such_measure")
        if me.role != LEAD and not (case.state == ACCEPTED and case.accepted_by == staff_id):
            raise NotYours(staff_id)
        try:
            conduct.lift(uow, row.id, staff_id, request.app.state.desk.core.now())
        except NoSuchMeasure:
            raise BadForm("no_such_measure") from None

    return act_on(request, act, then="#conduct")


def page(request: Request) -> Response:
    """Every measure in the areas of a lead, what waits for them first. Opening it is in the audit log."""
    return _show(request)


def confirm(request: Request) -> Response:
    """The second yes for a measure in a conversation that was at risk."""
    return _decide(request, conduct.confirm)


def lift(request: Request) -> Response:
    """End a measure, or refuse one that waits."""
    return _decide(request, conduct.lift)


def _decide(request: Request, act: Callable[..., Conduct]) -> Response:
    desk, me = request.app.state.desk, request.state.me
    problem = ""
    with desk.core.uow() as uow:
        row = aftercare.measure(uow, request.path_params["row"])
        try:
            if row is None or not _serves(uow, uow.handover(row.handover_id), me):
                raise NoSuchMeasure
            act(uow, row.id, me.staff_id, desk.core.now())
            uow.commit()
        except NeedsAnotherLead:
            problem = "needs_another_lead"
        except NoSuchMeasure:
            problem = "no_such_measure"
    if problem:
        return _show(request, 409, problem)
    desk.changes.changed(row.conversation_id)
    return RedirectResponse("/desk/conduct", 303)


def _show(request: Request, status: int = 200, problem: str = "") -> Response:
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    with desk.core.uow() as uow:
        uow.audit(now, me.staff_id, "conduct_read")
        uow.commit()
    with desk.core.store.read() as uow:
        name = Names(uow)
        found = [
            (measure_of(row, name, now), case)
            for row, case in aftercare.conduct_newest(uow, SHOWN)
            if _serves(uow, case, me)
        ]
        return desk.render(
            request,
            "conduct.html",
            status,
            waiting=[one for one in found if one[0].waits],
            running=[one for one in found if one[0].open and not one[0].waits],
            past=[one for one in found if not one[0].open],
            problem=problem,
        )


def _serves(uow: UnitOfWork, case: Handover, me: SignedIn) -> bool:
    area = area_of(uow, case)
    return area is None or not me.areas or area in me.areas


def _minutes(form: dict[str, str]) -> int | None:
    text = form.get("minutes", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
