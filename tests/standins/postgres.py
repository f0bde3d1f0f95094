"""A PostgreSQL of our own on loopback, for tests of what only PostgreSQL does."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.standins.served import free_port

#: Marks tests that need it.
needs_postgres = pytest.mark.skipif(
    shutil.which("initdb") is None or shutil.which("pg_ctl") is None,
    reason="PostgreSQL is not installed; SQLite is tested everywhere else",
)


@dataclass(frozen=True)
class Postgres:
    """A running server. ``folder`` holds its data and its log."""

    port: int
    folder: Path

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://earshot@127.0.0.1:{self.port}/{database}"


@contextmanager
def running(administrator: str = "earshot") -> Iterator[Postgres]:
    """Start one and stop it. It refuses to run as root, so root lends it to nobody."""
    as_user = {"user": "nobody"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="earshot-pg-"))
    if as_user:
        shutil.chown(folder, "nobody")
    port = free_port()

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **as_user)
        assert done.returncode == 0, done.stderr

    data, log = str(folder / "data"), str(folder / "log")
    run("initdb", "-D", data, "-U", administrator, "--auth=trust", "--no-sync")
    # A wait inside libpq hears no signal, so no test's timeout would end it: the server does.
    options = f"-p {port} -k {folder} -h 127.0.0.1 -F -c statement_timeout=120s"
    run("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
    try:
        yield Postgres(port, folder)
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
