"""Backups: made while people write, sealed, and put back only when they are whole and fit."""

from __future__ import annotations

import io
import os
import resource
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import text

from bot import transcript
from bot.bootstrap import Core, build_core
from bot.custody import archive, keys
from bot.custody.archive import CutOff, Damaged, NotABackup, Sealer, WrongKey, opened
from bot.custody.backup import BackupError, back_up, copy_sqlite
from bot.custody.restore import NewerSchema, NotEmpty, check, restore
from bot.handover import DISCLOSURE
from bot.messages import Sender
from bot.store.audit import verify
from bot.store.migrate import is_current
from tests.custody.conftest import MARKER


def elsewhere(core: Core, folder: Path, **more: object) -> Core:
    """Earshot on a machine of its own, with nothing in its database."""
    url = f"sqlite:///{folder / 'elsewhere' / 'earshot.db'}"
    return build_core(core.settings.copy(update={"database_url": url, **more}))


@pytest.fixture
def file(core: Core, talk, tmp_path: Path) -> Path:
    """A backup of a house with a case in it."""
    talk(kind=DISCLOSURE)
    made = tmp_path / "earshot.backup"
    back_up(core.store, made, core.now())
    return made


@pytest.fixture
def new(core: Core, tmp_path: Path) -> Iterator[Core]:
    house = elsewhere(core, tmp_path)
    yield house
    house.store.engine.dispose()


def test_a_backup_holds_everything_and_shows_nothing(core, file, new, tmp_path) -> None:
    assert MARKER.encode() not in file.read_bytes() and b"SQLite" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir() if "earshot.db" not in path.name) == [file.name]
    restore(file, new.store)
    with core.store.read() as before, new.store.read() as after:
        for uow in (before, after):
            assert verify(uow.session, core.store.cipher).whole
        tables = [name for (name,) in before.session.execute(text("SELECT name FROM sqlite_master"))]
        assert [name for (name,) in after.session.execute(text("SELECT name FROM sqlite_master"))] == tables
        told = [
            m.text for uow in (before, after) for m in uow.messages(uow.queue(closed=True)[0].conversation_id)
        ]
        assert told[: len(told) // 2] == told[len(told) // 2 :] and any(MARKER in one for one in told)
    assert is_current(new.store) and keys.survey(new.store).total("unreadable") == 0


def test_a_database_that_stays_locked_is_not_waited_for_for_ever(tmp_path) -> None:
    holder = sqlite3.connect(tmp_path / "held.db", isolation_level=None)
    held, empty = sqlite3.connect(tmp_path / "held.db", timeout=0), sqlite3.connect(":memory:")
    holder.execute("CREATE TABLE one (x)")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BackupError, match="stayed locked for 0.5 seconds"):
        copy_sqlite(held, empty, within=0.5)
    with pytest.raises(BackupError, match="stayed locked"):
        copy_sqlite(empty, held, within=0.5)
    holder.execute("ROLLBACK")
    copy_sqlite(held, empty)
    assert empty.execute("SELECT name FROM sqlite_master").fetchall() == [("one",)]
    for one in (holder, held, empty):
        one.close()


def test_a_backup_is_of_one_moment_although_people_write(core, talk, new, tmp_path) -> None:
    """Each message is written with its number in the conversation, in one transaction."""
    chat = talk().id
    stop, wrote = threading.Event(), []

    def people() -> None:
        while not stop.is_set():
            with core.uow() as uow:
                row = uow.conversation(chat, lock=True)
                wrote.append(transcript.append(uow, row, Sender.YOU, "hello", core.now()).seq)
                uow.commit()

    writer = threading.Thread(target=people)
    writer.start()
    try:
        while len(wrote) < 3:
            stop.wait(0.01)
        seen = len(wrote)
        back_up(core.store, tmp_path / "b", core.now())
        during = len(wrote) - seen
    finally:
        stop.set()
        writer.join()
    restore(tmp_path / "b", new.store)
    with new.store.read() as uow:
        messages = uow.messages(chat)
        assert uow.conversation(chat).next_seq == messages[-1].seq + 1
        assert [m.seq for m in messages] == list(range(1, len(messages) + 1)) and len(messages) >= seen
    assert during > 0, "nobody could write while the backup was made"


def test_a_backup_goes_with_a_passphrase_too(core, talk, new, tmp_path) -> None:
    talk(kind=DISCLOSURE)
    made = tmp_path / "b"
    back_up(core.store, made, core.now(), "correct horse battery")
    for wrong in (None, "wrong horse battery"):
        with pytest.raises(WrongKey, match="passphrase"):
            check(made, new.store, wrong)
    assert restore(made, new.store, "correct horse battery").rows["message"] > 0


def test_a_backup_overwrites_nothing(core, file) -> None:
    before = file.read_bytes()
    with pytest.raises(BackupError, match="overwrites nothing"):
        back_up(core.store, file, core.now())
    assert file.read_bytes() == before


def test_a_restore_overwrites_nothing(core, file) -> None:
    with pytest.raises(NotEmpty, match="--into"):
        restore(file, core.store)
    with core.store.read() as uow:
        assert uow.queue(closed=True)


