"""One's own sign-in: password, second factor, where one is signed in."""

from __future__ import annotations

from collections.abc import Mapping

from anyio import sleep, to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.alerts.addresses import kind_of
from bot.bootstrap import Core
from bot.desk.alerting import try_addresses
from bot.desk.attempts import factor_account, password_account
from bot.desk.passwords import MIN_LENGTH, WeakPassword, verify_password
from bot.desk.second_factor import give_factor, new_recovery_codes, recovery_codes_left
from bot.desk.sessions import sessions_of, set_password, start_session, with_cookie

#: The part of the page that a problem is told beside.
PASSWORD, FACTOR = "password", "factor"


def account_page(request: Request) -> Response:
    """What one may change oneself."""
    return _show(request)


async def change_password(request: Request) -> Response:
    """A new password, for whoever knows the old one; every other browser is signed out."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    core: Core = desk.core
    old, new = form.get("old", ""), form.get("password", "")
    with core.store.read() as uow:
        staff = uow.staff_member(me.staff_id)
        account, stored = password_account(uow, staff.email or ""), staff.password_hash
    if new != form.get("again", ""):
        return _show(request, 422, about=PASSWORD, problem="differ")
    wait = await to_thread.run_sync(desk.attempts.begin, account)
    if wait is None:
        return _show(request, 429, about=PASSWORD, problem="locked")
    await sleep(wait)

    def change() -> tuple[str, str]:
        now = core.now()
        if len(old) > 1_000 or not verify_password(stored, old):
            return "", "wrong_old"
        with core.uow() as uow:
            staff = uow.staff_member(me.staff_id)
            try:
                set_password(uow, staff, new, now, by=me.staff_id)
            except WeakPassword as error:
                return "", str(error)
            desk.attempts.succeeded(uow, account)
            # This browser has shown all it must already: it gets a session, not the question again.
            token = start_session(uow, staff, now, "new_password")
            uow.commit()
            return token, ""

    token, problem = await to_thread.run_sync(change, limiter=desk.hashing)
    if problem:
        return _show(request, 422, about=PASSWORD, problem=problem)
    return with_cookie(RedirectResponse("/desk/account?done=password", 303), token, core.settings)


async def new_codes(request: Request) -> Response:
    """Fresh recovery codes, for whoever has the second factor at hand."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    core: Core = desk.core
    with core.store.read() as uow:
        account = factor_account(uow, me.staff_id)
    wait = await to_thread.run_sync(desk.attempts.begin, account)
    if wait is None:
        return _show(request, 429, about=FACTOR, problem="locked")
    await sleep(wait)

    def make() -> list[str]:
        now = core.now()
        with core.uow() as uow:
            staff = uow.staff_member(me.staff_id)
            if not staff.totp_secret or not give_factor(uow, staff, form.get("code", ""), now):
                return []
            codes = new_recovery_codes(uow, me.staff_id)
            uow.audit(now, me.staff_id, "recovery_codes_made", subject=me.staff_id)
            desk.attempts.succeeded(uow, account)
            uow.commit()
            return codes

    codes = await to_thread.run_sync(make)
    if not codes:
        return _show(request, 422, about=FACTOR, problem="wrong_code")
    return desk.render(request, "recovery_codes.html", codes=codes)


async def test_alert(request: Request) -> Response:
    """Try one's own alert addresses, and see which took it."""
    return _show(request, tried=await try_addresses(request, request.state.me.staff_id))


def _show(
    request: Request,
    status: int = 200,
    about: str = "",
    problem: str = "",
    tried: Mapping[str, bool] | None = None,
) -> Response:
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    with desk.core.store.read() as uow:
        staff = uow.staff_member(me.staff_id)
        sessions = [
            (row.created_at, row.seen_at, row.token_hash == me.token_hash)
            for row in sessions_of(uow, me.staff_id, now)
        ]
        left, email = recovery_codes_left(uow, me.staff_id), staff.email
        has_password = staff.password_hash is not None
        addresses = [kind_of(one) for one in staff.alert_urls or ()]
    return desk.render(
        request,
        "account.html",
        status,
        sessions=sessions,
        codes_left=left,
        email=email,
        has_password=has_password,
        addresses=addresses,
        tried=tried,
        done=request.query_params.get("done", ""),
        about=about,
        problem=problem,
        min_length=MIN_LENGTH,
    )
