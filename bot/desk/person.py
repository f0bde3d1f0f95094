"""One person's page: details, hours, leave, the invitation, leaving. Each change is an audit entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from anyio import to_thread
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.desk import people_forms as forms
from bot.desk.access import CASEWORK
from bot.desk.alerting import try_addresses
from bot.desk.duty import duty_of, give_back
from bot.desk.people import NotYourPeople, areas_of, looks_after
from bot.desk.people_forms import Details, FormError
from bot.desk.sessions import INVITE_HOURS, SignedIn, end_sessions, make_invitation, sessions_of
from bot.rota import LEAD, Rota
from bot.store.models import Handover, Leave, Shift, Staff
from bot.store.uow import UnitOfWork

#: What only a lead may change: it says who reads which cases.
_FOR_LEADS = frozenset({"role", "areas", "place_id"})


class NoSuchPerson(Exception):
    """There is nobody with this id whom this manager looks after."""


def new_page(request: Request) -> Response:
    """An empty form."""
    return _show_new(request)


def add(request: Request) -> Response:
    """Add somebody. They can do nothing until they are invited."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    with desk.core.uow() as uow:
        rota = uow.rota()
        try:
            typed = forms.details(form, rota)
            _no_twin(uow, typed.email, None)
        except FormError as error:
            return _show_new(request, 422, error)
        if me.role != LEAD and typed.role in CASEWORK:
            raise NotYourPeople
        staff = Staff(id=forms.new_id(typed.name, _ids(uow)), active=True, off_duty=False)
        _write(uow, staff, typed)
        if not looks_after(me, areas_of(staff, rota)):
            raise NotYourPeople("not_your_area")
        uow.add(staff)
        uow.audit(desk.core.now(), me.staff_id, "person_added", subject=staff.id, role=staff.role)
        uow.commit()
        staff_id = staff.id
    return RedirectResponse(f"/desk/people/{staff_id}", 303)


def person_page(request: Request) -> Response:
    """Everything about one person. Opening it is an entry in the audit log."""
    desk, me = request.app.state.desk, request.state.me
    with desk.core.uow() as uow:
        staff = _whom(uow, request)
        uow.audit(desk.core.now(), me.staff_id, "person_read", subject=staff.id)
        uow.commit()
    return _show(request)


def save(request: Request) -> Response:
    """Change details."""

    def act(uow: UnitOfWork, staff: Staff, me: SignedIn) -> tuple[str, dict[str, Any]] | None:
        rota = uow.rota()
        before = {name: getattr(staff, name) for name in _NAMES}
        typed = forms.details(request.state.form, rota)
        _no_twin(uow, typed.email, staff.id)
        was_lead = staff.role == LEAD
        _write(uow, staff, typed)
        changed = sorted(name for name in _NAMES if _plain(before[name]) != _plain(getattr(staff, name)))
        if not changed:
            return None
        if me.role != LEAD and _FOR_LEADS & set(changed):
            raise NotYourPeople
        if "email" in changed:
            # Whoever has the address signs in by the council's directory: for people who see cases that is
            # a lead's to say, and nobody's earlier link to the directory stays.
            _may_let_in(me, staff)
            staff.oidc_hash = None
        if not looks_after(me, areas_of(staff, rota)):
            raise NotYourPeople("not_your_area")
        if was_lead and staff.role != LEAD:
            _another_lead(uow, staff)
        if staff.role not in CASEWORK:
            _give_back(request, uow, staff)
        return "person_changed", {"fields": changed}

    return _act(request, act, "details")


def add_hours(request: Request) -> Response:
    """Add a shift."""

    def act(uow: UnitOfWork, staff: Staff, me: SignedIn) -> tuple[str, dict[str, Any]]:
        shift = forms.shift(request.state.form)
        staff.shifts.append(shift)
        uow.session.flush()
        return "hours_added", {"days": shift.days, "from": shift.starts, "to": shift.ends}

    return _act(request, act, "hours")


def remove_hours(request: Request) -> Response:
    """Take a shift away."""

    def act(uow: UnitOfWork, staff: Staff, me: SignedIn) -> tuple[str, dict[str, Any]] | None:
        shift = _own(staff.shifts, request)
        if shift is None:
            return None
        staff.shifts.remove(shift)
        return "hours_removed", {"days": shift.days, "from": shift.starts, "to": shift.ends}

    return _act(request, act, "hours")


