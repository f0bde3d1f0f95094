"""Asks the Rasa server, over its REST channel on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from bot.conversation import DialogueDown


class RasaDialogue:
    """The dialogue led by Rasa. One instance and one connection pool per gateway."""

    def __init__(self, url: str) -> None:
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

    async def ready(self) -> bool:
        """Whether Rasa is up with a model loaded."""
        try:
            response = await self._client.get("/status", timeout=1.0)
            return response.status_code == 200 and bool(response.json().get("model_file"))
        except (httpx.HTTPError, ValueError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
