"""The directory as it is now: files and feeds in one index, made anew when an import has changed it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from bot.areas.authorities import Authorities
from bot.bootstrap import Core
from bot.directory.index import Directory, Open, Query
from bot.directory.model import Service
from bot.directory.national import entries
from bot.directory.needs import Needs
from bot.directory.records import service_of
from bot.directory.tables import DirectoryProblem, DirectoryRecord, DirectorySource

#: What services of ``data/directory`` give as their source.
FILES = "data/directory"
_ACTIVE = "active"


class Library:
    """The directory of a process. Cheap to make; the index is built at the first question."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._state: tuple[tuple[int, int], ...] | None = None
        self._directory: Directory | None = None
        self._records: dict[str, dict[str, Any]] = {}

    @property
    def needs(self) -> Needs:
        """What parents look for."""
        return self.directory().needs

    def directory(self) -> Directory:
        """The index. Asks the database whether an import has finished since.

        Raises:
            DirectoryDataError: a file of data/directory is wrong.
        """
        state = self._state_now()
        with self._lock:
            if self._directory is None or state != self._state:
                self._build()
                self._state = state
            return self._directory

    def record(self, service_id: str) -> dict[str, Any] | None:
        """A service as an Open Referral UK record."""
        self.directory()
        return self._records.get(service_id)

    def records(self) -> list[dict[str, Any]]:
        """Every active service as an Open Referral UK record, in the order of their names."""
        self.directory()
        return sorted(self._records.values(), key=lambda record: (record["name"], record["id"]))

    def problems(self) -> list[tuple[str, str, str]]:
        """Feed, record and reason of every record that could not be taken at the last import."""
        found = (
            select(DirectorySource.address, DirectoryProblem.label, DirectoryProblem.reason)
            .join(DirectorySource, DirectorySource.id == DirectoryProblem.source_id)
            .where(DirectoryProblem.generation == DirectorySource.generation)
            .order_by(DirectoryProblem.id)
        )
        with self._core.store.read() as uow:
            return [(address, label, reason) for address, label, reason in uow.session.execute(found)]

    def _state_now(self) -> tuple[tuple[int, int], ...]:
        seen = select(DirectorySource.id, DirectorySource.generation).order_by(DirectorySource.id)
        with self._core.store.read() as uow:
            return tuple((source, generation) for source, generation in uow.session.execute(seen))

    def _build(self) -> None:
        needs = Needs.load()
        records: dict[str, dict[str, Any]] = {}
        services = []
        for service, record in self._all(needs):
            if service.id not in records:
                records[service.id] = record
                services.append(service)
        directory = Directory(services, needs)
        # The calendar of bank holidays loads at its first use: now, not under somebody's finger.
        directory.search(Query(open=Open.NOW), self._core.now())
        self._directory, self._records = directory, records

    def _all(self, needs: Needs) -> Iterator[tuple[Service, dict[str, Any]]]:
        codes = _area_codes()
        for record, met in entries(needs, demo=self._core.settings.mode == "demo"):
            yield replace(service_of(record, FILES, codes), needs=met), record
        seen = (
            select(DirectoryRecord.record, DirectorySource.address)
            .join(DirectorySource, DirectorySource.id == DirectoryRecord.source_id)
            .where(
                DirectoryRecord.generation == DirectorySource.generation, DirectoryRecord.status == _ACTIVE
            )
            .order_by(DirectoryRecord.id)
        )
        with self._core.store.read() as uow:
            for record, address in uow.session.execute(seen):
                yield service_of(record, address, codes), record


def _area_codes() -> dict[str, str]:
    names = {}
    for authority in Authorities.load():
        for name in (authority.name, *authority.known_as):
            names[name.casefold()] = authority.code
    return names
