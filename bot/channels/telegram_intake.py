"""Takes updates in: each once, one chat's in order, different chats' side by side, none dropped silently.

Telegram keeps an update until a getUpdates call names a higher number. python-telegram-bot's own Updater
names it as soon as an update is in memory, so a crash loses what was in memory. Here the number moves
past an update only when its handler returned, which is after its words were stored.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import structlog

from bot.channels.telegram_contract import StoreUnavailable
from bot.tasks import end

log = structlog.get_logger(__name__)

#: Tries of an update whose handling fails although a conversation could be opened: about 15 s.
ATTEMPTS = 6

#: The try after which the person is told that something is wrong.
TELL_AFTER = 3

#: Longest pause between two tries, in seconds.
LONGEST_PAUSE = 30.0

#: Updates handled at the same time. After an outage a hundred wait, and SQLite has one writer: all at once,
#: most would give up waiting for each other.
AT_ONCE = 4

#: Updates remembered after they were handled; Telegram repeats only the last few.
REMEMBERED = 4_000


class Intake:
    """The updates of one bot that were received and are not all handled yet.

    Args:
        handle: handles one raw update; returns when everything it brought is stored.
        tell_trouble: tells the person of an update that it could not be taken so far.
        pause: seconds before the second try; doubles up to :data:`LONGEST_PAUSE`.
    """

    def __init__(
        self,
        handle: Callable[[Mapping[str, Any]], Awaitable[None]],
        tell_trouble: Callable[[Mapping[str, Any]], Awaitable[None]],
        pause: float = 0.5,
    ) -> None:
        self._handle = handle
        self._tell_trouble = tell_trouble
        self._pause = pause
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._last_of_chat: dict[int, asyncio.Task[None]] = {}
        self._handled: OrderedDict[int, None] = OrderedDict()
        self._next: int | None = None
        self._stopping = asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)

    @property
    def offset(self) -> int | None:
        """What to ask Telegram for next: the oldest update not handled, else the first unknown one."""
        return min(self._tasks, default=self._next)

    @property
    def busy(self) -> bool:
        """Whether an update is being handled."""
        return bool(self._tasks)

    @property
    def waiting(self) -> int:
        """How many updates are being handled."""
        return len(self._tasks)

    def accept(self, updates: Iterable[Mapping[str, Any]]) -> int:
        """Begin to handle the updates that were not seen before. Returns how many those were."""
        new = 0
        for update in updates:
            update_id = update.get("update_id")
            if not isinstance(update_id, int):
                continue
            self._next = update_id + 1
            if update_id in self._tasks or update_id in self._handled:
                continue
            new += 1
            chat = chat_id_of(update)
            before = self._last_of_chat.get(chat) if chat is not None else None
            task = asyncio.create_task(self._process(update_id, update, before))
            self._tasks[update_id] = task
            if chat is not None:
                self._last_of_chat[chat] = task
            task.add_done_callback(lambda done, chat=chat: self._forget(chat, done))
        return new

    async def settle(self, timeout: float) -> None:
        """Wait until everything accepted is handled, at most ``timeout`` seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timeout)

    async def take(self, update: Mapping[str, Any], patience: float) -> bool:
        """Handle one update that Telegram pushed, and wait until it is handled.

        Returns False when that took longer than ``patience`` seconds, or we are stopping: Telegram must
        send it again, and it is known by its number when it comes.
        """
        update_id = update.get("update_id")
        if not isinstance(update_id, int):
            return True  # nothing that Telegram sends: there is nothing in it to be taken
        if self._stopping.is_set():
            return False
        self.accept([update])
        if task := self._tasks.get(update_id):
            await asyncio.wait([task], timeout=patience)
        return update_id in self._handled

    async def stop(self, grace: float) -> None:
        """Finish what is being handled within ``grace`` seconds; the rest stays with Telegram."""
        self._stopping.set()
        await self.settle(grace)
        await end(self._tasks.values())

    async def _process(
        self, update_id: int, update: Mapping[str, Any], before: asyncio.Task[None] | None
    ) -> None:
        if before:
            await asyncio.wait([before])
        attempt, tries, pause = 0, 0, self._pause
        while not self._stopping.is_set():
            attempt += 1
            try:
                async with self._room:
                    await self._handle(update)
            except StoreUnavailable:
                log.error("telegram_store_unavailable", update_id=update_id, attempt=attempt)
            except Exception as error:  # noqa: BLE001 - one odd update must not end the door
                tries += 1
                log.error("telegram_update_failed", update_id=update_id, error=type(error).__name__)
                if tries == ATTEMPTS:
                    # Whoever wrote it was told at TELL_AFTER; more tries would hold up what they write next.
                    log.critical("telegram_update_set_aside", update_id=update_id)
                    self._done(update_id)
                    return
            else:
                self._done(update_id)
                return
            if attempt == TELL_AFTER:
                await self._tell(update_id, update)
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except asyncio.TimeoutError:
                pause = min(2 * pause, LONGEST_PAUSE)
        # Stopped before it was handled: Telegram still has it and sends it again at the next start.

    async def _tell(self, update_id: int, update: Mapping[str, Any]) -> None:
        try:
            await self._tell_trouble(update)
        except Exception as error:  # noqa: BLE001 - the update itself matters more
            log.error("telegram_trouble_untold", update_id=update_id, error=type(error).__name__)

    def _done(self, update_id: int) -> None:
        del self._tasks[update_id]
        self._handled[update_id] = None
        while len(self._handled) > REMEMBERED:
            self._handled.popitem(last=False)

    def _forget(self, chat: int | None, task: asyncio.Task[None]) -> None:
        if chat is not None and self._last_of_chat.get(chat) is task:
            del self._last_of_chat[chat]


def chat_id_of(update: Mapping[str, Any]) -> int | None:
    """The chat a raw update belongs to; for a button, that of its message; None when it has none."""
    for content in update.values():
        if not isinstance(content, Mapping):
            continue
        for holder, key in (
            (content.get("message"), "chat"),
            (content, "chat"),
            (content, "from"),
            (content, "user"),
        ):
            who = holder.get(key) if isinstance(holder, Mapping) else None
            if isinstance(who, Mapping) and isinstance(who.get("id"), int):
                return who["id"]
    return None
