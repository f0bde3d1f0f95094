"""A brake on guessing: failed sign-ins are counted in the database, so that a restart forgets none."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text

from bot.bootstrap import Core
from bot.store.models import SignInAttempt
from bot.store.uow import UnitOfWork

#: Failures in so many minutes before an account, and all accounts together, take no more guesses.
#: One-time links go on working, so that nobody can lock a duty team out by guessing badly on purpose.
PER_ACCOUNT, ACCOUNT_MINUTES = 5, 15
IN_ALL, IN_ALL_MINUTES = 100, 5
#: Seconds an attempt is held back after each failure of its account, doubling up to the longest.
FIRST_DELAY, LONGEST_DELAY = 0.2, 3.0
#: Any number that no other part of Earshot uses for a PostgreSQL advisory lock.
_LOCK = 4_711_002


class Attempts:
    """Counts attempts at one database; any number of gateways may share it."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def begin(self, account: str) -> float | None:
        """Count an attempt before it is looked at; the seconds to hold it back, or None when locked.

        Counting first means that many guesses at once count as many. ``account`` is a keyed hash.
        """
        now = self._core.now()
        with self._core.uow() as uow:
            if uow.session.get_bind().dialect.name == "postgresql":
                uow.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            oldest = now - timedelta(minutes=ACCOUNT_MINUTES)
            uow.session.execute(delete(SignInAttempt).where(SignInAttempt.at < oldest))
            before = _count(uow, oldest, account)
            in_all = _count(uow, now - timedelta(minutes=IN_ALL_MINUTES))
            if before >= PER_ACCOUNT or in_all >= IN_ALL:
                return None
            uow.add(SignInAttempt(account=account, at=now))
            uow.commit()
        return min(FIRST_DELAY * 2 ** (before - 1), LONGEST_DELAY) if before else 0.0

    @staticmethod
    def succeeded(uow: UnitOfWork, account: str) -> None:
        """The attempt was right: the account starts afresh."""
        uow.session.execute(delete(SignInAttempt).where(SignInAttempt.account == account))


def password_account(uow: UnitOfWork, email: str) -> str:
    """The account that guesses at a password count against; the same for an address nobody has."""
    return uow.cipher.find_hash("sign-in-attempt", email.strip().casefold())


def factor_account(uow: UnitOfWork, staff_id: str) -> str:
    """The account that guesses at a second factor count against."""
    return uow.cipher.find_hash("second-factor-attempt", staff_id)


def _count(uow: UnitOfWork, since: datetime, account: str | None = None) -> int:
    query = select(func.count(SignInAttempt.id)).where(SignInAttempt.at >= since)
    if account is not None:
        query = query.where(SignInAttempt.account == account)
    return int(uow.session.scalar(query) or 0)
