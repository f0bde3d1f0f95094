"""In front of every door: which host was asked for, how much is sent, and how often one caller asks."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.bootstrap import Core
from bot.channels.problems import Problem, problem_response
from bot.gateway.limits import Limits
from bot.settings import Settings

log = structlog.get_logger(__name__)

#: Largest body of any request, in bytes; the doors' own limits are below these.
MAX_BODY = 512 * 1024
#: What may be larger: Telegram's updates, the rota as a file, and a safeguarding record.
LARGER = {"/telegram/updates": 1024 * 1024 + 1, "/desk/": 1024 * 1024 + 1}
#: Asked by whoever watches this process, under whatever name; they tell nothing of anybody.
PROBES = frozenset({"/healthz", "/readyz"})
#: Never refused for asking often: the emergency numbers stand on these pages, and a chat goes on.
ALWAYS = frozenset({"/", "/say", "/api/messages", "/api/transcript", "/leave", "/api/leave"})


class Guard:
    """ASGI middleware. Reads a request's whole body before anything acts on it."""

    def __init__(self, app: ASGIApp, *, core: Core, limits: Limits) -> None:
        self._app = app
        self._core = core
        self._limits = limits
        self._ours = host_check(core.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or say what is wrong with it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check(scope, headers)
            body = await _body(scope, headers, receive)
        except Problem as problem:
            await problem_response(self._core.content, problem)(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _again(body, receive), send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        path = scope["path"]
        if path not in PROBES and not self._ours(headers.get("host", "")):
            raise Problem(421, "problem_wrong_host", url=self._core.settings.url)
        if headers.get("content-type", "").lower().startswith("multipart/"):
            raise Problem(415, "problem_not_json")  # nothing here takes files
        if not self._limits.allow_request(self._limits.caller(HTTPConnection(scope))) and not (
            path in ALWAYS or path.startswith("/static/")
        ):
            raise Problem(429, "problem_busy")


def host_check(settings: Settings) -> Callable[[str], bool]:
    """Whether a ``Host`` header names us: the public address, and in a demo whatever leads here by number.

    A name that somebody else's DNS points at us is neither; answering to it would let their page read ours
    (DNS rebinding).
    """
    own = urlsplit(settings.url)
    usual = {"http": 80, "https": 443}[own.scheme]
    demo = settings.mode == "demo"

    def check(host: str) -> bool:
        try:
            asked = urlsplit(f"//{host}")
            name, port = asked.hostname or "", asked.port or usual
        except ValueError:
            return False
        if (name, port) == (own.hostname, own.port or usual):
            return True
        return demo and (name == "localhost" or _is_address(name))

    return check


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _most(path: str) -> int:
    return next((most for start, most in LARGER.items() if path.startswith(start)), MAX_BODY)


async def _body(scope: Scope, headers: Headers, receive: Receive) -> bytes | None:
    """The whole body; None when the caller left before it was here.

    Raises:
        Problem: it is too large.
    """
    most, told = _most(scope["path"]), headers.get("content-length", "")
    if told.isascii() and told.isdigit() and int(told[:12]) > most:
        raise Problem(413, "utter_too_long")
    if not told and "transfer-encoding" not in headers:
        return b""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            raise Problem(413, "utter_too_long")
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
