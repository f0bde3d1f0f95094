"""Asks the Rasa server, over its REST channel on loopback."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from bot.conversation import DialogueDown

#: The conversation in which readiness is tried out; it belongs to nobody.
READINESS_SENDER = "readyz"


class RasaDialogue:
    """The dialogue led by Rasa. One instance and one connection pool per gateway."""

    def __init__(self, url: str) -> None:
        self._ready_until = 0.0
        self._client = httpx.AsyncClient(base_url=url, limits=httpx.Limits(max_connections=64))

    async def ask(
        self, conversation_id: str, text: str, metadata: Mapping[str, Any], timeout: float
    ) -> list[dict[str, Any]]:
        """The replies to one message; see :class:`bot.conversation.Dialogue`.

        Raises:
            DialogueDown: no answer within ``timeout`` seconds, or not a list of replies.
        """
        body = {"sender": conversation_id, "message": text, "metadata": dict(metadata)}
        try:
            response = await self._client.post("/webhooks/rest/webhook", json=body, timeout=timeout)
            response.raise_for_status()
            replies = response.json()
        except (httpx.HTTPError, ValueError) as error:
            # Not str(error): an HTTP library may quote what was sent.
            raise DialogueDown(type(error).__name__) from None
        if not isinstance(replies, list) or not all(isinstance(item, dict) for item in replies):
            raise DialogueDown("not a list of replies")
        return replies

    async def alive(self) -> bool:
        """Whether the Rasa server listens."""
        try:
            return (await self._client.get("/", timeout=1.0)).status_code == 200
        except httpx.HTTPError:
            return False

    async def ready(self) -> bool:
        """Whether Rasa answers with a model loaded. Asks as a person would, at most every ten seconds."""
        if time.monotonic() > self._ready_until:
            try:
                if not await self.ask(READINESS_SENDER, "/greet", {}, timeout=3.0):
                    return False
            except DialogueDown:
                return False
            self._ready_until = time.monotonic() + 10
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
