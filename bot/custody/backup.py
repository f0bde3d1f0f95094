"""Backups: the whole database in one sealed file, made while Earshot runs."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from sqlalchemy import inspect, text
from sqlalchemy.engine import URL, Connection, make_url

from bot.custody.archive import PIECE, ArchiveError, Sealer
from bot.custody.keys import survey
from bot.store.uow import Store

#: The first bytes of the stream say how long the manifest is.
LENGTH_BYTES = 4
#: Seconds that a locked SQLite database is waited for.
LOCKED_FOR = 30
#: SQLite's result codes for a database that somebody else, or another connection here, has locked:
#: https://www.sqlite.org/rescode.html (read 2026-11-23).
_BUSY, _LOCKED = 5, 6


class BackupError(ArchiveError):
    """It could not be made or put back; the message says why and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What is in a backup. ``keys`` are fingerprints of those of ``EARSHOT_KEYS`` that its values need."""

    made_at: str
    database: str  # sqlite or postgresql
    revision: str
    rows: Mapping[str, int]
    keys: tuple[str, ...]
    lookup: str

    def to_bytes(self) -> bytes:
        """As it stands at the start of the stream."""
        body = json.dumps(asdict(self)).encode()
        return len(body).to_bytes(LENGTH_BYTES, "big") + body


def back_up(store: Store, target: Path, now: datetime, passphrase: str | None = None) -> Manifest:
    """Write a backup to ``target``, which must not exist. Whoever writes meanwhile is not held up.

    Raises:
        BackupError: it exists, the disk is full or not writable, a tool is missing, or a value of the
            database opens with none of the keys.
    """
    if target.exists():
        raise BackupError(f"{target} exists. Choose another name: a backup overwrites nothing.")
    found = survey(store)
    if unreadable := found.total("unreadable"):
        raise BackupError(
            f"{unreadable} values open with none of EARSHOT_KEYS, so a backup would be worth nothing. "
            "Put the missing key back; earshot rotate-keys --check counts them."
        )
    keys = tuple(store.cipher.fingerprints[number] for number in sorted(found.keys_used))
    partial = target.with_name(f"{target.name}.partial")
    with writing(target):
        try:
            with _private(partial) as file:
                sealer = Sealer(file, store.cipher, passphrase)
                dump = _sqlite if store.engine.dialect.name == "sqlite" else _postgresql
                manifest = dump(store, sealer, target, now, keys)
                sealer.close()
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    return manifest


def lookup_fingerprint(store: Store) -> str:
    """Tells whether a look-up key is the one a backup was made with."""
    return store.cipher.find_hash("fingerprint", "lookup")[:16]


def rows_in(connection: Connection) -> dict[str, int]:
    """How many rows each table has."""
    names = sorted(inspect(connection).get_table_names())
    quoted = connection.dialect.identifier_preparer.quote
    return {name: connection.scalar(text(f"SELECT count(*) FROM {quoted(name)}")) for name in names}  # noqa: S608


@contextmanager
def writing(where: Path) -> Iterator[None]:
    """Tell a full disk, a folder that is not there and one that is not ours in words.

    Raises:
        BackupError: instead of the system's error.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BackupError(
            f"{where} could not be written: {reason}. Nothing was left half done. "
            "Is there room on the disk, and may this user write there?"
        ) from None


def postgres_address(url: URL) -> tuple[str, dict[str, str]]:
    """Address and environment for PostgreSQL's tools. The password is not among the arguments."""
    password = url.password
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return address, {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}


def tool(name: str) -> str:
    """Where a tool of PostgreSQL is.

    Raises:
        BackupError: it is not installed.
    """
    if not (found := shutil.which(name)):
        raise BackupError(
            f"{name} is missing. It comes with PostgreSQL's client programs; install them here."
        )
    return found


def complaint(errors: BinaryIO) -> str:
    """The last line of what a tool complained of."""
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it did not say why"


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file


def _manifest(
    store: Store, now: datetime, keys: tuple[str, ...], revision: str, rows: Mapping[str, int]
) -> Manifest:
    return Manifest(
        now.isoformat(), store.engine.dialect.name, revision, rows, keys, lookup_fingerprint(store)
    )


def _sqlite(store: Store, sealer: Sealer, target: Path, now: datetime, keys: tuple[str, ...]) -> Manifest:
    """SQLite's own online backup: a copy of one moment, beside the target, gone when it is sealed."""
    source = make_url(str(store.engine.url)).database
    with tempfile.TemporaryDirectory(prefix=".earshot-backup-", dir=target.parent) as folder:
        copy = Path(folder) / "copy.db"
        with (
            closing(sqlite3.connect(source, timeout=LOCKED_FOR)) as origin,
            closing(sqlite3.connect(copy)) as made,
        ):
            copy_sqlite(origin, made)
            made.execute("PRAGMA journal_mode=DELETE")  # all in one file
            revision, rows = _contents(made)
        manifest = _manifest(store, now, keys, revision, rows)
        sealer.write(manifest.to_bytes())
        with copy.open("rb") as file:
            while piece := file.read(PIECE):
                sealer.write(piece)
    return manifest


def copy_sqlite(origin: sqlite3.Connection, target: sqlite3.Connection, within: float = LOCKED_FOR) -> None:
    """SQLite's online backup, which by itself tries for ever, deaf to signals, while a database is locked.

    Args:
        within: seconds after which it is given up.

    Raises:
        BackupError: one of the two stayed locked; the target is as it was.
    """
    end = monotonic() + within

    def look(status: int, _remaining: int, _total: int) -> None:
        if status in (_BUSY, _LOCKED) and monotonic() > end:
            raise BackupError(f"The database stayed locked for {within:g} seconds. Try again later.")

    origin.backup(target, progress=look)


def _contents(database: sqlite3.Connection) -> tuple[str, dict[str, int]]:
    tables = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    names = sorted(name for (name,) in tables)
    if "alembic_version" not in names:
        raise BackupError("This database has no schema of Earshot. Run earshot migrate first.")
    rows = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608
    return database.execute("SELECT version_num FROM alembic_version").fetchone()[0], rows


def _postgresql(store: Store, sealer: Sealer, target: Path, now: datetime, keys: tuple[str, ...]) -> Manifest:
    """pg_dump of one moment: the rows are counted in the very snapshot that is dumped."""
    program = tool("pg_dump")
    address, environment = postgres_address(make_url(store.engine.url))
    quiet = store.engine.execution_options(isolation_level="REPEATABLE READ")
    with quiet.connect() as connection, tempfile.TemporaryFile() as errors:
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        rows = rows_in(connection)
        if "alembic_version" not in rows:
            raise BackupError("This database has no schema of Earshot. Run earshot migrate first.")
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        manifest = _manifest(store, now, keys, revision, rows)
        sealer.write(manifest.to_bytes())
        command = [program, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
        running = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program
            [*command, f"--dbname={address}"], stdout=subprocess.PIPE, stderr=errors, env=environment
        )
        try:
            while piece := running.stdout.read(PIECE):
                sealer.write(piece)
        finally:
            running.stdout.close()
            status = running.wait()
        if status:
            raise BackupError(f"pg_dump did not finish: {complaint(errors)}")
    return manifest
