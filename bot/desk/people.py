"""The people page: everybody, places and areas, who would be asked when, and the rota as a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.desk import people_forms as forms
from bot.desk.access import CASEWORK
from bot.desk.duty import give_back
from bot.desk.people_forms import FormError
from bot.desk.sessions import SignedIn
from bot.risk.taxonomy import Level
from bot.rota import LEAD, UK, Person, Rota, Route, route
from bot.settings import Settings
from bot.store import rota_file
from bot.store.models import Area, Place, Staff
from bot.store.rota_file import RotaFileError, load_rota_text
from bot.store.uow import UnitOfWork

#: What is asked for in the preview: the levels, and the kinds that have a deadline of their own.
ASKED_AS = (Level.IMMEDIATE.value, Level.HIGH.value, "message", "early_help")


class NotYourPeople(Exception):
    """Somebody, or something of theirs, that this person may not change. ``problem`` names the words."""

    def __init__(self, problem: str = "leads_only") -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True)
class Step:
    """One step of a chain as it would run: asked at a time, to answer by another."""

    asked: Route
    at: datetime
    by: datetime


def people_page(request: Request) -> Response:
    """Everybody this person looks after."""
    return show(request)


def preview(request: Request) -> Response:
    """Who would be asked, step by step, if nobody accepted: by the same rule that asks them."""
    desk, query = request.app.state.desk, request.query_params
    at = forms.moment(query, "at") or desk.core.now()
    with desk.core.store.read() as uow:
        rota = uow.rota()
    where = query.get("where", "")
    place = rota.place(where.removeprefix("place:")) if where.startswith("place:") else None
    area = place.area if place else where.removeprefix("area:") or None
    asked_as = query.get("as", "") if query.get("as", "") in ASKED_AS else Level.HIGH.value
    adult = rota.person(query.get("adult"))
    steps = chain(rota, desk.core.settings, asked_as, adult.id if adult else None, at, area)
    names = {person.id: person for person in rota.people}
    shown = {"at": at, "where": where, "as": asked_as, "adult": adult.id if adult else ""}
    return show(request, preview={"steps": steps, "people": names, **shown})


def chain(
    rota: Rota, settings: Settings, asked_as: str, chosen: str | None, at: datetime, area: str | None
) -> list[Step]:
    """The steps a handover would go through from ``at`` on, as :mod:`bot.handover` takes them."""
    seconds = {
        Level.IMMEDIATE.value: settings.deadline_immediate,
        Level.HIGH.value: settings.deadline_high,
        "message": settings.deadline_message,
    }.get(asked_as, settings.deadline_request)
    everyone = asked_as == Level.IMMEDIATE.value
    steps: list[Step] = []
    tier, now = 0, at
    while not steps or steps[-1].asked.tier < 3:
        asked = route(rota, tier, chosen, everyone, now, area)
        begins = max(now, asked.back_at) if asked.back_at and not everyone else now
        steps.append(Step(asked, now, begins + timedelta(seconds=seconds)))
        tier, now = max(tier, asked.tier) + 1, steps[-1].by
    return steps


def save_place(request: Request) -> Response:
    """Add a place, or change one."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    with desk.core.uow() as uow:
        try:
            name, kind, area = forms.place(form, uow.rota())
        except FormError as error:
            uow.session.rollback()
            return show(request, 422, about="place", problem=error.problem)
        row = uow.session.get(Place, form["id"]) if form.get("id") else None
        for touched in {area, row.area if row else area}:
            _must_look_after(me, touched)
        if row is None:
            row = Place(id=forms.new_id(name, {place.id for place in uow.places()}), active=True)
        row.name, row.kind, row.area = name, kind, area
        uow.add(row)
        uow.audit(desk.core.now(), me.staff_id, "place_saved", place=row.id)
        uow.commit()
    return RedirectResponse("/desk/people#places", 303)


def close_place(request: Request) -> Response:
    """Close a place that has nobody, so that nobody is offered it; or open it again."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    with desk.core.uow() as uow:
        row = uow.session.get(Place, form.get("id", ""))
        if row is None:
            uow.session.rollback()
            return show(request, 422, about="place", problem="bad_choice")
        _must_look_after(me, row.area)
        if row.active and any(staff.place_id == row.id for staff in uow.staff()):
            uow.session.rollback()
            return show(request, 409, about="place", problem="place_has_people")
        row.active = not row.active
        action = "place_opened" if row.active else "place_closed"
        uow.audit(desk.core.now(), me.staff_id, action, place=row.id)
        uow.commit()
    return RedirectResponse("/desk/people#places", 303)


def save_area(request: Request) -> Response:
    """Add an area, or change its name and nation. Only for who looks after all of them."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    if me.areas:
        raise NotYourPeople("not_your_area")
    with desk.core.uow() as uow:
        try:
            name, nation = forms.area(form)
        except FormError as error:
            uow.session.rollback()
            return show(request, 422, about="area", problem=error.problem)
        row = uow.session.get(Area, form["id"]) if form.get("id") else None
        if row is None:
            taken = {area.id for area in uow.rota().areas}
            row = Area(id=forms.new_id(name, taken))
        row.name, row.nation = name, nation
        uow.add(row)
        uow.audit(desk.core.now(), me.staff_id, "area_saved", area=row.id)
        uow.commit()
    return RedirectResponse("/desk/people#areas", 303)


