"""Brings a database to the newest schema. Safe to run at every start, by several processes."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import make_url

import bot.casework.tables  # noqa: F401
import bot.custody.tables  # noqa: F401 - its tables belong to the same database
import bot.directory.tables  # noqa: F401 - its tables belong to the same database
from bot.store.models import Base
from bot.store.uow import Store

MIGRATIONS = Path(__file__).parent / "migrations"
#: Any number that no other program uses for a PostgreSQL advisory lock in this database.
_LOCK = 4_711_001


def alembic_config() -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def migrate(store: Store) -> None:
    """Create the database's tables, or bring them to the newest schema."""
    url = make_url(str(store.engine.url))
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    config = alembic_config()
    with store.engine.execution_options(earshot_write=True).begin() as connection:
        if url.get_backend_name() == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(store: Store) -> bool:
    """Whether the database has the newest schema."""
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
    with store.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest


def differences(store: Store) -> list[object]:
    """What the models and the migrated database disagree on; empty when they agree."""
    with store.engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)
