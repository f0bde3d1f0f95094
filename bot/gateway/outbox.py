"""Delivers what is waiting in the outbox to channels that must be pushed to (Telegram).

In order within a conversation, at least once: a message is marked delivered after the channel took it,
so a crash in between sends it again rather than losing it. The web door pulls and needs none of this.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Protocol

import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from bot import transcript
from bot.bootstrap import Core
from bot.changes import Changes
from bot.channels.telegram_contract import TryLater, Undeliverable
from bot.conversation import Conversations
from bot.messages import Channel, OutboundMessage

log = structlog.get_logger(__name__)

#: Seconds for which one gateway keeps a conversation's messages to itself while sending them.
CLAIM = 30
#: Seconds between two looks when nothing woke the outbox.
LOOK_EVERY = 1.0


class PushChannel(Protocol):
    """A channel that messages are pushed to."""

    async def deliver(self, address: str, message: OutboundMessage) -> None:
        """Hand over one message.

        Raises:
            Undeliverable: the person cannot be reached there any more.
            TryLater: not now.
        """


class Outbox:
    """Pushes one channel's messages."""

    def __init__(
        self, core: Core, conversations: Conversations, changes: Changes, channel: Channel, push: PushChannel
    ) -> None:
        self._core = core
        self._conversations = conversations
        self._changes = changes
        self._channel = channel
        self._push = push
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def run_forever(self) -> None:
        """Deliver for the life of the gateway; one slow conversation holds up no other."""
        async with self._changes.watch() as watch:
            while True:
                try:
                    await self._begin_due()
                except SQLAlchemyError as error:
                    log.warning("outbox_unreadable", error=type(error).__name__)
                await watch.wait(LOOK_EVERY)

    async def deliver_due(self) -> None:
        """Deliver everything that is due now and wait until it is done."""
        await self._begin_due()
        await asyncio.gather(*self._under_way.values())

    async def _begin_due(self) -> None:
        for conversation_id, address, messages in await to_thread.run_sync(self._claim):
            task = asyncio.create_task(self._deliver_one(conversation_id, address, messages))
            self._under_way[conversation_id] = task
            task.add_done_callback(partial(self._ended, conversation_id))

    def _ended(self, conversation_id: str, task: asyncio.Task[None]) -> None:
        self._under_way.pop(conversation_id, None)
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery_failed", conversation=conversation_id, error=type(error).__name__)

    def _claim(self) -> list[tuple[str, str, list[tuple[int, OutboundMessage]]]]:
        now = self._core.now()
        claimed = []
        with self._core.uow() as uow:
            rows = uow.undelivered(self._channel.value)
            for conversation, group in groupby(rows, key=lambda row: row[1]):
                messages = [message for message, _ in group]
                due = messages[0].next_try_at
                if conversation.id in self._under_way or (due and due > now):
                    continue  # the first must go first
                for message in messages:
                    message.next_try_at = now + timedelta(seconds=CLAIM)
                pairs = [(message.id, transcript.outbound(message)) for message in messages]
                claimed.append((conversation.id, conversation.address, pairs))
            uow.commit()
        return claimed

    async def _deliver_one(
        self, conversation_id: str, address: str, messages: list[tuple[int, OutboundMessage]]
    ) -> None:
        for position, (message_id, message) in enumerate(messages):
            try:
                await self._push.deliver(address, message)
            except Undeliverable:
                if not await to_thread.run_sync(self._forget_erased, conversation_id):
                    await self._conversations.unreachable(conversation_id)
                return
            except TryLater as later:
                rest = [waiting_id for waiting_id, _ in messages[position:]]
                await to_thread.run_sync(self._record, rest, later.seconds)
                return
            except Exception as error:  # noqa: BLE001 - one broken chat must not stop the others
                log.error("delivery_failed", message_id=message_id, error=type(error).__name__)
                rest = [waiting_id for waiting_id, _ in messages[position:]]
                await to_thread.run_sync(self._record, rest, 10.0)
                return
            await to_thread.run_sync(self._record, [message_id], None)

    def _forget_erased(self, conversation_id: str) -> bool:
        """Drop the last words of a deleted chat that cannot be said any more, and the way to it."""
        with self._core.uow() as uow:
            conversation = uow.conversation(conversation_id, lock=True)
            if not conversation.erased_at:
                return False
            for message in uow.messages(conversation_id):
                transcript.wipe(message)
            conversation.address = None
            uow.commit()
            return True

    def _record(self, message_ids: list[int], again_in: float | None) -> None:
        now = self._core.now()
        with self._core.uow() as uow:
            for message in uow.messages_by_id(message_ids):
                if again_in is not None:
                    message.attempts += 1
                    message.next_try_at = now + timedelta(seconds=again_in)
                    continue
                message.delivered_at, message.next_try_at = now, None
                conversation = uow.conversation(message.conversation_id)
                if conversation.erased_at:
                    # The last words of a deleted chat were said: now nothing is left of it.
                    transcript.wipe(message)
                    uow.session.flush()
                    if not uow.undelivered_of(conversation.id):
                        conversation.address = None
            uow.commit()