def export_rota(request: Request) -> Response:
    """The rota as a file."""
    desk, me = request.app.state.desk, request.state.me
    if me.areas:
        raise NotYourPeople("not_your_area")
    now = desk.core.now()
    with desk.core.uow() as uow:
        text = rota_file.export_rota(uow)
        uow.audit(now, me.staff_id, "rota_exported")
        uow.commit()
    name = f"earshot-rota-{now.astimezone(UK):%Y-%m-%d}.yml"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="application/yaml", headers=disposition)


def import_page(request: Request) -> Response:
    """Where a rota file is pasted or chosen."""
    if request.state.me.areas:
        raise NotYourPeople("not_your_area")
    return request.app.state.desk.render(request, "rota_file.html", text="", problem="", loaded=None)


def import_rota(request: Request) -> Response:
    """Load a rota file; nothing changes when something in it is wrong."""
    desk, me = request.app.state.desk, request.state.me
    text, now = request.state.form.get("text", ""), desk.core.now()
    if me.areas:
        raise NotYourPeople("not_your_area")
    problem, loaded = "", None
    with desk.core.uow() as uow:
        try:
            places, people = load_rota_text(uow, text, "rota.yml")
        except RotaFileError as error:
            problem = str(error)
        else:
            if not any(staff.role == LEAD for staff in uow.staff()):
                problem = "last_lead"
            else:
                for staff_id in people:
                    uow.audit(now, me.staff_id, "rota_loaded", subject=staff_id)
                    if uow.staff_member(staff_id).role not in CASEWORK:
                        give_back(uow, staff_id, now)
                uow.commit()
                loaded = (len(places), len(people))
    status = 422 if problem else 200
    return desk.render(request, "rota_file.html", status, text=text, problem=problem, loaded=loaded)


def not_your_people(request: Request, error: Exception) -> Response:
    """The answer to :class:`NotYourPeople`."""
    problem = error.problem if isinstance(error, NotYourPeople) else "forbidden"
    return request.app.state.desk.render(request, "problem.html", 403, problem=problem)


# Who looks after whom --------------------------------------------------------------------------------


def areas_of(staff: Staff, rota: Rota) -> tuple[str, ...]:
    """The areas somebody belongs to; none means all of them."""
    if staff.areas:
        return tuple(staff.areas)
    there = rota.area_at(staff.place_id)
    return (there,) if there else ()


def looks_after(me: SignedIn, areas: Iterable[str]) -> bool:
    """Whether whoever belongs to these areas is this manager's to look after."""
    found = set(areas)
    return not me.areas or (bool(found) and found <= set(me.areas))


def _must_look_after(me: SignedIn, area: str) -> None:
    if not looks_after(me, [area]):
        raise NotYourPeople("not_your_area")


def show(
    request: Request, status: int = 200, about: str = "", problem: str = "", preview: Any = None
) -> Response:
    """The page; ``problem`` is told beside the part it is ``about``."""
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    with desk.core.uow() as uow:
        uow.audit(now, me.staff_id, "rota_previewed" if preview else "people_read")
        uow.commit()
    with desk.core.store.read() as uow:
        rota = uow.rota()
        everybody = [s for s in _everybody(uow) if looks_after(me, areas_of(s, rota))]
        on_rota: dict[str, Person] = {person.id: person for person in rota.people}
        places = [place for place in uow.places() if looks_after(me, [place.area])]
        return desk.render(
            request,
            "people.html",
            status,
            people=[(s, on_rota[s.id]) for s in everybody if s.active],
            left=[s for s in everybody if not s.active],
            places=places,
            areas=rota.areas,
            area_names={area.id: area.name for area in rota.areas},
            place_names={place.id: place.name for place in uow.places()},
            safe_adults=rota.safe_adults(),
            asked_as=ASKED_AS,
            all_areas=not me.areas,
            leads=me.role == LEAD,
            about=about,
            problem=problem,
            preview=preview,
        )


def _everybody(uow: UnitOfWork) -> list[Staff]:
    found = uow.session.scalars(select(Staff)).all()
    return sorted(found, key=lambda staff: (staff.role == "safe_adult", staff.name.casefold()))
