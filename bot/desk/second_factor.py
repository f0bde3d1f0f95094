"""The second factor: one-time codes of an app (TOTP, RFC 6238), and recovery codes for a lost phone.

Each time step works once. The secret is sealed; recovery codes are kept as keyed hashes and shown once.
"""

from __future__ import annotations

import secrets
from datetime import datetime

import pyotp
import segno
import structlog
from anyio import sleep, to_thread
from pyotp.exceptions import OTPVerificationError
from sqlalchemy import delete, func, or_, select, update
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.bootstrap import Core
from bot.desk.attempts import Attempts, factor_account
from bot.desk.sessions import SESSION, SignedIn, end_sessions, start_session, with_cookie
from bot.desk.sign_in import safe_next
from bot.store.models import RecoveryCode, Staff, StaffSession
from bot.store.uow import UnitOfWork

log = structlog.get_logger(__name__)

#: Steps of 30 s before and after now that are taken: clocks of phones are not exact.
WINDOW = 1
RECOVERY_CODES = 10
#: No letter or digit that looks like another; 29 of them, ten a code: 48 bits.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz346789"


def step_of(secret: str, code: str, now: datetime, after: int | None) -> int | None:
    """The time step a code belongs to, if it is right and no newer one (``after``) was used before."""
    try:
        step = pyotp.TOTP(secret).verify_and_get_timecode(code, for_time=now, valid_window=WINDOW)
    except OTPVerificationError:
        return None
    return step if after is None or step > after else None


def give_factor(uow: UnitOfWork, staff: Staff, typed: str, now: datetime) -> str | None:
    """Use up a code of the app, or a recovery code; says which it was, None when it is neither."""
    code = "".join(typed.split()).replace("-", "").casefold()
    if code.isascii() and code.isdigit() and len(code) == 6:
        step = step_of(staff.totp_secret, code, now, staff.totp_step)
        if step is None:
            return None
        used = uow.session.execute(
            update(Staff)
            .where(Staff.id == staff.id, or_(Staff.totp_step.is_(None), Staff.totp_step < step))
            .values(totp_step=step)
            .execution_options(synchronize_session=False)
        )
        return "app" if used.rowcount == 1 else None
    used = uow.session.execute(
        delete(RecoveryCode).where(
            RecoveryCode.code_hash == _recovery_hash(uow, staff.id, code), RecoveryCode.staff_id == staff.id
        )
    )
    return "recovery_code" if used.rowcount == 1 else None


def new_recovery_codes(uow: UnitOfWork, staff_id: str) -> list[str]:
    """Fresh codes to write down; earlier ones stop working. The only time they are seen."""
    uow.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff_id))
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    for code in codes:
        uow.add(RecoveryCode(code_hash=_recovery_hash(uow, staff_id, code), staff_id=staff_id))
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def recovery_codes_left(uow: UnitOfWork, staff_id: str) -> int:
    """How many recovery codes were not used yet."""
    return int(
        uow.session.scalar(
            select(func.count()).select_from(RecoveryCode).where(RecoveryCode.staff_id == staff_id)
        )
        or 0
    )


def _recovery_hash(uow: UnitOfWork, staff_id: str, code: str) -> str:
    return uow.cipher.find_hash("recovery-code", f"{staff_id}\0{code}")


# Pages ---------------------------------------------------------------------------------------------


def factor_page(request: Request) -> Response:
    """The question for the code, or on to where it is set up."""
    me: SignedIn = request.state.me
    target = safe_next(request.query_params.get("next"))
    if me.complete:
        return RedirectResponse(target, 303)
    if not me.has_factor:
        return RedirectResponse("/desk/second-factor/set-up", 303)
    return request.app.state.desk.render(request, "second_factor.html", problem="", next=target)


