"""A task that is to end does end, also one that does not hear the first time."""

from __future__ import annotations

import asyncio

from bot.tasks import end


async def test_a_task_that_swallows_a_cancellation_is_asked_again() -> None:
    heard = 0

    async def hard_of_hearing() -> None:
        nonlocal heard
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                heard += 1
                if heard == 2:
                    raise

    task = asyncio.create_task(hard_of_hearing())
    await asyncio.sleep(0)
    await asyncio.wait_for(end([task]), 5)
    assert task.cancelled() and heard == 2


async def test_what_a_task_raised_on_its_way_out_does_not_stop_the_others() -> None:
    async def breaks() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise RuntimeError("on the way out")

    tasks = [asyncio.create_task(breaks()), asyncio.create_task(asyncio.sleep(3600))]
    await asyncio.sleep(0)
    await asyncio.wait_for(end(tasks), 5)
    assert isinstance(tasks[0].exception(), RuntimeError) and tasks[1].cancelled()


async def test_nothing_to_end_is_nothing_to_wait_for() -> None:
    await asyncio.wait_for(end([]), 1)
