"""earshot settings: the reference is the code's, and the table in the documents agrees with it."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from bot import cli
from bot.settings import ROOT, Described, Settings, described

TABLE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROWS = described()


def test_every_setting_is_described_once_with_a_meaning() -> None:
    assert len(ROWS) == len(Settings.__fields__) == len({row.variable for row in ROWS})
    assert all(len(row.meaning) > 8 and row.type for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.variable)
def test_the_documents_table_says_the_same_default(row: Described) -> None:
    told = re.findall(rf"^\| `{row.variable}` \| ([^|]*) \| .{{8,}} \|$", TABLE, re.MULTILINE)
    assert len(told) == 1, f"{row.variable} needs one row in the settings table of docs/architecture.md"
    stands = told[0].replace("`", "").replace("empty", "").strip()
    assert stands == row.default


def test_what_is_secret_is_marked_and_shows_no_default() -> None:
    secret = {row.variable for row in ROWS if row.secret}
    assert {"EARSHOT_KEYS", "EARSHOT_LOOKUP_KEY", "TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_SECRET"} <= secret
    assert all(row.default in ("", "required") for row in ROWS if row.secret)
    assert "EARSHOT_BODY_NAME" not in secret


def test_types_are_told_in_words() -> None:
    types = {row.variable: row.type for row in ROWS}
    assert types["EARSHOT_MODE"] == "demo or production" and types["EARSHOT_PORT"] == "whole number"
    assert types["EARSHOT_SECURE_COOKIES"] == "true or false" and types["EARSHOT_RASA_TIMEOUT"] == "number"
    plain = {"text", "whole number", "number", "true or false"}
    assert all(one in plain or " or " in one for one in types.values())


def test_the_command_lists_them_all_and_needs_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EARSHOT_KEYS", "EARSHOT_LOOKUP_KEY"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(cli.app, ["settings", "--json"])
    assert done.exit_code == 0
    assert [row["variable"] for row in json.loads(done.stdout)] == [row.variable for row in ROWS]
    shown = CliRunner().invoke(cli.app, ["settings"], env={"COLUMNS": "160"})
    assert shown.exit_code == 0 and all(row.variable in shown.stdout for row in ROWS)
