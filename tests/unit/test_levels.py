"""A person lowers or raises the level with a reason; what was found stays, and a new disclosure raises it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from bot import handover
from bot.casework import notes
from bot.handover import NoReason, NotYours, WrongState
from bot.risk.taxonomy import Category, Finding, Level, Memory
from tests.unit.test_handover import TUESDAY_NOON, case, new_conversation, opened, told


def lower(core, case_id, level=Level.CONCERN, by="amina-begum", reason="A game, she says so herself."):
    with core.uow() as uow:
        handover.set_level(uow, case_id, by, level, reason, core.now())
        uow.commit()


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_the_deadline_follows_the_level_and_the_highest_level_stays(core):
    case_id = opened(core, new_conversation(core), told(Level.IMMEDIATE)).handover_id
    lower(core, case_id)
    found = case(core, case_id)
    assert (found.level, found.highest_level) == ("concern", "immediate")
    assert found.deadline_at == TUESDAY_NOON + timedelta(hours=1)
    lower(core, case_id, Level.HIGH, reason="Not sure after all.")
    assert case(core, case_id).deadline_at == TUESDAY_NOON + timedelta(minutes=10)
    with core.store.read() as uow:
        assert [note.text for note in notes.of(uow, case_id)] == [
            "A game, she says so herself.",
            "Not sure after all.",
        ]
        done = [(e.actor, e.action, e.detail) for e in uow.audit_of(case_id) if e.action.startswith("level")]
    assert done == [
        ("amina-begum", "level_lowered", {"was": "immediate", "level": "concern"}),
        ("amina-begum", "level_raised", {"was": "concern", "level": "high"}),
    ]


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_what_was_told_before_does_not_raise_a_lowered_level_again_and_a_new_disclosure_does(core):
    conversation = new_conversation(core)
    case_id = opened(core, conversation, told(Level.IMMEDIATE)).handover_id
    with core.uow() as uow:
        row = uow.conversation(conversation)
        row.memory = Memory(Level.IMMEDIATE, (Category.SUICIDE,)).to_dict()
        uow.commit()
    lower(core, case_id)
    with core.uow() as uow:
        handover.open_handover(
            uow, conversation, now=core.now(), kind="message", details={"words": "hello again"}
        )
        uow.commit()
    opened(core, conversation, Finding(Level.CONCERN))
    assert case(core, case_id).level == "concern"
    opened(core, conversation, told(Level.HIGH))
    assert case(core, case_id).level == "high"
    with core.uow() as uow:
        handover.accept(uow, case_id, "amina-begum", core.now())
        uow.commit()
    lower(core, case_id)
    with core.uow() as uow:
        handover.person_wrote(uow, uow.handover(case_id), told(Level.IMMEDIATE), core.now())
        uow.commit()
    assert case(core, case_id).level == "immediate"


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_only_its_worker_or_a_lead_changes_an_accepted_case_and_nobody_without_a_reason(core):
    case_id = opened(core, new_conversation(core), told()).handover_id
    with core.uow() as uow:
        handover.accept(uow, case_id, "amina-begum", core.now())
        uow.commit()
    with pytest.raises(NotYours):
        lower(core, case_id, by="tom-reilly")
    with pytest.raises(NoReason):
        lower(core, case_id, reason="  \n")
    assert case(core, case_id).level == "high"
    lower(core, case_id, by="helen-marsh")
    assert case(core, case_id).level == "concern"
    with core.uow() as uow:
        handover.close(uow, case_id, "amina-begum", "We spoke.", core.now())
        uow.commit()
    with pytest.raises(WrongState):
        lower(core, case_id, Level.HIGH)


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_raised_by_a_person_to_immediate_alerts_everyone_on_duty(core):
    case_id = opened(core, new_conversation(core), told()).handover_id
    lower(core, case_id, Level.IMMEDIATE, reason="She is on the bridge, her friend rang.")
    assert case(core, case_id).deadline_at == TUESDAY_NOON + timedelta(minutes=2)
    with core.store.read() as uow:
        alerted = {one.staff_id for one in uow.alerts_of(case_id) if one.reason == "raised_immediate"}
        assert alerted >= {person.id for person in uow.rota().everyone_on_duty(TUESDAY_NOON)}
