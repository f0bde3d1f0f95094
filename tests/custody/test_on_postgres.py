"""Custody on PostgreSQL: keys, purge, backup and restore, and nothing to read in its files."""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from bot import transcript
from bot.bootstrap import Core, build_core
from bot.custody import keys
from bot.custody import purge as purging
from bot.custody.archive import Damaged
from bot.custody.backup import BackupError, back_up
from bot.custody.counts import counts
from bot.custody.daily import FROM_HOUR, Daily
from bot.custody.restore import NotEmpty, restore
from bot.handover import DISCLOSURE, MESSAGE
from bot.messages import Channel, Sender
from bot.settings import Settings
from bot.store.audit import verify
from bot.store.migrate import differences, is_current
from tests.custody.conftest import MARKER
from tests.custody.test_retention import at_hour
from tests.standins.houses import move_in
from tests.standins.postgres import Postgres, needs_postgres, running

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running() as postgres:
        yield postgres


@pytest.fixture
def databases(server: Postgres) -> Iterator[list[str]]:
    """Names of two empty databases."""
    names = [f"d{secrets.token_hex(6)}" for _ in range(2)]
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in names:
            connection.execute(text(f"CREATE DATABASE {name}"))
    yield names
    engine.dispose()


@pytest.fixture
def core(server: Postgres, databases: list[str], house_keys: tuple[str, str]) -> Iterator[Core]:
    house = build_core(
        Settings(keys=house_keys[0], lookup_key=house_keys[1], database_url=server.url(databases[0]))
    )
    move_in(house)
    yield house
    house.store.engine.dispose()


@pytest.fixture
def new(core: Core, server: Postgres, databases: list[str]) -> Iterator[Core]:
    """Earshot on the other, empty database."""
    house = build_core(core.settings.copy(update={"database_url": server.url(databases[1])}))
    yield house
    house.store.engine.dispose()


def test_a_backup_made_while_people_write_is_put_back_whole(core, talk, new, tmp_path) -> None:
    chat = talk(kind=DISCLOSURE, channel=Channel.TELEGRAM).id
    stop, wrote = threading.Event(), []

    def people() -> None:
        while not stop.is_set():
            with core.uow() as uow:
                row = uow.conversation(chat, lock=True)
                wrote.append(transcript.append(uow, row, Sender.YOU, MARKER, core.now()).seq)
                uow.commit()

    writer = threading.Thread(target=people)
    writer.start()
    try:
        while len(wrote) < 3:
            stop.wait(0.01)
        manifest = back_up(core.store, tmp_path / "b", core.now())
    finally:
        stop.set()
        writer.join()
    assert (
        MARKER.encode() not in (tmp_path / "b").read_bytes() and b"PGDMP" not in (tmp_path / "b").read_bytes()
    )
    restore(tmp_path / "b", new.store)
    assert is_current(new.store) and differences(new.store) == []
    with new.store.read() as uow:
        messages = uow.messages(chat)
        assert len(messages) >= 3 and uow.conversation(chat).next_seq == messages[-1].seq + 1
        assert manifest.rows["message"] == len(messages) and verify(uow.session, new.store.cipher).whole
    with pytest.raises(NotEmpty):
        restore(tmp_path / "b", new.store)


