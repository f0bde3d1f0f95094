"""Moves everything that is sealed to the newest key while Earshot runs, and says what is not there yet.

A value is read, sealed anew and written back only if nobody changed it in between, a batch a transaction:
nobody waits long, nothing is lost, and whoever breaks it off may start again, since what has the newest key
is left alone. Nothing but the values themselves tells how far it is, so there is nothing to get out of step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import inspect, tuple_
from sqlalchemy.engine import Connection

from bot.custody.sealed import SealedTable, sealed_tables
from bot.store.uow import Store

#: Rows read and written at once: a writer that waits for a batch waits milliseconds.
BATCH = 200

Progress = Callable[[str, int], None]


@dataclass
class Tally:
    """How many values of a column are sealed with the newest key, an older one, none in the settings.

    ``moved`` counts those that this run sealed anew.
    """

    newest: int = 0
    older: int = 0
    unreadable: int = 0
    moved: int = 0


@dataclass
class Survey:
    """What was found, by ``table.column``; ``keys_used`` are positions in ``EARSHOT_KEYS``."""

    columns: dict[str, Tally] = field(default_factory=dict)
    keys_used: set[int] = field(default_factory=set)

    def total(self, name: str) -> int:
        """The sum of one field over all columns."""
        return sum(getattr(tally, name) for tally in self.columns.values())


def survey(store: Store, progress: Progress | None = None) -> Survey:
    """Open every sealed value and note which key it is sealed with. Changes nothing."""
    found = Survey()
    with store.engine.connect() as connection:
        for table in there(connection):
            for rows in _batches(connection, table, progress):
                for row in rows:
                    _note(store, table, row, found)
    return found


def rotate(store: Store, now: datetime, progress: Progress | None = None) -> Survey:
    """Seal everything with the newest key, and note in the audit log that it was done.

    ``older`` of what is returned are values that another process changed while they were being moved;
    run it again. ``unreadable`` ones are left as they are.
    """
    found = Survey()
    with store.engine.connect() as reading:
        for table in there(reading):
            for rows in _batches(reading, table, progress):
                reading.rollback()  # end the look: on SQLite it would keep the log from being emptied
                _move(store, table, rows, found)
    with store.write() as uow:
        counts = {name: tally.moved for name, tally in found.columns.items() if tally.moved}
        uow.audit(now, "operator", "keys_rotated", moved=counts, unreadable=found.total("unreadable"))
        uow.commit()
    empty_log(store)
    return found


def empty_log(store: Store) -> None:
    """SQLite: put its log into the database and empty it, so that no old bytes stay in it."""
    if store.engine.dialect.name == "sqlite":
        raw = store.engine.raw_connection()  # not within a transaction, where SQLite refuses this
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        finally:
            raw.close()


def there(connection: Connection) -> list[SealedTable]:
    """The sealed tables and columns that this database has: one of an older schema has fewer."""
    look = inspect(connection)
    names = set(look.get_table_names())
    found = []
    for table in sealed_tables():
        if table.name in names:
            has = {column["name"] for column in look.get_columns(table.name)}
            columns = tuple(name for name in table.columns if name in has)
            if columns:
                found.append(SealedTable(table.name, table.key, columns, table.raw))
    return found


def _batches(
    connection: Connection, table: SealedTable, progress: Progress | None
) -> Iterator[Sequence[Any]]:
    """All rows by primary key, a batch at a time; rows that come meanwhile have the newest key anyway."""
    wanted = [*table.key_columns, *(table.raw.c[name] for name in table.columns)]
    after: tuple[Any, ...] | None = None
    seen = 0
    while True:
        query = sa.select(*wanted).select_from(table.raw).order_by(*table.key_columns).limit(BATCH)
        if after is not None:
            query = query.where(tuple_(*table.key_columns) > tuple_(*_bound(table, after)))
        rows = connection.execute(query).all()
        seen += len(rows)
        if progress:
            progress(table.name, seen)
        if rows:
            after = tuple(rows[-1][: len(table.key)])
            yield rows
        if len(rows) < BATCH:
            return


def _bound(table: SealedTable, values: Sequence[Any]) -> list[Any]:
    return [sa.literal(value, column.type) for value, column in zip(values, table.key_columns, strict=True)]


def _note(store: Store, table: SealedTable, row: Any, found: Survey) -> dict[str, bytes]:
    """Count the values of a row; gives those that an older key seals."""
    old = {}
    for name, value in zip(table.columns, row[len(table.key) :], strict=True):
        if value is None:
            continue
        tally = found.columns.setdefault(f"{table.name}.{name}", Tally())
        with_key = store.cipher.sealed_with(value)
        if with_key is None:
            tally.unreadable += 1
            continue
        found.keys_used.add(with_key)
        if with_key == 0:
            tally.newest += 1
        else:
            tally.older += 1
            old[name] = bytes(value)
    return old


def _move(store: Store, table: SealedTable, rows: Sequence[Any], found: Survey) -> None:
    waiting = [(row, old) for row in rows if (old := _note(store, table, row, found))]
    if not waiting:
        return
    with store.write() as uow:
        for row, old in waiting:
            here = [column == value for column, value in zip(table.key_columns, row, strict=False)]
            for name, value in old.items():
                column = table.raw.c[name]
                done = uow.session.execute(
                    sa.update(table.raw)
                    .where(*here, column == value)
                    .values({name: store.cipher.reseal(value)})
                    .execution_options(synchronize_session=False)
                )
                if done.rowcount:
                    tally = found.columns[f"{table.name}.{name}"]
                    tally.older, tally.newest, tally.moved = (
                        tally.older - 1,
                        tally.newest + 1,
                        tally.moved + 1,
                    )
        uow.commit()
