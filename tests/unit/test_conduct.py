"""Abuse of the service: held back, told, reviewed; and whoever tells of harm always comes through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from bot import conduct, handover
from bot.bootstrap import Core
from bot.changes import Changes
from bot.conduct import PAUSE, SLOW, WARN, NeedsAnotherLead, NoSuchMeasure
from bot.conversation import Conversations
from bot.handover.states import NoReason
from bot.risk import detector
from bot.risk.taxonomy import Evidence, Finding, Level
from bot.store import aftercare
from bot.store.models import Conduct
from tests.unit.test_closing_the_loop import DISCLOSURE, Talk, said, worker_on_duty
from tests.unit.test_handover import TUESDAY_NOON

LEAD = "helen-marsh"


@pytest.fixture(autouse=True)
def travel() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(TUESDAY_NOON, tick=False) as coordinates:
        yield coordinates


class Assess:
    """The detector, unless a test says what it finds in a text."""

    def __init__(self) -> None:
        self.finds: dict[str, Finding] = {}

    def __call__(self, text, memory):
        return self.finds[text] if text in self.finds else detector.assess(text, memory)


@pytest.fixture
def assess() -> Assess:
    return Assess()


@pytest.fixture
async def talk(core: Core, dialogue, assess: Assess) -> Talk:
    conversations = Conversations(core, dialogue, assess, Changes(core.store))
    return Talk(core, conversations, (await conversations.start_web()).conversation_id)


@pytest.fixture
def case(talk: Talk) -> int:
    """A case that a worker has."""
    now = talk.core.now()
    with talk.core.uow() as uow:
        opened = handover.open_handover(uow, talk.chat, now=now, kind=handover.MESSAGE).handover_id
        handover.accept(uow, opened, worker_on_duty(talk.core), now)
        uow.commit()
    return opened


def do(talk: Talk, case: int, measure: str, minutes: int | None = None, by: str | None = None) -> Conduct:
    with talk.core.uow() as uow:
        who = by or worker_on_duty(talk.core)
        row = conduct.take(uow, case, who, measure, "Sends insults.", talk.core.now(), minutes)
        uow.commit()
        return row


def held(talk: Talk) -> list[str]:
    return [m.text for m in talk.messages() if m.held]


def in_force(talk: Talk) -> Conduct | None:
    with talk.core.store.read() as uow:
        return conduct.in_force(uow, talk.chat, talk.core.now())


async def test_a_warning_is_said_and_holds_nothing_back(talk: Talk, case: int) -> None:
    do(talk, case, WARN)
    await talk.says("whatever")
    assert said(talk, "utter_conduct_warned") == 1 and held(talk) == []


async def test_a_measure_needs_a_reason_and_a_length_of_the_list(talk: Talk, case: int) -> None:
    with talk.core.uow() as uow:
        with pytest.raises(NoReason):
            conduct.take(uow, case, "sam-okafor", PAUSE, "  ", talk.core.now(), 60)
        for measure, minutes in ((PAUSE, None), (PAUSE, 7), ("ban", 60)):
            with pytest.raises(ValueError, match="no such"):
                conduct.take(uow, case, "sam-okafor", measure, "why", talk.core.now(), minutes)


async def test_whoever_is_slowed_reaches_staff_once_a_minute(talk: Talk, case: int, travel) -> None:
    do(talk, case, SLOW, 60)
    for text in ("one", "two", "three"):
        await talk.says(text)
    assert held(talk) == ["two", "three"]
    travel.shift(61)
    await talk.says("four")
    assert held(talk) == ["two", "three"] and in_force(talk)


async def test_what_is_held_back_does_not_start_the_workers_clock(talk: Talk, case: int) -> None:
    with talk.core.uow() as uow:
        handover.reply(uow, case, worker_on_duty(talk.core), "Please stop.", talk.core.now())
        uow.commit()
    do(talk, case, PAUSE, 60)
    await talk.says("haha")
    with talk.core.store.read() as uow:
        assert uow.handover(case).deadline_at is None


async def test_while_paused_they_are_told_so_with_the_numbers_and_the_bot_is_silent(
    talk: Talk, case: int, dialogue, travel
) -> None:
    do(talk, case, PAUSE, 60)
    with talk.core.uow() as uow:
        handover.close(uow, case, worker_on_duty(talk.core), "Come back later.", talk.core.now())
        uow.commit()
    travel.shift(60)
    (answer,) = await talk.says("u r all stupid")
    assert "999" in answer and "0800 1111" in answer and "1pm" in answer
    assert await talk.says("answer me") == [], "a flood gets one answer"
    assert dialogue.asked == [] and held(talk) == ["u r all stupid", "answer me"]
    assert all(m.level for m in talk.messages() if m.held), "each was assessed"


async def test_a_pause_ends_at_its_time_by_itself(talk: Talk, case: int, travel) -> None:
    do(talk, case, PAUSE, 15)
    travel.shift(timedelta(minutes=15))
    await talk.says("hello")
    assert held(talk) == [] and in_force(talk) is None


@pytest.mark.parametrize("closed", [False, True], ids=["a worker has it", "the bot has it"])
async def test_a_disclosure_breaks_through_a_pause(talk: Talk, case: int, closed: bool) -> None:
    do(talk, case, PAUSE, 1_440)
    if closed:
        with talk.core.uow() as uow:
            handover.close(uow, case, worker_on_duty(talk.core), "Come back later.", talk.core.now())
            uow.commit()
    await talk.says("you idiots")
    await talk.says(DISCLOSURE)
    assert held(talk) == ["you idiots"] and in_force(talk) is None
    with talk.core.store.read() as uow:
        found = uow.open_handover_of(talk.chat)
        (row,) = aftercare.conduct_of(uow, talk.chat)
        actions = [e.action for e in uow.audit_of(case)]
    assert found.level == "high" and found.kind == handover.DISCLOSURE
    assert row.ended_by == conduct.BY_DISCLOSURE and "conduct_broken_through" in actions
    await talk.says("sorry about before")
    assert held(talk) == ["you idiots"]


async def test_a_message_that_cannot_be_assessed_comes_through(talk: Talk, case: int, monkeypatch) -> None:
    do(talk, case, PAUSE, 60)

    def breaks(text, memory):
        raise RuntimeError

    monkeypatch.setattr(talk.conversations._turns, "_assess", breaks)
    await talk.says("gibberish")
    assert held(talk) == []


async def test_a_message_the_detector_is_not_sure_of_comes_through_and_the_pause_stays(
    talk: Talk, case: int, assess: Assess
) -> None:
    assess.finds["i cant do this any more"] = Finding(unsure=True)
    do(talk, case, PAUSE, 60)
    await talk.says("i cant do this any more")
    assert held(talk) == [] and in_force(talk)


async def test_worries_that_add_up_break_through(talk: Talk, case: int, assess: Assess) -> None:
    do(talk, case, PAUSE, 60)
    for sign in ("no_food", "dirty_clothes", "alone"):
        sure = Evidence("phrase", sign, sign, 0, len(sign), Level.CONCERN, ())
        assess.finds[sign] = Finding(Level.CONCERN, (), evidence=(sure,), signs=(sign,))
        await talk.says(sign)
    assert held(talk) == ["no_food", "dirty_clothes"] and in_force(talk) is None


# A second person decides -----------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [SLOW, PAUSE])
async def test_nobody_who_was_ever_at_risk_is_held_back_without_a_leads_yes(
    talk: Talk, measure: str, travel
) -> None:
    await talk.says(DISCLOSURE)
    with talk.core.uow() as uow:
        case = uow.open_handover_of(talk.chat).id
        handover.accept(uow, case, worker_on_duty(talk.core), talk.core.now())
        uow.commit()
    row = do(talk, case, measure, 60)
    await talk.says("one")
    await talk.says("two")
    assert row.needs_lead and in_force(talk) is None and held(talk) == []
    with talk.core.uow() as uow:
        with pytest.raises(NeedsAnotherLead):
            conduct.confirm(uow, row.id, row.by, talk.core.now())
        conduct.confirm(uow, row.id, LEAD, talk.core.now())
        with pytest.raises(NoSuchMeasure):
            conduct.confirm(uow, row.id, LEAD, talk.core.now())
        uow.commit()
    assert in_force(talk).until == talk.core.now() + timedelta(minutes=60)
    await talk.says("three")
    assert held(talk) == ["three"]


async def test_a_level_that_was_lowered_still_counts_as_having_been_at_risk(talk: Talk) -> None:
    await talk.says(DISCLOSURE)
    with talk.core.uow() as uow:
        case = uow.open_handover_of(talk.chat)
        case.level, case.level_rank = "concern", 1
        uow.commit()
    assert do(talk, case.id, PAUSE, 60).needs_lead


async def test_a_lead_who_asks_needs_another_lead(talk: Talk) -> None:
    await talk.says(DISCLOSURE)
    with talk.core.store.read() as uow:
        case = uow.open_handover_of(talk.chat).id
    row = do(talk, case, PAUSE, 60, by=LEAD)
    with talk.core.uow() as uow, pytest.raises(NeedsAnotherLead):
        conduct.confirm(uow, row.id, LEAD, talk.core.now())


async def test_lifting_tells_the_person_and_ends_it_once(talk: Talk, case: int) -> None:
    row = do(talk, case, PAUSE, 60)
    with talk.core.uow() as uow:
        conduct.lift(uow, row.id, LEAD, talk.core.now())
        with pytest.raises(NoSuchMeasure):
            conduct.lift(uow, row.id, LEAD, talk.core.now())
        uow.commit()
    assert said(talk, "utter_conduct_lifted") == 1 and in_force(talk) is None
    await talk.says("thanks")
    assert held(talk) == []


async def test_the_reason_is_sealed(talk: Talk, case: int) -> None:
    do(talk, case, WARN)
    raw = talk.core.store.engine.connect().exec_driver_sql("SELECT reason FROM conduct").scalar_one()
    assert b"insults" not in bytes(raw)
