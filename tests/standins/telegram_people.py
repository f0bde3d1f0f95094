"""The people on the other side of the stand-in Bot API, in the verbs of somebody with a phone."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.standins import telegram_shapes as shapes

if TYPE_CHECKING:
    from tests.standins.telegram_api import TelegramApi

Json = dict[str, Any]

_query_ids = itertools.count(4_000_000_000)


@dataclass
class Chat:
    """What Telegram keeps of one chat."""

    shape: Json
    messages: dict[int, Json] = field(default_factory=dict)
    offered: list[tuple[int, str, str]] = field(default_factory=list)  # message id, title, callback data
    actions: list[str] = field(default_factory=list)
    talked: bool = False
    blocked: bool = False
    deactivated: bool = False
    member: bool = True
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, sender: Json | None, **content: Any) -> Json:
        """Put a message into the chat."""
        made = shapes.message(self.shape, next(self.ids), sender, **content)
        self.messages[made["message_id"]] = made
        for row in content.get("reply_markup", {}).get("inline_keyboard", ()):
            self.offered += [(made["message_id"], b["text"], b["callback_data"]) for b in row]
        return made


@dataclass(frozen=True)
class Seen:
    """One message of the bot as it stands on the screen now."""

    id: int
    text: str
    buttons: tuple[str, ...] = ()


class _Visitor:
    def __init__(self, api: TelegramApi, chat: Chat) -> None:
        self.api = api
        self.chat = chat

    @property
    def id(self) -> int:
        """The chat's id."""
        return self.chat.shape["id"]

    def sees(self) -> list[Seen]:
        """The bot's messages, oldest first."""
        found = []
        for message in list(self.chat.messages.values()):
            if message.get("from", {}).get("id") == shapes.BOT["id"]:
                rows = message.get("reply_markup", {}).get("inline_keyboard", ())
                titles = tuple(button["text"] for row in rows for button in row)
                found.append(Seen(message["message_id"], message["text"], titles))
        return found

    async def waits_for(self, wanted: str | Callable[[list[Seen]], Any], timeout: float = 5.0) -> list[Seen]:
        """Wait until a text has come, or until a condition holds for what is on the screen.

        Raises:
            AssertionError: it did not come in time.
        """

        def there() -> list[Seen] | None:
            seen = self.sees()
            found = wanted(seen) if callable(wanted) else any(wanted in each.text for each in seen)
            return seen if found else None

        return await self.api.waits_until(there, timeout)


