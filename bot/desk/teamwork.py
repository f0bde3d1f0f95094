"""What staff do about a case among themselves: its level, internal notes, second opinions."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot import handover
from bot.casework import notes, opinions
from bot.desk.case import BadForm, act_on, visible_case
from bot.handover import CLOSED, WrongState
from bot.risk.taxonomy import Level
from bot.rota import LEAD
from bot.store.uow import UnitOfWork

#: Characters of a reason for another level.
MAX_REASON = 1_000


def set_level(request: Request) -> Response:
    """Raise or lower the level, with a reason."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        if form.get("level") not in {level.value for level in Level}:
            raise BadForm("no_level")
        level, reason = Level(form["level"]), form.get("reason", "")
        if level.value == uow.handover(case_id).level:
            raise BadForm("same_level")
        if len(reason) > MAX_REASON:
            raise BadForm("reason_too_long")
        handover.set_level(uow, case_id, staff_id, level, reason, request.app.state.desk.core.now())

    return act_on(request, act)


def add_note(request: Request) -> Response:
    """Write an internal note: whoever may read the case, while it is open; then its worker and leads."""
    me = request.state.me

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        case = uow.handover(case_id)
        if case.state == CLOSED and case.accepted_by != staff_id and me.role != LEAD:
            raise WrongState("this case is closed")
        try:
            notes.add(uow, case, staff_id, form.get("note", ""), request.app.state.desk.core.now())
        except notes.EmptyNote:
            raise BadForm("empty_note") from None
        except notes.LongNote:
            raise BadForm("note_too_long") from None

    return act_on(request, act, then="#notes")


def ask_opinion(request: Request) -> Response:
    """Ask a colleague for a second opinion."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        if not form.get("colleague"):
            raise BadForm("nobody_asked")
        try:
            now = request.app.state.desk.core.now()
            opinions.invite(uow, uow.handover(case_id, lock=True), staff_id, form["colleague"], now)
        except opinions.CannotBeAsked:
            raise BadForm("bad_choice") from None

    return act_on(request, act)


def end_opinion(request: Request) -> Response:
    """End a second opinion. Whoever ended their own may see the case no more, and goes to the queue."""
    desk, me = request.app.state.desk, request.state.me
    colleague = request.state.form.get("colleague", "")
    if colleague != me.staff_id:

        def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
            opinions.end(uow, uow.handover(case_id, lock=True), staff_id, colleague, desk.core.now())

        return act_on(request, act)
    with desk.core.uow() as uow:
        case = visible_case(uow, request)
        opinions.end(uow, case, me.staff_id, colleague, desk.core.now())
        uow.commit()
    desk.changes.changed(case.conversation_id)
    return RedirectResponse("/desk/", 303)
