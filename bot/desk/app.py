"""The staff desk: pages under ``/desk``. Nothing here is reachable unless ``access.py`` lists it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from bot.bootstrap import Core
from bot.changes import Changes
from bot.desk import (
    account,
    audit,
    case,
    conduct,
    custody,
    duty,
    events,
    letter,
    oidc,
    people,
    person,
    posters,
    practice,
    queue,
    record,
    replies,
    second_factor,
    side,
    sign_in,
    teamwork,
)
from bot.desk.access import CASEWORK, MANAGERS
from bot.desk.attempts import Attempts
from bot.desk.gate import Gate
from bot.desk.oidc import Provider, provider_of
from bot.desk.presence import Presence
from bot.handover import NoSuchHandover
from bot.rota import UK

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Desk:
    """What every page of the desk uses."""

    core: Core
    changes: Changes
    templates: Jinja2Templates
    attempts: Attempts
    presence: Presence = field(default_factory=Presence)
    hashing: CapacityLimiter = field(default_factory=sign_in.hashing_limiter)
    provider: Provider | None = None

    def render(self, request: Request, template: str, status: int = 200, **context: Any) -> Response:
        """A page, with who is signed in, the time, and where they stand on the rota."""
        now, me = self.core.now(), request.state.me
        context |= {"me": me, "now": now, "body_name": self.core.settings.body_name}
        context["mode"] = self.core.settings.mode
        context["oidc"] = self.provider is not None
        complete = bool(me and me.complete)
        if complete and not template.startswith("_"):
            with self.core.store.read() as uow:
                context["duty"] = duty.duty_of(uow.rota().person(me.staff_id), now)
        context["complete"] = complete
        context["casework"] = complete and me.role in CASEWORK
        context["manages"] = complete and me.role in MANAGERS
        return self.templates.TemplateResponse(request, template, context, status_code=status)


def desk_app(core: Core, changes: Changes) -> Starlette:
    """The desk, to be mounted at ``/desk``. ``changes.look_forever`` must run for pages to be live."""
    routes = [
        Route("/", queue.queue_page),
        Route("/queue", queue.queue_fragment),
        Route("/events", events.events),
        Route("/sign-in", sign_in.sign_in_page),
        Route("/sign-in", sign_in.sign_in, methods=["POST"]),
        Route("/sign-in/link", sign_in.sign_in_by_link, methods=["POST"]),
        Route("/invitation", sign_in.invitation_page),
        Route("/invitation", sign_in.use_invitation, methods=["POST"]),
        Route("/second-factor", second_factor.factor_page),
        Route("/second-factor", second_factor.check_factor, methods=["POST"]),
        Route("/second-factor/set-up", second_factor.set_up_page),
        Route("/second-factor/set-up", second_factor.set_up, methods=["POST"]),
        Route("/sign-in/oidc", oidc.go),
        Route("/sign-in/oidc/back", oidc.come_back),
        Route("/account", account.account_page),
        Route("/account/test-alert", account.test_alert, methods=["POST"]),
        Route("/account/password", account.change_password, methods=["POST"]),
        Route("/account/recovery-codes", account.new_codes, methods=["POST"]),
        Route("/account/sign-out-everywhere", duty.sign_out_everywhere, methods=["POST"]),
        Route("/sign-out", duty.sign_out, methods=["POST"]),
        Route("/people", people.people_page),
        Route("/people/preview", people.preview),
        Route("/people/places", people.save_place, methods=["POST"]),
        Route("/people/places/close", people.close_place, methods=["POST"]),
        Route("/people/areas", people.save_area, methods=["POST"]),
        Route("/people/file", people.import_page),
        Route("/people/file", people.import_rota, methods=["POST"]),
        Route("/people/file/export", people.export_rota),
        Route("/people/new", person.new_page),
        Route("/people/new", person.add, methods=["POST"]),
        Route("/people/{staff_id}", person.person_page),
        Route("/people/{staff_id}", person.save, methods=["POST"]),
        Route("/people/{staff_id}/hours", person.add_hours, methods=["POST"]),
        Route("/people/{staff_id}/hours/{row:int}/remove", person.remove_hours, methods=["POST"]),
        Route("/people/{staff_id}/leave", person.add_leave, methods=["POST"]),
        Route("/people/{staff_id}/leave/{row:int}/remove", person.remove_leave, methods=["POST"]),
        Route("/people/{staff_id}/invite", person.invite, methods=["POST"]),
        Route("/people/{staff_id}/sign-out", person.sign_out, methods=["POST"]),
        Route("/people/{staff_id}/deactivate", person.deactivate, methods=["POST"]),
        Route("/people/{staff_id}/reactivate", person.reactivate, methods=["POST"]),
        Route("/people/{staff_id}/test-alert", person.test_alert, methods=["POST"]),
        Route("/conduct", conduct.page),
        Route("/conduct/{row:int}/confirm", conduct.confirm, methods=["POST"]),
        Route("/conduct/{row:int}/lift", conduct.lift, methods=["POST"]),
        Route("/statistics", custody.statistics_page),
        Route("/statistics/export.csv", custody.statistics_csv),
        Route("/cases/{id:int}/hold", custody.put_on_hold, methods=["POST"]),
        Route("/cases/{id:int}/hold/lift", custody.lift_hold, methods=["POST"]),
        Route("/cases/{id:int}/export", custody.export_subject, methods=["POST"]),
        Route("/practice", practice.practice_page),
        Route("/practice", practice.do_step, methods=["POST"]),
        Route("/posters", posters.posters_page),
        Route("/posters/file.pdf", posters.poster_file),
        Route("/audit", audit.audit_page),
        Route("/audit/check", audit.check_chain, methods=["POST"]),
        Route("/audit/export.csv", audit.export_csv),
        Route("/audit/export.json", audit.export_json),
        Route("/duty", duty.change_duty, methods=["POST"]),
        Route("/cases/{id:int}", case.case_page),
        Route("/cases/{id:int}/news", case.case_news),
        Route("/cases/{id:int}/accept", case.accept, methods=["POST"]),
        Route("/cases/{id:int}/reply", case.reply, methods=["POST"]),
        Route("/cases/{id:int}/release", case.release, methods=["POST"]),
        Route("/cases/{id:int}/transfer", case.transfer, methods=["POST"]),
        Route("/cases/{id:int}/close", case.close, methods=["POST"]),
        Route("/cases/{id:int}/level", teamwork.set_level, methods=["POST"]),
        Route("/cases/{id:int}/notes", teamwork.add_note, methods=["POST"]),
        Route("/cases/{id:int}/opinion", teamwork.ask_opinion, methods=["POST"]),
        Route("/cases/{id:int}/opinion/end", teamwork.end_opinion, methods=["POST"]),
        Route("/cases/{id:int}/record", record.record_page),
        Route("/cases/{id:int}/record", record.save_record, methods=["POST"]),
        Route("/cases/{id:int}/record/versions/{row:int}", record.version_page),
        Route("/cases/{id:int}/letter", letter.letter_page),
        Route("/cases/{id:int}/letter.pdf", letter.letter_as_pdf),
        Route("/cases/{id:int}/letter.json", letter.letter_as_json),
        Route("/side", side.side_page),
        Route("/replies", replies.replies_page),
        Route("/replies", replies.save_reply, methods=["POST"]),
        Route("/cases/{id:int}/conduct", conduct.take, methods=["POST"]),
        Route("/cases/{id:int}/conduct/{row:int}/lift", conduct.lift_here, methods=["POST"]),
        Route("/cases/{id:int}/typing", case.typing, methods=["POST"]),
        Route("/cases/{id:int}/left", case.left, methods=["POST"]),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Gate)],
        exception_handlers={
            HTTPException: _http_problem,
            NoSuchHandover: case.no_such_case,
            case.NotForYou: case.not_for_you,
            people.NotYourPeople: people.not_your_people,
            person.NoSuchPerson: person.no_such_person,
        },
    )
    templates = Jinja2Templates(env=_environment())
    app.state.desk = Desk(
        core, changes, templates, Attempts(core), provider=provider_of(core.settings, core.store.cipher)
    )
    return app


def _environment() -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["local"] = _local
    env.filters["seconds_since"] = _seconds_since
    return env


def _local(at: datetime) -> datetime:
    return at.astimezone(UK)


def _seconds_since(at: datetime, now: datetime) -> int:
    return max(0, int((now - at).total_seconds()))


def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return request.app.state.desk.render(request, "problem.html", status, problem="not_found")
