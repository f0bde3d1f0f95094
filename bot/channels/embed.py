"""The chat on another website: the script for one tag there, and the session inside its frame.

A strict cookie never reaches a frame on somebody else's page. There the session travels in a cookie of its
own: ``SameSite=None; Secure; Partitioned``, so that it belongs to that website's frames alone and follows
nobody around. What a strict cookie keeps out has to be kept out by hand, which :class:`FrameSession` does.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.bootstrap import Core
from bot.channels.problems import Problem
from bot.channels.web_session import COOKIE
from bot.gateway.headers import CHAT_PAGES
from bot.look import ON_LIGHT, PINE, look_of
from bot.settings import ROOT

#: The session's cookie inside a frame on another website.
FRAME_COOKIE = "earshot_frame"
#: Set by our own script inside a frame. Another website cannot send it: it would need our leave (CORS).
FRAMED = "earshot-framed"
_SAFE = frozenset({"GET", "HEAD"})
_KEPT = ("path", "max-age", "expires", "httponly")


def routes(core: Core) -> list[Route]:
    """``/embed.js``: the script that a website includes; 404 while no website may."""
    templates = Jinja2Templates(ROOT / "bot" / "channels" / "templates")
    settings, say = core.settings, core.content.say
    given = {
        "exit": settings.exit_url,
        "colour": look_of(settings).light or PINE,
        "on": ON_LIGHT,
        "words": {
            "open": say("utter_embed_open"),
            "title": say("utter_embed_title", body=settings.body_name),
            "close": say("utter_embed_close"),
            "own_page": say("utter_embed_own_page"),
            "blocked": say("utter_embed_blocked"),
        },
    }

    async def script(request: Request) -> Response:
        if not settings.embedding_sites:
            raise Problem(404, "problem_not_found")
        return templates.TemplateResponse(
            request,
            "embed/embed.js",
            {"given": given},
            media_type="text/javascript",
            # The one thing of ours that other websites load.
            headers={"Cross-Origin-Resource-Policy": "cross-origin"},
        )

    return [Route("/embed.js", script)]


class FrameSession:
    """ASGI middleware: inside a frame the session's cookie is another one, with its own guard.

    The rest of the house knows one cookie. A request from a frame has its cookie renamed on the way in,
    and the answer's renamed on the way out. ``scope["earshot.framed"]`` says that a page is in a frame.
    """

    def __init__(self, app: ASGIApp, *, own_origin: str) -> None:
        self._app = app
        self._own_origin = own_origin.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookies = _cookies(headers.get("cookie", ""))
        token = cookies.get(FRAME_COOKIE)
        asked = headers.get("sec-fetch-dest") in ("iframe", "frame") or headers.get(FRAMED) == "1"
        asked = (
            asked
            or b"framed" in scope["query_string"]
            and "framed" in parse_qs(scope["query_string"].decode("latin-1"))
        )
        # A cookie of the first party wins: the browser is on our own page, or on one of the same site.
        framed = asked or (token is not None and COOKIE not in cookies)
        if not framed:
            await self._app(scope, receive, send)
            return
        if token is not None and COOKIE not in cookies and self._may_use(scope, headers):
            cookies[COOKIE] = token
        cookies.pop(FRAME_COOKIE, None)
        line = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode("latin-1")
        rest = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        scope = {**scope, "headers": [*rest, (b"cookie", line)], "earshot.framed": True}

        async def renamed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, _for_frame(value) if name.lower() == b"set-cookie" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self._app(scope, receive, renamed)

    def _may_use(self, scope: Scope, headers: Headers) -> bool:
        """Whether the frame's own page sent this, or the browser opens that page. The website around it
        may not use the session, though its cookie would come along."""
        site = headers.get("sec-fetch-site", "none")
        if scope["method"] in _SAFE:
            opens = scope["path"] in CHAT_PAGES and headers.get("sec-fetch-mode") == "navigate"
            return site in ("same-origin", "none") or opens
        return site in ("same-origin", "none") and self._is_own(headers)

    def _is_own(self, headers: Headers) -> bool:
        origin = headers.get("origin", "").lower()
        return origin == self._own_origin or (
            # Behind a proxy the public address may be one of several.
            bool(origin) and origin.partition("://")[2] == headers.get("host", "").lower()
        )


def _cookies(line: str) -> dict[str, str]:
    """Name and raw value of each cookie, the first of a name."""
    found: dict[str, str] = {}
    for part in line.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals and name not in found:
            found[name] = value
    return found


def _for_frame(header: bytes) -> bytes:
    """A ``Set-Cookie`` of the session as it has to be inside a frame; any other as it is."""
    try:
        parsed = SimpleCookie(header.decode("latin-1"))
    except CookieError:
        return header
    if COOKIE not in parsed:
        return header
    morsel = parsed[COOKIE]
    parts = [f"{FRAME_COOKIE}={morsel.coded_value}"]
    for name in _KEPT:
        if value := morsel[name]:
            parts.append(name if value is True else f"{name}={value}")
    return "; ".join([*parts, "SameSite=None", "Secure", "Partitioned"]).encode("latin-1")
