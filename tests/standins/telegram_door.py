"""A Telegram door with the stand-in Bot API before it and a core that only remembers behind it.

The core is one object for both of the door's needs: ``Conversations`` and ``Record``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from bot.channels.telegram import TelegramChannel, TryLater, Undeliverable
from bot.content import Content, Variation
from bot.conversation import NoSuchConversation, UnknownChoice
from bot.messages import Channel, Choice, InboundMessage, Kind, OutboundMessage, Sender
from bot.tasks import end
from tests.standins.telegram_api import TelegramApi

WORDS = Path(__file__).resolve().parents[2] / "data" / "responses"


def telegram_words() -> Content:
    """The real words of the Telegram door and the doors, with an opening to go with them."""
    responses: dict[str, tuple[Variation, ...]] = {"opening": (Variation("Hello from the opening."),)}
    for file in ("telegram", "opening"):
        document = yaml.safe_load((WORDS / f"{file}.yml").read_text(encoding="utf-8"))
        for name, variations in document["responses"].items():
            if file == "telegram" or name == "utter_opening_doors":
                responses[name] = tuple(Variation(v["text"], tuple(v.get("buttons", ()))) for v in variations)
    return Content(responses, {})


@dataclass(frozen=True)
class Noted:
    """What the door wrote into a transcript by itself."""

    conversation_id: str
    client_id: str
    title: str
    kind: Kind
    payload: str | None


@dataclass
class RecordingConversations:
    """What happened to the core, in order. Answers the nth message with ``heard n``."""

    content: Content
    messages: list[InboundMessage] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    had_cases: set[str] = field(default_factory=set)
    with_worker: set[str] = field(default_factory=set)
    typing: asyncio.Queue[str] = field(default_factory=asyncio.Queue)  # conversations a worker types in
    thinking: float = 0.0  # seconds to answer
    opened: list[tuple[str, str | None]] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    reachable: dict[str, bool] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    open_handovers: set[str] = field(default_factory=set)
    outbox: asyncio.Queue[tuple[str, OutboundMessage]] = field(default_factory=asyncio.Queue)
    store_down: bool = False
    refuses: set[str] = field(default_factory=set)  # texts that cannot be stored
    slow: dict[str, float] = field(default_factory=dict)  # address -> seconds to store
    _seq: dict[str, int] = field(default_factory=dict)
    _unanswered: dict[str, list[int]] = field(default_factory=dict)
    _offered: dict[str, set[str]] = field(default_factory=dict)

    async def open(self, channel: Channel, *, speaker: str | None = None, address: str | None = None) -> str:
        self._check()
        self.opened.append((address or "", speaker))
        if address not in self.addresses:
            self.addresses[address or ""] = f"c{len(self.opened)}-{address}"
            self._put(self.addresses[address or ""], "Hello from the opening.")
            self._put(self.addresses[address or ""], self.content.say("utter_telegram_start"))
        if speaker:
            self._put(self.addresses[address or ""], f"through the door {speaker}")
        return self.addresses[address or ""]

    async def find(self, channel: Channel, address: str) -> str | None:
        self._check()
        return self.addresses.get(address)

    async def receive(self, message: InboundMessage) -> int:
        self._check()
        self._live(message.conversation_id)
        await asyncio.sleep(self.slow.get(self._address(message.conversation_id), 0))
        if message.text in self.refuses:
            raise RuntimeError("cannot be stored")
        for before in self.messages:
            same = (before.conversation_id, before.client_id) == (message.conversation_id, message.client_id)
            if same:
                return 0
        if message.kind is Kind.CHOICE and message.choice not in self._offered[message.conversation_id]:
            raise UnknownChoice(message.choice)
        self.messages.append(message)
        number = sum(m.conversation_id == message.conversation_id for m in self.messages)
        self._unanswered.setdefault(message.conversation_id, []).append(number)
        return self._next(message.conversation_id)

    async def answer(self, conversation_id: str) -> None:
        await asyncio.sleep(self.thinking)
        waiting = self._unanswered.get(conversation_id, [])
        while waiting:
            self._put(conversation_id, f"heard {waiting.pop(0)}")

    async def say(self, conversation_id: str, response: str, **values: str) -> None:
        self._check()
        self._live(conversation_id)
        self.said.append((conversation_id, response))
        self._put(conversation_id, self.content.say(response, **values))

    async def note(
        self,
        conversation_id: str,
        client_id: str,
        title: str,
        *,
        kind: Kind = Kind.CHOICE,
        payload: str | None = None,
        says: Sequence[str] = (),
        offers: Sequence[str] = (),
    ) -> bool:
        self._check()
        self._live(conversation_id)
        if await self.seen(conversation_id, client_id):
            return False
        self.notes.append(Noted(conversation_id, client_id, title, kind, payload))
        for response in (*says, *(() if conversation_id in self.with_worker else offers)):
            await self.say(conversation_id, response)
        if payload:
            self._unanswered.setdefault(conversation_id, []).append(len(self.notes))
        return True

    async def seen(self, conversation_id: str, client_id: str) -> bool:
        return any((n.conversation_id, n.client_id) == (conversation_id, client_id) for n in self.notes)

    async def has_spoken(self, conversation_id: str) -> bool:
        return any(each.conversation_id == conversation_id for each in (*self.messages, *self.notes))

    async def had_case(self, conversation_id: str) -> bool:
        return conversation_id in self.had_cases

    async def workers_typing(self) -> AsyncIterator[str]:
        while True:
            yield await self.typing.get()

    async def erase(self, conversation_id: str) -> bool:
        self._live(conversation_id)
        if conversation_id in self.open_handovers:
            return False
        self.erased.append(conversation_id)
        del self.addresses[self._address(conversation_id)]
        return True

    async def unreachable(self, conversation_id: str, reachable: bool = False) -> None:
        self._live(conversation_id)
        self.reachable[conversation_id] = reachable

    # For tests ------------------------------------------------------------------------------------

    def asks(self, address: int, text: str, titles: tuple[str, ...]) -> None:
        """The bot asks something with choices."""
        conversation_id = self.addresses[str(address)]
        seq = self._seq.get(conversation_id, 0) + 1
        choices = tuple(Choice(f"{seq}.{i}", title) for i, title in enumerate(titles))
        self._offered.setdefault(conversation_id, set()).update(choice.id for choice in choices)
        self._put(conversation_id, text, choices=choices)

    def responses(self) -> list[str]:
        """The responses said, in order."""
        return [name for _, name in self.said]

    def titles(self) -> list[str]:
        """What the door noted by itself, in order."""
        return [note.title for note in self.notes]

    def texts(self, address: int | None = None) -> list[str]:
        """The words taken, of one chat or of all."""
        return [m.text for m in self.messages if address in (None, int(m.conversation_id.split("-")[1]))]

    def _put(self, conversation_id: str, text: str, **more: Any) -> None:
        message = OutboundMessage(
            self._next(conversation_id),
            conversation_id,
            Sender.BOT,
            text,
            datetime.now(timezone.utc),
            **more,
        )
        self.outbox.put_nowait((self._address(conversation_id), message))

    def _next(self, conversation_id: str) -> int:
        self._seq[conversation_id] = self._seq.get(conversation_id, 0) + 1
        return self._seq[conversation_id]

    def _address(self, conversation_id: str) -> str:
        return next(address for address, found in self.addresses.items() if found == conversation_id)

    def _live(self, conversation_id: str) -> None:
        if conversation_id not in self.addresses.values():
            raise NoSuchConversation(conversation_id)

    def _check(self) -> None:
        if self.store_down:
            raise OSError("the store is down")


async def deliver_forever(channel: TelegramChannel, outbox: asyncio.Queue) -> None:
    """An outbox as far as a channel can tell: in order, again after TryLater, never after Undeliverable."""
    while True:
        address, message = await outbox.get()
        with suppress(Undeliverable):
            while True:
                try:
                    await channel.deliver(address, message)
                    break
                except TryLater as later:
                    await asyncio.sleep(min(later.seconds, 0.2))


@asynccontextmanager
async def open_door(
    api: TelegramApi, core: RecordingConversations, token: str | None = None
) -> AsyncIterator[TelegramChannel]:
    """A started channel with an outbox behind it, stopped at the end."""
    channel = TelegramChannel(
        token or api.token, core, core.content, core, api.base_url, poll_seconds=5, retry_seconds=0.05
    )
    pump = asyncio.create_task(deliver_forever(channel, core.outbox))
    await channel.start()
    try:
        yield channel
    finally:
        await channel.stop()
        await end([pump])
