"""Reads an Open Referral UK feed, or a file of one, page by page. Trusts nothing that it is sent.

Version 3 pages carry ``contents``, ``total_pages`` and ``last_page``; version 1 pages ``content``,
``totalPages`` and ``last``. A list holds the services in short; the whole one is at ``/services/{id}``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import httpx

#: Largest answer taken, in bytes, and most pages and records of one feed.
MAX_BODY, MAX_PAGES, MAX_RECORDS = 32 * 1024 * 1024, 20_000, 500_000
#: Tries for one request, and seconds before the second and third.
TRIES, PAUSES = 3, (0.5, 2.0)
#: Requests for whole records at the same time; a council's server is not ours to load.
AT_ONCE = 4
#: A field that only whole records have: a list that carries it needs no second request for each.
_WHOLE = "service_at_locations"


class FeedError(Exception):
    """The feed cannot be used; the message says what is wrong with it and what to do."""


class FeedInterrupted(FeedError):
    """The feed stopped answering. What came so far is kept; the same command goes on from there."""


@dataclass(frozen=True)
class Item:
    """One record of a page: itself, or why it could not be had. ``label`` names it in a report."""

    label: str
    record: Any = None
    problem: str = ""


@dataclass(frozen=True)
class Page:
    """One page. ``stamp`` is what the feed says of its whole; a change in it means another feed."""

    number: int
    items: tuple[Item, ...]
    pages: int
    total: int | None
    last: bool
    stamp: str


class Feed(Protocol):
    """Where records come from."""

    address: str

    def pages(self, start: int) -> Iterator[Page]:
        """The pages from this one on, the first is 1.

        Raises:
            FeedInterrupted: it stopped answering.
            FeedError: what it answers is not a feed.
        """


def open_feed(where: str, client: httpx.Client | None = None) -> Feed:
    """The feed at a web address, or in a file.

    Raises:
        FeedError: it is neither.
    """
    if urlsplit(where).scheme in ("http", "https"):
        return WebFeed(where, client)
    path = Path(where)
    if not path.is_file():
        raise FeedError(f"{where} is neither a web address (https://…) nor a file that is here.")
    return FileFeed(path)


def read_json(raw: bytes, what: str) -> Any:
    """JSON of bytes that somebody else wrote.

    Raises:
        FeedError: not JSON, nested too deeply, or a number JSON does not have.
    """
    try:
        return json.loads(raw, parse_constant=_no_constant)
    except RecursionError:
        raise FeedError(f"{what} is nested too deeply to be a service directory.") from None
    except ValueError:
        raise FeedError(f"{what} is not JSON. Is this the address of an Open Referral UK feed?") from None


class FileFeed:
    """A file: one page as a feed gives it, a list of services, or one service a line."""

    def __init__(self, path: Path) -> None:
        self.address = path.name
        self._path = path

    def pages(self, start: int) -> Iterator[Page]:
        """The one page of the file."""
        size = self._path.stat().st_size
        if size > 20 * MAX_BODY:
            raise FeedError(f"{self.address} is larger than {20 * MAX_BODY // 2**20} MB.")
        raw = self._path.read_bytes()
        if raw.lstrip()[:1] == b"{" and b"}\n{" in raw.replace(b"\r\n", b"\n"):
            lines = enumerate(raw.splitlines(), 1)
            items = tuple(_line(number, line) for number, line in lines if line.strip())
        else:
            document = read_json(raw, self.address)
            found = _contents(document, self.address) if isinstance(document, Mapping) else document
            if not isinstance(found, list):
                raise FeedError(f"{self.address} holds no list of services.")
            items = tuple(Item(_label(record, number), record) for number, record in enumerate(found, 1))
        yield Page(1, items, 1, len(items), True, f"file:{len(items)}:{size}")


class WebFeed:
    """A feed at a web address: the base of the API, or its ``/services``."""

    def __init__(self, address: str, client: httpx.Client | None = None) -> None:
        base = address.split("?")[0].split("#")[0].rstrip("/")
        self.address = base.removesuffix("/services")
        self._client = client or httpx.Client(timeout=20.0, headers={"Accept": "application/json"})

    def pages(self, start: int) -> Iterator[Page]:
        """The pages from this one on, with every record whole."""
        number, seen = start, 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while True:
                page = self._page(number, pool)
                seen += len(page.items)
                if number > MAX_PAGES or seen > MAX_RECORDS:
                    raise FeedError(
                        f"{self.address} does not end: over {MAX_PAGES} pages or {MAX_RECORDS} records."
                    )
                yield page
                if page.last:
                    return
                number += 1

    def _page(self, number: int, pool: ThreadPoolExecutor) -> Page:
        what = f"page {number} of {self.address}"
        status, raw = self._get("/services", {"page": str(number)}, what)
        if status != 200:
            raise FeedError(f"{what} answers {status}.")
        document = read_json(raw, what)
        if not isinstance(document, Mapping):
            raise FeedError(f"{what} is not a page of an Open Referral UK feed.")
        records = _contents(document, what)
        pages = _count(document, "total_pages", "totalPages")
        total = _count(document, "total_items", "totalElements")
        told_last = document.get("last_page", document.get("last"))
        last = told_last if isinstance(told_last, bool) else number >= (pages or 1)
        if not records and not last:
            raise FeedError(f"{what} is empty although the feed says that more pages follow.")
        items = tuple(pool.map(self._item, enumerate(records, 1)))
        size = document.get("size")
        return Page(
            number, items, pages or number, total, last, f"{total}:{pages}:{size if not last else ''}"
        )

    def _item(self, numbered: tuple[int, Any]) -> Item:
        number, record = numbered
        label = _label(record, number)
        whole = not isinstance(record, Mapping) or _WHOLE in record
        if whole or not isinstance(record.get("id"), (str, int)):
            return Item(label, record)
        what = f"service {label}"
        status, raw = self._get(f"/services/{quote(str(record['id']), safe='')}", {}, what)
        if status != 200:
            return Item(label, record)  # some feeds list all there is and have no page for each
        try:
            return Item(label, read_json(raw, what))
        except FeedError as error:
            return Item(label, problem=str(error))

    def _get(self, path: str, params: Mapping[str, str], what: str) -> tuple[int, bytes]:
        """Status and body. Trouble that may pass is tried again, then counts as an interruption."""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSES[attempt - 1])
            try:
                with self._client.stream("GET", self.address + path, params=dict(params)) as response:
                    if response.status_code >= 500 or response.status_code == 429:
                        continue
                    return response.status_code, _body(response, what)
            except httpx.HTTPError:
                continue
        raise FeedInterrupted(f"{what} could not be had after {TRIES} tries.")


def _body(response: httpx.Response, what: str) -> bytes:
    raw = bytearray()
    for chunk in response.iter_bytes():
        raw += chunk
        if len(raw) > MAX_BODY:
            raise FeedError(f"{what} is larger than {MAX_BODY // 2**20} MB.")
    return bytes(raw)


def _contents(document: Mapping[str, Any], what: str) -> list[Any]:
    for name in ("contents", "content", "services"):
        if isinstance(document.get(name), list):
            return document[name]
    if "id" in document and "name" in document:
        return [document]
    raise FeedError(f"{what} has no list of services (contents or content).")


def _count(document: Mapping[str, Any], *names: str) -> int | None:
    found = (document.get(name) for name in names)
    return next((n for n in found if isinstance(n, int) and not isinstance(n, bool) and n >= 0), None)


def _line(number: int, line: bytes) -> Item:
    try:
        record = read_json(line, f"line {number}")
    except FeedError as error:
        return Item(f"line {number}", problem=str(error))
    return Item(_label(record, number), record)


def _label(record: Any, number: int) -> str:
    """What names a record in a report: its id when it has a sane one, else its place."""
    told = record.get("id") if isinstance(record, Mapping) else None
    if isinstance(told, (str, int)) and 0 < len(str(told)) <= 64 and str(told).isprintable():
        return str(told)
    return f"number {number} of its page"


def _no_constant(name: str) -> float:
    raise ValueError(name)
