"""What SQLite gives by letting one writer in at a time must hold on PostgreSQL, which lets in many."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from bot import handover, transcript
from bot.bootstrap import Core, build_core
from bot.handover import AlreadyTaken
from bot.messages import Sender
from bot.risk.taxonomy import Category, Evidence, Finding, Level
from bot.settings import Settings
from bot.store.migrate import differences, is_current, migrate
from tests.standins.houses import begin_chat, move_in
from tests.standins.postgres import needs_postgres, running

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a PostgreSQL of our own."""
    with running() as postgres:
        yield postgres.url()


@pytest.fixture(scope="module")
def core(server: str) -> Iterator[Core]:
    house = build_core(
        Settings(keys=Fernet.generate_key().decode(), lookup_key=secrets.token_hex(32), database_url=server)
    )
    move_in(house)
    yield house
    house.store.engine.dispose()


@pytest.fixture
def chat(core: Core) -> str:
    with core.uow() as uow:
        row = begin_chat(uow, core.now())
        uow.commit()
        return row.id


def told() -> Finding:
    evidence = Evidence("phrase", "hit_by_adult", "he hits me", 0, 10, Level.HIGH, ())
    return Finding(Level.HIGH, (Category.PHYSICAL_ABUSE,), evidence=(evidence,))


def at_once(*jobs: Callable[[], object]) -> list[object]:
    """Run the jobs in threads that start together; gives their results or errors."""
    together, results = threading.Barrier(len(jobs)), []

    def run(job: Callable[[], object]) -> None:
        together.wait()
        try:
            results.append(job())
        except Exception as error:  # noqa: BLE001 - the tests look at it
            results.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_the_migrations_make_what_the_models_say(core: Core) -> None:
    migrate(core.store)
    assert is_current(core.store)
    assert differences(core.store) == []


@pytest.mark.parametrize("attempt", range(5))
def test_when_two_accept_at_once_one_wins(core: Core, chat: str, attempt: int) -> None:
    with core.uow() as uow:
        case = handover.open_handover(uow, chat, now=core.now(), finding=told()).handover_id
        workers = [person.id for person in uow.rota().duty_line(core.now())]
        uow.commit()

    def accept(staff_id: str) -> str:
        with core.uow() as uow:
            handover.accept(uow, case, staff_id, core.now())
            uow.commit()
        return staff_id

    results = at_once(*(lambda staff_id=staff_id: accept(staff_id) for staff_id in workers))
    assert sorted(type(result) for result in results if not isinstance(result, str)) == [AlreadyTaken]


@pytest.mark.parametrize("attempt", range(5))
def test_the_action_and_the_floor_open_one_handover(core: Core, chat: str, attempt: int) -> None:
    def open_one() -> bool:
        with core.uow() as uow:
            opened = handover.open_handover(uow, chat, now=core.now(), finding=told())
            uow.commit()
        return opened.created

    assert sorted(at_once(open_one, open_one, open_one)) == [False, False, True]


def test_messages_written_at_once_get_numbers_of_their_own(core: Core, chat: str) -> None:
    def write() -> int:
        with core.uow() as uow:
            row = uow.conversation(chat, lock=True)
            message = transcript.append(uow, row, Sender.YOU, "hello", core.now())
            uow.commit()
            return message.seq

    assert sorted(at_once(*[write] * 8)) == list(range(1, 9))


def test_the_audit_log_cannot_be_changed(core: Core, chat: str) -> None:
    with core.uow() as uow:
        uow.audit(core.now(), "bot", "opened", conversation_id=chat)
        uow.commit()
    for change in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"):
        with pytest.raises(DatabaseError, match="append-only"), core.store.engine.begin() as connection:
            connection.execute(text(change))
