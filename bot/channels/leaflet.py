"""The leaflet: chosen services as one page, to read, print or save; nothing of it is kept here."""

from __future__ import annotations

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from bot.bootstrap import Core
from bot.channels.leaflet_pdf import leaflet_pdf
from bot.channels.pages import page_context
from bot.channels.problems import Problem
from bot.directory.library import Library
from bot.directory.shown import Shown, lines, show
from bot.gateway.limits import Limits
from bot.settings import ROOT

#: Most services of one leaflet.
AT_MOST = 12


def routes(core: Core, library: Library, limits: Limits) -> list[Route]:
    """The leaflet as a page, as PDF and as plain text."""
    door = LeafletDoor(core, library, limits)
    return [
        Route("/leaflet", door.page),
        Route("/leaflet.pdf", door.pdf),
        Route("/leaflet.txt", door.text),
    ]


class LeafletDoor:
    """``?s=<id>&s=<id>`` names the services, ``large=1`` asks for large type."""

    def __init__(self, core: Core, library: Library, limits: Limits) -> None:
        self._core = core
        self._limits = limits
        self._library = library
        self._templates = Jinja2Templates(ROOT / "bot" / "channels" / "templates")

    async def page(self, request: Request) -> Response:
        """The leaflet to read and print."""
        services = await to_thread.run_sync(self._chosen, request)
        chosen = "&".join(f"s={service.id}" for service in services)
        context = {
            **page_context(self._core),
            "title": self._core.content.say("utter_leaflet_title"),
            "services": services,
            "chosen": chosen,
            "large": _large(request),
        }
        return self._templates.TemplateResponse(request, "find/leaflet.html", context)

    async def pdf(self, request: Request) -> Response:
        """The leaflet as a PDF, under a name that tells nothing."""
        if not self._limits.allow("documents", self._limits.caller(request)):
            raise Problem(429, "problem_busy")
        content = self._core.content

        def make() -> bytes:
            services = self._chosen(request)
            told = [(s.name, [*filter(None, [s.about]), *lines(s, content)]) for s in services]
            return leaflet_pdf(
                content.say("utter_leaflet_title"),
                told,
                content.say("utter_emergency_line"),
                large=_large(request),
            )

        headers = {"Content-Disposition": 'inline; filename="notes.pdf"'}
        return Response(await to_thread.run_sync(make), media_type="application/pdf", headers=headers)

    async def text(self, request: Request) -> Response:
        """The leaflet as plain text."""
        services = await to_thread.run_sync(self._chosen, request)
        content = self._core.content
        parts = ["\n".join((service.name, *lines(service, content))) for service in services]
        return PlainTextResponse("\n\n".join([*parts, content.say("utter_emergency_line")]) + "\n")

    def _chosen(self, request: Request) -> list[Shown]:
        directory = self._library.directory()
        ids: list[Any] = list(dict.fromkeys(request.query_params.getlist("s")))[:AT_MOST]
        found = [service for wanted in ids if (service := directory.get(wanted))]
        if not found:
            raise Problem(404, "problem_not_found")
        today = self._core.now().date()
        return [show(service, self._core.content, today) for service in found]


def _large(request: Request) -> bool:
    return request.query_params.get("large") == "1"
