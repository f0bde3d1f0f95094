"""Puts the real parts together, once per process. Nothing happens at import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache

from bot.content import Content
from bot.settings import ROOT, Settings, load_settings
from bot.store.uow import Store, UnitOfWork, open_store


@dataclass(frozen=True)
class Core:
    """What every process of Earshot shares: settings, words and the database."""

    settings: Settings
    content: Content
    store: Store

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(timezone.utc)

    @contextmanager
    def uow(self) -> Iterator[UnitOfWork]:
        """A transaction that may change things; rolled back unless committed."""
        with self.store.write() as uow:
            yield uow


def build_core(settings: Settings) -> Core:
    """Load the words and open the database of these settings.

    Raises:
        ContentError: the words are missing or malformed.
    """
    content = Content.load(ROOT / "data")
    return Core(settings, content, open_store(settings, content))


@lru_cache(maxsize=1)
def core() -> Core:
    """The core of this process, built on first use from the environment.

    Raises:
        SettingsError: a setting is missing or wrong.
        ContentError: the words are missing or malformed.
    """
    return build_core(load_settings())
