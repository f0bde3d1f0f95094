"""The upgrade drill: a database of an older Earshot, with people in it, becomes one of today."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from alembic import command
from sqlalchemy import MetaData, inspect, select, text

from bot.bootstrap import Core, build_core
from bot.conversation import give_code
from bot.custody import keys
from bot.custody.backup import back_up
from bot.custody.restore import restore
from bot.store import audit
from bot.store.migrate import alembic_config, differences, is_current, migrate
from bot.store.models import AuditEntry, DialogueState, Place, Staff
from tests.custody.conftest import MARKER

#: Schemas that were in use, from the first that production could have had.
OLDER = ("0004", "0005", "0006")
AT = datetime(2026, 11, 1, 12, 0, tzinfo=timezone.utc)


def make_old(house: Core, revision: str) -> None:
    """A database as that schema made it, with a case in it, written without today's models."""
    with house.store.engine.execution_options(earshot_write=True).begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    seal = house.store.cipher.seal
    tables = MetaData()
    tables.reflect(house.store.engine)

    def put(connection, table: str, **values: object) -> None:
        connection.execute(tables.tables[table].insert().values(**values))

    with house.store.engine.execution_options(earshot_write=True).begin() as connection:
        put(connection, "area", id="n", name="Northmoor", nation="ENG")
        put(connection, "place", id="hill", name="Hillbrook", kind="school", area="n", active=True)
        put(
            connection,
            "staff",
            id="sam",
            name=seal(f"Sam {MARKER}"),
            role="duty_worker",
            job_title="x",
            email=seal("s@x.example"),
            trained_for=[],
            answers_by=[],
            areas=[],
            off_duty=False,
            active=True,
        )
        put(connection, "shift", staff_id="sam", days=[1], starts="00:00", ends="00:00", bank_holidays=False)
        put(
            connection,
            "conversation",
            id="c1",
            channel="web",
            owner="bot",
            place_id="hill",
            next_seq=2,
            memory=seal(json.dumps({"level": "high"})),
            code=seal("old-code-words-come-back"),
            code_hash=house.store.cipher.slow_hash("return-code", "old-code-words-come-back"),
            created_at=AT,
            last_at=AT,
        )
        put(
            connection,
            "message",
            conversation_id="c1",
            seq=1,
            sender="you",
            kind="text",
            level="high",
            text=seal(f"he hits me {MARKER}"),
            created_at=AT,
            answered_at=AT,
            attempts=0,
        )
        put(
            connection,
            "handover",
            id=1,
            reference="ABC-123",
            conversation_id="c1",
            kind="disclosure",
            state="closed",
            level="high",
            level_rank=2,
            categories=["physical_abuse"],
            about="self",
            tier=1,
            routed_to=["sam"],
            evidence=seal("[]"),
            details=seal(json.dumps({"words": MARKER})),
            accepted_by="sam",
            opened_at=AT,
            accepted_at=AT,
            closed_at=AT,
            outcome=seal(f"spoke {MARKER}"),
        )
        put(
            connection,
            "alert",
            handover_id=1,
            staff_id="sam",
            tier=1,
            reason="opened",
            created_at=AT,
            sent_at=AT,
            attempts=1,
        )
        put(connection, "dialogue_state", sender_id="c1", body=seal(f"slots {MARKER}"), updated_at=AT)
        content = audit.content_of(
            {
                "at": AT,
                "actor": "sam",
                "action": "closed",
                "handover_id": 1,
                "conversation_id": "c1",
                "subject": None,
                "detail": {},
            }
        )
        last = audit.hash_after(audit.FIRST, content)
        put(
            connection,
            "audit",
            at=AT,
            actor="sam",
            action="closed",
            handover_id=1,
            conversation_id="c1",
            detail={},
            prev_hash=audit.FIRST,
            hash=last,
        )
        connection.execute(text("DELETE FROM audit_head"))
        put(connection, "audit_head", id=1, entries=1, hash=last,
            seal=audit.seal_of(house.store.cipher, 1, last))  # fmt: skip


def is_all_there(house: Core) -> None:
    """Everything that was put in is found, opened and worked with as if it had been written today."""
    assert is_current(house.store) and differences(house.store) == []
    assert keys.survey(house.store).total("unreadable") == 0
    with house.uow() as uow:
        row = uow.conversation_by(
            "code_hash", uow.cipher.slow_hash("return-code", "old-code-words-come-back")
        )
        assert row.id == "c1" and row.memory == {"level": "high"} and row.purged_at is None
        assert [m.text for m in uow.messages("c1")] == [f"he hits me {MARKER}"]
        case = uow.handover(1)
        assert (case.reference, case.outcome, case.held_at) == ("ABC-123", f"spoke {MARKER}", None)
        assert case.details == {"words": MARKER} and case.categories == ["physical_abuse"]
        assert uow.session.get(Staff, "sam").name == f"Sam {MARKER}" and uow.session.get(Place, "hill")
        assert uow.session.get(DialogueState, "c1").body == f"slots {MARKER}"
        assert [alert.sent_at for alert in uow.alerts_of(1)] == [AT]
        assert audit.verify(uow.session, uow.cipher).whole
        give_code(uow, row)
        uow.audit(house.now(), "operator", "upgraded", conversation_id="c1")
        uow.commit()
    with house.store.read() as uow:
        assert audit.verify(uow.session, uow.cipher).whole
        assert len(uow.session.scalars(select(AuditEntry)).all()) == 2


@pytest.fixture
def house(settings, tmp_path) -> Iterator[Core]:
    made = build_core(settings.copy(update={"database_url": f"sqlite:///{tmp_path / 'old.db'}"}))
    yield made
    made.store.engine.dispose()


@pytest.mark.parametrize("revision", OLDER)
def test_a_database_of_an_older_schema_is_all_there_after_the_upgrade(house, revision) -> None:
    make_old(house, revision)
    assert not is_current(house.store)
    migrate(house.store)
    is_all_there(house)
    migrate(house.store)
    assert is_current(house.store)


def test_an_upgrade_that_breaks_off_leaves_what_was_there(house, monkeypatch) -> None:
    make_old(house, "0004")
    tables = set(inspect(house.store.engine).get_table_names())
    from alembic import op

    real = op.create_table

    def dies(name: str, *columns: object) -> object:
        if name == "purge_run":
            raise RuntimeError("the machine went down")
        return real(name, *columns)

    monkeypatch.setattr(op, "create_table", dies)
    with pytest.raises(RuntimeError):
        migrate(house.store)
    monkeypatch.undo()
    assert set(inspect(house.store.engine).get_table_names()) == tables
    migrate(house.store)
    is_all_there(house)


def test_a_backup_of_an_older_schema_is_put_back_and_upgraded(house, settings, tmp_path) -> None:
    make_old(house, "0004")
    back_up(house.store, tmp_path / "old.backup", house.now())
    url = f"sqlite:///{tmp_path / 'put-back.db'}"
    new = build_core(settings.copy(update={"database_url": url}))
    assert restore(tmp_path / "old.backup", new.store).revision == "0004"
    is_all_there(new)
    new.store.engine.dispose()
