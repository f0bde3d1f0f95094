"""The clock: deadlines, alerts and messages that a crash left unanswered.

Everything it does is found in the database, so a restart forgets nothing, and each step checks under a
lock whether it is still due, so several gateways may run it at once.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from bot import handover
from bot.alerts.send import AppriseSender, ConsoleSender, send_due
from bot.bootstrap import Core
from bot.changes import Changes
from bot.conversation import Conversations

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
        self._console, self._remote = ConsoleSender(), AppriseSender()

    async def run_forever(self) -> None:
        """Tick for the life of the gateway. What a dead gateway left unanswered comes first."""
        left_behind = timedelta(0)
        while True:
            try:
                await self.tick(left_behind)
                left_behind = timedelta(seconds=LEFT_BEHIND)
            except SQLAlchemyError as error:
                log.warning("clock_waits_for_database", error=type(error).__name__)
            await asyncio.sleep(TICK)

    async def tick(self, left_behind: timedelta = timedelta(seconds=LEFT_BEHIND)) -> None:
        """Do everything that is due now."""
        now = self._core.now()
        for handover_id in await to_thread.run_sync(self._overdue):
            await to_thread.run_sync(self._chase, handover_id)
        await to_thread.run_sync(send_due, self._core.store, now, self._console, self._remote)
        await self._conversations.answer_leftovers(now - left_behind)

    def _overdue(self) -> list[int]:
        with self._core.store.read() as uow:
            return [case.id for case in uow.overdue(self._core.now())]

    def _chase(self, handover_id: int) -> None:
        with self._core.uow() as uow:
            if handover.chase(uow, handover_id, self._core.now()):
                conversation_id = uow.handover(handover_id).conversation_id
                uow.commit()
                self._changes.changed(conversation_id)
