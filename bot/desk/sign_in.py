"""Signing in: a password or a one-time link, a session in a cookie, and a brake on guessing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from anyio import CapacityLimiter, sleep, to_thread
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy import delete
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.bootstrap import Core
from bot.desk.passwords import (
    WeakPassword,
    check_for,
    check_password,
    hash_password,
    needs_rehash,
    verify_password,
)
from bot.settings import Settings
from bot.store.models import Staff, StaffSession
from bot.store.uow import UnitOfWork

__all__ = [
    "Attempts",
    "SignedIn",
    "WeakPassword",
    "check_password",
    "hash_password",
    "make_link",
    "set_password",
]

log = structlog.get_logger(__name__)

COOKIE = "earshot_desk"
SESSION, LINK = "session", "link"

#: Failures before the password of an account stops working for a while, and of all accounts together.
#: One-time links go on working, so that nobody can lock a duty team out by guessing badly on purpose.
PER_ACCOUNT, IN_ALL = "5 per 15 minutes", "100 per 5 minutes"
#: Seconds an attempt is held back after each failure of its account, doubling up to the longest.
FIRST_DELAY, LONGEST_DELAY = 0.2, 3.0


@dataclass(frozen=True)
class SignedIn:
    """Who is at the desk in this request."""

    staff_id: str
    name: str
    role: str
    csrf: str
    token_hash: str
    expires_at: datetime


class Attempts:
    """Counts failed sign-ins in this process and holds the next ones back. Use from one event loop."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()  # the limiter keeps only a weak reference to it
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._account, self._in_all = parse(PER_ACCOUNT), parse(IN_ALL)

    def begin(self, account: str) -> bool:
        """Count an attempt before it is looked at; False when the account, or all of them, are locked.

        Counting first means that many guesses at once count as many.
        """
        return self._limiter.test(self._in_all) and self._limiter.hit(self._account, account)

    def failed(self) -> None:
        """The attempt was wrong."""
        self._limiter.hit(self._in_all)

    def succeeded(self, account: str) -> None:
        """The attempt was right: the account starts afresh."""
        self._limiter.clear(self._account, account)

    def delay(self, account: str) -> float:
        """Seconds to hold this attempt back; none for a first one."""
        _, left = self._limiter.get_window_stats(self._account, account)
        failures = self._account.amount - left - 1
        return min(FIRST_DELAY * 2 ** (failures - 1), LONGEST_DELAY) if failures > 0 else 0.0


# Sessions and links ------------------------------------------------------------------------------


def set_password(uow: UnitOfWork, staff: Staff, password: str) -> None:
    """Give a member of staff a password. Everywhere they were signed in, they no longer are.

    Raises:
        WeakPassword: too easy to guess; says why.
    """
    check_for(staff, password)
    staff.password_hash = hash_password(password)
    uow.session.execute(delete(StaffSession).where(StaffSession.staff_id == staff.id))


def make_link(uow: UnitOfWork, staff_id: str, now: datetime, hours: float = 12) -> str:
    """The token of a one-time sign-in link: ``/desk/sign-in?token=…``. It works once, for ``hours``."""
    token = secrets.token_urlsafe(32)
    uow.add(_row(uow, token, staff_id, LINK, None, now, timedelta(hours=hours)))
    return token


def start_session(uow: UnitOfWork, staff: Staff, now: datetime, via: str) -> str:
    """Sign somebody in; returns the token for their cookie. Old sessions that ran out are dropped."""
    uow.session.execute(delete(StaffSession).where(StaffSession.expires_at <= now))
    token = secrets.token_urlsafe(32)
    lasts = timedelta(hours=uow.settings.staff_session_hours)
    uow.add(_row(uow, token, staff.id, SESSION, secrets.token_urlsafe(32), now, lasts))
    uow.audit(now, staff.id, "signed_in", via=via)
    return token


def redeem_link(uow: UnitOfWork, token: str, now: datetime) -> str | None:
    """Turn a one-time link into a session's token; None when it was used, ran out or never was."""
    link = uow.staff_session(token, LINK, now)
    staff = uow.staff_member(link.staff_id) if link else None
    if link is None or staff is None or not staff.active:
        return None
    gone = uow.session.execute(
        delete(StaffSession)
        .where(StaffSession.token_hash == link.token_hash)
        .execution_options(synchronize_session=False)
    )
    if gone.rowcount != 1:  # another request used it between our look and now
        return None
    return start_session(uow, staff, now, "link")


