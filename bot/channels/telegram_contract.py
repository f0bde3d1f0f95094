"""What the Telegram door needs of the rest of Earshot, and the errors it speaks in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from bot.messages import Channel, InboundMessage, Kind

#: Entries a :class:`Recent` keeps.
REMEMBERED = 10_000


class Undeliverable(Exception):
    """This person cannot be reached: they blocked the bot or are gone. Do not try again."""


class TryLater(Exception):
    """Telegram cannot take the message now; nothing of it after what was sent is lost.

    Attributes:
        seconds: how long to wait at least before the next try.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"try again in {seconds:.0f} s")
        self.seconds = seconds


class StoreUnavailable(Exception):
    """No conversation can be had at present; the update is kept, however long it takes."""


class Conversations(Protocol):
    """What this door needs of :class:`bot.conversation.Conversations`."""

    async def open(
        self, channel: Channel, *, speaker: str | None = None, address: str | None = None
    ) -> str: ...

    async def find(self, channel: Channel, address: str) -> str | None: ...

    async def receive(self, message: InboundMessage) -> int: ...

    async def answer(self, conversation_id: str) -> None: ...

    async def say(self, conversation_id: str, response: str, **values: str) -> None: ...

    async def erase(self, conversation_id: str) -> bool: ...

    async def unreachable(self, conversation_id: str, reachable: bool = False) -> None: ...


class Record(Protocol):
    """What this door writes into a transcript by itself: :class:`bot.channels.telegram_record.Record`."""

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
    ) -> bool: ...

    async def seen(self, conversation_id: str, client_id: str) -> bool: ...

    async def has_spoken(self, conversation_id: str) -> bool: ...

    async def had_case(self, conversation_id: str) -> bool: ...

    def workers_typing(self) -> AsyncIterator[str]: ...


class Content(Protocol):
    """What this door needs of :class:`bot.content.Content`."""

    def say(self, name: str, **values: str) -> str: ...

    def choices(self, name: str) -> tuple[Mapping[str, str], ...]: ...


class Recent:
    """A bounded memory; the oldest goes first."""

    def __init__(self) -> None:
        self._items: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any) -> Any:
        return self._items.get(key)

    def put(self, key: Any, value: Any) -> None:
        self._items[key] = value
        while len(self._items) > REMEMBERED:
            self._items.popitem(last=False)

    def drop(self, key: Any) -> None:
        self._items.pop(key, None)
