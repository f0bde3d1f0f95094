"""How uvicorn is run: with patience for people on bad lines, and none for whoever holds lines open.

uvicorn gives up on a line only between two requests. Here every part of a request has its time, so that a
few machines that send a byte now and then cannot take every place there is (slowloris).
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.settings import Settings

#: Seconds in which the head of a request, its body, and room for more of the answer have to come.
HEAD_WITHIN, BODY_WITHIN, READ_WITHIN = 10.0, 30.0, 60.0
#: Most bytes of a request's line and headers.
MAX_HEAD = 16 * 1024


class TimedProtocol(H11Protocol):
    """HTTP/1.1 by uvicorn and h11, with a time for each part of a request."""

    _part = ""
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected: the clock for the first request runs."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Some bytes came: time goes on unless they completed what was waited for."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """An answer went out; what follows is another request, for which uvicorn's own clock waits."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self._stop()

    def pause_writing(self) -> None:
        """The other side reads more slowly than we write."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(READ_WITHIN, self.transport.abort)

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        if self._unread:
            self._unread.cancel()
            self._unread = None

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop()
        if self._unread:
            self._unread.cancel()
            self._unread = None
        super().connection_lost(exc)

    def _watch(self) -> None:
        state = self.conn.their_state
        part = "head" if state is h11.IDLE else "body" if state is h11.SEND_BODY else ""
        if part == self._part:
            return
        self._stop()
        if part:
            self._part = part
            within = HEAD_WITHIN if part == "head" else BODY_WITHIN
            self._timer = self.loop.call_later(within, self.transport.abort)

    def _stop(self) -> None:
        self._part = ""
        if self._timer:
            self._timer.cancel()
            self._timer = None


def server_options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told, besides where to listen."""
    return {
        "http": TimedProtocol,
        "h11_max_incomplete_event_size": MAX_HEAD,
        "timeout_keep_alive": 10,
        "timeout_graceful_shutdown": 3,
        "log_config": None,
        "access_log": False,  # an access log is a list of addresses
        "server_header": False,
        "forwarded_allow_ips": settings.trusted_proxies,
        "ws": "none",  # nothing here speaks WebSocket, and Rasa pins a version uvicorn no longer reads
    }
