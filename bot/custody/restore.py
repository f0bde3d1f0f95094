"""Putting a backup back: checked from end to end before anything is written, and only where nothing is."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import inspect
from sqlalchemy.engine import make_url

from bot.custody.archive import Damaged, opened
from bot.custody.backup import (
    LENGTH_BYTES,
    BackupError,
    Manifest,
    complaint,
    lookup_fingerprint,
    postgres_address,
    rows_in,
    tool,
    writing,
)
from bot.custody.keys import survey
from bot.store.audit import verify
from bot.store.migrate import alembic_config, migrate
from bot.store.uow import Store

_MAX_MANIFEST = 1024 * 1024


class NotEmpty(BackupError):
    """Something is where the backup should go."""


class NewerSchema(BackupError):
    """Made by a newer Earshot than this one."""


def check(path: Path, store: Store, passphrase: str | None = None) -> Manifest:
    """Read a whole backup and hold it against this Earshot's keys and schema. Writes nothing.

    Raises:
        ArchiveError: it cannot be put back; says why.
    """
    manifest, rest = _begin(path, store, passphrase)
    for _ in rest:  # each piece is proved as it is read; the end must be there
        continue
    try:
        ScriptDirectory.from_config(alembic_config()).get_revision(manifest.revision)
    except CommandError:
        raise NewerSchema(
            f"This backup has schema {manifest.revision}, which this Earshot does not know: a newer one "
            "made it. Install that one and try again."
        ) from None
    if missing := set(manifest.keys) - set(store.cipher.fingerprints):
        raise BackupError(
            f"{len(missing)} of the keys that seal what is in this backup are not in EARSHOT_KEYS. Put them "
            "behind the others, separated by commas."
        )
    if manifest.lookup != lookup_fingerprint(store):
        raise BackupError(
            "EARSHOT_LOOKUP_KEY is not the one this backup was made with: nobody could sign in, and no "
            "return code would work. Set the one it was made with."
        )
    return manifest


def restore(path: Path, store: Store, passphrase: str | None = None) -> Manifest:
    """Put a backup into the empty database of ``store``, check what is there then, and migrate it.

    Raises:
        NotEmpty: the database has tables.
        ArchiveError: it cannot be put back; nothing was written, or it was taken out again.
    """
    manifest = check(path, store, passphrase)
    kind = store.engine.dialect.name
    if manifest.database != kind:
        raise BackupError(f"This is a backup of {manifest.database}; it cannot go into {kind}.")
    if rows_there(store):
        raise NotEmpty(
            "This database is not empty, and a backup overwrites nothing. Name an empty one: --into URL."
        )
    _, rest = _begin(path, store, passphrase)
    (_into_sqlite if kind == "sqlite" else _into_postgresql)(store, manifest, rest)
    _prove(store, manifest)
    migrate(store)
    return manifest


def rows_there(store: Store) -> dict[str, int]:
    """The tables of a database that may not be there yet."""
    if store.engine.dialect.name == "sqlite":
        file = Path(make_url(str(store.engine.url)).database or "")
        if not file.exists() or not file.stat().st_size:
            return {}
    with store.engine.connect() as connection:
        there = dict.fromkeys(inspect(connection).get_table_names(), 0)
    store.engine.dispose()
    return there


def _begin(path: Path, store: Store, passphrase: str | None) -> tuple[Manifest, Iterator[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from None
    stream = _closing(file, opened(file, store.cipher, passphrase))
    waiting = next(stream, b"")
    length = int.from_bytes(waiting[:LENGTH_BYTES], "big")
    if not 0 < length <= _MAX_MANIFEST or len(waiting) < LENGTH_BYTES + length:
        raise Damaged("What the file says of itself is not what was written.")
    fields = json.loads(waiting[LENGTH_BYTES : LENGTH_BYTES + length])
    manifest = Manifest(**{**fields, "keys": tuple(fields["keys"])})

    def rest() -> Iterator[bytes]:
        yield waiting[LENGTH_BYTES + length :]
        yield from stream

    return manifest, rest()


def _closing(file: object, stream: Iterator[bytes]) -> Iterator[bytes]:
    with closing(file):  # type: ignore[type-var]
        yield from stream


def _into_sqlite(store: Store, manifest: Manifest, pieces: Iterator[bytes]) -> None:
    """Beside the target first; it takes the target's place when it proved to be whole."""
    target = Path(make_url(str(store.engine.url)).database or "")
    beside = target.with_name(f".{target.name}.restoring")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            with closing(sqlite3.connect(beside)) as made:
                answer = made.execute("PRAGMA integrity_check").fetchone()[0]
            if answer != "ok":
                raise Damaged("SQLite says that the database in this backup is damaged.")
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)


def _into_postgresql(store: Store, manifest: Manifest, pieces: Iterator[bytes]) -> None:
    """One transaction: all of it or nothing."""
    address, environment = postgres_address(make_url(store.engine.url))
    command = [tool("pg_restore"), "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    with tempfile.TemporaryFile() as errors:
        running = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program
            [*command, f"--dbname={address}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
        )
        broken = False
        try:
            for piece in pieces:
                running.stdin.write(piece)
            running.stdin.close()
        except BrokenPipeError:
            broken = True
        except BaseException:
            # It would wait for the rest, and we for it. Its one transaction is taken back.
            running.kill()
            raise
        finally:
            status = running.wait()
        if status or broken:
            raise BackupError(f"pg_restore did not finish, and nothing was written: {complaint(errors)}")


def _prove(store: Store, manifest: Manifest) -> None:
    with store.engine.connect() as connection:
        rows = rows_in(connection)
    if rows != dict(manifest.rows):
        raise Damaged("The database does not hold the rows that were backed up. Do not use it.")
    if survey(store).total("unreadable"):
        raise Damaged("Some of what was put back opens with none of EARSHOT_KEYS. Do not use it.")
    if "audit_head" in rows:
        with store.read() as uow:
            verdict = verify(uow.session, store.cipher)
        if not verdict.whole:
            raise BackupError(
                "It is all there, but its audit log is not what was written; it was so when it was backed "
                "up. earshot audit verify names the places."
            )