def add_leave(request: Request) -> Response:
    """Add days away."""

    def act(uow: UnitOfWork, staff: Staff, me: SignedIn) -> tuple[str, dict[str, Any]]:
        leave = forms.leave(request.state.form)
        staff.leave.append(leave)
        uow.session.flush()
        return "leave_added", {"from": str(leave.first_day), "to": str(leave.last_day)}

    return _act(request, act, "leave")


def remove_leave(request: Request) -> Response:
    """Take days away off again."""

    def act(uow: UnitOfWork, staff: Staff, me: SignedIn) -> tuple[str, dict[str, Any]] | None:
        leave = _own(staff.leave, request)
        if leave is None:
            return None
        staff.leave.remove(leave)
        return "leave_removed", {"from": str(leave.first_day), "to": str(leave.last_day)}

    return _act(request, act, "leave")


def invite(request: Request) -> Response:
    """Make an invitation; its link is shown this once, to be sent by whoever made it."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    now = desk.core.now()
    with desk.core.uow() as uow:
        staff = _whom(uow, request)
        _may_let_in(me, staff)
        if not staff.active:
            return _show(request, 409, about="sign-in", problem="not_active")
        token = make_invitation(uow, staff.id, now, me.staff_id, form.get("resets_factor") == "1")
        uow.commit()
    return _show(request, link=f"{desk.core.settings.url}/desk/invitation?token={token}")


def sign_out(request: Request) -> Response:
    """Sign somebody out everywhere; the cases they hold go back to the queue."""

    def act(uow: UnitOfWork, staff: Staff, me: SignedIn) -> tuple[str, dict[str, Any]]:
        _may_let_in(me, staff)
        _give_back(request, uow, staff)
        end_sessions(uow, staff.id)
        return "signed_out_everywhere", {}

    return _act(request, act, "sign-in")


def deactivate(request: Request) -> Response:
    """Somebody leaves: signed out, off the rota, their cases back in the queue. What they did stays."""

    def act(uow: UnitOfWork, staff: Staff, me: SignedIn) -> tuple[str, dict[str, Any]]:
        if staff.id == me.staff_id:
            raise FormError("not_yourself")
        if me.role != LEAD and staff.role == LEAD:
            raise NotYourPeople
        if staff.role == LEAD:
            _another_lead(uow, staff)
        _give_back(request, uow, staff)
        end_sessions(uow, staff.id)
        staff.active = False
        return "person_deactivated", {}

    return _act(request, act, "sign-in")


def reactivate(request: Request) -> Response:
    """Somebody comes back, with the hours they had; they need a new invitation."""

    def act(uow: UnitOfWork, staff: Staff, me: SignedIn) -> tuple[str, dict[str, Any]]:
        _may_let_in(me, staff)
        staff.active, staff.password_hash = True, None
        staff.off_duty, staff.off_duty_at = False, None
        return "person_reactivated", {}

    return _act(request, act, "sign-in")


async def test_alert(request: Request) -> Response:
    """A lead tries somebody's alert addresses, and sees which took it."""
    staff_id = await to_thread.run_sync(_known, request)
    tried = await try_addresses(request, staff_id)
    return await to_thread.run_sync(partial(_show, request, tried=tried))


def no_such_person(request: Request, _error: Exception) -> Response:
    """Told the same whether they exist or not."""
    return request.app.state.desk.render(request, "problem.html", 404, problem="no_such_person")


# Inside ----------------------------------------------------------------------------------------------

Act = Callable[[UnitOfWork, Staff, SignedIn], "tuple[str, dict[str, Any]] | None"]
_NAMES = (
    "name", "role", "job_title", "email", "phone", "place_id", "areas", "nation", "trained_for",
    "answers_by", "alert_urls",
)  # fmt: skip


def _act(request: Request, act: Act, about: str) -> Response:
    desk, me = request.app.state.desk, request.state.me
    request.state.given_back = []
    with desk.core.uow() as uow:
        staff = _whom(uow, request)
        try:
            done = act(uow, staff, me)
        except FormError as error:
            uow.session.rollback()
            return _show(request, 422, about=about, problem=error.problem, field=error.field)
        if done:
            action, detail = done
            uow.audit(desk.core.now(), me.staff_id, action, subject=staff.id, **detail)
        uow.commit()
        staff_id = staff.id
    for conversation_id in request.state.given_back:
        desk.changes.changed(conversation_id)
    return RedirectResponse(f"/desk/people/{staff_id}?done={about}#{about}", 303)


def _whom(uow: UnitOfWork, request: Request) -> Staff:
    staff = uow.staff_member(request.path_params["staff_id"])
    if staff is None or not looks_after(request.state.me, areas_of(staff, uow.rota())):
        raise NoSuchPerson
    return staff


