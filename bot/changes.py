"""Who is waiting for news: pages that watch a conversation, and desks that watch them all.

Changes made in this process are announced at once; those of other processes (the action server, other
gateways) are found by asking the database for newer rows a few times a second. The database stays the
only truth: whoever is woken reads it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from bot.messages import Sender
from bot.store.uow import Store

log = structlog.get_logger(__name__)

#: Seconds between two looks at the database.
LOOK_EVERY = 0.25

#: Watches everything.
ALL = "*"


class Watch:
    """One watcher. :meth:`wait` returns what changed since it last returned."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._changed: set[str] = set()
        self.typing: dict[str, dict[str, bool]] = {}  # conversation -> sender -> on

    def wake(self, conversation_id: str) -> None:
        """Something changed in this conversation."""
        self._changed.add(conversation_id)
        self._event.set()

    async def wait(self, timeout: float) -> set[str]:
        """The conversations that changed; empty after ``timeout`` seconds without any."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except asyncio.TimeoutError:
            return set()
        self._event.clear()
        changed, self._changed = self._changed, set()
        return changed


class Changes:
    """The watchers of one gateway process. All methods may be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watches: dict[str, set[Watch]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def watch(self, conversation_id: str = ALL) -> AsyncIterator[Watch]:
        """Watch one conversation, or all of them."""
        watch = Watch()
        self._watches.setdefault(conversation_id, set()).add(watch)
        try:
            yield watch
        finally:
            self._watches[conversation_id].discard(watch)
            if not self._watches[conversation_id]:
                del self._watches[conversation_id]

    def changed(self, conversation_id: str) -> None:
        """Announce a change that this process made."""
        self._on_loop(self._wake, conversation_id)

    def typing(self, conversation_id: str, sender: Sender, on: bool) -> None:
        """Announce that somebody started or stopped typing."""
        self._on_loop(self._typing, conversation_id, sender.value, on)

    async def look_forever(self) -> None:
        """Find the changes of other processes. Runs for the life of the gateway."""
        self._loop = asyncio.get_running_loop()
        newest: tuple[int, int] | None = None
        while True:
            try:
                newest = await self._look(newest)
            except SQLAlchemyError as error:
                log.warning("changes_unreadable", error=type(error).__name__)
                await asyncio.sleep(1)
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self, newest: tuple[int, int] | None) -> tuple[int, int]:
        def read() -> tuple[tuple[int, int], set[str]]:
            with self._store.read() as uow:
                if newest is None:
                    return uow.newest_ids(), set()
                messages, audits = uow.changes_after(*newest)
            ids = (messages[-1].id if messages else newest[0], audits[-1].id if audits else newest[1])
            return ids, {row.conversation_id for row in (*messages, *audits) if row.conversation_id}

        ids, changed = await to_thread.run_sync(read)
        for conversation_id in changed:
            self._wake(conversation_id)
        return ids

    def _wake(self, conversation_id: str) -> None:
        for key in (conversation_id, ALL):
            for watch in self._watches.get(key, ()):
                watch.wake(conversation_id)

    def _typing(self, conversation_id: str, sender: str, on: bool) -> None:
        for key in (conversation_id, ALL):
            for watch in self._watches.get(key, ()):
                watch.typing.setdefault(conversation_id, {})[sender] = on
                watch.wake(conversation_id)

    def _on_loop(self, function: object, *args: object) -> None:
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *args)  # type: ignore[arg-type]
