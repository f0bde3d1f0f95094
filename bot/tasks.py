"""Ending asyncio tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

#: Seconds between two cancellations of a task that did not hear the first.
_AGAIN = 0.5


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until every one has ended; what they raised is left in them.

    One cancellation is not enough: Python 3.10's ``wait_for``, which libraries use as well, may swallow it
    when a time-out falls into the same instant (bpo-37658), and whoever waits for the task waits for ever.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=_AGAIN)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not report it as forgotten
