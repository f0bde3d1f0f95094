"""The states of a handover and who is asked."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest
import time_machine
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, IntegrityError

from bot import handover
from bot.bootstrap import Core
from bot.handover import AlreadyTaken, NotOnDuty, NotYours, WrongState
from bot.risk.taxonomy import About, Category, Evidence, Finding, Level
from bot.store.models import Handover
from tests.standins.houses import begin_chat

#: A Tuesday in term time: the schools' safe adults and the day team are there.
TUESDAY_NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
TUESDAY_NIGHT = datetime(2026, 11, 25, 2, 10, tzinfo=timezone.utc)


def told(level: Level = Level.HIGH, about: About = About.SELF) -> Finding:
    evidence = Evidence("phrase", "hit_by_adult", "he hits me", 0, 10, level, (Category.PHYSICAL_ABUSE,))
    return Finding(level, (Category.PHYSICAL_ABUSE,), about, (evidence,))


def new_conversation(core: Core, safe_adult: str | None = None) -> str:
    with core.uow() as uow:
        row = begin_chat(uow, core.now(), id="c" * 32, safe_adult_id=safe_adult)
        uow.commit()
        return row.id


def opened(core: Core, conversation_id: str, finding: Finding | None = None, **more) -> handover.Opened:
    with core.uow() as uow:
        result = handover.open_handover(
            uow, conversation_id, now=core.now(), finding=finding or told(), **more
        )
        uow.commit()
        return result


def words_of(core: Core, conversation_id: str) -> list[str]:
    with core.store.read() as uow:
        return [message.text for message in uow.messages(conversation_id)]


def case(core: Core, handover_id: int) -> Handover:
    with core.store.read() as uow:
        return uow.handover(handover_id)


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_opening_twice_is_one_handover(core: Core) -> None:
    conversation = new_conversation(core)
    first, second = opened(core, conversation), opened(core, conversation)
    assert (first.created, second.created) == (True, False)
    assert first.handover_id == second.handover_id


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_the_database_refuses_a_second_open_handover(core: Core) -> None:
    conversation = new_conversation(core)
    opened(core, conversation)
    with core.uow() as uow, pytest.raises(IntegrityError):
        uow.add(
            Handover(
                reference="AAA-333",
                conversation_id=conversation,
                kind="disclosure",
                state="waiting",
                level="high",
                level_rank=2,
                about="self",
                opened_at=core.now(),
            )
        )


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_a_chosen_safe_adult_who_is_there_is_asked_first(core: Core) -> None:
    result = opened(core, new_conversation(core, safe_adult="amina-begum"))
    assert result.who == "Ms Begum"
    assert case(core, result.handover_id).routed_to == ["amina-begum"]


@time_machine.travel(TUESDAY_NIGHT, tick=False)
def test_a_chosen_safe_adult_who_is_away_gives_way_to_the_duty_line(core: Core) -> None:
    result = opened(core, new_conversation(core, safe_adult="amina-begum"))
    assert result.who == core.content.say("utter_who_duty_line")
    assert case(core, result.handover_id).routed_to == ["owen-hughes", "priya-nair"]


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_an_immediate_risk_alerts_everyone_on_duty(core: Core) -> None:
    result = opened(core, new_conversation(core, safe_adult="amina-begum"), told(Level.IMMEDIATE))
    everyone = {"amina-begum", "tom-reilly", "grace-mensah", "sam-okafor", "ruth-ellis", "helen-marsh"}
    with core.store.read() as uow:
        assert {alert.staff_id for alert in uow.alerts_of(result.handover_id)} == everyone


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_deadlines_follow_the_level(core: Core) -> None:
    high = opened(core, new_conversation(core))
    assert case(core, high.handover_id).deadline_at == TUESDAY_NOON + timedelta(minutes=10)
    assert high.by_when == "12:10pm"
    opened(core, "c" * 32, told(Level.IMMEDIATE))
    assert case(core, high.handover_id).deadline_at == TUESDAY_NOON + timedelta(minutes=2)


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_a_level_rises_and_never_falls(core: Core) -> None:
    conversation = new_conversation(core)
    result = opened(core, conversation, told(Level.IMMEDIATE))
    opened(core, conversation, told(Level.HIGH))
    assert case(core, result.handover_id).level == "immediate"


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_a_message_becomes_a_disclosure_when_harm_is_told(core: Core) -> None:
    conversation = new_conversation(core)
    worry = opened(core, conversation, Finding(Level.CONCERN), kind="message")
    opened(core, conversation, told())
    found = case(core, worry.handover_id)
    assert (found.kind, found.level) == ("disclosure", "high")


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_when_two_accept_at_once_one_wins_and_the_other_is_told(core: Core) -> None:
    result = opened(core, new_conversation(core))
    outcomes: dict[str, str] = {}
    together = threading.Barrier(2)

    def accept(staff_id: str) -> None:
        together.wait()
        try:
            with core.uow() as uow:
                handover.accept(uow, result.handover_id, staff_id, core.now())
                uow.commit()
            outcomes[staff_id] = "has it"
        except AlreadyTaken as taken:
            outcomes[staff_id] = taken.by

    threads = [threading.Thread(target=accept, args=(who,)) for who in ("sam-okafor", "ruth-ellis")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = case(core, result.handover_id).accepted_by
    name = {"sam-okafor": "Sam Okafor", "ruth-ellis": "Ruth Ellis"}[winner]
    assert sorted(outcomes.values()) == sorted(["has it", name])


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_nobody_off_duty_can_accept(core: Core) -> None:
    result = opened(core, new_conversation(core))
    with core.uow() as uow, pytest.raises(NotOnDuty):
        handover.accept(uow, result.handover_id, "priya-nair", core.now())


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_the_person_meets_the_worker_and_hears_the_outcome_in_their_words(core: Core) -> None:
    conversation = new_conversation(core)
    result = opened(core, conversation)
    with core.uow() as uow:
        handover.accept(uow, result.handover_id, "sam-okafor", core.now())
        handover.reply(uow, result.handover_id, "sam-okafor", "Hello, I'm Sam.", core.now(), "r1")
        handover.reply(uow, result.handover_id, "sam-okafor", "Hello, I'm Sam.", core.now(), "r1")
        assert uow.conversation(conversation).owner == "worker"
        handover.close(uow, result.handover_id, "sam-okafor", "Ms Begum meets you at 3.", core.now())
        assert uow.conversation(conversation).owner == "bot"
        uow.commit()
    said = words_of(core, conversation)
    assert said.count("Hello, I'm Sam.") == 1
    assert "Sam Okafor" in said[0] and "Ms Begum meets you at 3." in said[-1]
    with pytest.raises(WrongState), core.uow() as uow:
        handover.reply(uow, result.handover_id, "sam-okafor", "one more thing", core.now())


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_only_who_holds_a_case_writes_in_it(core: Core) -> None:
    result = opened(core, new_conversation(core))
    with core.uow() as uow:
        handover.accept(uow, result.handover_id, "sam-okafor", core.now())
        uow.commit()
    with core.uow() as uow, pytest.raises(NotYours):
        handover.reply(uow, result.handover_id, "ruth-ellis", "hello", core.now())


def test_an_unanswered_case_climbs_the_chain_and_the_person_is_told_the_truth(core: Core) -> None:
    with time_machine.travel(TUESDAY_NOON, tick=False) as clock:
        conversation = new_conversation(core, safe_adult="amina-begum")
        result = opened(core, conversation)
        asked: list[list[str]] = [case(core, result.handover_id).routed_to]
        for minutes in (11, 22, 33):
            clock.move_to(TUESDAY_NOON + timedelta(minutes=minutes))
            with core.uow() as uow:
                assert handover.chase(uow, result.handover_id, core.now())
                assert not handover.chase(uow, result.handover_id, core.now())
                uow.commit()
            asked.append(case(core, result.handover_id).routed_to)
    assert asked[0] == ["amina-begum"]
    assert {"sam-okafor", "ruth-ellis"} <= set(asked[1])
    assert {"tom-reilly", "grace-mensah", "helen-marsh"} <= set(asked[2])
    assert len(words_of(core, conversation)) == 3
    assert case(core, result.handover_id).state == "waiting"


def test_a_worker_who_falls_silent_gives_the_case_back(core: Core) -> None:
    with time_machine.travel(TUESDAY_NOON, tick=False) as clock:
        conversation = new_conversation(core)
        result = opened(core, conversation)
        with core.uow() as uow:
            handover.accept(uow, result.handover_id, "sam-okafor", core.now())
            uow.commit()
        clock.move_to(TUESDAY_NOON + timedelta(seconds=core.settings.silence_after_accept + 1))
        with core.uow() as uow:
            assert handover.chase(uow, result.handover_id, core.now())
            uow.commit()
            assert uow.conversation(conversation).owner == "bot"
            reasons = {(a.staff_id, a.reason) for a in uow.alerts_of(result.handover_id)}
    found = case(core, result.handover_id)
    assert (found.state, found.accepted_by) == ("waiting", None)
    assert ("helen-marsh", "worker_silent") in reasons


def test_when_nobody_is_on_duty_the_promise_is_when_somebody_is_back(core: Core) -> None:
    with time_machine.travel(TUESDAY_NOON, tick=False):
        with core.uow() as uow:
            for worker in ("sam-okafor", "ruth-ellis", "tom-reilly", "grace-mensah", "amina-begum"):
                uow.staff_member(worker).off_duty = True
            uow.staff_member("helen-marsh").off_duty = True
            uow.commit()
        result = opened(core, new_conversation(core))
    assert not result.on_duty
    assert result.by_when == "7:10pm"  # the night team starts at seven, and has ten minutes
    assert case(core, result.handover_id).routed_to == ["helen-marsh"]


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_transfer_goes_only_to_somebody_who_is_there(core: Core) -> None:
    result = opened(core, new_conversation(core))
    with core.uow() as uow:
        handover.accept(uow, result.handover_id, "sam-okafor", core.now())
        with pytest.raises(NotOnDuty):
            handover.transfer(uow, result.handover_id, "sam-okafor", "priya-nair", core.now())
        handover.transfer(uow, result.handover_id, "sam-okafor", "ruth-ellis", core.now())
        uow.commit()
    assert case(core, result.handover_id).accepted_by == "ruth-ellis"


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_the_audit_log_cannot_be_changed(core: Core) -> None:
    result = opened(core, new_conversation(core))
    with core.store.read() as uow:
        assert [entry.action for entry in uow.audit_of(result.handover_id)] == ["opened"]
    for change in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"):
        with pytest.raises(DatabaseError, match="append-only"), core.store.engine.begin() as connection:
            connection.execute(text(change))
