"""The Telegram door: long polling or a webhook in the gateway's loop, and delivery of the outbox.

What is guaranteed. An update is confirmed to Telegram only after what it brought was stored, so a crash
of the gateway loses none that Telegram still keeps (it keeps them for 24 hours). An update that was
handled but not yet confirmed when the process died comes again, and is known by its client id,
``tg-<update id>``: messages, choices, commands and reactions are each taken once. Only what is said
outside a transcript may be said twice by a crash: that a chat was deleted, and good-bye to a group.
While the store is down, updates wait with Telegram and the person is told. An update that fails
:data:`~bot.channels.telegram_intake.ATTEMPTS` times while the store answers is set aside and logged as
critical; its sender was told to write again. Up to 100 updates behind one that is being retried are
taken, then Telegram holds the rest.

Delivery is at least once and in order: a message is retried from the piece that failed, and may come
twice when Telegram took it but its answer was lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from telegram import InlineKeyboardMarkup
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
)

from bot.channels import telegram_text
from bot.channels.telegram_contract import (
    Content,
    Conversations,
    Recent,
    Record,
    StoreUnavailable,
    TryLater,
    Undeliverable,
)
from bot.channels.telegram_intake import Intake
from bot.channels.telegram_profile import present
from bot.channels.telegram_updates import ALLOWED, UpdateHandler
from bot.channels.telegram_webhook import Webhook
from bot.channels.telegram_wire import build_bot
from bot.messages import OutboundMessage, Sender
from bot.tasks import end

__all__ = ["StoreUnavailable", "TelegramChannel", "TryLater", "Undeliverable"]

log = structlog.get_logger(__name__)

#: Seconds Telegram holds a poll open while there is nothing to tell.
POLL_SECONDS = 25

#: Longest pause between two tries to reach Telegram, in seconds.
LONGEST_PAUSE = 30.0

#: Pause after Telegram refused the token: only a new token helps, but a mended one is found by itself.
REFUSED_PAUSE = 60.0

#: Seconds :meth:`TelegramChannel.stop` gives to what is under way.
GRACE = 3.0

#: Seconds after which a message that could not be sent for want of a network is tried again.
NETWORK_PAUSE = 2.0

#: Seconds that Telegram is kept waiting for a pushed update to be stored, before it must push it again.
PUSH_PATIENCE = 20.0

#: What :attr:`TelegramChannel.status` is while Telegram cannot be asked.
FAILING = ("unreachable", "refused", "conflict")

#: Seconds between two looks at whether the webhook still stands and works.
WEBHOOK_LOOK = 60.0


class TelegramChannel:
    """One Telegram bot.

    Args:
        token: the bot's token; it appears in no log, no exception and no ``repr``.
        conversations: the core.
        content: the words.
        record: writes into transcripts what only this door knows of.
        base_url: a Bot API server, with or without the closing ``/bot``; None means Telegram's own.
        proxy: URL of an HTTP proxy to reach it by.
        webhook: where Telegram shall push to; None means that Telegram is polled.
        poll_seconds: how long one poll is held open.
        retry_seconds: first pause after a failure; doubles.
        look_seconds: how often a webhook is looked after.
    """

    def __init__(
        self,
        token: str,
        conversations: Conversations,
        content: Content,
        record: Record,
        base_url: str | None = None,
        *,
        proxy: str | None = None,
        webhook: Webhook | None = None,
        poll_seconds: int = POLL_SECONDS,
        retry_seconds: float = 0.5,
        look_seconds: float = WEBHOOK_LOOK,
    ) -> None:
        self.webhook = webhook
        self._content = content
        self._record = record
        self._poll_seconds = poll_seconds
        self._retry_seconds = retry_seconds
        self._look_seconds = look_seconds
        self._bot = build_bot(token, base_url, proxy)
        self._handler = UpdateHandler(self._bot, conversations, record, content)
        self._intake = Intake(self._handler.handle, self._handler.tell_trouble, retry_seconds)
        self._confirmed: int | None = None
        self._sent = Recent()  # (conversation, message) -> pieces that Telegram took already
        self._keyboards = Recent()  # chat -> (turn of the person, messages with buttons since)
        self._task: asyncio.Task[None] | None = None
        self._typing: asyncio.Task[None] | None = None
        self._status = "stopped"
        self._contact = 0.0  # when Telegram last answered, on the monotonic clock

    @property
    def status(self) -> str:
        """How the door stands.

        ``starting``, ``polling``, ``webhook``, ``undelivered`` (Telegram cannot reach the webhook),
        ``unreachable``, ``refused`` (the token), ``conflict`` (another program polls for the same bot)
        or ``stopped``.
        """
        return self._status

    def health(self) -> dict[str, Any]:
        """How the door stands, for ``/readyz``: nothing in it is secret.

        ``ok``: updates come in. ``mode``: ``polling`` or ``webhook``. ``status``: see :attr:`status`.
        ``silent_for``: seconds since Telegram last answered, None before it ever did. ``waiting``: updates
        that arrived and are not stored yet.
        """
        alive = self._task is not None and not self._task.done()
        silent = time.monotonic() - self._contact if self._contact else None
        longest = (self._look_seconds if self.webhook else self._poll_seconds) + 2 * LONGEST_PAUSE
        in_touch = silent is not None and silent < longest
        return {
            "ok": alive and in_touch and self._status in ("polling", "webhook"),
            "mode": "webhook" if self.webhook else "polling",
            "status": self._status,
            "silent_for": None if silent is None else round(silent, 1),
            "waiting": self._intake.waiting,
        }

    async def start(self) -> None:
        """Begin to take updates in the background. Returns at once, also when Telegram cannot be reached."""
        if self._task is None:
            self._status = "starting"
            self._task = asyncio.create_task(self._run(), name="telegram")
            self._typing = asyncio.create_task(self._show_workers_typing(), name="telegram-typing")

    async def stop(self) -> None:
        """Take no more, finish what is under way within a few seconds, confirm it, and disconnect.

        A webhook stays set: Telegram keeps what comes meanwhile. A stopped channel is not started again;
        make a new one.
        """
        if self._task is None:
            return
        await end(task for task in (self._task, self._typing) if task)
        self._task = self._typing = None
        await self._intake.stop(GRACE)
        await self._handler.chats.finish(GRACE)
        if self.webhook is None and self._intake.offset != self._confirmed:
            with suppress(TelegramError, asyncio.TimeoutError):
                await asyncio.wait_for(self._ask(wait=0, limit=1), GRACE)
        with suppress(TelegramError):
            await self._bot.shutdown()
        self._status = "stopped"
        log.info("telegram_stopped")

    # Sending --------------------------------------------------------------------------------------

    async def deliver(self, address: str, message: OutboundMessage) -> None:
        """Send a message to a chat, as plain text, with its choices as buttons under the last piece.

        Raises:
            Undeliverable: the person blocked the bot, or Telegram does not know the chat.
            TryLater: flood limit or no network; call again with the same message.
        """
        if message.sender is Sender.YOU:
            return
        chat_id = int(address)
        self._handler.chats.belongs(message.conversation_id, chat_id)
        pieces = telegram_text.pieces(message)
        buttons = telegram_text.keyboard(message)
        key = (message.conversation_id, message.id)
        for number in range(self._sent.get(key) or 0, len(pieces)):
            last = number == len(pieces) - 1
            await self._send(chat_id, pieces[number], buttons if last else None)
            self._sent.put(key, number + 1)
        self._sent.drop(key)

    async def typing(self, address: str) -> None:
        """Show for about five seconds that an answer is being written. Never fails."""
        await self._handler.chats.typing(int(address))

    async def _show_workers_typing(self) -> None:
        """Pass on that a worker types, to chats that were active since we started."""
        async for conversation_id in self._record.workers_typing():
            if (chat_id := self._handler.chats.chat_of(conversation_id)) is not None:
                await self._handler.chats.typing(chat_id)

    async def _send(self, chat_id: int, text: str, buttons: InlineKeyboardMarkup | None) -> None:
        try:
            sent = await self._bot.send_message(chat_id, text, reply_markup=buttons)
        except (Forbidden, ChatMigrated) as error:
            raise Undeliverable(type(error).__name__) from None
        except RetryAfter as error:
            raise TryLater(_seconds(error)) from None
        except InvalidToken:
            raise TryLater(REFUSED_PAUSE) from None
        except BadRequest as error:
            log.error("telegram_refused_message", with_buttons=buttons is not None)
            if buttons is None or "chat not found" in error.message.lower():
                raise Undeliverable("BadRequest") from None
            # Better the words without their buttons than nothing: any answer can be typed.
            await self._send(chat_id, text, None)
        except TelegramError:
            raise TryLater(NETWORK_PAUSE) from None
        else:
            if buttons:
                await self._retire(chat_id, sent.message_id)

    async def _retire(self, chat_id: int, message_id: int) -> None:
        """A new question was asked after they spoke: take the buttons off the ones before.

        One turn may offer buttons twice, the places and below them a way out; both stay until an answer.
        """
        turn = self._handler.chats.turn(chat_id)
        of_turn, before = self._keyboards.get(chat_id) or (turn, ())
        if of_turn == turn:
            self._keyboards.put(chat_id, (turn, (*before, message_id)))
            return
        self._keyboards.put(chat_id, (turn, (message_id,)))
        for old in before:
            if not self._handler.buttons.was_pressed(chat_id, old):
                with suppress(TelegramError):
                    await self._bot.edit_message_reply_markup(chat_id, old)

    # Receiving ------------------------------------------------------------------------------------

    async def take(self, update: Mapping[str, Any]) -> bool:
        """Take an update that Telegram pushed. False: not stored yet, Telegram must push it again."""
        self._contact = time.monotonic()
        return await self._intake.take(update, PUSH_PATIENCE)

    async def _run(self) -> None:
        ready, pause = False, self._retry_seconds
        while True:
            try:
                if not ready:
                    await self._bot.initialize()
                    if self.webhook is None:
                        # A webhook set earlier would make Telegram refuse every poll.
                        await self._bot.delete_webhook(drop_pending_updates=False)
                    await present(self._bot, self._content)
                    ready = True
                    log.info("telegram_connected")
                if self.webhook:
                    await self._look_after(self.webhook)
                    await asyncio.sleep(self._look_seconds)
                else:
                    await self._poll()
            except Exception as error:  # noqa: BLE001 - the door must not close over an odd answer
                if self._status not in FAILING:
                    pause = self._retry_seconds
                pause = self._note(error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _look_after(self, webhook: Webhook) -> None:
        """Set the webhook where it is not set, and see whether Telegram gets through to it."""
        info = await self._bot.get_webhook_info()
        if info.url != webhook.url or set(info.allowed_updates or ()) != set(ALLOWED) or not self._contact:
            # Also at each start: what Telegram has as the secret cannot be asked for.
            await self._bot.set_webhook(
                webhook.url, secret_token=webhook.secret, allowed_updates=ALLOWED, drop_pending_updates=False
            )
            log.info("telegram_webhook_set")
        self._contact = time.monotonic()
        failed = info.last_error_date.timestamp() if info.last_error_date else 0.0
        undelivered = bool(info.pending_update_count) and time.time() - failed < 2 * self._look_seconds
        status = "undelivered" if undelivered else "webhook"
        if undelivered and self._status != status:
            log.error("telegram_webhook_unreached", waiting=info.pending_update_count)
        self._status = status

    async def _poll(self) -> None:
        """Ask until Telegram fails. What is being handled is asked for again, and known by its number."""
        pause = self._retry_seconds
        while True:
            updates = await self._ask(wait=0 if self._intake.busy else self._poll_seconds)
            self._status = "polling"
            self._contact = time.monotonic()
            new = self._intake.accept(updates)
            pause = self._retry_seconds if new else min(1.5 * pause, NETWORK_PAUSE)
            await self._intake.settle(pause)

    async def _ask(self, wait: int, limit: int = 100) -> list[dict]:
        offset = self._intake.offset
        updates = await self._bot.updates(offset=offset, timeout=wait, allowed=ALLOWED, limit=limit)
        self._confirmed = offset
        return updates

    def _note(self, error: Exception, pause: float) -> float:
        """Log a failure to poll once per change, and say how long to wait."""
        status = {InvalidToken: "refused", Conflict: "conflict"}.get(type(error), "unreachable")
        if status != self._status:
            log.error("telegram_polling_failed", status=status, error=type(error).__name__)
        self._status = status
        if isinstance(error, RetryAfter):
            return max(pause, _seconds(error))
        return REFUSED_PAUSE if status == "refused" else pause


def _seconds(error: RetryAfter) -> float:
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