def test_the_wrong_keys_are_told_before_anything_is_written(core, file, tmp_path) -> None:
    strange = Fernet.generate_key().decode()
    for more, told in (
        ({"keys": SecretStr(strange)}, "None of EARSHOT_KEYS"),
        ({"lookup_key": SecretStr(secrets.token_hex(32))}, "EARSHOT_LOOKUP_KEY"),
    ):
        house = elsewhere(core, tmp_path, **more)
        with pytest.raises(archive.ArchiveError, match=told):
            restore(file, house.store)
        house.store.engine.dispose()
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_that_only_some_values_need_is_asked_for(core, talk, tmp_path) -> None:
    """Rotation was begun and not finished: the file opens with the new key, half of it with the old."""
    talk()
    old, new_key = core.settings.keys.get_secret_value(), Fernet.generate_key().decode()
    both = build_core(core.settings.copy(update={"keys": SecretStr(f"{new_key},{old}")}))
    back_up(both.store, tmp_path / "b", core.now())
    house = elsewhere(core, tmp_path, keys=SecretStr(new_key))
    with pytest.raises(BackupError, match="1 of the keys .* not in EARSHOT_KEYS"):
        restore(tmp_path / "b", house.store)
    for one in (both, house):
        one.store.engine.dispose()


def test_a_database_that_no_key_opens_is_not_backed_up_as_if_it_were(core, talk, tmp_path) -> None:
    talk()
    house = build_core(core.settings.copy(update={"keys": SecretStr(Fernet.generate_key().decode())}))
    with pytest.raises(BackupError, match="worth nothing"):
        back_up(house.store, tmp_path / "b", core.now())
    house.store.engine.dispose()
    assert not (tmp_path / "b").exists()


def test_a_file_that_was_cut_off_is_told_wherever_it_was(file, new, tmp_path) -> None:
    whole = file.read_bytes()
    for length in (10, 25, 300, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises((CutOff, NotABackup)):
            restore(tmp_path / "cut", new.store)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_was_changed_is_told(file, new, tmp_path) -> None:
    whole = file.read_bytes()
    for place in (40, len(whole) // 3, len(whole) - 5):
        changed = bytearray(whole)
        changed[place] ^= 1
        (tmp_path / "changed").write_bytes(changed)
        with pytest.raises(archive.ArchiveError):
            restore(tmp_path / "changed", new.store)
    (tmp_path / "changed").write_bytes(whole + b"x")
    with pytest.raises(Damaged, match="more in the file"):
        restore(tmp_path / "changed", new.store)
    (tmp_path / "changed").write_text("a shopping list")
    with pytest.raises(NotABackup):
        restore(tmp_path / "changed", new.store)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "size", [0, 1, archive.PIECE - 1, archive.PIECE, archive.PIECE + 1, 3 * archive.PIECE]
)
def test_the_stream_comes_out_as_it_went_in_and_no_piece_can_be_left_out(core, size) -> None:
    data, cipher = os.urandom(size), core.store.cipher
    file = io.BytesIO()
    sealer = Sealer(file, cipher, None)
    for start in range(0, size, 100_000):
        sealer.write(data[start : start + 100_000])
    sealer.close()
    assert b"".join(opened(io.BytesIO(file.getvalue()), cipher)) == data
    if size > archive.PIECE:
        whole = file.getvalue()
        first = whole.index(b"}", whole.index(b'"nonce"')) + 1
        without = whole[:first] + whole[first + 4 + archive.PIECE + 16 :]
        with pytest.raises(Damaged):
            b"".join(opened(io.BytesIO(without), cipher))
        with pytest.raises(CutOff):
            b"".join(opened(io.BytesIO(whole[: first + 4 + archive.PIECE + 16]), cipher))


def test_a_newer_schema_is_told(core, talk, new, tmp_path) -> None:
    with core.store.engine.execution_options(earshot_write=True).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9001'"))
    back_up(core.store, tmp_path / "b", core.now())
    with pytest.raises(NewerSchema, match="9001"):
        restore(tmp_path / "b", new.store)


def test_rows_that_are_missing_afterwards_are_told(core, file, new, monkeypatch) -> None:
    """A backup whose manifest and contents disagree is not passed off as good."""
    monkeypatch.setattr("bot.custody.restore.rows_in", lambda connection: {"message": 1})
    with pytest.raises(Damaged, match="rows that were backed up"):
        restore(file, new.store)


# As an operator sees it ------------------------------------------------------------------------------


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """A disk on which no file gets bigger than this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_leaves_nothing_half_done(core, talk, new, tmp_path) -> None:
    talk()
    keys.empty_log(core.store)  # what has to be written is the backup alone
    folder = tmp_path / "backups"
    folder.mkdir()
    with room_for(200_000), pytest.raises(BackupError, match="could not be written.*room on the disk"):
        back_up(core.store, folder / "b", core.now())
    assert list(folder.iterdir()) == []
    back_up(core.store, folder / "b", core.now())
    with room_for(200_000), pytest.raises(BackupError, match="could not be written.*room on the disk"):
        restore(folder / "b", new.store)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert restore(folder / "b", new.store).rows["conversation"] == 1


def test_the_commands_back_up_check_and_restore(core, talk, command, tmp_path) -> None:
    talk(kind=DISCLOSURE)
    made, target = str(tmp_path / "b"), tmp_path / "new.db"
    (tmp_path / "pass").write_text("correct horse battery\n")
    with_it = ("--passphrase-file", str(tmp_path / "pass"))
    status, said = command("backup", made, *with_it)
    assert status == 0 and "rows" in said
    assert "overwrites nothing" in command("backup", made, *with_it)[1]
    assert "needs its passphrase" in command("restore", made, "--check")[1]
    assert "Whole." in command("restore", made, "--check", *with_it)[1]
    assert "not empty" in command("restore", made, *with_it)[1]
    status, said = command("restore", made, "--into", f"sqlite:///{target}", *with_it)
    assert status == 0 and "rows are back" in said
    with sqlite3.connect(target) as database:
        assert database.execute("SELECT action FROM audit ORDER BY id DESC").fetchone() == ("restored",)
    assert "cannot be read" in command("restore", str(tmp_path / "nothing"), "--check")[1]
    (tmp_path / "pass").write_text("short\n")
    assert "at least 12 characters" in command("backup", str(tmp_path / "c"), *with_it)[1]
