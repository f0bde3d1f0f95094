"""The earshot command, as an operator types it, on a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.bootstrap import Core
from bot.settings import ROOT


@pytest.fixture
def earshot(core: Core, tmp_path: Path):
    """Runs the command as a process of its own; gives its status and what it printed."""
    environment = {
        **os.environ,
        "EARSHOT_VAR": str(tmp_path),
        "EARSHOT_KEYS": core.settings.keys.get_secret_value(),
        "EARSHOT_LOOKUP_KEY": core.settings.lookup_key.get_secret_value(),
        "EARSHOT_DATABASE_URL": core.settings.database_url,
        "COLUMNS": "200",
    }

    def run(*arguments: str, **more: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "bot.cli", *arguments],
            cwd=ROOT,
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


def test_drafts_lists_what_nobody_signed(earshot) -> None:
    status, said = earshot("drafts", "--safety")
    assert status == 0 and "utter_safety_immediate" in said and "unsigned" in said


def test_every_phrase_family_keeps_its_examples(earshot) -> None:
    assert earshot("risk-check") == (0, "Every example comes out as written.\n")


def test_a_rota_file_is_loaded_or_its_mistake_is_named(earshot, tmp_path: Path) -> None:
    assert earshot("rota", "load", "data/rota.example.yml") == (0, "Loaded 3 places and 9 people.\n")
    (tmp_path / "wrong.yml").write_text("area: x\nstaff: [{id: a}]")
    status, said = earshot("rota", "load", str(tmp_path / "wrong.yml"))
    assert status == 1 and "staff a: has no 'name:'" in said


def test_staff_get_a_good_password_or_none(earshot, core: Core) -> None:
    status, said = earshot("staff", "add", "sam.okafor@example.org", "--password", "password1234")
    assert status == 1 and said.startswith("earshot:")
    assert earshot("staff", "add", "nobody@example.org", "--password", "three wet umbrellas")[0] == 1
    assert earshot("staff", "add", "sam.okafor@example.org", "--password", "three wet umbrellas")[0] == 0
    with core.store.read() as uow:
        assert uow.staff_member("sam-okafor").password_hash.startswith("$argon2id$")


def test_production_refuses_to_serve_with_unsigned_words(earshot) -> None:
    status, said = earshot("serve", EARSHOT_MODE="production", EARSHOT_SECURE_COOKIES="true")
    assert status == 1 and "unsigned" in said


def test_a_missing_secret_is_one_clear_line(earshot) -> None:
    status, said = earshot("serve", EARSHOT_KEYS="")
    assert status == 1 and "EARSHOT_KEYS" in said and len(said.splitlines()) == 1
