"""The audit log is a chain: what is changed, removed, moved or cut off is found."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from typer.testing import CliRunner

from bot.bootstrap import Core, build_core
from bot.store import audit, audit_command
from bot.store.migrate import alembic_config, differences, migrate
from bot.store.uow import UnitOfWork
from tests.conftest import settings_in


@pytest.fixture
def file(core: Core, tmp_path: Path) -> Path:
    """A house whose log holds five entries of three transactions; its database file."""
    for actions in (("opened", "escalated"), ("accepted",), ("replied", "closed")):
        with core.uow() as uow:
            for action in actions:
                uow.audit(core.now(), "sam-okafor", action, conversation_id="c" * 32, level="high")
            uow.commit()
    return tmp_path / "earshot.db"


def check(core: Core, known: str | None = None) -> audit.Verdict:
    with core.store.read() as uow:
        return audit.verify(uow.session, core.store.cipher, known)


def found(core: Core) -> list[tuple[str, int | None]]:
    return [(one.what, one.entry) for one in check(core).breaks]


def tamper(file: Path, *statements: str) -> None:
    """What somebody with the file in hand can do: the triggers are theirs to drop."""
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("DROP TRIGGER audit_no_delete")
        for statement in statements:
            connection.execute(statement)
    connection.close()


def ids(core: Core) -> list[int]:
    with core.store.read() as uow:
        return [row[0] for row in uow.session.execute(text("SELECT id FROM audit ORDER BY id"))]


def test_what_was_only_appended_is_whole(core: Core, file: Path) -> None:
    verdict = check(core)
    assert verdict.whole and verdict.entries == len(ids(core)) >= 5


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'somebody-else'",
        "action = 'read'",
        "at = '2026-01-01 00:00:00.000000'",
        'detail = \'{"level": "none"}\'',
        "conversation_id = NULL",
        "subject = 'sam-okafor'",
        "handover_id = 7",
    ],
)
def test_a_changed_entry_is_found(core: Core, file: Path, change: str) -> None:
    third = ids(core)[-3]
    tamper(file, f"UPDATE audit SET {change} WHERE id = {third}")
    assert (audit.CHANGED, third) in found(core)


def test_a_changed_entry_that_was_hashed_anew_is_found_at_the_next_one(core: Core, file: Path) -> None:
    third, fourth = ids(core)[-3:-1]
    with core.store.read() as uow:
        entry = uow.session.get(audit.AuditEntry, third)
        entry.actor = "somebody-else"
        forged = audit.hash_after(entry.prev_hash, audit.content_of(entry))
        uow.session.rollback()
    tamper(file, f"UPDATE audit SET actor = 'somebody-else', hash = '{forged}' WHERE id = {third}")
    assert found(core) == [(audit.UNLINKED, fourth)]


def test_a_removed_entry_is_found(core: Core, file: Path) -> None:
    third, fourth = ids(core)[-3:-1]
    tamper(file, f"DELETE FROM audit WHERE id = {third}")
    assert (audit.UNLINKED, fourth) in found(core)


def test_entries_cut_off_at_the_end_are_found(core: Core, file: Path) -> None:
    tamper(file, f"DELETE FROM audit WHERE id > {ids(core)[-3]}")
    assert found(core) == [(audit.CUT_OFF, None)]


def test_an_emptied_log_is_found(core: Core, file: Path) -> None:
    tamper(file, "DELETE FROM audit")
    assert found(core) == [(audit.CUT_OFF, None)]
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM audit_head")
    connection.close()
    assert (audit.CUT_OFF, None) in found(core)


def test_reordered_entries_are_found(core: Core, file: Path) -> None:
    second, third = ids(core)[-4:-2]
    tamper(
        file,
        f"UPDATE audit SET id = 9999 WHERE id = {second}",
        f"UPDATE audit SET id = {second} WHERE id = {third}",
        f"UPDATE audit SET id = {third} WHERE id = 9999",
    )
    assert {what for what, _ in found(core)} == {audit.UNLINKED}


def test_an_entry_slipped_in_is_found(core: Core, file: Path) -> None:
    last = ids(core)[-1]
    tamper(
        file,
        "INSERT INTO audit (at, actor, action, detail, prev_hash, hash) "
        f"SELECT at, actor, 'read', detail, hash, prev_hash FROM audit WHERE id = {last}",
    )
    assert {what for what, _ in found(core)} >= {audit.CHANGED, audit.CUT_OFF}


def test_a_log_rebuilt_from_end_to_end_lacks_the_seal(core: Core, file: Path) -> None:
    """Without the key of the settings a forger can chain anew, but not seal."""
    with core.store.read() as uow:
        entries = uow.session.query(audit.AuditEntry).order_by(audit.AuditEntry.id).all()[:-2]
        prev, statements = audit.FIRST, []
        for entry in entries:
            entry.actor = "somebody-else"
            mine = audit.hash_after(prev, audit.content_of(entry))
            statements.append(
                f"UPDATE audit SET actor = 'somebody-else', prev_hash = '{prev}x', hash = '{mine}' "
                f"WHERE id = {entry.id}"
            )
            prev = mine
        last = entries[-1].id
        uow.session.rollback()
    tamper(
        file,
        *statements,
        "UPDATE audit SET prev_hash = substr(prev_hash, 1, 64)",
        f"DELETE FROM audit WHERE id > {last}",
        f"UPDATE audit_head SET entries = {len(entries)}, hash = '{prev}'",
    )
    assert found(core) == [(audit.UNSEALED, None)]


def test_a_hash_noted_down_shows_an_old_copy_put_back(core: Core, file: Path) -> None:
    noted = check(core).hash
    assert check(core, noted).whole
    assert [one.what for one in check(core, "f" * 64).breaks] == [audit.UNKNOWN]


def test_the_database_refuses_changes_and_a_fork_of_the_chain(core: Core, file: Path) -> None:
    fork = (
        "INSERT INTO audit (at, actor, action, detail, prev_hash, hash) "
        "SELECT at, actor, action, detail, prev_hash, 'x' FROM audit WHERE id = (SELECT max(id) FROM audit)"
    )
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", fork):
        with pytest.raises(DatabaseError), core.store.engine.begin() as connection:
            connection.execute(text(statement))
    assert check(core).whole


def append_some(core: Core, count: int = 5) -> None:
    for n in range(count):
        with core.uow() as uow:
            uow.audit(core.now(), "bot", "opened", number=n)
            uow.audit(core.now(), "bot", "escalated", number=n)
            uow.commit()


def test_writers_at_once_make_one_chain(core: Core, file: Path) -> None:
    before = check(core).entries
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: append_some(core), range(6)))
    verdict = check(core)
    assert verdict.whole and verdict.entries == before + 60


def test_what_was_not_committed_is_not_in_the_log(core: Core, file: Path) -> None:
    before = check(core)
    with core.uow() as uow:
        uow.audit(core.now(), "bot", "opened")
    assert check(core) == before


def test_a_transaction_reads_its_own_entries(core: Core) -> None:
    def actions(uow: UnitOfWork) -> list[str]:
        return [entry.action for entry in uow.audit_of(7)]

    class Case:
        id, conversation_id = 7, "c" * 32

    with core.uow() as uow:
        uow.audit(core.now(), "bot", "opened", handover=Case())
        assert actions(uow) == ["opened"]
        uow.audit(core.now(), "bot", "closed", handover=Case())
        uow.commit()
    with core.store.read() as uow:
        assert actions(uow) == ["opened", "closed"]
    assert check(core).whole


def test_entries_from_before_the_chain_are_chained_by_the_migration(tmp_path: Path, house_keys) -> None:
    core = build_core(settings_in(tmp_path, house_keys))
    config = alembic_config()
    with core.store.engine.execution_options(earshot_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for n in range(1_203):
            connection.execute(
                text("INSERT INTO audit (at, actor, action, detail) VALUES (:at, 'bot', 'read', :detail)"),
                {"at": f"2026-11-01 10:00:{n % 60:02d}.{n:06d}", "detail": json.dumps({"n": n, "to": "é"})},
            )
    migrate(core.store)
    assert differences(core.store) == []
    assert check(core).whole and check(core).entries == 1_203
    append_some(core, 1)
    assert check(core).whole and check(core).entries == 1_205
    with pytest.raises(DatabaseError, match="append-only"), core.store.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit"))
    core.store.engine.dispose()


def test_a_hash_is_the_same_on_every_machine() -> None:
    """The form of what is hashed must never change: every chain there is hangs on it."""
    entry = {
        "at": datetime(2026, 11, 22, 7, 0, tzinfo=timezone.utc),
        "actor": "sam",
        "action": "read",
        "handover_id": 3,
        "conversation_id": "c",
        "subject": None,
        "detail": {"b": 1, "a": ["x"]},
    }
    assert audit.content_of(entry) == (
        '{"action":"read","actor":"sam","at":"2026-11-22T07:00:00.000000+00:00","conversation":"c",'
        '"detail":{"a":["x"],"b":1},"handover":3,"subject":null}'
    )
    assert audit.hash_after(audit.FIRST, "x").startswith("0152f4f98e11e409b35bfa9b5e18c329")


def test_the_command_says_whether_the_log_is_whole(core: Core, file: Path, monkeypatch) -> None:
    monkeypatch.setattr("bot.bootstrap.core", lambda: core)
    whole = CliRunner().invoke(audit_command.app, ["verify"])
    assert whole.exit_code == 0 and check(core).hash in whole.stdout
    assert CliRunner().invoke(audit_command.app, ["verify", "--known", check(core).hash]).exit_code == 0
    assert CliRunner().invoke(audit_command.app, ["verify", "--known", "f" * 64]).exit_code == 1
    tamper(file, f"DELETE FROM audit WHERE id = {ids(core)[-2]}")
    assert CliRunner().invoke(audit_command.app, ["verify"]).exit_code == 1
