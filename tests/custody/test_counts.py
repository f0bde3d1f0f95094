"""Counts outlive what they count, say the same before and after, and give away nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.changes import Changes
from bot.conversation import Conversations
from bot.custody import purge as purging
from bot.custody.counts import SMALLEST, cells_of, counts, hide_small
from bot.custody.figures import by_month, rows, tables
from bot.handover import DISCLOSURE, EARLY_HELP, MESSAGE
from bot.risk.detector import assess
from bot.risk.taxonomy import Category, Level
from tests.custody.conftest import MARKER, worry


def everything(core):
    with core.store.read() as uow:
        return counts(uow)


def test_a_count_is_the_same_before_and_after_what_it_counts_is_gone(core, talk, dialogue) -> None:
    with core.store.read() as uow:
        place = uow.places()[0]
    for days in (0, 40_000):
        talk(days, kind=DISCLOSURE, place=place.id)
        talk(days, kind=DISCLOSURE, finding=worry(Category.SEXUAL_ABUSE, Level.IMMEDIATE))
        talk(days, kind=MESSAGE)
        talk(days)
    erased = talk(kind=EARLY_HELP, place=place.id)
    before = everything(core)
    Conversations(core, dialogue, assess, Changes(core.store))._erase(erased.id)
    assert everything(core) == before
    purging.purge(core, core.now())
    assert everything(core) == before
    assert sum(n for cell, n in before.items() if cell[4] == "case") == 9
    assert {cell[1] for cell in before} == {"", place.area}
    assert MARKER not in str(before)


def test_what_was_erased_and_later_purged_is_counted_once(core, talk, dialogue) -> None:
    told = talk(40_000, kind=MESSAGE)
    before = everything(core)
    Conversations(core, dialogue, assess, Changes(core.store))._erase(told.id)
    assert purging.purge(core, core.now()).conversations == 1
    assert everything(core) == before


def test_times_to_accept_and_to_close_fall_into_bands(core, talk) -> None:
    told = talk(kind=MESSAGE)
    with core.uow() as uow:
        case = uow.handover(told.case)
        case.opened_at -= timedelta(minutes=5)
        case.closed_at += timedelta(days=2)
        uow.commit()
    with core.store.read() as uow:
        row = uow.conversation(told.id)
        cells = {cell[4]: cell[5] for cell in cells_of(uow, row.id, row.created_at, row.place_id)}
    assert cells["accepted_in"] == "10_min" and cells["closed_in"] == "7_days"


def test_an_open_case_has_no_times_yet(core, talk) -> None:
    talk(kind=MESSAGE, open_case=True)
    values = {cell[4]: cell[5] for cell in everything(core)}
    assert values["accepted_in"] == values["closed_in"] == "never"


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ([9, 7, 0], [9, 7, 0]),
        ([9, 7, 3], [9, None, None]),
        ([3, 2, 12], [None, None, 12]),
        ([4], [None]),
        ([5], [5]),
        ([], []),
    ],
)
def test_small_figures_are_hidden_and_so_is_what_would_give_one_away(numbers, shown) -> None:
    assert hide_small(numbers) == shown


@given(st.lists(st.integers(0, 30), max_size=8))
def test_no_hidden_figure_can_be_worked_out_from_the_sum(numbers) -> None:
    shown = hide_small(numbers)
    hidden = [n for n, seen in zip(numbers, shown, strict=True) if seen is None]
    assert all(seen is None or seen == 0 or seen >= SMALLEST for seen in shown)
    others = [n for n, seen in zip(numbers, shown, strict=True) if seen]
    assert len(hidden) != 1 or not others


def test_the_command_prints_and_writes_them(core, talk, command, tmp_path) -> None:
    for _ in range(5):
        talk(kind=MESSAGE)
    talk(kind=EARLY_HELP)
    status, said = command("statistics")
    assert status == 0 and "<5" in said and MARKER not in said
    status, said = command("statistics", "--csv", str(tmp_path / "figures.csv"))
    text = (tmp_path / "figures.csv").read_text()
    assert status == 0 and text.startswith('"month","area","what","value","count"') and MARKER not in text
    with core.store.read() as uow:
        found = counts(uow)
        assert by_month(found)[0][1] == 6
        assert dict(tables(found)["kind"]) == {"message": None, "early_help": None}
        assert len(text.splitlines()) == len(rows(uow)) + 1


def test_the_purge_command_lists_first_and_deletes_then(core, talk, command, tmp_path) -> None:
    talk(40_000, kind=MESSAGE)
    status, said = command("purge", "--dry-run")
    assert status == 0 and "message_passed_on" in said and "1 would be deleted" in said
    assert "Nothing was deleted" in said
    status, said = command("purge", "--report", str(tmp_path / "report.json"))
    assert status == 0 and "Deleted 1 conversations with 1 cases" in said
    assert '"sha256_of_all"' in (tmp_path / "report.json").read_text()
    assert "Deleted 0 conversations" in command("purge")[1]


def test_the_rotation_command_says_when_the_old_key_can_go(core, talk, command, monkeypatch) -> None:
    from cryptography.fernet import Fernet
    from pydantic import SecretStr

    from bot.bootstrap import build_core

    talk()
    keys = f"{Fernet.generate_key().decode()},{core.settings.keys.get_secret_value()}"
    house = build_core(core.settings.copy(update={"keys": SecretStr(keys)}))
    monkeypatch.setattr("bot.bootstrap.core", lambda: house)
    status, said = command("rotate-keys", "--check")
    assert status == 1 and "still needed" in said
    status, said = command("rotate-keys")
    assert status == 0 and "can be taken out" in said and not [key for key in keys.split(",") if key in said]
    assert command("rotate-keys", "--check")[0] == 0
    house.store.engine.dispose()
