"""The clock: deadlines, alerts, check-ins, and messages that a crash left unanswered.

Everything it does is found in the database, so a restart forgets nothing, and each step checks under a
lock whether it is still due, so several gateways may run it at once. Alerts go out beside the rest: a slow
mail server holds up no deadline.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from bot import handover
from bot.alerts.notify import Notify
from bot.alerts.send import check_receipts, give_back_claims, send_due
from bot.alerts.senders import senders
from bot.bootstrap import Core
from bot.changes import Changes
from bot.conversation import Conversations
from bot.handover import check_ins
from bot.store.aftercare import check_ins_due

log = structlog.get_logger(__name__)

#: Seconds between two ticks.
TICK = 1.0
#: Seconds after which a message counts as left behind by a crash rather than being answered right now.
LEFT_BEHIND = 15.0


class Clock:
    """The clock of one gateway."""

    def __init__(self, core: Core, conversations: Conversations, changes: Changes) -> None:
        self._core = core
        self._conversations = conversations
        self._changes = changes
        self._senders = senders(core.settings)
        self._notify = Notify.of(core.settings)
        # Two gateways never listen at one address: whatever was claimed under this name is a dead one's.
        self._name = f"{socket.gethostname()[:40]}:{core.settings.host[:16]}:{core.settings.port}"

    async def run_forever(self) -> None:
        """Tick for the life of the gateway. What a dead gateway left unanswered comes first."""
        left_behind = timedelta(0)

        async def once() -> None:
            nonlocal left_behind
            await self._deadlines(left_behind)
            left_behind = timedelta(seconds=LEFT_BEHIND)

        await self._again_and_again(once)

    async def send_forever(self) -> None:
        """Send alerts for the life of the gateway; what this gateway was sending when it died comes first."""
        given_back = False

        async def once() -> None:
            nonlocal given_back
            if not given_back:
                await to_thread.run_sync(give_back_claims, self._core.store, self._name)
                given_back = True
            await self._alerts()

        await self._again_and_again(once)

    async def tick(self, left_behind: timedelta = timedelta(seconds=LEFT_BEHIND)) -> None:
        """Do everything that is due now."""
        await self._deadlines(left_behind)
        await self._alerts()

    async def _again_and_again(self, once: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await once()
            except SQLAlchemyError as error:
                log.warning("clock_waits_for_database", error=type(error).__name__)
            await asyncio.sleep(TICK)

    async def _deadlines(self, left_behind: timedelta) -> None:
        now = self._core.now()
        for handover_id in await to_thread.run_sync(self._overdue):
            await to_thread.run_sync(self._chase, handover_id)
        for check_in_id in await to_thread.run_sync(self._check_ins_due):
            await to_thread.run_sync(self._check_in, check_in_id)
        await self._conversations.answer_leftovers(now - left_behind)

    async def _alerts(self) -> None:
        store, now = self._core.store, self._core.now
        await to_thread.run_sync(send_due, store, now, self._senders, self._name)
        await to_thread.run_sync(check_receipts, store, now, self._notify)

    def _overdue(self) -> list[int]:
        with self._core.store.read() as uow:
            return [case.id for case in uow.overdue(self._core.now())]

    def _chase(self, handover_id: int) -> None:
        with self._core.uow() as uow:
            if handover.chase(uow, handover_id, self._core.now()):
                conversation_id = uow.handover(handover_id).conversation_id
                uow.commit()
                self._changes.changed(conversation_id)

    def _check_ins_due(self) -> list[int]:
        with self._core.store.read() as uow:
            return check_ins_due(uow, self._core.now())

    def _check_in(self, check_in_id: int) -> None:
        with self._core.uow() as uow:
            conversation_id = check_ins.ask(uow, check_in_id, self._core.now())
            uow.commit()
        if conversation_id:
            self._changes.changed(conversation_id)
