"""Keys are changed while Earshot runs, and every sealed column there is or will be moves with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Column, LargeBinary, String, Table, inspect, select, text

from bot import transcript
from bot.bootstrap import Core, build_core
from bot.custody import keys
from bot.custody.sealed import belongings, of_handover, sealed_tables
from bot.handover import DISCLOSURE
from bot.messages import Sender
from bot.store.encryption import CannotDecrypt, Encrypted
from bot.store.models import AuditEntry, Base, Conversation
from tests.custody.conftest import MARKER

#: Tables with sealed columns that are nobody's conversation: staff and their words.
OF_THE_HOUSE = {"staff", "staff_session", "reply_template"}


def with_keys(core: Core, *these: str) -> Core:
    """The same house, started with other keys."""
    return build_core(core.settings.copy(update={"keys": type(core.settings.keys)(",".join(these))}))


@pytest.fixture
def old(core: Core) -> str:
    return core.settings.keys.get_secret_value()


@pytest.fixture
def rotated(core: Core, old: str) -> Iterator[Core]:
    """The house with a new key in front of the old one."""
    house = with_keys(core, Fernet.generate_key().decode(), old)
    yield house
    house.store.engine.dispose()


@pytest.fixture
def a_later_column(core: Core) -> Iterator[Table]:
    """A table that somebody adds one day, with no word about keys anywhere."""
    table = Table(
        "added_later",
        Base.metadata,
        Column("area", String(20), primary_key=True),
        Column("name", String(20), primary_key=True),
        Column("words", Encrypted),
    )
    table.create(core.store.engine)
    with core.store.engine.execution_options(earshot_write=True).begin() as connection:
        rows = [
            {"area": f"a{n % 3}", "name": f"n{n}", "words": MARKER if n % 2 else None} for n in range(500)
        ]
        connection.execute(table.insert(), rows)
    yield table
    Base.metadata.remove(table)


def test_everything_moves_to_the_newest_key_and_the_old_one_can_go(core, rotated, talk, raw) -> None:
    talk(kind=DISCLOSURE)
    with core.store.read() as uow:
        staff = len(uow.staff())
    before = keys.survey(rotated.store)
    assert before.total("older") > staff and before.total("newest") == 0
    done = keys.rotate(rotated.store, rotated.now())
    assert done.total("moved") == before.total("older") and done.total("older") == 0
    assert {"message.text", "staff.name", "dialogue_state.body", "handover.outcome"} <= set(done.columns)
    newest = with_keys(core, rotated.settings.fernet_keys[0])
    with newest.store.read() as uow:
        assert any(
            MARKER in (m.text or "") for m in uow.messages(uow.session.scalar(select(Conversation.id)))
        )
    assert keys.survey(newest.store).total("unreadable") == 0
    sealed = [value for values in raw().values() for value in values]
    assert all(core.store.cipher.sealed_with(value) is None for value in sealed), "the old key opens one"
    newest.store.engine.dispose()


def test_a_column_that_is_added_is_rotated_without_anybody_remembering(core, rotated, a_later_column) -> None:
    done = keys.rotate(rotated.store, rotated.now())
    assert done.columns["added_later.words"].moved == 250
    only_new = with_keys(core, rotated.settings.fernet_keys[0])
    with only_new.store.engine.connect() as connection:
        words = connection.execute(select(a_later_column.c.words)).scalars().all()
    assert words.count(MARKER) == 250 and words.count(None) == 250
    only_new.store.engine.dispose()


def test_a_run_that_was_broken_off_goes_on_where_it_was(core, rotated, a_later_column, monkeypatch) -> None:
    monkeypatch.setattr(keys, "BATCH", 100)

    class Killed(Exception):
        pass

    def dies(table: str, rows: int) -> None:
        if table == "added_later" and rows == 300:
            raise Killed

    with pytest.raises(Killed):
        keys.rotate(rotated.store, rotated.now(), dies)
    half = keys.survey(rotated.store).columns["added_later.words"]
    assert half.newest + half.older == 250 and 0 < half.newest < 250
    assert keys.rotate(rotated.store, rotated.now()).columns["added_later.words"].moved == half.older
    assert keys.rotate(rotated.store, rotated.now()).total("moved") == 0


def test_what_is_written_meanwhile_is_not_lost(core, rotated, talk, monkeypatch) -> None:
    """A gateway changes a message between the look and the move; another writes all the time."""
    chat = talk().id
    monkeypatch.setattr(keys, "BATCH", 5)
    stop, wrote = threading.Event(), []

    def gateway() -> None:
        while not stop.is_set():
            with rotated.uow() as uow:
                row = uow.conversation(chat, lock=True)
                said = transcript.append(uow, row, Sender.YOU, f"message {len(wrote)}", rotated.now())
                row.wishes = {"n": len(wrote)}
                uow.commit()
                wrote.append(said.seq)

    real = keys._move

    def changed_in_between(store, table, rows, found) -> None:
        if table.name == "conversation":
            with rotated.uow() as uow:
                uow.conversation(chat, lock=True).memory = {"said": "in between"}
                uow.commit()
        real(store, table, rows, found)

    monkeypatch.setattr(keys, "_move", changed_in_between)
    writer = threading.Thread(target=gateway)
    writer.start()
    try:
        while len(wrote) < 3:
            stop.wait(0.01)
        done = keys.rotate(rotated.store, rotated.now())
    finally:
        stop.set()
        writer.join()
    assert done.total("unreadable") == 0
    with rotated.store.read() as uow:
        texts = [m.text for m in uow.messages(chat)]
        assert uow.conversation(chat).memory == {"said": "in between"}
        assert uow.conversation(chat).wishes == {"n": len(wrote) - 1}
    assert [one for one in texts if one.startswith("message ")] == [f"message {n}" for n in range(len(wrote))]
    assert keys.survey(rotated.store).total("older") == 0


def test_a_value_that_no_key_opens_is_counted_and_left_alone(core, rotated, talk, raw) -> None:
    chat = talk().id
    strange = Fernet(Fernet.generate_key()).encrypt(b"?")
    with core.store.engine.execution_options(earshot_write=True).begin() as connection:
        connection.execute(
            text("UPDATE conversation SET wishes = :v WHERE id = :id"), {"v": strange, "id": chat}
        )
    done = keys.rotate(rotated.store, rotated.now())
    assert done.columns["conversation.wishes"].unreadable == 1
    assert strange in raw()["conversation.wishes"]


def test_the_audit_log_says_that_keys_were_changed_and_not_which(core, rotated, talk) -> None:
    talk()
    keys.rotate(rotated.store, rotated.now())
    with rotated.store.read() as uow:
        entry = uow.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert (entry.actor, entry.action) == ("operator", "keys_rotated")
    assert entry.detail["moved"]["message.text"] >= 1
    assert not any(key in str(entry.detail) for key in rotated.settings.fernet_keys)


def test_no_column_of_the_database_is_sealed_behind_our_back(core) -> None:
    """Bytes in the database are sealed values: whoever adds a column of bytes seals it with ours."""
    known = {(table.name, name) for table in sealed_tables() for name in table.columns}
    look = inspect(core.store.engine)
    there = {
        (name, column["name"])
        for name in look.get_table_names()
        for column in look.get_columns(name)
        if isinstance(column["type"], LargeBinary)
    }
    assert there == known


def test_every_table_with_words_belongs_to_a_conversation_or_is_of_the_house() -> None:
    """So deletion, retention and export reach it. A new one belongs by a foreign key, or stands above."""
    mine = {table.name for table in belongings()}
    strays = {table.name for table in sealed_tables()} - mine - OF_THE_HOUSE
    assert not strays, "give it a foreign key to a conversation or handover, or name it in OF_THE_HOUSE"
    assert {"message", "handover", "dialogue_state", "case_note", "record_version"} <= mine
    assert "message" not in of_handover() and {"handover", "case_note"} <= of_handover()


def test_a_cipher_without_the_key_says_so(core) -> None:
    other = with_keys(core, Fernet.generate_key().decode())
    with pytest.raises(CannotDecrypt):
        other.store.cipher.reseal(core.store.cipher.seal("x"))
    assert other.store.cipher.sealed_with(core.store.cipher.seal("x")) is None
