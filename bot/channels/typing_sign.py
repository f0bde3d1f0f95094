"""Shows a worker that the person is typing: that they type, never what. Kept nowhere."""

from __future__ import annotations

import json

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.bootstrap import Core
from bot.changes import Changes
from bot.channels.problems import Problem
from bot.channels.web_session import WebSession, read_body
from bot.gateway.limits import Limits
from bot.messages import Sender

#: Bytes of a body: ``{"on": false}`` and room for other people's spaces.
MAX_BODY = 256


class TypingSign:
    """``POST /api/typing``, for whoever has a conversation."""

    def __init__(self, core: Core, changes: Changes, session: WebSession, limits: Limits) -> None:
        self._core = core
        self._changes = changes
        self._session = session
        self._limits = limits

    def routes(self) -> list[Route]:
        """Its one route."""
        return [Route("/api/typing", self.tell, methods=["POST"])]

    async def tell(self, request: Request) -> Response:
        """``POST /api/typing`` ``{on}`` → 204. A worker who has the chat is told; the bot is not."""
        conversation_id = await self._session.conversation_of(request)
        try:
            body = json.loads(await read_body(request, MAX_BODY))
        except (ValueError, RecursionError):
            raise Problem(400, "problem_not_json") from None
        if not isinstance(body, dict) or not isinstance(body.get("on"), bool):
            raise Problem(422, "problem_bad_field", field="on")
        # Too many are dropped without a word: nobody is to stop typing because of a sign.
        allowed = self._limits.allow("typing", conversation_id)
        if allowed and await to_thread.run_sync(self._with_a_worker, conversation_id):
            self._changes.typing(conversation_id, Sender.YOU, body["on"])
        return Response(status_code=204)

    def _with_a_worker(self, conversation_id: str) -> bool:
        with self._core.store.read() as uow:
            conversation = uow.conversation(conversation_id)
            return conversation is not None and conversation.owner == "worker"
