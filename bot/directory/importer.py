"""Takes in a feed: staged page by page, seen all at once, taken up again where it was cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select

from bot.directory.feed import Feed, FeedError, FeedInterrupted, Item, Page
from bot.directory.records import clean
from bot.directory.shapes import BadRecord
from bot.directory.tables import DirectoryProblem, DirectoryRecord, DirectorySource
from bot.store.uow import Store, UnitOfWork

#: A cut-off import older than this starts over: the feed has moved on.
RESUME_WITHIN = timedelta(days=1)
#: A feed of which more than this share is broken is refused: better last week's list than a hole.
BROKEN_SHARE = 0.5


@dataclass(frozen=True)
class Imported:
    """What an import brought."""

    services: int
    problems: tuple[tuple[str, str], ...]
    resumed: bool
    #: Services that the feed announced, when it did.
    announced: int | None = None


class ImportRefused(FeedError):
    """The feed came whole and is not fit to be shown; what was there before stays."""


def import_feed(
    store: Store, feed: Feed, now: Callable[[], datetime], progress: Callable[[int, int], None] | None = None
) -> Imported:
    """Import every service of a feed. Nobody sees any of it until all of it is there.

    Args:
        store: the database.
        feed: where the records come from.
        now: the time, aware.
        progress: told of pages done and pages in all.

    Raises:
        FeedInterrupted: it was cut off; the same call goes on from the page that is missing.
        ImportRefused: most of it is broken.
        FeedError: it is no feed.
    """
    for anew in (False, True):
        run = _Run(store, _begin(store, feed.address, now(), anew=anew))
        done = _take_all(store, feed, run, now, progress)
        if done:
            return done
    raise FeedError(f"{feed.address} changes while it is read. Try again at a quieter hour.")


def _take_all(
    store: Store,
    feed: Feed,
    run: _Run,
    now: Callable[[], datetime],
    progress: Callable[[int, int], None] | None,
) -> Imported | None:
    """Every page from where the run stands; None when the feed is no longer the one that was begun."""
    for page in feed.pages(run.begun.page):
        if run.is_another(page):
            return None  # pages have shifted: some services would be missed and others come twice
        done = None
        try:
            with store.write() as uow:
                run.take(uow, page)
                if page.last:
                    done = run.finish(uow, now(), page.total)
                uow.commit()
        except ImportRefused:
            with store.write() as uow:
                _drop(uow, run.begun.source_id, keep=run.begun.generation - 1)
                _idle(uow.session.get(DirectorySource, run.begun.source_id))
                uow.commit()
            raise
        if progress:
            progress(page.number, max(page.pages, page.number))
        if done:
            return done
    raise FeedInterrupted(f"{feed.address} ended without a last page.")


@dataclass(frozen=True)
class _Begun:
    source_id: int
    generation: int
    page: int
    stamp: str | None


class _Run:
    """One run of an import."""

    def __init__(self, store: Store, begun: _Begun) -> None:
        self.begun = begun
        self._stamp = begun.stamp
        with store.read() as uow:
            self._seen = set(uow.session.scalars(_records(begun, DirectoryRecord.service_id)))

    def is_another(self, page: Page) -> bool:
        """Whether the feed is no longer the one whose first pages were taken."""
        return self._stamp is not None and not page.last and page.stamp != self._stamp

    def take(self, uow: UnitOfWork, page: Page) -> None:
        """Stage a page, and note how far the import is."""
        rows: list[dict[str, Any]] = []
        problems: list[dict[str, Any]] = []
        common = {"source_id": self.begun.source_id, "generation": self.begun.generation}
        for item in page.items:
            try:
                record = _cleaned(item, self._seen)
            except BadRecord as error:
                label = f"{item.label} (page {page.number})"[:200]
                problems.append({**common, "label": label, "reason": str(error)[:300]})
                continue
            self._seen.add(record["id"])
            rows.append({**common, "service_id": record["id"], "status": record["status"], "record": record})
        if not page.last:
            self._stamp = page.stamp
        if rows:
            uow.session.execute(insert(DirectoryRecord), rows)
        if problems:
            uow.session.execute(insert(DirectoryProblem), problems)
        source = uow.session.get(DirectorySource, self.begun.source_id)
        source.next_page, source.stamp = page.number + 1, self._stamp

    def finish(self, uow: UnitOfWork, now: datetime, announced: int | None) -> Imported:
        """Show what was staged instead of what was there before.

        Raises:
            ImportRefused: most of it is broken.
        """
        begun = self.begun
        problems = problems_of(uow, begun.source_id, begun.generation)
        services = uow.session.scalar(_records(begun, func.count()))
        if not services or len(problems) > BROKEN_SHARE * (services + len(problems)):
            raise ImportRefused(
                f"{services} services could be read and {len(problems)} could not; nothing was changed. "
                + "; ".join(f"{label}: {reason}" for label, reason in problems[:3])
            )
        source = uow.session.get(DirectorySource, begun.source_id)
        source.generation, source.finished_at = begun.generation, now
        _idle(source)
        _drop(uow, begun.source_id, keep=begun.generation)
        return Imported(services, problems, begun.page > 1, announced)


def problems_of(uow: UnitOfWork, source_id: int, generation: int) -> tuple[tuple[str, str], ...]:
    """Label and reason of every record of a generation that could not be taken."""
    found = (
        select(DirectoryProblem.label, DirectoryProblem.reason)
        .where(DirectoryProblem.source_id == source_id, DirectoryProblem.generation == generation)
        .order_by(DirectoryProblem.id)
    )
    return tuple((label, reason) for label, reason in uow.session.execute(found))


def _begin(store: Store, address: str, now: datetime, *, anew: bool = False) -> _Begun:
    """Where to go on, or a clean start."""
    with store.write() as uow:
        found = select(DirectorySource).where(DirectorySource.address == address[:500]).with_for_update()
        source = uow.session.scalars(found).first()
        if source is None:
            source = DirectorySource(address=address[:500], generation=0)
            uow.add(source)
        fresh = source.began_at is not None and now - source.began_at < RESUME_WITHIN
        if anew or not fresh or source.next_page is None:
            _drop(uow, source.id, keep=source.generation)
            source.next_page, source.stamp, source.began_at = 1, None, now
        begun = _Begun(source.id, source.generation + 1, source.next_page, source.stamp)
        uow.commit()
        return begun


def _idle(source: DirectorySource) -> None:
    source.next_page = source.stamp = source.began_at = None


def _cleaned(item: Item, seen: set[str]) -> dict[str, Any]:
    if item.problem:
        raise BadRecord(item.problem)
    record = clean(item.record)
    if record["id"] in seen:
        raise BadRecord("its id was there before in this feed")
    return record


def _records(begun: _Begun, what: Any) -> Any:
    return (
        select(what)
        .select_from(DirectoryRecord)
        .where(DirectoryRecord.source_id == begun.source_id, DirectoryRecord.generation == begun.generation)
    )


def _drop(uow: UnitOfWork, source_id: int, *, keep: int) -> None:
    """Delete every generation but one."""
    for table in (DirectoryRecord, DirectoryProblem):
        others = delete(table).where(table.source_id == source_id, table.generation != keep)
        uow.session.execute(others.execution_options(synchronize_session=False))
