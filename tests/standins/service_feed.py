"""A council's Open Referral UK feed on loopback: pages, whole records, broken ones, and cuts when asked."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KINDS = [
    ("Positive parenting course", "parenting support", "Help with tantrums and boundaries"),
    ("Stay and play", "stay and play", "Songs and toys for toddlers"),
    ("Youth club", "youth clubs", "Games, music and food"),
    ("Debt advice", "debt advice", "Free advice on bills and arrears"),
    ("Bereavement support", "bereavement support", "For children who grieve"),
    ("Autism support", "autism support", "For families before and after a diagnosis"),
    ("Counselling for teenagers", "young people's counselling", "One-to-one talks"),
    ("Toddler dance", "activities", "Moving to music"),
]
TOWNS = ["Ashby", "Brook", "Cawood", "Denby", "Elmley", "Fenwick", "Garth", "Holme", "Ingle", "Kirby"]


def service(number: int) -> dict[str, Any]:
    """A whole record of version 3, different for each number."""
    name, term, about = KINDS[number % len(KINDS)]
    town = TOWNS[number % len(TOWNS)]
    identity = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"service-{number}"))
    return {
        "id": identity,
        "name": f"{name} {town} {number}",
        "status": "active",
        "description": f"{about} in {town}.",
        "minimum_age": number % 12,
        "maximum_age": 5 + number % 13,
        "assured_date": "2026-10-01",
        "fees": "Free" if number % 2 else "£3 a session",
        "wait_time": f"{number % 9} weeks",
        "eligibility_description": f"Families in {town}",
        "application_process": "Self-referral by phone" if number % 3 else "Professional referral only",
        "organization": {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, town)), "name": f"{town} Together"},
        "schedules": [
            {
                "freq": "WEEKLY",
                "byday": "MO,SA" if number % 4 else "TU",
                "opens_at": "10:00",
                "closes_at": "19:00",
            }
        ],
        "service_at_locations": [
            {
                "location": {
                    "location_type": "physical",
                    "name": f"{town} Hall",
                    "latitude": 51 + (number % 100) / 100,
                    "longitude": -2 + (number % 90) / 60,
                    "addresses": [{"address_1": f"{number} High Street", "city": town}],
                    "accessibility": [
                        {"description": "Step-free access" if number % 2 else "Steps at the door"}
                    ],
                }
            }
        ],
        "contacts": [{"name": "Desk", "phones": [{"number": "01632 960200"}]}],
        "attributes": [{"taxonomy_term": {"name": term, "description": term, "taxonomy": "needs"}}],
    }


def broken(number: int) -> Any:
    """A record that no importer can take, in one of several ways."""
    good = service(number)
    return [
        {**good, "name": None},
        {**good, "status": "unknown"},
        {**good, "schedules": "every day"},
        {k: v for k, v in good.items() if k != "id"},
        {**good, "service_at_locations": [["nested"] * 3]},
    ][number // 100 % 5]


class ServiceFeed:
    """The feed. ``cut_at``: the page at which the line goes dead until :meth:`mend`."""

    def __init__(self, records: list[Any], per_page: int = 100, version: int = 3) -> None:
        self.records = records
        self.per_page = per_page
        self.version = version
        self.cut_at: int | None = None
        self.short = True
        self.pages_served: list[int] = []

    def mend(self) -> None:
        """The line works again."""
        self.cut_at = None
        self.pages_served = []

    def answer(self, path: str) -> tuple[int, Any]:
        """Status and body; status 0 hangs up."""
        parts = urlsplit(path)
        if parts.path == "/services":
            return self._page(int(parse_qs(parts.query).get("page", ["1"])[0]))
        wanted = parts.path.removeprefix("/services/")
        found = [r for r in self.records if isinstance(r, Mapping) and r.get("id") == wanted]
        return (200, found[0]) if found else (404, {})

    def _page(self, number: int) -> tuple[int, Any]:
        if self.cut_at is not None and number >= self.cut_at:
            return 0, None
        self.pages_served.append(number)
        start = (number - 1) * self.per_page
        chosen = self.records[start : start + self.per_page]
        pages = -(-len(self.records) // self.per_page)
        nested = {"schedules", "service_at_locations", "contacts", "attributes", "service_taxonomys"}
        if self.short:
            chosen = [
                {k: v for k, v in r.items() if k not in nested} if isinstance(r, Mapping) else r
                for r in chosen
            ]
        if self.version == 1:
            return 200, {
                "totalElements": len(self.records),
                "totalPages": pages,
                "number": number,
                "size": len(chosen),
                "first": number == 1,
                "last": number >= pages,
                "content": chosen,
            }
        return 200, {
            "total_items": len(self.records),
            "total_pages": pages,
            "page_number": number,
            "size": len(chosen),
            "first_page": number == 1,
            "last_page": number >= pages,
            "empty": not chosen,
            "contents": chosen,
        }


@contextmanager
def serving(feed: ServiceFeed) -> Iterator[str]:
    """Serves the feed on a free loopback port; yields its address."""
    answer = feed.answer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, or the client's delayed acknowledgement costs 40 ms

        def do_GET(self) -> None:
            status, document = answer(self.path)
            if not status:
                self.close_connection = True
                self.connection.close()
                return
            raw = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Tests want no access log."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (OSError, ValueError):
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
