"""Fixtures that more than one folder of tests uses: a house on an empty database with the demo's people."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.bootstrap import Core, build_core
from bot.conversation import DialogueDown
from bot.settings import Settings
from tests.standins.houses import move_in

#: Fixtures of a real browser: with real processes the only tests that a busy machine can be too slow for.
BROWSERS = {"browser", "chromium"}

#: Seconds in which a test with all its tries must have ended; pytest's own limit is half of it, for one try.
LAST_RESORT = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a browser or real processes get a second try; pytest's summary names each that needed one.

    A test named there has a fault, or what it tests has: the race is to be found, not to be lived with.
    """
    for item in items:
        if BROWSERS & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("journey"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that outlives even its timeout ends its process, and the run names it and goes on.

    pytest-timeout interrupts a test once: not what then hangs while it is cleared up after, and no second
    try. On SIGABRT pytest's faulthandler prints where every thread stood.
    """
    watch = threading.Timer(LAST_RESORT, os.abort)
    watch.daemon = True
    watch.start()
    try:
        return (yield)
    finally:
        watch.cancel()


def settings_in(folder: Path, keys: tuple[str, str]) -> Settings:
    """Settings of a house whose database lies in ``folder``."""
    return Settings(keys=keys[0], lookup_key=keys[1], database_url=f"sqlite:///{folder / 'earshot.db'}")


@pytest.fixture(scope="session")
def house_keys() -> tuple[str, str]:
    """Fernet key and lookup key of every house in this run."""
    return Fernet.generate_key().decode(), secrets.token_hex(32)


@pytest.fixture(scope="session")
def moved_in(tmp_path_factory: pytest.TempPathFactory, house_keys: tuple[str, str]) -> Path:
    """A migrated database with the people of the example rota, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("moved-in")
    house = build_core(settings_in(folder, house_keys))
    move_in(house)
    house.store.engine.dispose()  # the last connection writes everything into the one file
    return folder / "earshot.db"


@pytest.fixture
def settings(tmp_path: Path, house_keys: tuple[str, str]) -> Settings:
    """Settings of a house of its own."""
    return settings_in(tmp_path, house_keys)


@pytest.fixture
def core(settings: Settings, moved_in: Path, tmp_path: Path) -> Iterator[Core]:
    """A house of its own, migrated and with the people of the example rota."""
    shutil.copyfile(moved_in, tmp_path / "earshot.db")
    house = build_core(settings)
    yield house
    house.store.engine.dispose()


class ScriptedDialogue:
    """A dialogue that answers as the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.replies: list[dict[str, Any]] = [{"text": "Tell me more."}]
        self.down = False
        self.asked: list[str] = []
        self.during: Any = None  # called while the dialogue is thinking

    async def ask(self, conversation_id: str, text: str, metadata: Any, timeout: float) -> Sequence[Any]:
        """Answer, or be down."""
        self.asked.append(text)
        if self.during:
            self.during()
        if self.down:
            raise DialogueDown("down on purpose")
        return list(self.replies)


@pytest.fixture
def dialogue() -> ScriptedDialogue:
    """A dialogue whose answers the test decides."""
    return ScriptedDialogue()
