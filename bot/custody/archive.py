"""The file of a backup: one stream, sealed piece by piece, so that no size has to fit into memory.

::

    EARSHOT BACKUP 1
    header      length, JSON: how the file's key is wrapped, and the start of the nonces
    pieces      length, AES-256-GCM of up to 1 MiB; the nonce holds its number and whether it is the last

The key is random for each file and wrapped by ``EARSHOT_KEYS`` (Fernet) or by a passphrase (scrypt).
Numbering the pieces and marking the last is the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár,
2015): a piece that is changed, moved, left out or missing at the end is noticed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bot.store.encryption import CannotDecrypt, Cipher

MAGIC = b"EARSHOT BACKUP 1\n"
PIECE = 1024 * 1024
_TAG = 16
_MAX_HEADER = 64 * 1024
_LENGTH = struct.Struct(">I")
#: Memory that a guess at a passphrase takes: 128 MiB. Source: OWASP, password storage.
_SCRYPT = {"n": 2**17, "r": 8, "p": 1}


class ArchiveError(Exception):
    """The file cannot be used; the message says why."""


class NotABackup(ArchiveError):
    """Some other file, or a backup of another format."""


class WrongKey(ArchiveError):
    """Neither the keys of the settings nor the passphrase open it."""


class CutOff(ArchiveError):
    """The end is missing."""


class Damaged(ArchiveError):
    """Something in it is not what was written."""


class Sealer:
    """Writes an archive. Nothing of it counts before :meth:`close`: it marks the end."""

    def __init__(self, file: BinaryIO, cipher: Cipher, passphrase: str | None) -> None:
        key, prefix = AESGCM.generate_key(256), os.urandom(7)
        header = json.dumps({"key": _wrap(key, cipher, passphrase), "nonce": _text(prefix)}).encode()
        self._file, self._waiting, self._number = file, bytearray(), 0
        self._aead, self._prefix, self._about = AESGCM(key), prefix, hashlib.sha256(header).digest()
        file.write(MAGIC + _LENGTH.pack(len(header)) + header)

    def write(self, data: bytes) -> None:
        """Add to the stream."""
        self._waiting += data
        while len(self._waiting) > PIECE:  # more than one: the last must be known as such
            self._put(bytes(self._waiting[:PIECE]), last=False)
            del self._waiting[:PIECE]

    def close(self) -> None:
        """Write the last piece. The file stays open."""
        self._put(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _put(self, data: bytes, *, last: bool) -> None:
        nonce = _nonce(self._prefix, self._number, last)
        sealed = self._aead.encrypt(nonce, data, self._about)
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._number += 1


def opened(file: BinaryIO, cipher: Cipher, passphrase: str | None = None) -> Iterator[bytes]:
    """The stream of an archive, piece by piece. Only when it ended without an error was it whole.

    Raises:
        NotABackup, WrongKey, CutOff, Damaged: said what is wrong, at the piece where it was found.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise NotABackup("This is no backup of Earshot, or one of another format.")
    header = _read(file, _length(file, _MAX_HEADER))
    try:
        fields = json.loads(header)
        wrapped, prefix = fields["key"], base64.b64decode(fields["nonce"])
        key = _unwrap(wrapped, cipher, passphrase)
    except (ValueError, KeyError, TypeError):
        raise Damaged("The start of the file is not what was written.") from None
    aead, about = AESGCM(key), hashlib.sha256(header).digest()
    number, last = 0, False
    while not last:
        sealed = _read(file, _length(file, PIECE + _TAG))
        data, last = _open(aead, prefix, number, sealed, about)
        number += 1
        yield data
    if file.read(1):
        raise Damaged("There is more in the file than was written.")


def _open(aead: AESGCM, prefix: bytes, number: int, sealed: bytes, about: bytes) -> tuple[bytes, bool]:
    full = len(sealed) == PIECE + _TAG
    for last in (False, True) if full else (True,):
        try:
            return aead.decrypt(_nonce(prefix, number, last), sealed, about), last
        except InvalidTag:
            continue
    raise Damaged(f"Piece {number + 1} is not what was written.")


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + _LENGTH.pack(number) + bytes([last])


def _length(file: BinaryIO, most: int) -> int:
    (length,) = _LENGTH.unpack(_read(file, _LENGTH.size))
    if length > most:
        raise Damaged("A length in the file is not what was written.")
    return length


def _read(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise CutOff("The file was cut off: its end is missing.")
    return data


def _wrap(key: bytes, cipher: Cipher, passphrase: str | None) -> dict[str, Any]:
    if passphrase is None:
        return {"by": "settings", "wrapped": cipher.seal(_text(key)).decode()}
    salt = os.urandom(16)
    return {"by": "passphrase", "salt": _text(salt), "wrapped": _by(passphrase, salt).encrypt(key).decode()}


def _unwrap(wrapped: dict[str, Any], cipher: Cipher, passphrase: str | None) -> bytes:
    token = wrapped["wrapped"].encode()
    if wrapped["by"] == "settings":
        try:
            return base64.b64decode(cipher.open(token))
        except CannotDecrypt:
            raise WrongKey(
                "None of EARSHOT_KEYS opens this backup. It needs one of those it was made with."
            ) from None
    if passphrase is None:
        raise WrongKey("This backup needs its passphrase: --passphrase-file FILE.")
    try:
        return _by(passphrase, base64.b64decode(wrapped["salt"])).decrypt(token)
    except InvalidToken:
        raise WrongKey("The passphrase is not the one that this backup was made with.") from None


def _by(passphrase: str, salt: bytes) -> Fernet:
    return Fernet(
        base64.urlsafe_b64encode(Scrypt(salt=salt, length=32, **_SCRYPT).derive(passphrase.encode()))
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
