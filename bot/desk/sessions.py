"""Sessions at the desk: the cookie, one-time links, invitations, and how long each of them is good.

A password or a link opens a session, or, where a second factor is due, one that may do nothing but give
it. Tokens are random and only their keyed hashes are stored.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sqlalchemy import delete, select, update
from starlette.responses import Response

from bot.desk.passwords import check_for, hash_password
from bot.settings import Settings
from bot.store.models import RecoveryCode, Staff, StaffSession
from bot.store.uow import UnitOfWork

COOKIE = "earshot_desk"
SESSION, PENDING, LINK, INVITE = "session", "pending", "link", "invite"

#: Minutes somebody has to give their second factor after the password.
PENDING_MINUTES = 15
#: Hours an invitation is good: it may lie in a mailbox over a weekend.
INVITE_HOURS = 72
#: Seconds between two notes that a session is in use: not every click is worth a write.
SEEN_EVERY = 60


@dataclass(frozen=True)
class SignedIn:
    """Who is at the desk in this request. Not ``complete``: their second factor is still to come."""

    staff_id: str
    name: str
    role: str
    csrf: str
    token_hash: str
    expires_at: datetime
    seen_at: datetime
    complete: bool = True
    has_factor: bool = False
    areas: tuple[str, ...] = ()

    def awake(self, now: datetime) -> bool:
        """Whether the note that this session is in use is fresh enough."""
        return (now - self.seen_at).total_seconds() < SEEN_EVERY


def set_password(
    uow: UnitOfWork, staff: Staff, password: str, now: datetime | None = None, by: str = "operator"
) -> None:
    """Give a member of staff a password. Everywhere they were signed in, they no longer are.

    Raises:
        WeakPassword: too easy to guess; says why.
    """
    check_for(staff, password)
    staff.password_hash = hash_password(password)
    end_sessions(uow, staff.id)
    uow.audit(now or datetime.now(timezone.utc), by, "password_set", subject=staff.id)


def let_in(uow: UnitOfWork, staff: Staff, now: datetime, via: str, *, factor_elsewhere: bool = False) -> str:
    """The token for somebody whose password or link was right: a session, or one that awaits the factor.

    ``factor_elsewhere``: the council's directory has asked for a second factor already.
    """
    if factor_elsewhere:
        return start_session(uow, staff, now, via, factor_elsewhere=True)
    if staff.totp_secret or uow.settings.second_factor_required:
        return _new_row(uow, staff.id, PENDING, now, timedelta(minutes=PENDING_MINUTES))
    return start_session(uow, staff, now, via)


def start_session(
    uow: UnitOfWork, staff: Staff, now: datetime, via: str, *, factor_elsewhere: bool = False
) -> str:
    """Sign somebody in; returns the token for their cookie. The oldest of too many sessions ends."""
    uow.session.execute(delete(StaffSession).where(StaffSession.expires_at <= now))
    open_now = sessions_of(uow, staff.id, now)
    for row in open_now[uow.settings.staff_sessions - 1 :]:
        uow.session.delete(row)
        uow.audit(now, staff.id, "session_crowded_out")
    uow.audit(now, staff.id, "signed_in", via=via)
    lasts = timedelta(hours=uow.settings.staff_session_hours)
    return _new_row(uow, staff.id, SESSION, now, lasts, factor_elsewhere=factor_elsewhere)


def sessions_of(uow: UnitOfWork, staff_id: str, now: datetime) -> list[StaffSession]:
    """The sessions of one person that are still good, the one used last first."""
    rows = uow.session.scalars(
        select(StaffSession).where(
            StaffSession.staff_id == staff_id,
            StaffSession.kind == SESSION,
            StaffSession.expires_at > now,
        )
    ).all()
    good = [row for row in rows if now - _seen(row) < _idle(uow)]
    return sorted(good, key=_seen, reverse=True)


def who_is(uow: UnitOfWork, token: str | None, now: datetime) -> SignedIn | None:
    """Who holds this cookie; nobody when it ran out or lay idle, was signed out, or they have left."""
    if not token:
        return None
    row = uow.staff_session(token, SESSION, now) or uow.staff_session(token, PENDING, now)
    staff = uow.staff_member(row.staff_id) if row else None
    if row is None or staff is None or not staff.active or not row.csrf or now - _seen(row) >= _idle(uow):
        return None
    has_factor = staff.totp_secret is not None
    return SignedIn(
        staff_id=staff.id,
        name=staff.name,
        role=staff.role,
        csrf=row.csrf,
        token_hash=row.token_hash,
        expires_at=row.expires_at,
        seen_at=_seen(row),
        complete=row.kind == SESSION
        and (has_factor or row.factor_elsewhere or not uow.settings.second_factor_required),
        has_factor=has_factor,
        areas=tuple(staff.areas or ()),
    )


def keep_awake(uow: UnitOfWork, me: SignedIn, now: datetime) -> None:
    """Note that this session is in use."""
    uow.session.execute(
        update(StaffSession).where(StaffSession.token_hash == me.token_hash).values(seen_at=now)
    )


def end_session(uow: UnitOfWork, me: SignedIn, now: datetime) -> None:
    """Sign this browser out."""
    uow.session.execute(delete(StaffSession).where(StaffSession.token_hash == me.token_hash))
    uow.audit(now, me.staff_id, "signed_out")


def end_sessions(uow: UnitOfWork, staff_id: str, but: str | None = None) -> None:
    """End every session, link and invitation of one person, but perhaps one."""
    rows = delete(StaffSession).where(StaffSession.staff_id == staff_id)
    if but:
        rows = rows.where(StaffSession.token_hash != but)
    uow.session.execute(rows.execution_options(synchronize_session="fetch"))


# Links ---------------------------------------------------------------------------------------------


def make_link(uow: UnitOfWork, staff_id: str, now: datetime, hours: float = 12) -> str:
    """The token of a one-time sign-in link: ``/desk/sign-in?token=…``. It works once, for ``hours``."""
    return _new_row(uow, staff_id, LINK, now, timedelta(hours=hours))


def redeem_link(uow: UnitOfWork, token: str, now: datetime) -> str | None:
    """Turn a one-time link into a session's token; None when it was used, ran out or never was."""
    used = _use_up(uow, token, LINK, now)
    return let_in(uow, used[1], now, "link") if used else None


