"""What each kind of Telegram update means to a conversation.

Nothing about who the person is on Telegram is read: no name, no user name, no language, no picture.
Whatever they wrote (text, caption, the words after a command, a poll's question, a sticker's sign) goes in
as words of theirs, because risk is read on every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from telegram import (
    CallbackQuery,
    Chat,
    ChatMember,
    ChatMemberUpdated,
    Message,
    MessageReactionUpdated,
    ReactionTypeEmoji,
    Update,
)
from telegram.error import BadRequest, Forbidden, TelegramError
from telegram.ext import ExtBot, filters

from bot.channels.telegram_buttons import ButtonHandler
from bot.channels.telegram_chats import Chats, client_id
from bot.channels.telegram_commands import CommandHandler
from bot.channels.telegram_contract import Content, Conversations, Recent, Record
from bot.messages import Kind

log = structlog.get_logger(__name__)

#: The kinds of update asked for. Joins, payments, inline queries and the rest are nobody's question to us.
ALLOWED = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "message_reaction",
    "my_chat_member",
)

#: What Telegram calls things, and what our transcript calls them. Order matters: a GIF is a document too.
_MEDIA = (
    ("photo", "photo"),
    ("voice", "voice"),
    ("audio", "voice"),
    ("animation", "video"),
    ("video_note", "video"),
    ("video", "video"),
    ("sticker", "sticker"),
    ("dice", "sticker"),
    ("venue", "location"),
    ("location", "location"),
    ("contact", "contact"),
    ("poll", "poll"),
)

#: What goes wrong with an update whose fields are not what the Bot API says.
_SHAPE = (AttributeError, KeyError, OverflowError, TypeError, ValueError)

#: What somebody may believe that we now know, and we do not: said in so many words, a worker there or not.
_NOT_KEPT = {"location": "utter_telegram_location", "contact": "utter_telegram_contact"}


class UpdateHandler:
    """Handles updates one by one. :meth:`handle` returns when what came in is stored.

    Answering goes on afterwards: the core answers what it has stored, also after a crash.
    """

    def __init__(self, bot: ExtBot, conversations: Conversations, record: Record, content: Content) -> None:
        self.chats = Chats(bot, conversations, record, content)
        self.buttons = ButtonHandler(self.chats)
        self._bot = bot
        self._content = content
        self._commands = CommandHandler(self.chats)
        self._albums = Recent()  # chat -> album last answered
        self._farewells = Recent()  # group -> told that we only talk in private
        self._reacted = Recent()  # chat -> told what a reaction means to us

    async def handle(self, raw: Mapping[str, Any]) -> None:
        """Handle one update as it came from Telegram; unknown kinds are ignored.

        Raises:
            StoreUnavailable: the store cannot be reached; try again later.
            TelegramError: Telegram cannot be reached, where the update needs it.
        """
        try:
            update = Update.de_json(dict(raw), self._bot)
        except Exception as error:  # noqa: BLE001 - a shape our library is too old or too new for
            await self._undecodable(raw, error)
            return
        try:
            await self._decoded(update)
        except _SHAPE as error:  # the library decodes what it does not check
            await self._undecodable(raw, error)

    async def _decoded(self, update: Update) -> None:
        if update.callback_query:
            await self._button(update.update_id, update.callback_query)
        elif update.my_chat_member:
            await self._membership(update.my_chat_member)
        elif update.message_reaction:
            await self._reaction(update.update_id, update.message_reaction)
        elif message := update.message or update.channel_post:
            if message.chat.type != Chat.PRIVATE:
                await self._leave(message.chat.id)
            elif not _from_bot(message) and not filters.StatusUpdate.ALL.check_update(update):
                await self._message(update.update_id, message)
        elif message := update.edited_message or update.edited_channel_post:
            if message.chat.type != Chat.PRIVATE:
                await self._leave(message.chat.id)
            elif not _from_bot(message) and (words := message.text or message.caption):
                # An edit without words is a live location moving on.
                await self.chats.take(update.update_id, message.chat.id, words, kind=Kind.EDIT)

    async def tell_trouble(self, raw: Mapping[str, Any]) -> None:
        """Tell the person that their message could not be taken so far, and who is there instead."""
        for content in raw.values():
            chat = _chat(content) or (_chat(content.get("message")) if isinstance(content, Mapping) else None)
            if chat and chat.get("type") == Chat.PRIVATE and isinstance(chat.get("id"), int):
                await self.chats.tell(chat["id"], "utter_telegram_trouble")

    # Messages -------------------------------------------------------------------------------------

    async def _message(self, update_id: int, message: Message) -> None:
        chat_id = message.chat.id
        self.chats.acted(chat_id)
        if message.text:
            if not await self._commands.handle(update_id, chat_id, message.text):
                await self.chats.take(update_id, chat_id, message.text)
            return
        media = next((ours for theirs, ours in _MEDIA if getattr(message, theirs)), "file")
        if media in _NOT_KEPT:
            await self._not_kept(update_id, chat_id, _NOT_KEPT[media])
            return
        words = message.caption or _poll_words(message) or _sign(message)
        album = message.media_group_id
        if album and album == self._albums.get(chat_id) and not words:
            return  # one answer for an album, not one a picture
        await self.chats.take(update_id, chat_id, words, kind=Kind.UNREADABLE, media=media)
        if album:
            self._albums.put(chat_id, album)

    async def _not_kept(self, update_id: int, chat_id: int, response: str) -> None:
        conversation_id = await self.chats.open(chat_id)
        await self.chats.record.note(
            conversation_id, client_id(update_id), "", kind=Kind.UNREADABLE, says=(response,)
        )
        self.chats.answer(conversation_id)

    async def _reaction(self, update_id: int, change: MessageReactionUpdated) -> None:
        """A sign under a message: kept for a worker to see; the first one is answered.

        Only Telegram's fixed set of emoji comes through here, so there are no words to read risk on.
        """
        before = set(change.old_reaction)
        new = [sign for sign in change.new_reaction if sign not in before]
        if change.chat.type != Chat.PRIVATE or change.user is None or change.user.is_bot or not new:
            return
        chat_id = change.chat.id
        conversation_id = await self.chats.find(chat_id)
        if conversation_id is None:
            return  # under the last words of a deleted conversation: nothing is begun by that
        signs = "".join(sign.emoji if isinstance(sign, ReactionTypeEmoji) else "*" for sign in new)
        told = () if self._reacted.get(chat_id) else ("utter_telegram_reaction",)
        await self.chats.record.note(conversation_id, client_id(update_id), signs, offers=told)
        self._reacted.put(chat_id, True)

    async def _undecodable(self, raw: Mapping[str, Any], error: Exception) -> None:
        """Take the words of a message whose shape is unknown; without words, as something unreadable."""
        log.warning("telegram_update_undecodable", update_id=raw["update_id"], error=type(error).__name__)
        for name, kind in (("message", Kind.TEXT), ("edited_message", Kind.EDIT)):
            message = raw.get(name)
            chat = _chat(message)
            if chat is None or chat.get("type") != Chat.PRIVATE or _raw_from_bot(message):
                continue
            if not isinstance(chat.get("id"), int):
                continue  # nobody to answer
            told = (message.get("text"), message.get("caption"))
            if words := next((each for each in told if isinstance(each, str) and each), ""):
                await self.chats.take(raw["update_id"], chat["id"], words, kind=kind)
            elif kind is Kind.TEXT:
                await self.chats.take(raw["update_id"], chat["id"], "", kind=Kind.UNREADABLE, media="file")

    async def _button(self, update_id: int, query: CallbackQuery) -> None:
        message = query.message
        if query.from_user.is_bot or message is None:
            await self.buttons.acknowledge(query)
        elif message.chat.type != Chat.PRIVATE:
            await self.buttons.acknowledge(query)
            await self._leave(message.chat.id)
        else:
            await self.buttons.handle(update_id, query, message)

    # Coming and going -----------------------------------------------------------------------------

    async def _membership(self, change: ChatMemberUpdated) -> None:
        gone = change.new_chat_member.status in (ChatMember.BANNED, ChatMember.LEFT)
        if change.chat.type == Chat.PRIVATE:
            if conversation_id := await self.chats.find(change.chat.id):
                await self.chats.conversations.unreachable(conversation_id, reachable=not gone)
        elif not gone:
            if change.old_chat_member.status in (ChatMember.BANNED, ChatMember.LEFT):
                self._farewells.drop(change.chat.id)  # invited anew: explain anew
            await self._leave(change.chat.id)

    async def _leave(self, chat_id: int) -> None:
        """Say once that this is for private talk only, and go. What is written in a group is not read."""
        if not self._farewells.get(chat_id):
            self._farewells.put(chat_id, True)
            with suppress(TelegramError):
                await self._bot.send_message(chat_id, self._content.say("utter_telegram_only_private"))
        with suppress(BadRequest, Forbidden):
            await self._bot.leave_chat(chat_id)


def _from_bot(message: Message) -> bool:
    return bool(message.from_user and message.from_user.is_bot)


def _raw_from_bot(message: Any) -> bool:
    sender = message.get("from")
    return bool(isinstance(sender, Mapping) and sender.get("is_bot"))


def _poll_words(message: Message) -> str:
    poll = message.poll
    return "\n".join([poll.question, *(option.text for option in poll.options)]) if poll else ""


def _sign(message: Message) -> str:
    """The emoji that a sticker stands for: of the picture, it is all that can be read."""
    return (message.sticker.emoji or "") if message.sticker else ""


def _chat(holder: Any) -> Mapping[str, Any] | None:
    chat = holder.get("chat") if isinstance(holder, Mapping) else None
    return chat if isinstance(chat, Mapping) else None
