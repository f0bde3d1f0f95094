"""Fixtures that more than one folder of tests uses: a house on an empty database with the demo's people."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.bootstrap import Core, build_core
from bot.conversation import DialogueDown
from bot.settings import ROOT, Settings
from bot.store.migrate import migrate
from bot.store.rota_file import load_rota


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Settings of a house of its own."""
    return Settings(
        keys=Fernet.generate_key().decode(),
        lookup_key=secrets.token_hex(32),
        database_url=f"sqlite:///{tmp_path / 'earshot.db'}",
    )


@pytest.fixture
def core(settings: Settings) -> Core:
    """A migrated database with the people of the example rota."""
    house = build_core(settings)
    migrate(house.store)
    with house.uow() as uow:
        load_rota(uow, ROOT / "data" / "rota.example.yml")
        uow.commit()
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
