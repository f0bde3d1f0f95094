"""Who is on duty, the signed-in person's own button, and leaving without leaving a case behind."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot import handover
from bot.desk import queries
from bot.desk.sign_in import SignedIn, end_session, without_cookie
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
    return Duty(in_shift and not person.off_duty, in_shift, person.off_duty, person.next_start(now))


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
        if staff.off_duty != off:
            staff.off_duty = off
            uow.audit(now, me.staff_id, "off_duty" if off else "on_duty")
        _give_back(uow, held, me, now)
        uow.commit()
    for case in held:
        desk.changes.changed(case.conversation_id)
    return RedirectResponse("/desk/", 303)


def sign_out(request: Request) -> Response:
    """Sign out. Nobody signed out holds a case: theirs go back to the queue, once confirmed."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    now = desk.core.now()
    with desk.core.uow() as uow:
        elsewhere = queries.signed_in_elsewhere(uow, me.staff_id, me.token_hash, now)
        held = [] if elsewhere else uow.accepted_by(me.staff_id)
        if held and form.get("confirm") != "1":
            return desk.render(request, "before_you_go.html", 409, held=held, going="sign_out")
        _give_back(uow, held, me, now)
        end_session(uow, me, now)
        uow.commit()
    for case in held:
        desk.changes.changed(case.conversation_id)
    return without_cookie(RedirectResponse("/desk/sign-in", 303), desk.core.settings)


def _give_back(uow: UnitOfWork, held: list[Handover], me: SignedIn, now: datetime) -> None:
    for case in held:
        handover.release(uow, case.id, me.staff_id, now)
