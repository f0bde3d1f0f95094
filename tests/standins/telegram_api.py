"""A Bot API on loopback that behaves like Telegram's where Earshot depends on it.

In a test: ``with TelegramApi() as api: api.person(1001).says("hello")``. For whole processes:
``python -m tests.standins.telegram_api --port N``, driven by ``POST /control``, see
:meth:`TelegramApi.control`.

It keeps updates until a getUpdates call confirms them, ends the older of two polls with 409, refuses what
the Bot API refuses, and can be told to be full or down. To a webhook it pushes only when a test says so
(:meth:`TelegramApi.pushes`), since there is no TLS on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins import telegram_shapes as shapes
from tests.standins.telegram_methods import ApiError, BotMethods, Json, params_of
from tests.standins.telegram_people import Chat, Group, Person

#: Well-formed, and nobody's.
TOKEN = "700100200:AAH-stand-in-token_0123456789abcdefgh"

#: No web sockets: uvicorn would import them, and the version Rasa pins is too old for it.
_SERVING: Json = {
    "access_log": False,
    "lifespan": "off",
    "loop": "asyncio",
    "ws": "none",
    "timeout_graceful_shutdown": 1,
}


@dataclass
class Call:
    """One request of the bot, as it arrived."""

    method: str
    params: Json
    at: float = field(default_factory=time.monotonic)


class TelegramApi(BotMethods):
    """The server and everybody who uses Telegram. Safe to drive from any thread."""

    def __init__(self, token: str = TOKEN, port: int = 0) -> None:
        super().__init__()
        self.token = token
        self.port = port
        self.calls: list[Call] = []
        self._next_update = 500_000_001
        self._faults: list[tuple[str, ApiError | None]] = []
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    # Running --------------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """For ``TELEGRAM_API_BASE_URL``."""
        return f"http://127.0.0.1:{self.port}/bot"

    def __enter__(self) -> TelegramApi:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def app(self) -> Starlette:
        """The Bot API and its control, as an application."""
        return Starlette(
            routes=[
                Route("/control", self._control, methods=["POST"]),
                Route("/bot{token}/{method}", self._answer, methods=["GET", "POST"]),
            ]
        )

    def start(self) -> None:
        """Listen, in a thread of its own; the port is known when this returns."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(self.app(), log_config=None, **_SERVING))
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the stand-in could not start; its thread's traceback says why")
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop listening; what was sent and queued stays for a later :meth:`start`."""
        if self._server and self._thread:
            self._poll += 1  # ends the poll that is held open
            self._server.should_exit = True
            self._thread.join(timeout=5)
            self._server = self._thread = None

    # Driving --------------------------------------------------------------------------------------

    def person(self, chat_id: int) -> Person:
        """A person with a private chat to the bot."""
        return Person(self, self.chat(chat_id, shapes.private_chat(chat_id)))

    def group(self, chat_id: int, kind: str = "supergroup") -> Group:
        """A group, supergroup or channel."""
        return Group(self, self.chat(chat_id, shapes.group_chat(chat_id, kind)))

    def chat(self, chat_id: int, shape: Json) -> Chat:
        """The chat of this id, made on first use."""
        with self._lock:
            return self._chats.setdefault(chat_id, Chat(shape))

    def push(self, content: Json, update_id: int | None = None) -> int:
        """Queue an update for the bot. A given ``update_id`` may repeat or jump; without, they count up."""
        with self._lock:
            kind = next(iter(content))
            if update_id is None:
                update_id = self._next_update
                self._next_update += 1
            if self.wants(kind):
                self._updates.append({"update_id": update_id, **copy.deepcopy(content)})
            return update_id

    def force(self, content: Json) -> int:
        """Queue an update although the bot did not ask for its kind, as happens after a change of mind."""
        with self._lock:
            self._updates.append({"update_id": self._next_update, **copy.deepcopy(content)})
            self._next_update += 1
            return self._next_update - 1

    def new_query(self, query_id: str, chat_id: int) -> None:
        """A button was pressed: the bot may answer this query."""
        with self._lock:
            self._queries[query_id] = chat_id

    def fails_next(self, method: str, code: int, description: str, times: int = 1, **parameters: Any) -> None:
        """Answer the next calls of a method with an error."""
        with self._lock:
            self._faults += [(method, ApiError(code, description, **parameters))] * times

    def fails_after(self, method: str, good: int, code: int, description: str) -> None:
        """Answer so many more calls of a method well, and the one after them with an error."""
        with self._lock:
            self._faults += [*[(method, None)] * good, (method, ApiError(code, description))]

    def too_many(self, retry_after: int = 1, times: int = 1, method: str = "sendMessage") -> None:
        """Answer the next calls with 429."""
        description = f"Too Many Requests: retry after {retry_after}"
        self.fails_next(method, 429, description, times, retry_after=retry_after)

    def goes_down(self) -> None:
        """Every call gets a 502 page from now on."""
        self.down = True

    def comes_back(self) -> None:
        """The outage is over."""
        self.down = False

    async def pushes(self, client: httpx.AsyncClient) -> list[int]:
        """Push what is pending to the webhook, through ``client`` in place of the public address.

        Each update is taken off the list when the webhook answered 200, as there; the statuses are
        returned.
        """
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token") or ""}
        path = httpx.URL(self.webhook["url"]).path
        statuses = []
        for update in list(self._updates):
            answer = await client.post(path, json=update, headers=headers)
            statuses.append(answer.status_code)
            with self._lock:
                if answer.status_code == 200:
                    self._updates.remove(update)
                else:
                    self.push_failed_at = time.time()
        return statuses

    def called(self, method: str) -> list[Call]:
        """The calls of one method so far."""
        with self._lock:
            return [call for call in self.calls if call.method == method]

    def pending(self) -> list[int]:
        """Updates that the bot has not confirmed."""
        with self._lock:
            return [update["update_id"] for update in self._updates]

    async def waits_until(self, condition: Callable[[], Any], timeout: float = 5.0) -> Any:
        """Wait for a condition and return what it returned.

        Raises:
            AssertionError: it did not come true in time.
        """
        until = time.monotonic() + timeout
        while not (found := condition()):
            assert time.monotonic() < until, "nothing of the kind happened on Telegram"
            await asyncio.sleep(0.01)
        return found

    # The server -----------------------------------------------------------------------------------

    async def control(self, order: Json) -> Any:
        """Drive from outside: ``{"person": 1001, "do": "says", "with": ["hello"]}``, likewise ``group``;
        without either, a verb of this class (``too_many``, ``goes_down``, ``pending`` …).

        ``sees`` and ``popups`` return what the person has on their screen.
        """
        target: Any = self
        if "person" in order:
            target = self.person(int(order["person"]))
        elif "group" in order:
            target = self.group(int(order["group"]), order.get("kind", "supergroup"))
        verb = str(order["do"])
        if verb.startswith("_") or not callable(getattr(type(target), verb, None)):
            raise ApiError(400, f"Bad Request: no verb {verb}")
        result = getattr(target, verb)(*order.get("with", ()), **order.get("by", {}))
        if asyncio.iscoroutine(result):
            result = await result
        return [vars(item) for item in result] if verb == "sees" else result

    async def _control(self, request: Request) -> Response:
        try:
            return JSONResponse({"ok": True, "result": await self.control(await request.json())})
        except (ApiError, AssertionError, KeyError, TypeError, ValueError) as error:
            return JSONResponse({"ok": False, "description": str(error)}, status_code=400)

    async def _answer(self, request: Request) -> Response:
        if self.down:
            return Response("<html><h1>502 Bad Gateway</h1></html>", 502, media_type="text/html")
        try:
            token, method = request.path_params["token"], request.path_params["method"]
            if not re.fullmatch(r"\d+:[\w-]{30,}", token):
                raise ApiError(404, "Not Found")
            if token != self.token:
                raise ApiError(401, "Unauthorized")
            name = method.lower()
            handler = getattr(self, f"_do_{name}", None)
            if handler is None:
                raise ApiError(404, "Not Found: method not found")
            params = await params_of(request)
            with self._lock:
                self.calls.append(Call(method, params))
                fault = next((f for f in self._faults if f[0].lower() == name), None)
                if fault:
                    self._faults.remove(fault)
                    if fault[1]:
                        raise fault[1]
                result = handler(params)
            if asyncio.iscoroutine(result):
                result = await result
            return JSONResponse({"ok": True, "result": result})
        except ApiError as error:
            body: Json = {"ok": False, "error_code": error.code, "description": error.description}
            if error.parameters:
                body["parameters"] = error.parameters
            return JSONResponse(body, status_code=error.code)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A Bot API on loopback, for tests.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", default=TOKEN)
    options = parser.parse_args()
    api = TelegramApi(options.token, options.port)
    sys.stdout.write(f"TELEGRAM_API_BASE_URL={api.base_url}\nTELEGRAM_BOT_TOKEN={api.token}\n")
    sys.stdout.flush()
    uvicorn.run(api.app(), host="127.0.0.1", port=options.port, log_level="warning", **_SERVING)


if __name__ == "__main__":
    main()
