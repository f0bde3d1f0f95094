"""Who is on duty, the signed-in person's own button, and leaving without leaving a case behind."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot import handover
from bot.desk import queries
from bot.desk.sessions import end_session, end_sessions, without_cookie
from bot.rota import Person
from bot.store.models import Handover
from bot.store.uow import UnitOfWork


@dataclass(frozen=True)
class Duty:
    """Where one person stands: ``in_shift`` by the rota, ``on`` when they have not pressed "off" too."""

    on: bool
    in_shift: bool
    off_pressed: bool
    next_start: datetime | None


def duty_of(person: Person | None, now: datetime) -> Duty:
    """Where this person stands now."""
    if person is None:
        return Duty(False, False, False, None)
    in_shift = dataclasses.replace(person, off_duty=False).on_duty(now)
    on = person.on_duty(now)
    return Duty(on, in_shift, in_shift and not on, person.next_start(now))


def change_duty(request: Request) -> Response:
    """Go on or off duty. Nobody off duty holds a case: theirs go back to the queue, once confirmed."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    now = desk.core.now()
    off = form.get("off") == "1"
    with desk.core.uow() as uow:
        held = uow.accepted_by(me.staff_id) if off else []
        if held and form.get("confirm") != "1":
            return desk.render(request, "before_you_go.html", 409, held=held, going="off_duty")
        staff = uow.staff_member(me.staff_id)
        if off or staff.off_duty:
            staff.off_duty, staff.off_duty_at = off, now if off else None
            uow.audit(now, me.staff_id, "off_duty" if off else "on_duty")
        if held:
            give_back(uow, me.staff_id, now)
        uow.commit()
    for case in held:
        desk.changes.changed(case.conversation_id)
    return RedirectResponse("/desk/", 303)


def sign_out(request: Request) -> Response:
    """Sign out. Nobody signed out holds a case: theirs go back to the queue, once confirmed."""
    return _leave(request, everywhere=False)


def sign_out_everywhere(request: Request) -> Response:
    """Sign out in every browser; links and invitations stop working too."""
    return _leave(request, everywhere=True)


def give_back(uow: UnitOfWork, staff_id: str, now: datetime) -> list[Handover]:
    """Give every case that somebody holds back to the queue; they left, or were signed out."""
    held = list(uow.accepted_by(staff_id))
    for case in held:
        handover.release(uow, case.id, staff_id, now)
    return held


def _leave(request: Request, *, everywhere: bool) -> Response:
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    now = desk.core.now()
    with desk.core.uow() as uow:
        elsewhere = queries.signed_in_elsewhere(uow, me.staff_id, me.token_hash, now)
        stays = not me.complete or (elsewhere and not everywhere)
        held = [] if stays else list(uow.accepted_by(me.staff_id))
        if held and form.get("confirm") != "1":
            going = "sign_out_everywhere" if everywhere else "sign_out"
            return desk.render(request, "before_you_go.html", 409, held=held, going=going)
        if not stays:
            held = give_back(uow, me.staff_id, now)
        if everywhere:
            end_sessions(uow, me.staff_id)
            uow.audit(now, me.staff_id, "signed_out_everywhere", subject=me.staff_id)
        else:
            end_session(uow, me, now)
        uow.commit()
    for case in held:
        desk.changes.changed(case.conversation_id)
    target = "/desk/sign-in?out=1" if desk.provider else "/desk/sign-in"
    return without_cookie(RedirectResponse(target, 303), desk.core.settings)
