"""Which columns are sealed, and whose rows are whose: read off the models, so that nobody keeps a list.

A table or a sealed column that is added to the models is covered by rotation, deletion, retention, export
and backup without a word here. :func:`belongings` follows foreign keys from a conversation; a column called
``conversation_id`` or ``handover_id`` without a key counts too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import LargeBinary, MetaData, Table

import bot.store.migrate  # noqa: F401 - it imports every module that has tables
from bot.store.encryption import Encrypted
from bot.store.models import Base

#: Kept whatever is deleted: the log of who did what holds ids and no words, and refuses to be changed.
_NEVER = frozenset({"audit", "audit_head"})
#: Columns that point at a conversation or a handover without a foreign key.
_POINTERS = {"conversation_id": "conversation", "handover_id": "handover"}
#: Rasa names a conversation "sender".
_BY_OTHER_NAME = {"dialogue_state": ("sender_id", "conversation")}


@dataclass(frozen=True)
class SealedTable:
    """A table with sealed columns. ``raw`` reads and writes their bytes as they lie in the database."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    raw: Any

    @property
    def key_columns(self) -> list[Any]:
        """The primary key, for queries on ``raw``."""
        return [self.raw.c[name] for name in self.key]


@dataclass(frozen=True)
class Link:
    """``column`` of a table names a row of ``target``'s table by the value of ``target``."""

    column: Any
    target: Any


def sealed_tables(metadata: MetaData = Base.metadata) -> list[SealedTable]:
    """Every table that has sealed columns, parents before children."""
    found = []
    for table in metadata.sorted_tables:
        columns = tuple(column.name for column in table.columns if is_sealed(column))
        if columns:
            key = tuple(column.name for column in table.primary_key.columns)
            found.append(SealedTable(table.name, key, columns, _raw(table)))
    return found


def is_sealed(column: Any) -> bool:
    """Whether what this column holds is sealed."""
    return isinstance(column.type, Encrypted)


def is_hash(column: Any) -> bool:
    """Whether somebody or something is found by this column: a keyed hash, named so."""
    return column.name.endswith("_hash")


def belongings(metadata: MetaData = Base.metadata) -> dict[Table, list[Link]]:
    """Every table whose rows belong to a conversation, with what links them, parents before children."""
    conversation = metadata.tables["conversation"]
    found: dict[Table, list[Link]] = {conversation: []}
    for table in metadata.sorted_tables:
        if table is not conversation and table.name not in _NEVER:
            links = _links(table, metadata, found)
            if links:
                found[table] = links
    return found


def of_handover(metadata: MetaData = Base.metadata) -> set[str]:
    """Names of the tables that hang on a handover and not on the chat itself: the case as staff keep it."""
    found = {"handover"}
    for table, links in belongings(metadata).items():
        parents = {link.target.table.name for link in links}
        if parents & found and "conversation" not in parents:
            found.add(table.name)
    return found


def rows_of(conversation_id: str, table: Table, metadata: MetaData = Base.metadata, among: Any = None) -> Any:
    """The condition that a row of ``table`` belongs to this conversation."""
    linked: Mapping[Table, list[Link]] = among or belongings(metadata)
    if table.name == "conversation":
        return table.c.id == conversation_id
    conditions = []
    for link in linked[table]:
        parent = link.target.table
        if parent.name == "conversation":
            conditions.append(link.column == conversation_id)
        else:
            inside = rows_of(conversation_id, parent, metadata, linked)
            conditions.append(link.column.in_(sa.select(link.target).where(inside)))
    return sa.or_(*conditions)


def _links(table: Table, metadata: MetaData, found: Mapping[Table, Any]) -> list[Link]:
    links = [
        Link(key.parent, key.column)
        for key in table.foreign_keys
        if key.column.table in found and key.column.table is not table
    ]
    named = dict(_POINTERS)
    if table.name in _BY_OTHER_NAME:
        column, parent = _BY_OTHER_NAME[table.name]
        named[column] = parent
    for column, parent in named.items():
        if column in table.c and not table.c[column].foreign_keys:
            links.append(Link(table.c[column], metadata.tables[parent].c.id))
    return sorted(links, key=lambda link: link.column.name)


def _raw(table: Table) -> Any:
    columns = [
        sa.column(column.name, LargeBinary() if is_sealed(column) else column.type)
        for column in table.columns
    ]
    return sa.table(table.name, *columns)
