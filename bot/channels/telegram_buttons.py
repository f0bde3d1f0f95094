"""Buttons under messages: pressed, pressed twice, pressed long after."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from telegram import CallbackQuery, MaybeInaccessibleMessage
from telegram.error import TelegramError

from bot.channels import telegram_text
from bot.channels.telegram_chats import Chats, client_id
from bot.channels.telegram_contract import Recent
from bot.conversation import ConversationError
from bot.messages import Channel, InboundMessage, Kind


class ButtonHandler:
    """Takes what was pressed in private chats, once, and marks it."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats
        self._pressed = Recent()  # (chat, message) -> update that pressed it

    def was_pressed(self, chat_id: int, message_id: int) -> bool:
        """Whether a button of this message was pressed already."""
        return self._pressed.get((chat_id, message_id)) is not None

    async def acknowledge(self, query: CallbackQuery, response: str | None = None) -> None:
        """End the little clock on the button; a late or repeated call is refused by Telegram."""
        words = self._chats.content.say(response) if response else None
        with suppress(TelegramError):
            await self._chats.bot.answer_callback_query(query.id, text=words, show_alert=bool(words))

    async def handle(self, update_id: int, query: CallbackQuery, message: MaybeInaccessibleMessage) -> None:
        """Take a press under a message of a private chat."""
        chat_id, place, data = message.chat.id, (message.chat.id, message.message_id), query.data or ""
        buttons = _buttons(message)
        pressed_by = self._pressed.get(place)
        if data == telegram_text.DONE or pressed_by not in (None, update_id):
            await self.acknowledge(query)
            return
        if buttons is not None and data not in buttons:
            await self.acknowledge(query)  # this app still showed buttons that were answered elsewhere
            return
        choices = self._chats.content.choices("utter_telegram_delete_ask")
        deleting = [choice["payload"] for choice in choices]
        conversation_id = await self._chats.find(chat_id)
        tag, _, choice = data.partition(":")
        if data not in deleting and (
            conversation_id is None or tag != telegram_text.conversation_tag(conversation_id)
        ):
            await self.acknowledge(query, "utter_telegram_old_button")
            await self._mark(chat_id, message.message_id, None)
            return
        self._pressed.put(place, update_id)
        self._chats.acted(chat_id)
        acknowledged = asyncio.create_task(self.acknowledge(query))
        try:
            if data in deleting:
                if data == deleting[0]:
                    await self._delete(chat_id, conversation_id)
                else:
                    await self._keep(update_id, chat_id, conversation_id)
            elif conversation_id:
                await self._choose(update_id, conversation_id, choice)
        finally:
            await acknowledged
        await self._mark(chat_id, message.message_id, (buttons or {}).get(data))

    async def _delete(self, chat_id: int, conversation_id: str | None) -> None:
        response = "utter_telegram_deleted"
        if conversation_id:
            if await self._chats.record.had_case(conversation_id):
                response = "utter_telegram_deleted_case"
            if not await self._chats.conversations.erase(conversation_id):
                response = "utter_telegram_delete_kept"
        # Not through the outbox: an erased conversation has no address any more.
        await self._chats.tell(chat_id, response)

    async def _keep(self, update_id: int, chat_id: int, conversation_id: str | None) -> None:
        response = "utter_telegram_delete_cancelled"
        if conversation_id is None:
            await self._chats.tell(chat_id, response)
            return
        title = self._chats.content.choices("utter_telegram_delete_ask")[1]["title"]
        await self._chats.record.note(conversation_id, client_id(update_id), title, says=(response,))

    async def _choose(self, update_id: int, conversation_id: str, choice: str) -> None:
        try:
            await self._chats.conversations.receive(
                InboundMessage(
                    conversation_id=conversation_id,
                    channel=Channel.TELEGRAM,
                    client_id=client_id(update_id),
                    kind=Kind.CHOICE,
                    choice=choice,
                )
            )
        except ConversationError:
            await self._chats.conversations.say(conversation_id, "utter_telegram_old_button")
            return
        self._chats.answer(conversation_id)

    async def _mark(self, chat_id: int, message_id: int, title: str | None) -> None:
        """Leave only what was chosen, as a button that does nothing."""
        left = telegram_text.markup([[(f"✓ {title}", telegram_text.DONE)]]) if title else None
        with suppress(TelegramError):
            await self._chats.bot.edit_message_reply_markup(chat_id, message_id, reply_markup=left)


def _buttons(message: MaybeInaccessibleMessage) -> dict[str, str] | None:
    """Data and title of a message's buttons; None when Telegram no longer shows us the message."""
    # Not by its class: python-telegram-bot makes a Message even of one it has only the id of.
    if not message.is_accessible:
        return None
    rows = message.reply_markup.inline_keyboard if message.reply_markup else ()
    return {str(button.callback_data): button.text for row in rows for button in row}
