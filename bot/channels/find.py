"""Finding help without the chat: pages that work without scripts, and the same search for programs.

No page here sets or reads a cookie, and nothing that is typed is kept. A postcode is only ever sent in the
body of a form, so it is in no address, no history and no log; every search has an address without it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from bot.areas.describe import describe, words
from bot.areas.finder import Areas
from bot.bootstrap import Core
from bot.channels import asked, leaflet, oruk
from bot.channels.pages import page_context
from bot.channels.problems import Problem
from bot.directory.index import Found, Hit
from bot.directory.library import Library
from bot.directory.shown import notices, show_hit
from bot.gateway.headers import POLICY
from bot.gateway.limits import Limits
from bot.settings import ROOT

#: Services on a page, and most in one answer to a program.
ON_A_PAGE, AT_MOST = 12, 50
#: These pages hold nothing of anybody's, so a council may show them inside its own.
FRAMED = POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self' https:")


def routes(core: Core, limits: Limits) -> list[Route]:
    """Every route for finding help: pages, leaflet, interface and Open Referral UK."""
    library = Library(core)
    door = FindDoor(core, library, limits)
    return [
        *door.routes(),
        *leaflet.routes(core, library, limits),
        *oruk.routes(core, library, door.areas_now),
    ]


class FindDoor:
    """The finder's page and its interface."""

    def __init__(self, core: Core, library: Library, limits: Limits) -> None:
        self._core = core
        self._library = library
        self._limits = limits
        self._templates = Jinja2Templates(ROOT / "bot" / "channels" / "templates")

    @cached_property
    def areas(self) -> Areas:
        """The look-up of places, opened at the first question."""
        return Areas.open()

    def areas_now(self) -> Areas:
        """The look-up of places."""
        return self.areas

    def routes(self) -> list[Route]:
        """Every route of the finder."""
        return [
            Route("/find", self.page, methods=["GET", "POST"]),
            Route("/api/services", self.services),
            Route("/api/areas", self.area),
        ]

    async def page(self, request: Request) -> Response:
        """The finder's page: the form, and what was found."""
        self._count(request)
        if request.method == "POST":
            form = await request.form(max_fields=20, max_part_size=4096)
            given = {name: value for name, value in form.items() if isinstance(value, str)}
        else:
            given = dict(request.query_params)
            if "postcode" in given:  # somebody's own link: the postcode goes, the rest stays
                clean = await to_thread.run_sync(self._read, {**given, "postcode": ""}, True)
                return RedirectResponse(f"/find?{clean.shareable}", 303)
        context = await to_thread.run_sync(self._context, given)
        response = self._templates.TemplateResponse(request, "find/page.html", context)
        response.headers["Content-Security-Policy"] = FRAMED
        return response

    async def services(self, request: Request) -> Response:
        """``GET /api/services?need=&postcode=&age=&open=…`` → what fits, best first."""
        self._count(request)
        given = dict(request.query_params)
        limit = given.get("limit") or str(ON_A_PAGE)
        if not (limit.isascii() and limit.isdigit() and 0 < int(limit[:4]) <= AT_MOST):
            raise Problem(422, "problem_bad_field", field="limit")

        def find() -> dict[str, Any]:
            wanted = self._read(given, False)
            found = self._library.directory().search(wanted.query, self._core.now())
            return {
                "needs": list(found.needs),
                "area": describe(wanted.answer) if wanted.answer else None,
                "notices": [notice.value for notice in found.notices],
                "total": len(found.hits),
                "services": [self._as_json(hit) for hit in found.hits[: int(limit)]],
            }

        try:
            answer = await to_thread.run_sync(find)
        except asked.BadField as error:
            raise Problem(422, "problem_bad_field", field=str(error)) from None
        return JSONResponse(answer)

    async def area(self, request: Request) -> Response:
        """``GET /api/areas?postcode=`` → who runs children's services there."""
        self._count(request)
        place = request.query_params.get("postcode", "")
        if not place or len(place) > asked.MAX_FIELD:
            raise Problem(422, "problem_bad_field", field="postcode")
        return JSONResponse(await to_thread.run_sync(lambda: describe(self.areas.look_up(place))))

    # Inside ---------------------------------------------------------------------------------------

    def _count(self, request: Request) -> None:
        if not self._limits.allow("searches", self._limits.caller(request)):
            raise Problem(429, "problem_busy")

    def _read(self, given: dict[str, str], lenient: bool) -> asked.Asked:
        return asked.read(given, self._library.needs, self.areas, lenient=lenient)

    def _context(self, given: dict[str, str]) -> dict[str, Any]:
        core, content = self._core, self._core.content
        wanted = self._read(given, True)
        found: Found | None = None
        if wanted.anything:
            found = self._library.directory().search(wanted.query, core.now())
        place_words = ""
        if wanted.answer:
            name, values = words(wanted.answer)
            place_words = content.say(name, **values)
        hits = found.hits[:ON_A_PAGE] if found else ()
        first = found.first(3) if found else ()
        ordered = [*first, *(hit for hit in hits if hit not in first)]
        return {
            **page_context(core),
            "needs": list(self._library.needs),
            "fields": wanted.fields,
            "need": next(iter(wanted.query.needs), ""),
            "postcode": given.get("postcode", "")[: asked.MAX_FIELD],
            "place_words": place_words,
            "notices": notices(found, content) if found else [],
            "services": [(show_hit(hit, content), hit.open_now) for hit in ordered[:ON_A_PAGE]],
            "total": len(found.hits) if found else 0,
            "searched": found is not None,
            "share": f"{core.settings.url}/find?{wanted.shareable}" if wanted.fields else "",
        }

    def _as_json(self, hit: Hit) -> dict[str, Any]:
        service = hit.service
        shown = show_hit(hit, self._core.content)
        place = next(iter(service.places), None)
        return {
            "id": service.id,
            "name": service.name,
            "organization": service.organization,
            "description": service.description,
            "who": shown.who,
            "how": shown.how,
            "wait": shown.wait,
            "cost": shown.cost,
            "hours": shown.hours,
            "checked": {
                "on": service.checked_on.isoformat() if service.checked_on else None,
                "by": service.check_by.isoformat() if service.check_by else None,
                "overdue": shown.overdue,
            },
            "open_now": hit.open_now,
            "distance_miles": hit.miles,
            "address": (", ".join(filter(None, (place.name, place.address))) if place else "") or None,
            "online": service.remote,
            "free": service.free,
            "self_referral": service.self_referral,
            "step_free": service.step_free,
            "languages": sorted(service.languages),
            "minimum_age": service.minimum_age,
            "maximum_age": service.maximum_age,
            "needs": sorted(service.needs, key=lambda need: -service.needs[need]),
            "phones": list(service.phones),
            "email": service.email or None,
            "url": service.url or None,
            "source": service.source,
            "demo": service.demo,
        }
