"""The Telegram door: long polling in the gateway's loop, and delivery of what the outbox hands over.

What is guaranteed. An update is confirmed to Telegram only after what it brought was stored, so a crash
of the gateway loses none that Telegram still keeps (it keeps them for 24 hours). An update that was
handled but not yet confirmed when the process died comes again: the core knows its words by their client
id, ``tg-<update id>``, and takes them once; a command is obeyed again (help is said twice, a deep link's
door is gone through twice). While the store is down, updates wait with Telegram and the person is told.
An update that fails :data:`~bot.channels.telegram_intake.ATTEMPTS` times while the store answers is set
aside and logged as critical; its sender was told to write again. Up to 100 updates behind one that is
being retried are taken, then Telegram holds the rest.

Delivery is at least once and in order: a message is retried from the piece that failed, and may come
twice when Telegram took it but its answer was lost.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog
from telegram import BotCommand, InlineKeyboardMarkup
from telegram.constants import ChatAction
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
    StoreUnavailable,
    TryLater,
    Undeliverable,
)
from bot.channels.telegram_intake import Intake
from bot.channels.telegram_updates import ALLOWED, COMMANDS, UpdateHandler
from bot.channels.telegram_wire import build_bot
from bot.messages import OutboundMessage, Sender

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


class TelegramChannel:
    """One Telegram bot.

    Args:
        token: the bot's token; it appears in no log, no exception and no ``repr``.
        conversations: the core.
        content: the words.
        base_url: a Bot API server, with or without the closing ``/bot``; None means Telegram's own.
        proxy: URL of an HTTP proxy to reach it by.
        poll_seconds: how long one poll is held open.
        retry_seconds: first pause after a failure; doubles.
    """

    def __init__(
        self,
        token: str,
        conversations: Conversations,
        content: Content,
        base_url: str | None = None,
        *,
        proxy: str | None = None,
        poll_seconds: int = POLL_SECONDS,
        retry_seconds: float = 0.5,
    ) -> None:
        self._content = content
        self._poll_seconds = poll_seconds
        self._retry_seconds = retry_seconds
        self._bot = build_bot(token, base_url, proxy)
        self._handler = UpdateHandler(self._bot, conversations, content)
        self._intake = Intake(self._handler.handle, self._handler.tell_trouble, retry_seconds)
        self._confirmed: int | None = None
        self._sent = Recent()  # (conversation, message) -> pieces that Telegram took already
        self._keyboards = Recent()  # chat -> (turn of the person, messages with buttons since)
        self._task: asyncio.Task[None] | None = None
        self._status = "stopped"

    @property
    def status(self) -> str:
        """How the door stands, for ``/readyz``.

        ``starting``, ``polling``, ``unreachable``, ``refused`` (the token), ``conflict`` (another program
        polls for the same bot) or ``stopped``.
        """
        return self._status

    async def start(self) -> None:
        """Begin to poll in the background. Returns at once, also when Telegram cannot be reached."""
        if self._task is None:
            self._status = "starting"
            self._task = asyncio.create_task(self._run(), name="telegram-polling")

    async def stop(self) -> None:
        """Stop polling, finish what is under way within a few seconds, confirm it, and disconnect.

        A stopped channel is not started again; make a new one.
        """
        if self._task is None:
            return
        while not self._task.done():
            # A cancellation that meets a time-out in the same instant is lost: ask until it is heard.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)
        self._task = None
        await self._intake.stop(GRACE)
        await self._handler.finish(GRACE)
        if self._intake.offset != self._confirmed:
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
        with suppress(TelegramError):
            await self._bot.send_chat_action(int(address), ChatAction.TYPING)

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
        turn = self._handler.turn(chat_id)
        of_turn, before = self._keyboards.get(chat_id) or (turn, ())
        if of_turn == turn:
            self._keyboards.put(chat_id, (turn, (*before, message_id)))
            return
        self._keyboards.put(chat_id, (turn, (message_id,)))
        for old in before:
            if not self._handler.was_pressed(chat_id, old):
                with suppress(TelegramError):
                    await self._bot.edit_message_reply_markup(chat_id, old)

    # Receiving ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        ready, pause = False, self._retry_seconds
        while True:
            try:
                if not ready:
                    await self._introduce()
                    ready = True
                await self._poll()
                pause = self._retry_seconds
            except Exception as error:  # noqa: BLE001 - the door must not close over an odd answer
                pause = self._note(error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _introduce(self) -> None:
        await self._bot.initialize()
        # A webhook set earlier would make Telegram refuse every poll.
        await self._bot.delete_webhook(drop_pending_updates=False)
        await self._bot.set_my_commands(
            [BotCommand(name, self._content.say(f"utter_telegram_menu_{name}")) for name in COMMANDS]
        )
        log.info("telegram_connected")

    async def _poll(self) -> None:
        """Ask until Telegram fails. What is being handled is asked for again, and known by its number."""
        pause = self._retry_seconds
        while True:
            updates = await self._ask(wait=0 if self._intake.busy else self._poll_seconds)
            self._status = "polling"
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
