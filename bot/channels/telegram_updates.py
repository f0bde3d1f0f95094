"""What each kind of Telegram update means to a conversation.

Nothing about who the person is on Telegram is read: no name, no user name, no language, no picture.
Whatever they wrote (text, caption, the words after a command, a poll's question) goes in as words of
theirs, because risk is read on every one of them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from telegram import (
    CallbackQuery,
    Chat,
    ChatMember,
    ChatMemberUpdated,
    MaybeInaccessibleMessage,
    Message,
    Update,
)
from telegram.error import BadRequest, Forbidden, TelegramError
from telegram.ext import ExtBot, filters

from bot.channels import telegram_text
from bot.channels.telegram_contract import Content, Conversations, Recent, StoreUnavailable
from bot.conversation import ConversationError, EmptyMessage
from bot.messages import MAX_TEXT, Channel, InboundMessage, Kind

log = structlog.get_logger(__name__)

#: The kinds of update asked for. Reactions, joins, payments and the rest are nobody's question to us.
ALLOWED = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "my_chat_member",
)

#: Deep links, ``t.me/bot?start=friend``, and the doors they open.
DOORS = frozenset({"me", "friend", "parent", "concern"})

#: Commands of the menu, in order; each has ``utter_telegram_menu_<name>`` beside it.
COMMANDS = ("help", "person", "stop", "delete", "start")

#: Commands that say something in the person's place: ``utter_telegram_words_<name>``.
_SPOKEN = ("person", "stop")

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

_COMMAND = re.compile(r"/(\w{1,32})(?:@\w+)?(?:\s+(?P<words>.*))?$", re.DOTALL)


class UpdateHandler:
    """Handles updates one by one. :meth:`handle` returns when what came in is stored.

    Answering goes on afterwards: the core answers what it has stored, also after a crash.
    """

    def __init__(self, bot: ExtBot, conversations: Conversations, content: Content) -> None:
        self._bot = bot
        self._conversations = conversations
        self._content = content
        self._answering: set[asyncio.Task[None]] = set()
        self._turns = Recent()  # chat -> how often they wrote or pressed
        self._pressed = Recent()  # (chat, message) -> update that pressed it
        self._albums = Recent()  # chat -> album last answered
        self._farewells = Recent()  # group -> told that we only talk in private

    async def handle(self, raw: Mapping[str, Any]) -> None:
        """Handle one update as it came from Telegram; unknown kinds are ignored.

        Raises:
            StoreUnavailable: the store cannot be reached; try again later.
            TelegramError: Telegram cannot be reached, where the update needs it.
        """
        try:
            update = Update.de_json(dict(raw), self._bot)
        except Exception as error:  # noqa: BLE001 - a shape our library is too old or too new for
            log.warning("telegram_update_undecodable", update_id=raw["update_id"], error=type(error).__name__)
            await self._undecodable(raw)
            return
        if update.callback_query:
            await self._button(update, update.callback_query)
        elif update.my_chat_member:
            await self._membership(update.my_chat_member)
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
                await self._take(update.update_id, message.chat.id, words, kind=Kind.EDIT)

    async def tell_trouble(self, raw: Mapping[str, Any]) -> None:
        """Tell the person that their message could not be taken so far, and who is there instead."""
        for content in raw.values():
            chat = _chat(content) or (_chat(content.get("message")) if isinstance(content, Mapping) else None)
            if chat and chat.get("type") == Chat.PRIVATE:
                await self._bot.send_message(chat["id"], self._content.say("utter_telegram_trouble"))

    def was_pressed(self, chat_id: int, message_id: int) -> bool:
        """Whether a button of this message was pressed already."""
        return self._pressed.get((chat_id, message_id)) is not None

    def turn(self, chat_id: int) -> int:
        """How often somebody wrote or pressed in this chat since we started."""
        return self._turns.get(chat_id) or 0

    def _acted(self, chat_id: int) -> None:
        self._turns.put(chat_id, self.turn(chat_id) + 1)

    async def finish(self, grace: float) -> None:
        """Let answers under way come to an end, at most ``grace`` seconds; the core resumes the rest."""
        if self._answering:
            await asyncio.wait(self._answering, timeout=grace)
        for task in tuple(self._answering):
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    # Messages -------------------------------------------------------------------------------------

    async def _message(self, update_id: int, message: Message) -> None:
        chat_id = message.chat.id
        self._acted(chat_id)
        if message.text:
            command = _COMMAND.match(message.text)
            if command:
                await self._command(update_id, chat_id, message.text, command[1].lower(), command["words"])
            else:
                await self._take(update_id, chat_id, message.text)
            return
        words = message.caption or _poll_words(message)
        album = message.media_group_id
        if album and album == self._albums.get(chat_id) and not words:
            return  # one answer for an album, not one a picture
        media = next((ours for theirs, ours in _MEDIA if getattr(message, theirs)), "file")
        await self._take(update_id, chat_id, words, kind=Kind.UNREADABLE, media=media)
        if album:
            self._albums.put(chat_id, album)

    async def _undecodable(self, raw: Mapping[str, Any]) -> None:
        """Take the words of a message whose shape is unknown; without words, as something unreadable."""
        for name, kind in (("message", Kind.TEXT), ("edited_message", Kind.EDIT)):
            message = raw.get(name)
            chat = _chat(message)
            if chat is None or chat.get("type") != Chat.PRIVATE or message["from"]["is_bot"]:
                continue
            words = message.get("text") or message.get("caption")
            if isinstance(words, str):
                await self._take(raw["update_id"], chat["id"], words, kind=kind)
            elif kind is Kind.TEXT:
                await self._take(raw["update_id"], chat["id"], "", kind=Kind.UNREADABLE, media="file")

    async def _take(
        self, update_id: int, chat_id: int, words: str, *, kind: Kind = Kind.TEXT, media: str | None = None
    ) -> None:
        conversation_id = await self._open(chat_id)
        # Telegram's limit is a little above ours: nothing a person could send is refused for its length.
        for number, piece in enumerate(telegram_text.split(words, MAX_TEXT) or [words]):
            first = number == 0
            with suppress(EmptyMessage):
                await self._conversations.receive(
                    InboundMessage(
                        conversation_id=conversation_id,
                        channel=Channel.TELEGRAM,
                        client_id=f"tg-{update_id}" + ("" if first else f"-{number + 1}"),
                        kind=kind if first or kind is Kind.EDIT else Kind.TEXT,
                        text=piece,
                        media=media if first else None,
                    )
                )
        self._answer(conversation_id)

    # Commands -------------------------------------------------------------------------------------

    async def _command(
        self, update_id: int, chat_id: int, text: str, command: str, words: str | None
    ) -> None:
        if command == "start":
            door = (words or "").strip().lower()
            await self._conversations.say(await self._open(chat_id), "utter_telegram_start")
            if door in DOORS:
                await self._conversations.open(Channel.TELEGRAM, speaker=door, address=str(chat_id))
            if words and len(words.split()) > 1:  # a link's payload is one word; this was typed
                await self._take(update_id, chat_id, words)
        elif command in _SPOKEN:
            spoken = text if words else self._content.say(f"utter_telegram_words_{command}")
            await self._take(update_id, chat_id, spoken)
        else:
            known = command in COMMANDS
            if words or not known:
                await self._take(update_id, chat_id, text)
            if command == "delete":
                await self._tell(chat_id, "utter_telegram_delete_ask")
            else:
                name = "utter_telegram_help" if command == "help" else "utter_telegram_unknown_command"
                await self._conversations.say(await self._open(chat_id), name)

    async def _delete(self, chat_id: int) -> None:
        conversation_id = await self._find(chat_id)
        erased = conversation_id is None or await self._conversations.erase(conversation_id)
        # Not through the outbox: an erased conversation has no address any more.
        await self._tell(chat_id, "utter_telegram_deleted" if erased else "utter_telegram_delete_kept")

    # Buttons --------------------------------------------------------------------------------------

    async def _button(self, update: Update, query: CallbackQuery) -> None:
        message, data = query.message, query.data or ""
        if query.from_user.is_bot or message is None:
            await self._acknowledge(query)
            return
        if message.chat.type != Chat.PRIVATE:
            await self._acknowledge(query)
            await self._leave(message.chat.id)
            return
        chat_id, place = message.chat.id, (message.chat.id, message.message_id)
        buttons = _buttons(message)
        pressed_by = self._pressed.get(place)
        if data == telegram_text.DONE or pressed_by not in (None, update.update_id):
            await self._acknowledge(query)
            return
        if buttons is not None and data not in buttons:
            await self._acknowledge(query)  # this app still showed buttons that were answered elsewhere
            return
        deleting = {choice["payload"] for choice in self._content.choices("utter_telegram_delete_ask")}
        conversation_id = None if data in deleting else await self._find(chat_id)
        tag, _, choice = data.partition(":")
        if data not in deleting and (
            conversation_id is None or tag != telegram_text.conversation_tag(conversation_id)
        ):
            await self._acknowledge(query, "utter_telegram_old_button")
            await self._mark(chat_id, message.message_id, None)
            return
        self._pressed.put(place, update.update_id)
        self._acted(chat_id)
        acknowledged = asyncio.create_task(self._acknowledge(query))
        try:
            if conversation_id is None:
                await self._delete_or_not(chat_id, data)
            else:
                await self._choose(update.update_id, conversation_id, choice)
        finally:
            await acknowledged
        await self._mark(chat_id, message.message_id, (buttons or {}).get(data))

    async def _delete_or_not(self, chat_id: int, data: str) -> None:
        yes = self._content.choices("utter_telegram_delete_ask")[0]["payload"]
        if data == yes:
            await self._delete(chat_id)
        else:
            await self._tell(chat_id, "utter_telegram_delete_cancelled")

    async def _choose(self, update_id: int, conversation_id: str, choice: str) -> None:
        try:
            await self._conversations.receive(
                InboundMessage(
                    conversation_id=conversation_id,
                    channel=Channel.TELEGRAM,
                    client_id=f"tg-{update_id}",
                    kind=Kind.CHOICE,
                    choice=choice,
                )
            )
        except ConversationError:
            await self._conversations.say(conversation_id, "utter_telegram_old_button")
            return
        self._answer(conversation_id)

    async def _acknowledge(self, query: CallbackQuery, response: str | None = None) -> None:
        words = self._content.say(response) if response else None
        # It only ends the little clock on the button; a late or repeated one is refused by Telegram.
        with suppress(TelegramError):
            await self._bot.answer_callback_query(query.id, text=words, show_alert=bool(words))

    async def _mark(self, chat_id: int, message_id: int, title: str | None) -> None:
        """Leave only what was chosen, as a button that does nothing."""
        left = telegram_text.markup([[(f"✓ {title}", telegram_text.DONE)]]) if title else None
        with suppress(TelegramError):
            await self._bot.edit_message_reply_markup(chat_id, message_id, reply_markup=left)

    # Coming and going -----------------------------------------------------------------------------

    async def _membership(self, change: ChatMemberUpdated) -> None:
        gone = change.new_chat_member.status in (ChatMember.BANNED, ChatMember.LEFT)
        if change.chat.type == Chat.PRIVATE:
            if conversation_id := await self._find(change.chat.id):
                await self._conversations.unreachable(conversation_id, reachable=not gone)
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

    # Helpers --------------------------------------------------------------------------------------

    async def _open(self, chat_id: int) -> str:
        try:
            return await self._conversations.open(Channel.TELEGRAM, address=str(chat_id))
        except Exception as error:  # noqa: BLE001 - whatever it is, there is nowhere to put the words
            log.error("telegram_open_failed", error=type(error).__name__)
            raise StoreUnavailable from error

    async def _find(self, chat_id: int) -> str | None:
        try:
            return await self._conversations.find(Channel.TELEGRAM, str(chat_id))
        except Exception as error:  # noqa: BLE001 - as in _open
            log.error("telegram_find_failed", error=type(error).__name__)
            raise StoreUnavailable from error

    def _answer(self, conversation_id: str) -> None:
        task = asyncio.create_task(self._answer_and_log(conversation_id))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer_and_log(self, conversation_id: str) -> None:
        try:
            await self._conversations.answer(conversation_id)
        except Exception as error:  # noqa: BLE001 - stored is stored: the core's clock answers leftovers
            log.error("telegram_answer_failed", conversation=conversation_id, error=type(error).__name__)

    async def _tell(self, chat_id: int, response: str) -> None:
        """Say something of Telegram's own that belongs in no transcript."""
        rows = [[(choice["title"], choice["payload"])] for choice in self._content.choices(response)]
        with suppress(Forbidden):
            await self._bot.send_message(
                chat_id,
                self._content.say(response),
                reply_markup=telegram_text.markup(rows) if rows else None,
            )


def _from_bot(message: Message) -> bool:
    return bool(message.from_user and message.from_user.is_bot)


def _poll_words(message: Message) -> str:
    poll = message.poll
    return "\n".join([poll.question, *(option.text for option in poll.options)]) if poll else ""


def _buttons(message: MaybeInaccessibleMessage) -> dict[str, str] | None:
    """Data and title of a message's buttons; None when Telegram no longer shows us the message."""
    # Not by its class: python-telegram-bot makes a Message even of one it has only the id of.
    if not message.is_accessible:
        return None
    rows = message.reply_markup.inline_keyboard if message.reply_markup else ()
    return {str(button.callback_data): button.text for row in rows for button in row}


def _chat(holder: Any) -> Mapping[str, Any] | None:
    chat = holder.get("chat") if isinstance(holder, Mapping) else None
    return chat if isinstance(chat, Mapping) else None
