"""What travels between a channel, the conversation and the dialogue: plain values, no behaviour.

A channel turns whatever arrived into an :class:`InboundMessage` and knows nothing else of the
conversation; it is handed :class:`OutboundMessage` values to deliver, in order, at least once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

#: Longest message taken, in characters. Longer ones are refused with a kind answer, never cut.
MAX_TEXT = 4_000


class Channel(str, Enum):
    """The door a conversation came through."""

    WEB = "web"
    TELEGRAM = "telegram"
    TERMINAL = "terminal"


class Sender(str, Enum):
    """Who a message in the transcript is from, as the person sees it."""

    YOU = "you"
    BOT = "bot"
    WORKER = "worker"


class Kind(str, Enum):
    """What kind of thing arrived in a channel."""

    TEXT = "text"
    CHOICE = "choice"
    EDIT = "edit"  # the person changed an earlier message: assessed again, stored beside the first
    UNREADABLE = "unreadable"  # photo, voice note, sticker …: Earshot cannot open it and says so


@dataclass(frozen=True)
class Choice:
    """An answer offered as a button. ``id`` is opaque to channels, at most 40 ASCII characters."""

    id: str
    title: str


@dataclass(frozen=True)
class InboundMessage:
    """One thing a person sent.

    Attributes:
        conversation_id: our id of the conversation, never a channel's own.
        channel: the door it came through.
        client_id: the channel's id for this message; the same one twice is one message.
        kind: text, choice, edit or unreadable.
        text: what was typed (for ``EDIT`` the new text, for ``UNREADABLE`` the caption, if any).
        choice: the id of the :class:`Choice` pressed, for ``CHOICE``.
        media: for ``UNREADABLE``, one of photo, voice, video, sticker, file, location, contact, poll.
    """

    conversation_id: str
    channel: Channel
    client_id: str
    kind: Kind = Kind.TEXT
    text: str = ""
    choice: str | None = None
    media: str | None = None


@dataclass(frozen=True)
class OutboundMessage:
    """One message of a transcript, on its way to the person or shown again.

    ``id`` counts up within a conversation from 1; a browser drops ids it has seen.
    """

    id: int
    conversation_id: str
    sender: Sender
    text: str
    at: datetime
    name: str | None = None
    choices: tuple[Choice, ...] = ()
    cards: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)
