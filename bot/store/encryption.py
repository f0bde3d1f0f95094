"""Encryption at rest: what people wrote, names and addresses are sealed before they reach a database.

Fernet (AES-128-CBC with HMAC-SHA256) through :class:`cryptography.fernet.MultiFernet`: the first key
seals, all keys open, so keys can be rotated while running. Values that must be found again (a Telegram
chat, a session cookie, a return code) are kept as keyed hashes beside the sealed value.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from argon2.low_level import Type, hash_secret_raw
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import LargeBinary
from sqlalchemy.types import TypeDecorator


class CannotDecrypt(Exception):
    """A stored value opens with none of the keys in the settings."""


class Cipher:
    """Seals and opens stored values, and makes the keyed hashes they are found by."""

    def __init__(self, keys: Sequence[str], lookup_key: str) -> None:
        self._each = [Fernet(key) for key in keys]
        # To tell whether a backup's keys are here. Of 256 random bits, this gives nothing away.
        self.fingerprints = tuple(
            hashlib.sha256(f"earshot-key:{key}".encode()).hexdigest()[:16] for key in keys
        )
        self._fernet = MultiFernet(self._each)
        self._lookup_key = lookup_key.encode()

    def seal(self, text: str) -> bytes:
        """Encrypt ``text`` with the newest key. Lone surrogates, which some keyboards send, survive."""
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass"))

    def open(self, sealed: bytes) -> str:
        """Decrypt what :meth:`seal` made.

        Raises:
            CannotDecrypt: no key in the settings opens it.
        """
        try:
            return self._fernet.decrypt(bytes(sealed)).decode("utf-8", "surrogatepass")
        except InvalidToken:
            raise CannotDecrypt("a stored value opens with none of EARSHOT_KEYS") from None

    def reseal(self, sealed: bytes) -> bytes:
        """The same value under the newest key.

        Raises:
            CannotDecrypt: no key in the settings opens it.
        """
        try:
            return self._fernet.rotate(bytes(sealed))
        except InvalidToken:
            raise CannotDecrypt("a stored value opens with none of EARSHOT_KEYS") from None

    def sealed_with(self, sealed: bytes) -> int | None:
        """Which key a value is sealed with: 0 for the newest of the settings; None when none opens it."""
        for number, key in enumerate(self._each):
            try:
                key.decrypt(bytes(sealed))
            except InvalidToken:
                continue
            return number
        return None

    def find_hash(self, kind: str, value: str) -> str:
        """Keyed hash (HMAC-SHA256, hex) to find a value of high entropy or limited exposure by."""
        return hmac.new(self._lookup_key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()

    def slow_hash(self, kind: str, value: str) -> str:
        """Slow keyed hash (argon2id, 32 MiB, 3 passes, hex) for codes that a person could guess at.

        The salt comes from the lookup key, so that a code finds its conversation without trying every
        row, and a stolen database is of no use without the settings. RFC 9106 names argon2id.
        """
        salt = hmac.new(self._lookup_key, kind.encode(), hashlib.sha256).digest()
        raw = hash_secret_raw(
            value.encode(), salt, time_cost=3, memory_cost=32 * 1024, parallelism=1, hash_len=32, type=Type.ID
        )
        return raw.hex()


class Encrypted(TypeDecorator):  # type: ignore[type-arg]
    """A text column that is sealed in the database. The cipher hangs on the engine's dialect."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> bytes | None:
        return None if value is None else dialect.cipher.seal(value)

    def process_result_value(self, value: bytes | None, dialect: Any) -> str | None:
        return None if value is None else dialect.cipher.open(value)


class EncryptedJSON(Encrypted):
    """A JSON column that is sealed in the database."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> bytes | None:
        return None if value is None else dialect.cipher.seal(json.dumps(value))

    def process_result_value(self, value: bytes | None, dialect: Any) -> Any:
        return None if value is None else json.loads(dialect.cipher.open(value))