class Person(_Visitor):
    """Somebody in a private chat with the bot. Every verb returns the id of the update it made."""

    @property
    def user(self) -> Json:
        """The person as Telegram shows them."""
        return shapes.user(self.id)

    def _sends(self, **content: Any) -> int:
        self.chat.talked = True
        return self.api.push({"message": self.chat.add(self.user, **content)})

    def says(self, text: str, **more: Any) -> int:
        """Type and send. ``more`` is put into the message as it is."""
        return self._sends(text=text, **more)

    def starts(self, payload: str = "") -> int:
        """Press START, or follow a deep link."""
        return self.says(f"/start {payload}".strip())

    def sends(self, kind: str, caption: str | None = None, **more: Any) -> int:
        """Send something that is not text: a key of :data:`shapes.CONTENT`."""
        content = {**copy.deepcopy(dict(shapes.CONTENT[kind])), **more}
        if caption:
            content["caption"] = caption
        return self._sends(**content)

    def sends_photo(self, caption: str | None = None, **more: Any) -> int:
        """Send a picture."""
        return self.sends("photo", caption, **more)

    def sends_album(self, pictures: int, caption: str | None = None) -> list[int]:
        """Send several pictures at once; the caption stands under the first."""
        album = str(time.time_ns())
        return [
            self.sends("photo", caption if i == 0 else None, media_group_id=album) for i in range(pictures)
        ]

    def forwards(self, text: str) -> int:
        """Forward somebody else's message."""
        origin = {"type": "hidden_user", "sender_user_name": shapes.FIRST_NAME, "date": 1_700_000_000}
        return self._sends(text=text, forward_origin=origin, forward_date=1_700_000_000)

    def replies(self, text: str) -> int:
        """Answer the bot's last message with a quote of it."""
        replied = copy.deepcopy(self.chat.messages[self.sees()[-1].id])
        quote = {"text": replied["text"][:20], "position": 0, "is_manual": True}
        return self._sends(text=text, reply_to_message=replied, quote=quote)

    def edits(self, text: str) -> int:
        """Change the last thing they sent; a caption when it has no text."""
        mine = [m for m in self.chat.messages.values() if m.get("from", {}).get("id") == self.id][-1]
        mine["text" if "text" in mine else "caption"] = text
        mine["edit_date"] = int(time.time())
        return self.api.push({"edited_message": copy.deepcopy(mine)})

    def presses(self, title: str, *, stale: bool = False, forgotten: bool = False) -> int:
        """Press a button of the last message that has it.

        ``stale``: their app still shows buttons that are gone. ``forgotten``: the message is so old that
        Telegram no longer tells the bot what was in it.

        Raises:
            AssertionError: there is no such button.
        """
        found = [
            (message_id, data)
            for message_id, text, data in self.chat.offered
            if text == title and (stale or title in self._buttons(message_id))
        ]
        assert found, f"no button {title!r} on the screen"
        message_id, data = found[-1]
        message = copy.deepcopy(self.chat.messages[message_id])
        if forgotten:
            message = {"message_id": message_id, "date": 0, "chat": self.chat.shape}
        query = str(next(_query_ids))
        self.api.new_query(query, self.id)
        return self.api.push(
            {
                "callback_query": {
                    "id": query,
                    "from": self.user,
                    "message": message,
                    "chat_instance": "-3141592653589793238",
                    "data": data,
                }
            }
        )

    def _buttons(self, message_id: int) -> list[str]:
        rows = self.chat.messages[message_id].get("reply_markup", {}).get("inline_keyboard", ())
        return [button["text"] for row in rows for button in row]

    def popups(self) -> list[str]:
        """What appeared over the chat after a press."""
        return [popup["text"] for popup in self.api.popups.values() if popup["text"]]

    def reacts(self, new: str = "❤", old: str = "") -> int:
        """Put a sign under a message, or change it; an empty one takes it away."""
        return self.api.push(shapes.reaction(self.chat.shape, self.user, old, new))

    def blocks_bot(self) -> int:
        """Press "block"."""
        self.chat.blocked = True
        return self.api.push(shapes.membership(self.chat.shape, self.user, "member", "kicked"))

    def unblocks_bot(self) -> int:
        """Press "unblock"."""
        self.chat.blocked = False
        return self.api.push(shapes.membership(self.chat.shape, self.user, "kicked", "member"))

    def deletes_account(self) -> None:
        """Leave Telegram."""
        self.chat.deactivated = True


class Group(_Visitor):
    """A group, supergroup or channel that somebody put the bot into."""

    def adds_bot(self, by: int = 600_100_777) -> int:
        """Somebody adds the bot (a channel makes it an administrator)."""
        self.chat.member = True
        status = "administrator" if self.chat.shape["type"] == "channel" else "member"
        return self.api.push(shapes.membership(self.chat.shape, shapes.user(by), "left", status))

    def removes_bot(self, by: int = 600_100_777) -> int:
        """Somebody throws the bot out."""
        self.chat.member = False
        return self.api.push(shapes.membership(self.chat.shape, shapes.user(by), "member", "kicked"))

    def says(self, text: str, by: int = 600_100_777) -> int:
        """Somebody writes; in a channel, the channel itself."""
        if self.chat.shape["type"] == "channel":
            return self.api.push({"channel_post": self.chat.add(None, text=text)})
        return self.api.push({"message": self.chat.add(shapes.user(by), text=text)})

    def edits(self, text: str, by: int = 600_100_777) -> int:
        """Somebody changes what they wrote."""
        channel = self.chat.shape["type"] == "channel"
        made = self.chat.add(None if channel else shapes.user(by), text=text)
        kind = "edited_channel_post" if channel else "edited_message"
        return self.api.push({kind: {**made, "edit_date": int(time.time())}})