async def check_factor(request: Request) -> Response:
    """Check the code; right, the session begins under a token of its own."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    core: Core = desk.core
    target = safe_next(form.get("next"))
    if me.complete or not me.has_factor:
        return RedirectResponse("/desk/second-factor", 303)
    problem = await _held_back(request, me)
    token = None
    if not problem:
        token = await to_thread.run_sync(_check, core, me, form.get("code", ""))
        problem = "" if token else "wrong_code"
    if token:
        return with_cookie(RedirectResponse(target, 303), token, core.settings)
    log.warning("desk_second_factor_refused")
    status = 429 if problem == "locked" else 401
    return desk.render(request, "second_factor.html", status, problem=problem, next=target)


def _check(core: Core, me: SignedIn, typed: str) -> str | None:
    now = core.now()
    with core.uow() as uow:
        staff = uow.staff_member(me.staff_id)
        via = give_factor(uow, staff, typed, now) if staff.totp_secret else None
        if via is None:
            uow.audit(now, "nobody", "second_factor_failed", subject=me.staff_id)
            uow.commit()
            return None
        token = _complete(uow, staff, me, now, via)
        uow.commit()
        return token


def set_up_page(request: Request) -> Response:
    """The secret, as a picture and as letters. It stays with this session until a code shows it arrived."""
    desk, me = request.app.state.desk, request.state.me
    if me.has_factor:
        return RedirectResponse("/desk/account" if me.complete else "/desk/second-factor", 303)
    with desk.core.uow() as uow:
        row = uow.session.get(StaffSession, me.token_hash)
        if not row.secret:
            row.secret = pyotp.random_base32()
        secret, email = row.secret, uow.staff_member(me.staff_id).email
        uow.commit()
    return _set_up(request, secret, email)


async def set_up(request: Request) -> Response:
    """A right code makes the secret theirs; recovery codes are shown, and other sessions end."""
    desk, me = request.app.state.desk, request.state.me
    core: Core = desk.core
    if me.has_factor:
        return RedirectResponse("/desk/second-factor", 303)
    problem = await _held_back(request, me)
    typed = "".join(request.state.form.get("code", "").split())

    def check() -> tuple[str | None, list[str], str, str]:
        now = core.now()
        with core.uow() as uow:
            row = uow.session.get(StaffSession, me.token_hash)
            staff = uow.staff_member(me.staff_id)
            secret = row.secret if row else None
            step = step_of(secret, typed, now, None) if secret and not problem else None
            if step is None or staff.totp_secret:
                return None, [], secret or "", staff.email
            staff.totp_secret, staff.totp_step, row.secret = secret, step, None
            codes = new_recovery_codes(uow, staff.id)
            uow.audit(now, staff.id, "second_factor_set_up", subject=staff.id)
            end_sessions(uow, staff.id, but=me.token_hash)
            pending = row.kind != SESSION
            token = _complete(uow, staff, me, now, "app") if pending else None
            desk.attempts.succeeded(uow, factor_account(uow, staff.id))
            uow.commit()
            return token, codes, "", ""

    token, codes, secret, email = await to_thread.run_sync(check)
    if not codes:
        if not secret:
            return RedirectResponse("/desk/second-factor/set-up", 303)
        return _set_up(request, secret, email, problem or "wrong_code", 429 if problem else 422)
    response = desk.render(request, "recovery_codes.html", codes=codes)
    return with_cookie(response, token, core.settings) if token else response


async def _held_back(request: Request, me: SignedIn) -> str:
    """Count an attempt at the second factor and wait as long as it is held back; the problem if locked."""
    desk = request.app.state.desk
    with desk.core.store.read() as uow:
        account = factor_account(uow, me.staff_id)
    wait = await to_thread.run_sync(desk.attempts.begin, account)
    if wait is None:
        return "locked"
    await sleep(wait)
    return ""


def _complete(uow: UnitOfWork, staff: Staff, me: SignedIn, now: datetime, via: str) -> str:
    """Put a full session in the place of the one that awaited the factor."""
    uow.session.execute(
        delete(StaffSession)
        .where(StaffSession.token_hash == me.token_hash)
        .execution_options(synchronize_session="fetch")
    )

    Attempts.succeeded(uow, factor_account(uow, staff.id))
    return start_session(uow, staff, now, via)


def _set_up(request: Request, secret: str, email: str, problem: str = "", status: int = 200) -> Response:
    desk = request.app.state.desk
    issuer = f"Earshot {desk.core.settings.body_name}"
    uri = pyotp.TOTP(secret).provisioning_uri(name=email or request.state.me.staff_id, issuer_name=issuer)
    # Dark on light in dark mode too, with its quiet zone: phones read it only so.
    picture = segno.make(uri, error="m").svg_data_uri(scale=5, border=4, light="#fff", dark="#000")
    spelled = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return desk.render(
        request, "factor_set_up.html", status, picture=picture, spelled=spelled, uri=uri, problem=problem
    )
