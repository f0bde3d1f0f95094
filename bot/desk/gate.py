"""In front of every request to the desk: who it is, whether they may, and the headers of the answer."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import structlog
from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.desk import access
from bot.desk.sessions import COOKIE, SignedIn, keep_awake, who_is

log = structlog.get_logger(__name__)

#: No inline script or style anywhere, nothing from another site, and no page may frame the desk.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, browsers send "Origin: null" from our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex, nofollow",
}


#: Digits of a number in an address; more than a database counts to (2**31 - 1) is nobody's.
_DIGITS = 9


class TooLarge(Exception):
    """A form longer than its rule allows."""


class Gate:
    """Answers for itself unless the allow-list permitted the request; only then lets it through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        below = path_below(scope)  # now: routers rewrite the scope on the way in

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(below, MutableHeaders(scope=message), secure)
            await send(message)

        secure = scope["app"].state.desk.core.settings.secure_cookies
        scope["state"] = {**scope.get("state", {}), "me": None, "form": {}}
        request = Request(scope)
        try:
            answer = await self._refusal(request, receive)
            await (answer or self._app)(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - its text may quote what a person wrote: never logged
            log.error(
                "desk_error",
                error=type(error).__name__,
                where=_where(error),
                path=_template_of(below, scope["method"]),
            )
            if started:
                return
            scope["state"]["me"] = None  # perhaps it is the database that broke: ask it nothing more
            await _problem(request, "broken", 500)(scope, receive, send_with_headers)

    async def _refusal(self, request: Request, receive: Receive) -> Response | None:
        """The answer to a request that is not permitted; None when it is."""
        scope = request.scope
        desk = scope["app"].state.desk
        token = request.cookies.get(COOKIE)

        def find() -> SignedIn | None:
            now = desk.core.now()
            with desk.core.store.read() as uow:
                me = who_is(uow, token, now)
            if me and not me.awake(now) and not _by_itself(request):
                with desk.core.uow() as uow:
                    keep_awake(uow, me, now)
                    uow.commit()
            return me

        me = await to_thread.run_sync(find) if token else None
        scope["state"]["me"] = me
        path, method = path_below(scope), scope["method"]
        if not access.permitted(path, method, _standing(me)):
            return _refused(request, me)
        rule = access.rule_for(path, method)
        if rule and ":int}" in rule.path and any(p.isdecimal() and len(p) > _DIGITS for p in path.split("/")):
            return _problem(request, "not_found", 404)
        if method != "POST":
            return None
        if not _same_origin(request.headers, desk.core.settings.url):
            log.warning("desk_form_from_elsewhere")
            return _problem(request, "stale_form", 403)
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            return _problem(request, "broken", 415)
        try:
            form = await _read_form(receive, rule.max_body, rule.max_fields) if rule else {}
        except (TooLarge, ValueError):
            return _problem(request, "too_large", 413)
        if rule and not rule.before_sign_in and not _token_fits(me, request.headers, form):
            log.warning("desk_form_without_token")
            return _problem(request, "stale_form", 403)
        scope["state"]["form"] = form
        return None


def path_below(scope: Scope) -> str:
    """The path of a request below where the desk is mounted."""
    path, root = scope["path"], scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root) else path


def _token_fits(me: SignedIn | None, headers: Headers, form: Mapping[str, str]) -> bool:
    given = headers.get("x-csrf-token") or form.get("csrf_token") or ""
    return me is not None and secrets.compare_digest(given.encode(), me.csrf.encode())


def _same_origin(headers: Headers, public_url: str) -> bool:
    """Whether the browser says that one of our own pages sent this, or does not say.

    Our own are the host that was asked for, and the public address: a proxy may ask under another name.
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc in (
        headers.get("host"),
        urlsplit(public_url).netloc,
    )


async def _read_form(receive: Receive, max_body: int, max_fields: int) -> dict[str, str]:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ValueError("the browser left before its form was here")
        body += message.get("body", b"")
        if len(body) > max_body:
            raise TooLarge
        if not message.get("more_body"):
            break
    fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=max_fields)
    return {name: value.replace("\r\n", "\n").replace("\x00", "") for name, value in fields}


def _standing(me: SignedIn | None) -> str:
    """The role that the allow-list is asked for."""
    if me is None:
        return access.NOBODY
    return me.role if me.complete else access.HALF_WAY


def _by_itself(request: Request) -> bool:
    """Whether a page asked without anybody doing anything: that keeps no session awake."""
    live = "x-fragment" in request.headers or path_below(request.scope) == "/events"
    return live and request.method != "POST"


def _refused(request: Request, me: SignedIn | None) -> Response:
    if me and me.complete:
        return _problem(request, "forbidden", 403)
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        below = path_below(request.scope)
        target = f"?next={quote('/desk' + below)}" if below not in ("", "/") else ""
        return RedirectResponse(f"/desk/{'second-factor' if me else 'sign-in'}{target}", 303)
    return _problem(request, "signed_out", 401)


def _problem(request: Request, problem: str, status: int) -> Response:
    return request.scope["app"].state.desk.render(request, "problem.html", status, problem=problem)


def _add_headers(below: str, headers: MutableHeaders, secure: bool) -> None:
    for name, value in HEADERS.items():
        headers[name] = value
    # Scripts and styles hold nothing of anybody; the browser asks each time whether they changed.
    headers["Cache-Control"] = "no-cache" if below.startswith("/static/") else "no-store"
    if secure:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"


def _where(error: Exception) -> str:
    """File and line at which it broke: what an operator may know of an error."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _template_of(below: str, method: str) -> str:
    rule = access.rule_for(below, method)
    return rule.path if rule else "-"
