"""Open Referral UK 3.0: the directory for other programs, open to read, without keys.

The shapes are those of the UK profile of HSDS (``/services`` in short, ``/services/{id}`` whole). Beside
the profile's fields, records carry HSDS's own that it drops: wait_time, eligibility_description,
application_process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.areas.finder import Areas
from bot.bootstrap import Core
from bot.channels.problems import Problem
from bot.directory.index import distance
from bot.directory.library import Library

PROFILE = "https://openreferral.uk"
PER_PAGE, MOST_PER_PAGE = 50, 100
_OPEN = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
#: What a list of services leaves out: everything that is more than one of something.
_ONLY_WHOLE = frozenset(
    "schedules service_areas service_at_locations languages funding cost_options contacts phones "
    "attributes".split()
)
_ONLY_WHOLE_LOCATION = frozenset({"addresses", "accessibility", "attributes", "schedules"})
_ONLY_WHOLE_ORGANIZATION = frozenset({"organization_identifiers", "attributes"})
Record = Mapping[str, Any]


def routes(core: Core, library: Library, areas: Callable[[], Areas]) -> list[Route]:
    """The endpoints under ``/oruk``."""
    door = OrukDoor(core, library, areas)
    return [
        Route("/oruk", door.about),
        Route("/oruk/services", door.services),
        Route("/oruk/services/{id}", door.service),
        Route("/oruk/service_at_locations", door.at_locations),
        Route("/oruk/service_at_locations/{id}", door.at_location),
        Route("/oruk/taxonomies", door.taxonomies),
        Route("/oruk/taxonomies/{id}", door.taxonomy),
        Route("/oruk/taxonomy_terms", door.terms),
        Route("/oruk/taxonomy_terms/{id}", door.term),
    ]


class OrukDoor:
    """The read endpoints."""

    def __init__(self, core: Core, library: Library, areas: Callable[[], Areas]) -> None:
        self._core = core
        self._library = library
        self._areas = areas

    async def about(self, request: Request) -> Response:
        """The version and profile of this interface."""
        url = f"{self._core.settings.url}/openapi.json"
        return _json({"version": "HSDS-UK-3.0", "profile": PROFILE, "openapi_url": url})

    async def services(self, request: Request) -> Response:
        """Services in short, a page at a time."""
        found = await to_thread.run_sync(self._services, request)
        return _page(request, found, _short)

    async def service(self, request: Request) -> Response:
        """One service, whole."""
        record = await to_thread.run_sync(self._library.record, request.path_params["id"])
        if record is None:
            raise Problem(404, "problem_not_found")
        return _json(record)

    async def at_locations(self, request: Request) -> Response:
        """Services at their places, near a postcode when one is given."""
        found = await to_thread.run_sync(self._at_locations, request)
        return _page(request, found, lambda item: item)

    async def at_location(self, request: Request) -> Response:
        """One service at one place, whole."""

        def find() -> Record | None:
            for record in self._library.records():
                for link in record.get("service_at_locations", ()):
                    if link["id"] == request.path_params["id"]:
                        return {**link, "service": record}
            return None

        found = await to_thread.run_sync(find)
        if found is None:
            raise Problem(404, "problem_not_found")
        return _json(found)

    async def taxonomies(self, request: Request) -> Response:
        """The lists of terms that services are filed under."""
        found = await to_thread.run_sync(lambda: list(self._terms()[0].values()))
        return _page(request, found, lambda item: item)

    async def taxonomy(self, request: Request) -> Response:
        """One list of terms."""
        found = (await to_thread.run_sync(self._terms))[0].get(request.path_params["id"])
        if found is None:
            raise Problem(404, "problem_not_found")
        return _json(found)

    async def terms(self, request: Request) -> Response:
        """The terms."""
        found = await to_thread.run_sync(lambda: list(self._terms()[1].values()))
        return _page(request, found, lambda item: item)

    async def term(self, request: Request) -> Response:
        """One term."""
        found = (await to_thread.run_sync(self._terms))[1].get(request.path_params["id"])
        if found is None:
            raise Problem(404, "problem_not_found")
        return _json(found)

    # Inside ---------------------------------------------------------------------------------------

    def _services(self, request: Request) -> list[Record]:
        asked = request.query_params
        records: Iterable[Record] = self._library.records()
        if text := asked.get("search"):
            found = self._library.directory().find_text(text[:200])
            named = {service.id for n, service in enumerate(self._library.directory()) if n in found}
            records = [record for record in records if record["id"] in named]
        for name, key in (("taxonomy_term_id", "id"), ("taxonomy_id", "taxonomy_id")):
            if wanted := asked.get(name):
                records = [r for r in records if any(term.get(key) == wanted for term in _terms_of(r))]
        if (low := _number(asked.get("minimum_age"))) is not None:
            records = [r for r in records if r.get("minimum_age", 0) >= low]
        if (high := _number(asked.get("maximum_age"))) is not None:
            records = [r for r in records if r.get("maximum_age", 200) <= high]
        if any(asked.get(name) for name in ("day", "start_time", "end_time")):
            records = [r for r in records if _is_open(r, asked)]
        return list(records)

    def _at_locations(self, request: Request) -> list[Record]:
        asked = request.query_params
        near: tuple[float, float] | None = None
        if postcode := asked.get("postcode"):
            position = self._areas().find(postcode[:50]).position
            if position is None:
                return []
            near = (position.latitude, position.longitude)
        reach = _number(asked.get("proximity")) if near else None
        out = []
        for record in self._services(request):
            for link in record.get("service_at_locations", ()):
                location = link.get("location")
                if reach is not None and not _within(location, near, reach):
                    continue
                out.append(
                    {
                        "id": link["id"],
                        "location": _without(location or {}, _ONLY_WHOLE_LOCATION),
                        "service": _short(record),
                    }
                )
        return out

    def _terms(self) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """Taxonomies and terms by their ids: ours of needs, and whatever feeds brought."""
        taxonomies: dict[str, dict[str, Any]] = {}
        terms: dict[str, dict[str, Any]] = {}
        ours = str(uuid5(NAMESPACE_URL, "earshot:needs"))
        taxonomies[ours] = {
            "id": ours,
            "name": "Needs",
            "description": "What parents look for",
            "version": "1",
        }
        for need in self._library.needs:
            key = str(uuid5(NAMESPACE_URL, f"earshot:need:{need.id}"))
            about = ", ".join(need.terms) or need.title
            terms[key] = {
                "id": key,
                "name": need.title,
                "description": about,
                "taxonomy": "Needs",
                "taxonomy_id": ours,
                "term": need.id,
            }
        for record in self._library.records():
            for term in _terms_of(record):
                terms.setdefault(term["id"], dict(term))
                if name := term.get("taxonomy"):
                    key = term.get("taxonomy_id") or str(uuid5(NAMESPACE_URL, f"earshot:taxonomy:{name}"))
                    taxonomies.setdefault(key, {"id": key, "name": name, "description": name})
        return taxonomies, terms


def _json(document: Any) -> Response:
    return JSONResponse(document, headers=_OPEN)


def _page(request: Request, found: Sequence[Record], shape: Callable[[Record], Record]) -> Response:
    """A page in the UK profile's envelope."""
    number = _whole(request.query_params.get("page"), 1, "page")
    size = min(_whole(request.query_params.get("per_page"), PER_PAGE, "per_page"), MOST_PER_PAGE)
    pages = max(1, -(-len(found) // size))
    contents = [shape(item) for item in found[(number - 1) * size : number * size]]
    return _json(
        {
            "total_items": len(found),
            "total_pages": pages,
            "page_number": number,
            "size": len(contents),
            "first_page": number == 1,
            "last_page": number >= pages,
            "empty": not contents,
            "contents": contents,
        }
    )


def _without(record: Record, names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def _short(record: Record) -> dict[str, Any]:
    out = _without(record, _ONLY_WHOLE)
    if "organization" in out:
        out["organization"] = _without(out["organization"], _ONLY_WHOLE_ORGANIZATION)
    return out


def _terms_of(record: Record) -> Iterable[Mapping[str, Any]]:
    return (a["taxonomy_term"] for a in record.get("attributes", ()) if a.get("taxonomy_term"))


def _within(location: Mapping[str, Any] | None, near: tuple[float, float] | None, reach: float) -> bool:
    latitude, longitude = (location or {}).get("latitude"), (location or {}).get("longitude")
    if near is None or latitude is None or longitude is None:
        return False
    return distance(near, (latitude, longitude)) <= reach


def _is_open(record: Record, asked: Mapping[str, str]) -> bool:
    day = asked.get("day", "").upper()[:2]  # MO or Monday
    start, end = asked.get("start_time", ""), asked.get("end_time", "")
    links = record.get("service_at_locations", ())
    schedules = [*record.get("schedules", ()), *(s for link in links for s in link.get("schedules", ()))]
    return any(
        (not day or day in re.split(r"[^A-Z]+", s.get("byday", "").upper()))
        and (not start or s.get("opens_at", "") >= start[:5])
        and (not end or "" < s.get("closes_at", "") <= end[:5])
        for s in schedules
    )


def _number(told: str | None) -> float | None:
    try:
        return float(told) if told else None
    except ValueError:
        return None


def _whole(told: str | None, default: int, name: str) -> int:
    if told is None:
        return default
    if not (told.isascii() and told.isdigit() and 0 < len(told) < 8 and int(told) > 0):
        raise Problem(422, "problem_bad_field", field=name)
    return int(told)