def _known(request: Request) -> str:
    with request.app.state.desk.core.store.read() as uow:
        return _whom(uow, request).id


def _own(rows: list[Any], request: Request) -> Shift | Leave | Any | None:
    return next((row for row in rows if row.id == request.path_params["row"]), None)


def _may_let_in(me: SignedIn, staff: Staff) -> None:
    """Who invites somebody could sign in as them: cases are opened to people by leads only."""
    if me.role != LEAD and staff.role in CASEWORK:
        raise NotYourPeople


def _another_lead(uow: UnitOfWork, staff: Staff) -> None:
    if not any(one.role == LEAD and one.id != staff.id for one in uow.staff()):
        raise FormError("last_lead")


def _give_back(request: Request, uow: UnitOfWork, staff: Staff) -> None:
    held = give_back(uow, staff.id, request.app.state.desk.core.now())
    request.state.given_back += [case.conversation_id for case in held]


def _no_twin(uow: UnitOfWork, email: str, but: str | None) -> None:
    found = uow.cipher.find_hash("staff", email.casefold())
    holder = uow.session.scalars(select(Staff.id).where(Staff.sign_in_hash == found)).first()
    if holder is not None and holder != but:
        raise FormError("email_taken", "email")


def _ids(uow: UnitOfWork) -> set[str]:
    return set(uow.session.scalars(select(Staff.id)).all())


def _write(uow: UnitOfWork, staff: Staff, typed: Details) -> None:
    staff.name, staff.role, staff.job_title = typed.name, typed.role, typed.job_title
    staff.email, staff.phone = typed.email, typed.phone or None
    staff.sign_in_hash = uow.cipher.find_hash("staff", typed.email.casefold())
    staff.place_id, staff.areas, staff.nation = typed.place_id, list(typed.areas), typed.nation
    staff.trained_for, staff.answers_by = list(typed.trained_for), list(typed.answers_by)
    staff.alert_urls = list(typed.alert_urls)


def _plain(value: Any) -> Any:
    """A value as it is compared: nothing is nothing, however it is stored."""
    return (list(value) if isinstance(value, list | tuple) else value) or None


def _choices(rota: Rota, me: SignedIn) -> dict[str, Any]:
    return {
        "places": [place for place in rota.places if looks_after(me, [place.area])],
        "areas": rota.areas,
        "all_areas": not me.areas,
        "leads": me.role == LEAD,
    }


def _show_new(request: Request, status: int = 200, error: FormError | None = None) -> Response:
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    with desk.core.store.read() as uow:
        rota = uow.rota()
    return desk.render(
        request,
        "person_new.html",
        status,
        typed=_typed(form, rota) if form else {},
        problem=error.problem if error else "",
        field=error.field if error else "",
        **_choices(rota, me),
    )


def _typed(form: dict[str, str], rota: Rota) -> dict[str, Any]:
    """What was typed, to be shown again."""
    chosen = [area.id for number, area in enumerate(rota.areas) if form.get(f"area{number}") == area.id]
    return {**form, "place_id": form.get("place", ""), "areas": chosen}


def _show(
    request: Request,
    status: int = 200,
    about: str = "",
    problem: str = "",
    field: str = "",
    link: str = "",
    tried: Mapping[str, bool] | None = None,
) -> Response:
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    with desk.core.store.read() as uow:
        staff = _whom(uow, request)
        rota = uow.rota()
        on_rota = rota.person(staff.id)
        again = _typed(request.state.form, rota) if about == "details" and problem else None
        stored = {name: getattr(staff, name) for name in _NAMES}
        joined = {"trained_for": ", ", "answers_by": ", ", "alert_urls": "\n"}
        stored |= {name: between.join(stored[name] or ()) for name, between in joined.items()}
        stored["alerts"] = stored.pop("alert_urls")
        return desk.render(
            request,
            "person.html",
            status,
            staff=staff,
            person=on_rota,
            standing=duty_of(on_rota, now),
            typed=again or stored,
            holds=uow.session.scalars(
                select(Handover).where(Handover.state == "accepted", Handover.accepted_by == staff.id)
            ).all(),
            signed_in=len(sessions_of(uow, staff.id, now)),
            may_let_in=me.role == LEAD or staff.role not in CASEWORK,
            invite_hours=INVITE_HOURS,
            done=request.query_params.get("done", ""),
            about=about,
            problem=problem,
            field=field,
            link=link,
            tried=tried,
            **_choices(rota, me),
        )
