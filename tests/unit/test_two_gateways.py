"""Two gateways on one database: each step of the clock happens once, on PostgreSQL and on SQLite."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from cryptography.fernet import Fernet

from bot import conduct, handover
from bot.alerts.send import send_due
from bot.alerts.senders import Notice, Outcome, Senders
from bot.bootstrap import Core, build_core
from bot.handover import check_ins
from bot.risk.taxonomy import Level
from bot.settings import Settings
from bot.store import aftercare
from bot.store.migrate import differences
from tests.standins.houses import begin_chat, move_in
from tests.unit import test_postgres
from tests.unit.test_handover import told
from tests.unit.test_postgres import at_once

server = test_postgres.server

#: A Tuesday in term time, past every alert that another test left behind.
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateways(request, tmp_path_factory) -> Iterator[tuple[Core, Core]]:
    """Two cores on one database, as two processes have them."""
    if request.param == "postgresql":
        if test_postgres.pytestmark.args[0]:
            pytest.skip("PostgreSQL is not installed")
        url = request.getfixturevalue("server")
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('two') / 'earshot.db'}"
    keys = {"keys": Fernet.generate_key().decode(), "lookup_key": secrets.token_hex(32)}
    both = tuple(build_core(Settings(**keys, database_url=url)) for _ in range(2))
    move_in(both[0])
    assert differences(both[0].store) == []
    yield both
    for one in both:
        one.store.engine.dispose()


def chat_in(core: Core) -> str:
    with core.uow() as uow:
        row = begin_chat(uow, NOON)
        uow.commit()
        return row.id


def case_in(core: Core, level: Level = Level.HIGH) -> tuple[str, int]:
    chat = chat_in(core)
    with core.uow() as uow:
        opened = handover.open_handover(uow, chat, now=NOON, finding=told(level))
        uow.commit()
    return chat, opened.handover_id


def texts(core: Core, chat: str) -> list[str]:
    with core.store.read() as uow:
        return [message.text for message in uow.messages(chat)]


def in_each(gateways: tuple[Core, Core], job: Callable[[Core], object]) -> list[object]:
    return at_once(*(lambda one=one: job(one) for one in gateways))


def chase(case: int, now: datetime) -> Callable[[Core], bool]:
    def job(core: Core) -> bool:
        with core.uow() as uow:
            done = handover.chase(uow, case, now)
            uow.commit()
        return done

    return job


def test_each_step_of_the_chain_is_taken_once_and_told_once(gateways) -> None:
    """Unanswered: the duty line, then everyone on duty, then the leads, who are asked again and again."""
    chat, case = case_in(gateways[0])
    seen, now = [], NOON
    for _ in range(4):
        now += timedelta(minutes=10, seconds=1)
        assert sorted(in_each(gateways, chase(case, now))) == [False, True]
        with gateways[1].store.read() as uow:
            found = uow.handover(case)
            seen.append((found.tier, len([a for a in uow.alerts_of(case) if a.tier == found.tier])))
    everyone, leads = seen[0], seen[1]
    assert [tier for tier, _ in seen] == [2, 3, 4, 5] and everyone[1] > 2 and leads[1] == seen[3][1] >= 1
    longer = [text for text in texts(gateways[0], chat) if "longer than I said" in text]
    nobody = [text for text in texts(gateways[0], chat) if "No one on the team" in text]
    assert len(longer) + len(nobody) == 2, "told at each new step, not at every repeat"


@pytest.mark.parametrize(
    ("level", "minutes"), [(Level.IMMEDIATE, 2), (Level.HIGH, 10), (Level.NONE, 60)], ids=lambda one: str(one)
)
def test_deadlines_follow_the_level(gateways, level: Level, minutes: int) -> None:
    core, chat = gateways[0], chat_in(gateways[0])
    with core.uow() as uow:
        more = {"finding": told(level)} if level.needs_person else {"kind": handover.MESSAGE}
        opened = handover.open_handover(uow, chat, now=NOON, **more)
        uow.commit()
    with core.store.read() as uow:
        assert uow.handover(opened.handover_id).deadline_at == NOON + timedelta(minutes=minutes)
    early, late = NOON + timedelta(minutes=minutes, seconds=-1), NOON + timedelta(minutes=minutes, seconds=1)
    assert in_each(gateways, chase(opened.handover_id, early)) == [False, False]
    assert sorted(in_each(gateways, chase(opened.handover_id, late))) == [False, True]


def test_a_silent_workers_case_goes_back_once_and_the_person_is_told_once(gateways) -> None:
    chat, case = case_in(gateways[0])
    with gateways[0].uow() as uow:
        handover.accept(uow, case, uow.rota().duty_line(NOON)[0].id, NOON)
        uow.commit()
    late = NOON + timedelta(minutes=15, seconds=1)
    assert sorted(in_each(gateways, chase(case, late))) == [False, True]
    with gateways[0].store.read() as uow:
        found = uow.handover(case)
        leads = {person.id for person in uow.rota().leads()}
        assert found.state == handover.WAITING and uow.conversation(chat).owner == "bot"
        assert leads <= {a.staff_id for a in uow.alerts_of(case) if a.reason == "worker_silent"}
    assert sum("has had to go" in text for text in texts(gateways[0], chat)) == 1


def test_a_worker_who_accepts_while_the_deadline_passes_has_it_or_does_not(gateways) -> None:
    _, case = case_in(gateways[0])
    late = NOON + timedelta(minutes=10, seconds=1)
    with gateways[0].store.read() as uow:
        worker = uow.rota().duty_line(NOON)[0].id

    def accept() -> bool:
        with gateways[1].uow() as uow:
            handover.accept(uow, case, worker, late)
            uow.commit()
        return True

    chased, accepted = None, None
    for result in at_once(lambda: ("chased", chase(case, late)(gateways[0])), lambda: ("took", accept())):
        name, value = result
        chased, accepted = (value, accepted) if name == "chased" else (chased, value)
    with gateways[0].store.read() as uow:
        found = uow.handover(case)
    assert accepted and found.state == handover.ACCEPTED and found.accepted_by == worker
    assert found.tier == (2 if chased else 1)


def test_each_alert_is_sent_once(gateways) -> None:
    for _ in range(3):
        case_in(gateways[0])
    lock, sent = threading.Lock(), []

    class Collector:
        def send(self, notice: Notice) -> Outcome:
            with lock:
                sent.append(notice.key)
            return Outcome({"console": True})

    def job(core: Core) -> int:
        senders = Senders(Collector(), Collector())
        return send_due(core.store, lambda: NOON, senders, f"gateway {id(core)}")

    numbers = in_each(gateways, job)
    assert len(sent) == len(set(sent)) == sum(numbers) >= 6


def test_a_check_in_is_asked_once(gateways) -> None:
    chat, case = case_in(gateways[0])
    with gateways[0].uow() as uow:
        worker = uow.rota().duty_line(NOON)[0].id
        handover.accept(uow, case, worker, NOON)
        handover.close(uow, case, worker, "We have a plan.", NOON, offer_check_ins=True)
        assert check_ins.answer(uow, uow.conversation(chat), "yes", None, NOON)
        uow.commit()
    later = NOON + timedelta(days=7, seconds=1)

    def ask(core: Core) -> str | None:
        with core.store.read() as uow:
            (due,) = [one.id for one in aftercare.check_ins_of(uow, chat) if one.due_at <= later]
        with core.uow() as uow:
            asked = check_ins.ask(uow, due, later)
            uow.commit()
        return asked

    assert sorted(map(str, in_each(gateways, ask))) == sorted([chat, "None"])
    assert sum("ask after a week" in text for text in texts(gateways[0], chat)) == 1


def test_two_leads_who_decide_at_once_decide_once(gateways) -> None:
    _, case = case_in(gateways[0])
    with gateways[0].uow() as uow:
        worker = uow.rota().duty_line(NOON)[0].id
        row = conduct.take(uow, case, worker, conduct.PAUSE, "Insults.", NOON, 60).id
        uow.commit()

    def confirm(core: Core) -> str:
        with core.uow() as uow:
            conduct.confirm(uow, row, "helen-marsh", NOON)
            uow.commit()
        return "confirmed"

    results = in_each(gateways, confirm)
    assert sorted(type(result) for result in results if result != "confirmed") == [conduct.NoSuchMeasure]
