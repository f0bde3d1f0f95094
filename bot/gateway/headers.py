"""Headers on every response: nothing cached, nothing framed, nothing from elsewhere, no referrer.

The one exception: the chat's pages inside a frame of the websites that ``EARSHOT_EMBED_ORIGINS`` names.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Only our own scripts and styles, none inline; no page may frame ours. Source: OWASP Secure Headers.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: Of a script, style or picture of the chat: it fetches nothing itself. Short, since a page brings two dozen.
OF_A_FILE = "default-src 'none'; frame-ancestors 'none'"
#: The pages of the chat: all that a website may ever show in a frame.
CHAT_PAGES = frozenset({"/", "/start", "/say", "/resume", "/delete", "/news"})


class SecurityHeaders:
    """ASGI middleware. ``hsts`` when TLS stands in front; ``framed_by``: origins that may frame the chat."""

    def __init__(self, app: ASGIApp, *, hsts: bool, framed_by: Sequence[str] = ()) -> None:
        self._app = app
        self._framed_by = " ".join(framed_by)
        self._headers = {
            "Content-Security-Policy": POLICY,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
            **({"Strict-Transport-Security": "max-age=31536000"} if hsts else {}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to whatever the application answers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if scope["path"].startswith("/static/"):
                    headers.setdefault("Content-Security-Policy", OF_A_FILE)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                # Even a style sheet tells whoever looks at the device later what was open on it.
                headers.setdefault("Cache-Control", "no-store")
                if self._framed_by and scope["path"] in CHAT_PAGES:
                    self._let_frame(headers)
            await send(message)

        await self._app(scope, receive, with_headers)

    def _let_frame(self, headers: MutableHeaders) -> None:
        policy, _, ancestors = headers["Content-Security-Policy"].partition("frame-ancestors ")
        own = "" if ancestors == "'none'" else f"{ancestors} "
        headers["Content-Security-Policy"] = f"{policy}frame-ancestors {own}{self._framed_by}"
        del headers["X-Frame-Options"]  # it knows only "nobody" and "our own"