def make_invitation(
    uow: UnitOfWork, staff_id: str, now: datetime, by: str, resets_factor: bool = False
) -> str:
    """The token of an invitation: ``/desk/invitation?token=…``, with which somebody sets their password.

    Earlier invitations of the same person stop working. What it resets is reset when it is used.
    """
    uow.session.execute(
        delete(StaffSession).where(StaffSession.staff_id == staff_id, StaffSession.kind == INVITE)
    )
    uow.audit(now, by, "invited", subject=staff_id, resets_factor=resets_factor)
    return _new_row(uow, staff_id, INVITE, now, timedelta(hours=INVITE_HOURS), resets_factor=resets_factor)


def invited(uow: UnitOfWork, token: str, now: datetime) -> Staff | None:
    """Whom an invitation is for, while it is good."""
    row = uow.staff_session(token, INVITE, now) if token else None
    staff = uow.staff_member(row.staff_id) if row else None
    return staff if staff and staff.active else None


def accept_invitation(uow: UnitOfWork, token: str, password: str, now: datetime) -> str | None:
    """Set the password of whoever was invited and let them in; None when the invitation is not good.

    Raises:
        WeakPassword: too easy to guess; the invitation may be used again.
    """
    used = _use_up(uow, token, INVITE, now)
    if used is None:
        return None
    invitation, staff = used
    set_password(uow, staff, password, now, by=staff.id)
    if invitation.resets_factor:
        forget_factor(uow, staff)
        uow.audit(now, staff.id, "second_factor_reset", subject=staff.id)
    return let_in(uow, staff, now, "invitation")


def forget_factor(uow: UnitOfWork, staff: Staff) -> None:
    """Drop somebody's second factor, their recovery codes, and who they are in the council's directory."""
    staff.totp_secret = staff.totp_step = staff.oidc_hash = None
    uow.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))


def _use_up(uow: UnitOfWork, token: str, kind: str, now: datetime) -> tuple[StaffSession, Staff] | None:
    row = uow.staff_session(token, kind, now) if token else None
    staff = uow.staff_member(row.staff_id) if row else None
    if row is None or staff is None or not staff.active:
        return None
    gone = uow.session.execute(
        delete(StaffSession)
        .where(StaffSession.token_hash == row.token_hash)
        .execution_options(synchronize_session=False)
    )
    uow.session.expunge(row)
    return (row, staff) if gone.rowcount == 1 else None  # another request used it between look and now


def _new_row(
    uow: UnitOfWork,
    staff_id: str,
    kind: str,
    now: datetime,
    lasts: timedelta,
    resets_factor: bool = False,
    factor_elsewhere: bool = False,
) -> str:
    token = secrets.token_urlsafe(32)
    uow.add(
        StaffSession(
            token_hash=uow.cipher.find_hash("staff-session", token),
            staff_id=staff_id,
            kind=kind,
            csrf=secrets.token_urlsafe(32) if kind in (SESSION, PENDING) else None,
            created_at=now,
            seen_at=now,
            expires_at=now + lasts,
            resets_factor=resets_factor,
            factor_elsewhere=factor_elsewhere,
        )
    )
    return token


def _seen(row: StaffSession) -> datetime:
    return row.seen_at or row.created_at


def _idle(uow: UnitOfWork) -> timedelta:
    return timedelta(minutes=uow.settings.staff_idle_minutes)


# The cookie ----------------------------------------------------------------------------------------


def with_cookie(response: Response, token: str, settings: Settings) -> Response:
    """Give the browser its token."""
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
