"""What Earshot says, as Telegram can carry it: plain text in pieces, and buttons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.messages import Choice, OutboundMessage, Sender

#: Longest text Telegram takes, in UTF-16 code units.
TELEGRAM_LIMIT = 4096

#: Where to cut, best first: between paragraphs, after a sentence, at a line's end, between words.
_BREAKS = tuple(re.compile(p) for p in (r"\n\s*\n", r"(?<=[.!?…])[\"'”’)\]]*\s+", r"\n", r"\s+"))

#: What of a card is for programs, not for people.
_NOT_WORDS = frozenset({"id", "kind", "type", "choice"})

#: A keyboard that was answered is left with one button that does nothing.
DONE = "done"


def units(text: str) -> int:
    """Length as Telegram counts it, in UTF-16 code units."""
    return len(text) + sum(ord(character) > 0xFFFF for character in text)


def split(text: str, limit: int = TELEGRAM_LIMIT) -> list[str]:
    """Cut a text into pieces of at most ``limit`` UTF-16 code units, at sentences where there are any.

    Only white space at the cuts is lost. A text of white space alone gives no pieces.
    """
    pieces = []
    rest = text.strip()
    while units(rest) > limit:
        head, rest = _cut(rest, limit)
        pieces.append(head)
    return [*pieces, rest] if rest else pieces


def _cut(text: str, limit: int) -> tuple[str, str]:
    room, fits = limit, 0
    while room >= (width := 2 if ord(text[fits]) > 0xFFFF else 1):
        room -= width
        fits += 1
    # A break in the first half would make a crumb of a piece: rather a lesser break further on.
    for pattern in _BREAKS:
        cuts = [m for m in pattern.finditer(text, 0, fits + 1) if fits // 2 <= m.start() <= fits]
        if cuts:
            quote_end = cuts[-1].start() + len(cuts[-1].group().rstrip())
            return text[:quote_end].rstrip(), text[cuts[-1].end() :].lstrip()
    return text[:fits], text[fits:].lstrip()


def pieces(message: OutboundMessage) -> list[str]:
    """The texts that carry a message, cards included; a worker's with their name before it."""
    text = message.text.strip()
    if message.sender is Sender.WORKER and message.name and text:
        text = f"{message.name}: {text}"
    whole = "\n\n".join(part for part in (text, *map(_card, message.cards)) if part)
    # A lone half of a surrogate pair would make the whole request unreadable to Telegram.
    return split(whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _card(card: Mapping[str, Any]) -> str:
    lines = []
    for key, value in card.items():
        if isinstance(value, Mapping):
            value = _link(value)
        if key in _NOT_WORDS or key.endswith("_id") or value is None or isinstance(value, bool):
            continue
        if isinstance(value, (list, tuple)):
            between = "\n" if key == "lines" else ", "
            value = between.join(str(item) for item in value if isinstance(item, (str, int, float)))
        lines.append(str(value).strip())
    return "\n".join(line for line in lines if line)


def _link(value: Mapping[str, Any]) -> str | None:
    """A link as text; one into our own pages leads nowhere from here."""
    address = str(value.get("href", ""))
    return f"{value.get('title', '')}\n{address}".strip() if address.startswith("https://") else None


def choices_of(message: OutboundMessage) -> list[Choice]:
    """The choices of a message: those of its cards first, as on the page."""
    of_cards = [card["choice"] for card in message.cards if card.get("choice")]
    return [*(Choice(choice["id"], choice["title"]) for choice in of_cards), *message.choices]


def keyboard(message: OutboundMessage) -> InlineKeyboardMarkup | None:
    """The choices as buttons under a message, one a row; None when there are none."""
    tag = conversation_tag(message.conversation_id)
    rows = [[(choice.title, f"{tag}:{choice.id}")] for choice in choices_of(message)]
    return markup(rows) if rows else None


def markup(rows: list[list[tuple[str, str]]]) -> InlineKeyboardMarkup:
    """An inline keyboard of ``(title, data)`` buttons."""
    return InlineKeyboardMarkup([[InlineKeyboardButton(t, callback_data=d) for t, d in row] for row in rows])


def conversation_tag(conversation_id: str) -> str:
    """Tells a button of this conversation from one of an earlier, deleted one in the same chat.

    Ids of choices count up within a conversation, so the same id may mean something else in the next.
    """
    return sha256(conversation_id.encode()).hexdigest()[:12]
