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
from bot.desk import case, duty, events, queue, sign_in
from bot.desk.access import CASEWORK
from bot.desk.gate import Gate
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
    presence: Presence = field(default_factory=Presence)
    attempts: sign_in.Attempts = field(default_factory=sign_in.Attempts)
    hashing: CapacityLimiter = field(default_factory=sign_in.hashing_limiter)

    def render(self, request: Request, template: str, status: int = 200, **context: Any) -> Response:
        """A page, with who is signed in, the time, and where they stand on the rota."""
        now, me = self.core.now(), request.state.me
        context |= {"me": me, "now": now, "body_name": self.core.settings.body_name}
        context["mode"] = self.core.settings.mode
        if me and not template.startswith("_"):
            with self.core.store.read() as uow:
                context["duty"] = duty.duty_of(uow.rota().person(me.staff_id), now)
        context["casework"] = bool(me and me.role in CASEWORK)
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
        Route("/sign-out", duty.sign_out, methods=["POST"]),
        Route("/duty", duty.change_duty, methods=["POST"]),
        Route("/cases/{id:int}", case.case_page),
        Route("/cases/{id:int}/news", case.case_news),
        Route("/cases/{id:int}/accept", case.accept, methods=["POST"]),
        Route("/cases/{id:int}/reply", case.reply, methods=["POST"]),
        Route("/cases/{id:int}/release", case.release, methods=["POST"]),
        Route("/cases/{id:int}/transfer", case.transfer, methods=["POST"]),
        Route("/cases/{id:int}/close", case.close, methods=["POST"]),
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
        },
    )
    app.state.desk = Desk(core, changes, Jinja2Templates(env=_environment()))
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
