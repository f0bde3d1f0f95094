"""The clock of custody: once a day, at night, what has been kept long enough is deleted."""

from __future__ import annotations

import asyncio

import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from bot.bootstrap import Core
from bot.custody.purge import Report, run_today
from bot.custody.retention import RetentionError
from bot.rota import UK

log = structlog.get_logger(__name__)

#: UK hour from which it runs: when few people write. After a night off it runs as soon as it can.
FROM_HOUR = 3
#: Seconds after the start, and between two looks. A start has other things to do first.
FIRST, EVERY = 60.0, 600.0


class Daily:
    """What one gateway does of it; of several, the first to look runs it."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def run_forever(self) -> None:
        """Look now and then for the life of the gateway."""
        await asyncio.sleep(FIRST)
        while True:
            try:
                await to_thread.run_sync(self.look)
            except RetentionError as error:
                log.error("purge_refused", reason=str(error))
            except SQLAlchemyError as error:
                log.warning("purge_waits_for_database", error=type(error).__name__)
            await asyncio.sleep(EVERY)

    def look(self) -> Report | None:
        """Run the purge if it is time and nobody did today."""
        now = self._core.now()
        if now.astimezone(UK).hour < FROM_HOUR:
            return None
        report = run_today(self._core, now)
        if report:
            log.info("purged", conversations=report.conversations, kept_by_hold=report.kept_by_hold)
        return report
