"""Faults of a database server that is away, slow, or takes no writes: the house on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine

from tests.journeys.chaos.faults import Fault, surroundings
from tests.journeys.chaos.house import ChaosHouse
from tests.standins.postgres import Postgres
from tests.standins.slow_line import SlowLine

#: Seconds by which each piece of a conversation with the database is late.
LATE = 5.0


def faults(server: Postgres, line: SlowLine) -> tuple[Fault, ...]:
    """The faults of this server, which the house reaches by ``line``."""

    @contextmanager
    def gone(_house: ChaosHouse) -> Iterator[None]:
        _control(server, "stop", "-m", "immediate")
        try:
            yield
        finally:
            _control(server, "start", "-l", str(server.folder / "log"), "-o", _options(server))

    @contextmanager
    def read_only(_house: ChaosHouse) -> Iterator[None]:
        _order(server, "ALTER DATABASE postgres SET default_transaction_read_only = on")
        try:
            yield
        finally:
            _order(
                server,
                "SET default_transaction_read_only = off",
                "ALTER DATABASE postgres RESET default_transaction_read_only",
            )

    @contextmanager
    def slow(_house: ChaosHouse) -> Iterator[None]:
        line.seconds = LATE
        try:
            yield
        finally:
            line.seconds = 0.0

    named: tuple[tuple[str, str, Callable[[ChaosHouse], object]], ...] = (
        ("gone", "PostgreSQL stopped, started again after 8 s", gone),
        ("read-only", "database takes no writes for 8 s", read_only),
        ("slow", "database 5 s late at every step, for 8 s", slow),
    )
    return tuple(
        surroundings(key, fault, breaks, step)
        for key, fault, breaks in named
        for step in ("before", "stored")
    )


def _options(server: Postgres) -> str:
    return f"-p {server.port} -k {server.folder} -h 127.0.0.1 -F"


def _control(server: Postgres, *order: str) -> None:
    as_user = {"user": "nobody"} if os.geteuid() == 0 else {}
    command = ["pg_ctl", "-D", str(server.folder / "data"), "-w", *order]
    done = subprocess.run(
        command,
        cwd=server.folder,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **as_user,
    )
    assert done.returncode == 0, "PostgreSQL does not do as it is told"


def _order(server: Postgres, *orders: str) -> None:
    """Give orders, and cut everybody else off, so that they meet the new setting."""
    engine = create_engine(server.url(), future=True, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for order in orders:
            connection.exec_driver_sql(order)
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = 'postgres'"
        )
    engine.dispose()
    time.sleep(0.2)
