"""The webhook: the address that Telegram pushes updates to, where the operator wants no polling.

Telegram proves itself by the secret that it was given when the webhook was set. Without it, nothing is
read: whoever knows the address could else write in anybody's name.
"""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from bot.channels.telegram import TelegramChannel

log = structlog.get_logger(__name__)

#: Where Telegram pushes to, below the public address.
PATH = "/telegram/updates"

#: The header that carries the secret. Source: the Bot API, setWebhook.
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of a header

#: Largest update read, in bytes. The longest text with every character escaped stays far below.
LARGEST = 1_048_576


class Webhook:
    """A webhook's address and secret; the secret is in no ``repr``."""

    def __init__(self, public_url: str, secret: str) -> None:
        self.url = public_url.rstrip("/") + PATH
        self.secret = secret

    def __repr__(self) -> str:
        return f"Webhook({self.url!r})"

    def allows(self, given: str) -> bool:
        """Whether this is the secret. Takes the same time however much of it is right."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.secret.encode())


def webhook_routes(telegram: TelegramChannel | None) -> list[Route]:
    """The webhook's route. It answers 404 while Telegram is off or polled.

    Telegram is answered 200 when what the update brought is stored, and 503 when it is to send it again.
    """

    async def pushed(request: Request) -> Response:
        if telegram is None or telegram.webhook is None:
            raise HTTPException(404)
        if not telegram.webhook.allows(request.headers.get(SECRET_HEADER, "")):
            log.warning("telegram_webhook_refused")
            return Response(status_code=403)
        update = await _update(request)
        if update is None:
            return Response(status_code=400)
        return Response(status_code=200 if await telegram.take(update) else 503)

    return [Route(PATH, pushed, methods=["POST"])]


async def _update(request: Request) -> dict[str, Any] | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return update if isinstance(update, dict) else None
