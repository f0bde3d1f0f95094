"""Passwords of staff: argon2id (RFC 9106, argon2-cffi's defaults), and a check that they are worth having.

The check follows NIST SP 800-63B: length and known-bad lists, no rules about kinds of characters.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bot.store.models import Staff

MIN_LENGTH, MAX_LENGTH = 12, 200
_COMMON = Path(__file__).with_name("common_passwords.txt")


class WeakPassword(ValueError):
    """A password that is too easy to guess; the message says why and never repeats it."""


def check_password(password: str, *personal: str) -> None:
    """Refuse a password that is short, common, or made of the person's own name or address.

    Raises:
        WeakPassword: says what is wrong.
    """
    if len(password) < MIN_LENGTH:
        raise WeakPassword(f"A password needs at least {MIN_LENGTH} characters; three words are good.")
    if len(password) > MAX_LENGTH:
        raise WeakPassword(f"A password may have at most {MAX_LENGTH} characters.")
    plain = password.casefold()
    if len(set(plain)) < 5:
        raise WeakPassword("This password repeats too few characters; three words are good.")
    if _squeezed(plain) in _common_passwords():
        raise WeakPassword("This password is one of the commonest there are; choose another.")
    for word in _personal_words(personal):
        if word in plain:
            raise WeakPassword("A password must not contain the person's name or e-mail address.")


def hash_password(password: str) -> str:
    """The password's argon2id hash, salted, with its parameters in it."""
    return _hasher().hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password fits. Without a stored hash it takes as long and says no."""
    try:
        _hasher().verify(stored or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher().check_needs_rehash(stored)


def check_for(staff: Staff, password: str) -> None:
    """:func:`check_password` against a person's own name and address.

    Raises:
        WeakPassword: says what is wrong.
    """
    check_password(password, staff.name or "", staff.email or "")


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher().hash("nobody has this password")


@lru_cache(maxsize=1)
def _common_passwords() -> frozenset[str]:
    lines = _COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(_squeezed(line) for line in lines if line and not line.startswith("#"))


def _squeezed(text: str) -> str:
    return re.sub(r"[\s._-]+", "", text.casefold())


def _personal_words(personal: tuple[str, ...]) -> set[str]:
    words = re.split(r"[^\w]+", " ".join(personal).casefold())
    return {word for word in words if len(word) >= 4}
