"""From a Telegram chat to its conversation: finding it, putting words into it, showing that one is typing."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from telegram.constants import ChatAction
from telegram.error import Forbidden, TelegramError
from telegram.ext import ExtBot

from bot.channels import telegram_text
from bot.channels.telegram_contract import Content, Conversations, Recent, Record, StoreUnavailable
from bot.conversation import EmptyMessage
from bot.messages import MAX_TEXT, Channel, InboundMessage, Kind
from bot.tasks import end

log = structlog.get_logger(__name__)

#: Seconds an answer may take before the person is shown that one is being written.
TYPING_AFTER = 0.4

#: Seconds between two signs of typing; Telegram shows each for about five.
TYPING_AGAIN = 4.0

#: Conversations answered at the same time; see :data:`bot.channels.telegram_intake.AT_ONCE`.
ANSWERS_AT_ONCE = 8


class Chats:
    """The private chats of one bot."""

    def __init__(self, bot: ExtBot, conversations: Conversations, record: Record, content: Content) -> None:
        self.bot = bot
        self.conversations = conversations
        self.record = record
        self.content = content
        self._answering: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(ANSWERS_AT_ONCE)
        self._turns = Recent()  # chat -> how often they wrote or pressed
        self._chat_of = Recent()  # conversation -> chat

    # Where ----------------------------------------------------------------------------------------

    async def open(self, chat_id: int) -> str:
        """The conversation of a chat, a new one if there is none.

        Raises:
            StoreUnavailable: try again later.
        """
        try:
            conversation_id = await self.conversations.open(Channel.TELEGRAM, address=str(chat_id))
        except Exception as error:  # noqa: BLE001 - whatever it is, there is nowhere to put the words
            log.error("telegram_open_failed", error=type(error).__name__)
            raise StoreUnavailable from error
        self.belongs(conversation_id, chat_id)
        return conversation_id

    async def find(self, chat_id: int) -> str | None:
        """The conversation of a chat, if there is one.

        Raises:
            StoreUnavailable: try again later.
        """
        try:
            return await self.conversations.find(Channel.TELEGRAM, str(chat_id))
        except Exception as error:  # noqa: BLE001 - as in open
            log.error("telegram_find_failed", error=type(error).__name__)
            raise StoreUnavailable from error

    def belongs(self, conversation_id: str, chat_id: int) -> None:
        """Remember, in memory only, which chat a conversation is talked in."""
        self._chat_of.put(conversation_id, chat_id)

    def chat_of(self, conversation_id: str) -> int | None:
        """The chat of a conversation that was active since we started."""
        return self._chat_of.get(conversation_id)

    def turn(self, chat_id: int) -> int:
        """How often somebody wrote or pressed in this chat since we started."""
        return self._turns.get(chat_id) or 0

    def acted(self, chat_id: int) -> None:
        """Somebody wrote or pressed."""
        self._turns.put(chat_id, self.turn(chat_id) + 1)

    # Words ----------------------------------------------------------------------------------------

    async def take(
        self, update_id: int, chat_id: int, words: str, *, kind: Kind = Kind.TEXT, media: str | None = None
    ) -> None:
        """Store what somebody wrote, then answer it in the background."""
        conversation_id = await self.open(chat_id)
        # Telegram's limit is a little above ours: nothing a person could send is refused for its length.
        for number, piece in enumerate(telegram_text.split(words, MAX_TEXT) or [words]):
            first = number == 0
            with suppress(EmptyMessage):
                await self.conversations.receive(
                    InboundMessage(
                        conversation_id=conversation_id,
                        channel=Channel.TELEGRAM,
                        client_id=client_id(update_id) + ("" if first else f"-{number + 1}"),
                        kind=kind if first or kind is Kind.EDIT else Kind.TEXT,
                        text=piece,
                        media=media if first else None,
                    )
                )
        self.answer(conversation_id)

    def answer(self, conversation_id: str) -> None:
        """Answer what is stored, in the background; the core answers it also after a crash."""
        task = asyncio.create_task(self._answer(conversation_id))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def tell(self, chat_id: int, response: str) -> None:
        """Say something of Telegram's own that belongs in no transcript."""
        rows = [[(choice["title"], choice["payload"])] for choice in self.content.choices(response)]
        with suppress(Forbidden):
            await self.bot.send_message(
                chat_id,
                self.content.say(response),
                reply_markup=telegram_text.markup(rows) if rows else None,
            )

    async def typing(self, chat_id: int) -> None:
        """Show for about five seconds that an answer is being written. Never fails."""
        with suppress(TelegramError):
            await self.bot.send_chat_action(chat_id, ChatAction.TYPING)

    async def finish(self, grace: float) -> None:
        """Let answers under way come to an end, at most ``grace`` seconds; the core resumes the rest."""
        if self._answering:
            await asyncio.wait(self._answering, timeout=grace)
        await end(self._answering)

    async def _answer(self, conversation_id: str) -> None:
        sign = asyncio.create_task(self._show_typing(conversation_id))
        try:
            async with self._room:
                await self.conversations.answer(conversation_id)
        except Exception as error:  # noqa: BLE001 - stored is stored: the core's clock answers leftovers
            log.error("telegram_answer_failed", conversation=conversation_id, error=type(error).__name__)
        finally:
            sign.cancel()

    async def _show_typing(self, conversation_id: str) -> None:
        await asyncio.sleep(TYPING_AFTER)
        while (chat_id := self.chat_of(conversation_id)) is not None:
            await self.typing(chat_id)
            await asyncio.sleep(TYPING_AGAIN)


def client_id(update_id: int) -> str:
    """The id under which the core knows what an update brought."""
    return f"tg-{update_id}"
