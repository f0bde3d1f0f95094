"""How fast is too fast, for everything the public can reach. Counted in memory, in each gateway process.

Whoever calls is known by a keyed hash of their address that changes every hour; it is never stored. A school
or a shelter is one address: what counts by caller is wide, and nothing here ever refuses the next message of
a conversation because of its neighbours.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from starlette.requests import HTTPConnection

from bot.bootstrap import Core
from bot.channels.problems import Problem

#: Name of what is counted -> how much of it, and whether by conversation, by caller or by all together.
RATES: dict[str, RateLimitItem] = {
    # By conversation. A fast typist sends a message every few seconds; the page sends a sign of typing
    # every three seconds, and one when typing stops.
    "messages": parse("40/minute"),
    "typing": parse("60/minute"),
    # By caller. A whole class may begin, or come back, within a minute: only wrong codes count.
    "wrong_codes": parse("5/minute"),
    "begins": parse("40/minute"),
    "searches": parse("120/minute"),
    "documents": parse("60/minute"),
    "connections": parse("60/minute"),
    "sessions": parse("20/minute"),
    # By all together.
    "codes_by_all": parse("60/minute"),
    "sessions_by_all": parse("300/minute"),
}
#: Requests of one caller a minute, of whatever kind; counted coarsely, as there may be very many callers.
REQUESTS = parse("3000/minute")
#: Seconds for which somebody who may not go on at once is held (less than ``patience.LONGEST``, or their
#: answer never comes), how many are held at the same time, and how many of these from one caller.
HOLD, HELD_AT_ONCE, HELD_BY_ONE = 3.0, 200, 10
#: Event streams open at the same time: of one conversation (tabs of one browser), and in all.
STREAMS_BY_ONE, STREAMS_AT_ONCE = 6, 2_000


class Limits:
    """What one gateway counts. One for all doors."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._storage, self._coarse = MemoryStorage(), MemoryStorage()  # limiters hold them weakly
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._windows = FixedWindowRateLimiter(self._coarse)
        self._held: dict[str, int] = {}
        self.streams = Streams()

    def caller(self, connection: HTTPConnection) -> str:
        """Who calls, as :meth:`caller_at` knows them."""
        return self.caller_at(connection.client.host if connection.client else "")

    def caller_at(self, address: str) -> str:
        """A keyed hash of an address and the hour. The same person is somebody else an hour later."""
        hour = int(self._core.now().timestamp() // 3600)
        return self._core.store.cipher.find_hash("caller", f"{hour}\0{_network(address)}")

    def allow(self, name: str, key: str = "") -> bool:
        """Count one of these; False when it is one too many."""
        return self._limiter.hit(RATES[name], name, key)

    def may(self, name: str, key: str = "") -> bool:
        """Whether one more would be allowed. Counts nothing."""
        return self._limiter.test(RATES[name], name, key)

    def allow_request(self, caller: str) -> bool:
        """Count one request of a caller, of whatever kind."""
        return self._windows.hit(REQUESTS, "requests", caller)

    async def hold(self, caller: str) -> None:
        """Let somebody go on after :data:`HOLD` seconds: slow for a machine, a moment for a person.

        Raises:
            Problem: too many are held already.
        """
        if self._held.get(caller, 0) >= HELD_BY_ONE or sum(self._held.values()) >= HELD_AT_ONCE:
            raise Problem(429, "problem_busy")
        self._held[caller] = self._held.get(caller, 0) + 1
        try:
            await asyncio.sleep(HOLD)
        finally:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]


@dataclass(eq=False)
class Place:
    """The place of one event stream. ``ended`` becomes true when a newer stream took it."""

    key: str
    wake: Callable[[], None] = field(repr=False)
    ended: bool = False


class Streams:
    """Open event streams. Where there is one too many, the oldest goes; its browser asks again later."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, Place] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def place(self, key: str, wake: Callable[[], None]) -> Iterator[Place]:
        """A place for a stream of ``key``; ``wake`` is called when it has to end."""
        own = [place for place in self._open.values() if place.key == key]
        if len(own) >= STREAMS_BY_ONE:
            self._end(own[0])
        elif len(self._open) >= STREAMS_AT_ONCE:
            self._end(next(iter(self._open.values())))
        place = Place(key, wake)
        self._open[id(place)] = place
        try:
            yield place
        finally:
            self._open.pop(id(place), None)

    def _end(self, place: Place) -> None:
        self._open.pop(id(place), None)
        place.ended = True
        place.wake()


def _network(address: str) -> str:
    """The address, or of IPv6 its /64: a household has 2**64 of those."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(IPv6Address(int(found) >> 64 << 64))