def test_a_restore_that_fails_leaves_the_database_empty(core, talk, new, tmp_path, monkeypatch) -> None:
    talk()
    back_up(core.store, tmp_path / "b", core.now())
    real = restore.__globals__["_begin"]

    def cut(path: Path, *more: object) -> tuple[object, Iterator[bytes]]:
        manifest, pieces = real(path, *more)
        return manifest, (piece[: len(piece) // 2] for piece in pieces)

    calls: list[int] = []

    def second_time(path: Path, *more: object) -> object:
        calls.append(1)
        return (cut if len(calls) == 2 else real)(path, *more)

    monkeypatch.setattr("bot.custody.restore._begin", second_time)
    with pytest.raises(BackupError, match="nothing was written"):
        restore(tmp_path / "b", new.store)
    monkeypatch.undo()
    assert restore(tmp_path / "b", new.store).rows["conversation"] == 1


def test_a_restore_whose_file_breaks_off_in_the_middle_ends(core, talk, new, tmp_path, monkeypatch) -> None:
    talk()
    back_up(core.store, tmp_path / "b", core.now())

    def breaks_off(_store: object, manifest: object, pieces: Iterator[bytes]) -> Iterator[bytes]:
        yield next(pieces)[:100]
        raise Damaged("the disk")

    real = restore.__globals__["_into_postgresql"]
    monkeypatch.setitem(restore.__globals__, "_into_postgresql", lambda *a: real(a[0], a[1], breaks_off(*a)))
    with pytest.raises(Damaged, match="the disk"):
        restore(tmp_path / "b", new.store)
    monkeypatch.undo()
    assert restore(tmp_path / "b", new.store).rows["conversation"] == 1


def test_a_backup_goes_into_the_kind_of_database_it_came_from(core, talk, settings, tmp_path) -> None:
    talk()
    back_up(core.store, tmp_path / "b", core.now())
    sqlite = build_core(
        settings.copy(update={"keys": core.settings.keys, "lookup_key": core.settings.lookup_key})
    )
    with pytest.raises(BackupError, match="postgresql; it cannot go into sqlite"):
        restore(tmp_path / "b", sqlite.store)


def test_keys_are_rotated_while_people_write(core, talk) -> None:
    chat = talk(kind=DISCLOSURE).id
    both = f"{Fernet.generate_key().decode()},{core.settings.keys.get_secret_value()}"
    house = build_core(core.settings.copy(update={"keys": SecretStr(both)}))
    stop, wrote = threading.Event(), []

    def people() -> None:
        while not stop.is_set():
            with house.uow() as uow:
                row = uow.conversation(chat, lock=True)
                row.wishes = {"n": len(wrote)}
                wrote.append(transcript.append(uow, row, Sender.YOU, "hello", house.now()).seq)
                uow.commit()

    writer = threading.Thread(target=people)
    writer.start()
    try:
        done = keys.rotate(house.store, house.now())
    finally:
        stop.set()
        writer.join()
    assert done.total("moved") > 20 and keys.survey(house.store).total("older") == 0
    only_new = build_core(core.settings.copy(update={"keys": SecretStr(both.split(",")[0])}))
    with only_new.store.read() as uow:
        assert len([m for m in uow.messages(chat) if m.text == "hello"]) == len(wrote)
        assert uow.conversation(chat).wishes == {"n": len(wrote) - 1}
    for one in (house, only_new):
        one.store.engine.dispose()


def test_of_two_gateways_at_once_one_purges_and_each_case_is_counted_once(core, talk) -> None:
    for _ in range(6):
        talk(40_000, kind=MESSAGE)
    with core.store.read() as uow:
        before = counts(uow)
    houses = [at_hour(build_core(core.settings), FROM_HOUR) for _ in range(2)]
    done: list[object] = []

    def run(house: Core) -> None:
        try:
            done.append(Daily(house).look())
        except Exception as error:  # noqa: BLE001 - the loser of the day's row; its loop looks again later
            done.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=(house,)) for house in houses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.conversations for one in done if isinstance(one, purging.Report)) == [6]
    assert {one for one in done if not isinstance(one, purging.Report)} <= {None, "IntegrityError"}
    with core.store.read() as uow:
        assert counts(uow) == before and sum(n for cell, n in before.items() if cell[4] == "case") == 6
    for house in houses:
        house.store.engine.dispose()


def test_neither_a_dump_nor_the_servers_own_files_show_a_word(core, server, databases, talk) -> None:
    talk(kind=DISCLOSURE, channel=Channel.TELEGRAM)
    with core.store.read() as uow:
        reference = uow.queue(closed=True)[0].reference
    dump = subprocess.run(
        ["pg_dump", "--format=plain", f"--dbname={server.url(databases[0])}"], capture_output=True, check=True
    ).stdout
    with core.store.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("CHECKPOINT"))
    files = b"".join(path.read_bytes() for path in server.folder.rglob("*") if path.is_file())
    assert reference.encode() in dump and reference.encode() in files, "this would find what is there"
    for trace in (MARKER.encode(), MARKER.encode("utf-16-le"), MARKER.encode().hex().encode()):
        assert trace not in dump and trace not in files
