"""The draft of the DPIA accounts for every table and says the days that the rules say."""

from __future__ import annotations

import re

import pytest

import bot.store.migrate  # noqa: F401 - it imports every module that has tables
from bot.custody.retention import load_retention
from bot.custody.sealed import is_sealed
from bot.settings import ROOT
from bot.store.models import Base

DPIA = (ROOT / "docs" / "dpia.md").read_text(encoding="utf-8")


def rows() -> dict[str, str]:
    """Table name -> its row in what is held."""
    held = DPIA.split("## 3.")[1].split("**The rules of retention**")[0]
    found = {}
    for line in re.findall(r"^\| (`.+)$", held, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", line.split(" | ")[0]):
            found[name] = line
    return found


def test_every_table_of_the_database_is_accounted_for() -> None:
    assert set(rows()) == set(Base.metadata.tables)


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_what_is_sealed_is_said_to_be_sealed(table) -> None:
    if table.name != "staff_session":  # the secret there lives for the minutes of setting it up
        assert ("sealed" in rows()[table.name]) == any(is_sealed(column) for column in table.columns)


def test_the_days_are_those_of_the_rules() -> None:
    told = {name: int(days) for name, days in re.findall(r"^\| `(\w+)` \| (\d+) \|$", DPIA, re.MULTILINE)}
    assert told == {rule.name: rule.days for rule in load_retention().rules}


def test_what_only_the_controller_can_decide_is_left_open() -> None:
    assert DPIA.count("**CONTROLLER**") >= 20
    assert not re.search(r"\*\*CONTROLLER\*\*: (yes|no|agreed)", DPIA, re.IGNORECASE)
