"""The way in: e-mail and password, a one-time link, an invitation. What comes next is a second factor."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from anyio import CapacityLimiter, sleep, to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.bootstrap import Core
from bot.desk.attempts import Attempts, factor_account, password_account
from bot.desk.passwords import (
    MIN_LENGTH,
    WeakPassword,
    check_password,
    hash_password,
    needs_rehash,
    verify_password,
)
from bot.desk.sessions import (
    SignedIn,
    accept_invitation,
    invited,
    let_in,
    make_link,
    redeem_link,
    set_password,
    with_cookie,
)

__all__ = [
    "SignedIn",
    "WeakPassword",
    "check_password",
    "hash_password",
    "make_link",
    "set_password",
]

log = structlog.get_logger(__name__)

#: Pages that nobody is sent back to after signing in.
_ON_THE_WAY = ("/desk/sign-in", "/desk/second-factor", "/desk/invitation")


def sign_in_page(request: Request) -> Response:
    """The form; with ``?token=`` the page that redeems a one-time link.

    The link is redeemed by a form on that page (which sends itself) and not by the GET: mail scanners
    open links, and a strict cookie set on the way in from another site would not come back.
    """
    token = request.query_params.get("token")
    page = "link.html" if token else "sign_in.html"
    target, out = safe_next(request.query_params.get("next")), request.query_params.get("out", "")
    return _page(request, page, token=token, next=target, out=out)


async def sign_in(request: Request) -> Response:
    """Check e-mail and password; the answer and its time are the same for whatever was wrong."""
    desk, form = request.app.state.desk, request.state.form
    core: Core = desk.core
    email, password = form.get("email", "").strip(), form.get("password", "")
    target = safe_next(form.get("next"))
    attempts: Attempts = desk.attempts
    with core.store.read() as uow:
        account = password_account(uow, email)
    wait = await to_thread.run_sync(attempts.begin, account)
    if wait is None:
        log.warning("desk_sign_in_locked")
        return _page(request, "sign_in.html", status=429, problem="locked", email=email, next=target)
    await sleep(wait)

    def check() -> str | None:
        now = core.now()
        with core.store.read() as uow:
            staff = uow.staff_by_sign_in(email)
            stored = staff.password_hash if staff else None
        right = verify_password(stored, password) if len(password) <= 1_000 else False
        with core.uow() as uow:
            staff = uow.staff_by_sign_in(email)
            if not right or staff is None or staff.password_hash != stored:
                if staff:
                    uow.audit(now, "nobody", "sign_in_failed", subject=staff.id)
                uow.commit()
                return None
            if needs_rehash(stored):
                staff.password_hash = hash_password(password)
            attempts.succeeded(uow, account)
            token = let_in(uow, staff, now, "password")
            uow.commit()
            return token

    token = await to_thread.run_sync(check, limiter=desk.hashing)
    if token is None:
        log.warning("desk_sign_in_failed")
        return _page(request, "sign_in.html", status=401, problem="wrong", email=email, next=target)
    return with_cookie(RedirectResponse(target, 303), token, core.settings)


def sign_in_by_link(request: Request) -> Response:
    """Redeem a one-time link."""
    core: Core = request.app.state.desk.core
    form = request.state.form
    with core.uow() as uow:
        token = redeem_link(uow, form.get("token", ""), core.now())
        uow.commit()
    if token is None:
        log.warning("desk_link_refused")
        return _page(request, "sign_in.html", status=401, problem="link", next=safe_next(form.get("next")))
    return with_cookie(RedirectResponse(safe_next(form.get("next")), 303), token, core.settings)


def invitation_page(request: Request) -> Response:
    """Where somebody who was invited chooses their password. Looking at it uses nothing up."""
    core: Core = request.app.state.desk.core
    token = request.query_params.get("token", "")
    with core.store.read() as uow:
        staff = invited(uow, token, core.now())
        name, email = (staff.name, staff.email) if staff else ("", "")
    if staff is None:
        return _page(request, "sign_in.html", status=401, problem="invitation", next="/desk/")
    return _page(
        request, "invitation.html", token=token, name=name, email=email, problem="", min_length=MIN_LENGTH
    )


async def use_invitation(request: Request) -> Response:
    """Set the password; the second factor, where one is due, is asked for next."""
    desk, form = request.app.state.desk, request.state.form
    core: Core = desk.core
    token, password = form.get("token", ""), form.get("password", "")

    def use() -> tuple[str | None, str, str, str]:
        now = core.now()
        with core.uow() as uow:
            staff = invited(uow, token, now)
            if staff is None:
                return None, "", "", "invitation"
            if password != form.get("again", ""):
                return None, staff.name, staff.email, "differ"
            try:
                session = accept_invitation(uow, token, password, now)
            except WeakPassword as error:
                return None, staff.name, staff.email, str(error)
            attempts: Attempts = desk.attempts
            attempts.succeeded(uow, password_account(uow, staff.email or ""))
            attempts.succeeded(uow, factor_account(uow, staff.id))
            uow.commit()
            return session, "", "", "" if session else "invitation"

    session, name, email, problem = await to_thread.run_sync(use, limiter=desk.hashing)
    if session:
        return with_cookie(RedirectResponse("/desk/", 303), session, core.settings)
    log.warning("desk_invitation_refused")
    if problem == "invitation":
        return _page(request, "sign_in.html", status=401, problem=problem, next="/desk/")
    return _page(
        request,
        "invitation.html",
        status=422,
        token=token,
        name=name,
        email=email,
        problem=problem,
        min_length=MIN_LENGTH,
    )


def safe_next(target: str | None) -> str:
    """Where to go after signing in: a page of the desk, never another site."""
    if target and target.startswith("/desk/") and "//" not in target and "\\" not in target:
        if target.isprintable() and not target.startswith(_ON_THE_WAY):
            return target
    return "/desk/"


def hashing_limiter() -> CapacityLimiter:
    """At most two password checks at once: each takes 64 MiB, and a flood must not take them all."""
    return CapacityLimiter(2)


def _page(request: Request, template: str, status: int = 200, **context: object) -> Response:
    render: Callable[..., Response] = request.app.state.desk.render
    return render(request, template, status, **context)
