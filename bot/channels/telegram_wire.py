"""The connection to the Bot API, built so that neither the token nor anyone's words reach a log.

The Bot API carries the token in the path of every request, and httpx, its exceptions and
python-telegram-bot's own ``repr`` and debug lines quote that path. So python-telegram-bot is given a
placeholder, and the real token is put into the path below httpx, where nothing is logged any more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx
from telegram import LinkPreviewOptions
from telegram.error import TelegramError
from telegram.ext import AIORateLimiter, Defaults, ExtBot
from telegram.request import HTTPXRequest

#: Telegram's own Bot API.
TELEGRAM = "https://api.telegram.org/bot"

#: Connections kept for sending; getUpdates has one of its own.
SENDING_CONNECTIONS = 32

_PLACEHOLDER = "-token-withheld"

#: python-telegram-bot writes whole requests, replies and updates to these, at every level.
_TALKATIVE = (
    "telegram.Bot",
    "telegram.ext.ExtBot",
    "telegram.ext.AIORateLimiter",
    "telegram.request.BaseRequest",
    "telegram.request.HTTPXRequest",
)


class _Deny(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return False


_DENY = _Deny()


class _TokenTransport(httpx.AsyncBaseTransport):
    """Puts the token into the path on the way out."""

    def __init__(self, token: str, connections: int, proxy: str | None) -> None:
        self._path = f"/bot{quote(token, safe=':')}/".encode()
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=connections), proxy=proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.replace(f"/bot{_PLACEHOLDER}/".encode(), self._path, 1)
        onward = httpx.Request(
            request.method,
            request.url.copy_with(raw_path=path),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._inner.handle_async_request(onward)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Request(HTTPXRequest):
    """An HTTPXRequest that does not write an answer it cannot read into the log."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        try:
            parsed = json.loads(payload.decode("utf-8", "replace"))
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise TelegramError("Invalid server response")
        return parsed


class QuietBot(ExtBot):
    """python-telegram-bot's bot, with flood limits kept and updates as they arrived."""

    async def updates(
        self, *, offset: int | None, timeout: int, allowed: Sequence[str], limit: int = 100
    ) -> list[dict[str, Any]]:
        """``getUpdates``, undecoded: one update of a new kind must not make a whole batch unreadable.

        Raises:
            TelegramError: as every method of the bot.
        """
        answer = await self._post(
            "getUpdates",
            {"offset": offset, "timeout": timeout, "limit": limit, "allowed_updates": list(allowed)},
            read_timeout=timeout + 5.0,
        )
        return [update for update in answer if isinstance(update, dict)]  # type: ignore[union-attr]


def build_bot(token: str, base_url: str | None, proxy: str | None) -> QuietBot:
    """A bot for this token. Connects to nothing yet.

    ``base_url`` is a Bot API server, with or without the ``/bot`` that its paths begin with. ``proxy``
    is an HTTP proxy's URL; proxies of the environment are not used.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_DENY)
    root = (base_url or TELEGRAM).rstrip("/")
    if not root.endswith("/bot"):
        root += "/bot"
    return QuietBot(
        _PLACEHOLDER,
        base_url=root,
        request=_request(token, SENDING_CONNECTIONS, proxy),
        get_updates_request=_request(token, 1, proxy),
        # The outbox retries, in order and lastingly; a retry here would hold up everyone.
        rate_limiter=AIORateLimiter(max_retries=0),
        # A preview makes Telegram's servers fetch the page for everybody in the chat.
        defaults=Defaults(link_preview_options=LinkPreviewOptions(is_disabled=True)),
    )


def _request(token: str, connections: int, proxy: str | None) -> HTTPXRequest:
    return _Request(
        connection_pool_size=connections,
        pool_timeout=10.0,
        httpx_kwargs={"transport": _TokenTransport(token, connections, proxy)},
    )