def end_session(uow: UnitOfWork, me: SignedIn, now: datetime) -> None:
    """Sign this browser out."""
    uow.session.execute(delete(StaffSession).where(StaffSession.token_hash == me.token_hash))
    uow.audit(now, me.staff_id, "signed_out")


def who_is(uow: UnitOfWork, token: str | None, now: datetime) -> SignedIn | None:
    """Who holds this cookie; nobody when it ran out, was signed out, or they have left."""
    session = uow.staff_session(token, SESSION, now) if token else None
    staff = uow.staff_member(session.staff_id) if session else None
    if session is None or staff is None or not staff.active or not session.csrf:
        return None
    return SignedIn(staff.id, staff.name, staff.role, session.csrf, session.token_hash, session.expires_at)


def _row(
    uow: UnitOfWork, token: str, staff_id: str, kind: str, csrf: str | None, now: datetime, lasts: timedelta
) -> StaffSession:
    return StaffSession(
        token_hash=uow.cipher.find_hash("staff-session", token),
        staff_id=staff_id,
        kind=kind,
        csrf=csrf,
        created_at=now,
        expires_at=now + lasts,
    )


# Pages -------------------------------------------------------------------------------------------


def sign_in_page(request: Request) -> Response:
    """The form; with ``?token=`` the page that redeems a one-time link.

    The link is redeemed by a form on that page (which sends itself) and not by the GET: mail scanners
    open links, and a strict cookie set on the way in from another site would not come back.
    """
    token = request.query_params.get("token")
    page = "link.html" if token else "sign_in.html"
    return _page(request, page, token=token, next=safe_next(request.query_params.get("next")))


async def sign_in(request: Request) -> Response:
    """Check e-mail and password; the answer and its time are the same for whatever was wrong."""
    desk, form = request.app.state.desk, request.state.form
    core: Core = desk.core
    email, password = form.get("email", "").strip(), form.get("password", "")
    target = safe_next(form.get("next"))
    account = core.store.cipher.find_hash("sign-in-attempt", email.casefold())
    if not desk.attempts.begin(account):
        log.warning("desk_sign_in_locked")
        return _page(request, "sign_in.html", status=429, problem="locked", email=email, next=target)
    await sleep(desk.attempts.delay(account))

    def check() -> str | None:
        now = core.now()
        with core.store.read() as uow:
            staff = uow.staff_by_sign_in(email)
            stored = staff.password_hash if staff else None
        if len(password) > 1_000 or not verify_password(stored, password):
            return None
        with core.uow() as uow:
            staff = uow.staff_by_sign_in(email)
            if staff is None or staff.password_hash != stored:
                return None
            if needs_rehash(stored):
                staff.password_hash = hash_password(password)
            token = start_session(uow, staff, now, "password")
            uow.commit()
            return token

    token = await to_thread.run_sync(check, limiter=desk.hashing)
    if token is None:
        desk.attempts.failed()
        log.warning("desk_sign_in_failed")
        return _page(request, "sign_in.html", status=401, problem="wrong", email=email, next=target)
    desk.attempts.succeeded(account)
    return _with_cookie(RedirectResponse(target, 303), token, core.settings)


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
    return _with_cookie(RedirectResponse(safe_next(form.get("next")), 303), token, core.settings)


def safe_next(target: str | None) -> str:
    """Where to go after signing in: a page of the desk, never another site."""
    if target and target.startswith("/desk/") and "//" not in target and "\\" not in target:
        if target.isprintable() and not target.startswith("/desk/sign-in"):
            return target
    return "/desk/"


def hashing_limiter() -> CapacityLimiter:
    """At most two password checks at once: each takes 64 MiB, and a flood must not take them all."""
    return CapacityLimiter(2)


def _page(request: Request, name: str, status: int = 200, **context: object) -> Response:
    render: Callable[..., Response] = request.app.state.desk.render
    return render(request, name, status, **context)


def _with_cookie(response: Response, token: str, settings: Settings) -> Response:
    response.set_cookie(
        COOKIE,
        token,
        max_age=settings.staff_session_hours * 3600,
        path="/desk",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="strict",
    )
    return response


def without_cookie(response: Response, settings: Settings) -> Response:
    """Take the cookie back."""
    response.delete_cookie(
        COOKIE, path="/desk", secure=settings.secure_cookies, httponly=True, samesite="strict"
    )
    return response
