"""Abuse of the service, at the desk: who may act, what a lead sees, and what was held back."""

from __future__ import annotations

import pytest

from bot import handover
from bot.conduct import in_force
from bot.messages import Sender
from bot.store import aftercare
from bot.transcript import append
from tests.desk.world import World


@pytest.fixture
def case(world: World) -> int:
    """A case without risk that Tom has."""
    talk = world.conversation()
    with world.core.uow() as uow:
        opened = handover.open_handover(uow, talk, now=world.core.now(), kind=handover.MESSAGE).handover_id
        handover.accept(uow, opened, "tom", world.core.now())
        uow.commit()
    return opened


def pause(browser, case: int, **more: str):
    form = {"measure": "pause", "minutes": "60", "reason": "Sends insults.", **more}
    return browser.post(f"/desk/cases/{case}/conduct", **form)


def newest(world: World, case: int):
    with world.core.store.read() as uow:
        return aftercare.conduct_of(uow, uow.handover(case).conversation_id)[-1]


def on(world: World, case: int) -> bool:
    with world.core.store.read() as uow:
        return in_force(uow, uow.handover(case).conversation_id, world.core.now()) is not None


def test_whoever_has_the_case_pauses_and_lifts(world: World, case: int) -> None:
    tom = world.at_desk("tom")
    assert pause(tom, case).headers["location"] == f"/desk/cases/{case}#conduct"
    page = tom.get(f"/desk/cases/{case}").text
    assert on(world, case) and "Sends insults." in page and "Paused" in page
    row = newest(world, case)
    assert tom.post(f"/desk/cases/{case}/conduct/{row.id}/lift").status_code == 303
    assert not on(world, case) and ("tom", "conduct_lifted") in world.audit(case)


def test_a_colleague_without_the_case_may_not_and_a_lead_may(world: World, case: int) -> None:
    assert pause(world.at_desk("priya"), case).status_code == 409 and not on(world, case)
    assert pause(world.at_desk("lena"), case).status_code == 303 and on(world, case)


@pytest.mark.parametrize(
    "wrong", [{"reason": " "}, {"minutes": "7"}, {"measure": "ban"}, {"reason": "x" * 501}]
)
def test_what_is_missing_is_told_beside_what_was_typed(world: World, case: int, wrong: dict) -> None:
    answer = pause(world.at_desk("tom"), case, **wrong)
    assert answer.status_code == 422 and 'role="alert"' in answer.text and not on(world, case)


def test_a_child_at_risk_waits_for_another_person(world: World) -> None:
    case = world.case()
    tom, lena = world.at_desk("tom"), world.at_desk("lena")
    tom.post(f"/desk/cases/{case}/accept")
    pause(tom, case)
    row = newest(world, case)
    assert not on(world, case) and "Waits for a lead" in tom.get(f"/desk/cases/{case}").text
    assert tom.post(f"/desk/conduct/{row.id}/confirm").status_code == 403
    assert "Say yes" in lena.get("/desk/conduct").text
    assert lena.post(f"/desk/conduct/{row.id}/confirm").status_code == 303 and on(world, case)


def test_a_lead_cannot_say_yes_to_themselves_and_may_refuse(world: World) -> None:
    case, lena = world.case(), world.at_desk("lena")
    pause(lena, case)
    row = newest(world, case)
    assert "Say yes" not in lena.get("/desk/conduct").text
    answer = lena.post(f"/desk/conduct/{row.id}/confirm")
    assert answer.status_code == 409 and "Another lead" in answer.text and not on(world, case)
    assert lena.post(f"/desk/conduct/{row.id}/lift").status_code == 303
    assert newest(world, case).ended_by == "lena"
    assert lena.post(f"/desk/conduct/{row.id}/lift").status_code == 409


def test_a_lead_of_another_area_neither_sees_nor_decides(world: World, case: int) -> None:
    pause(world.at_desk("tom"), case)
    with world.core.uow() as uow:
        uow.staff_member("lena").areas = ["Southmoor"]
        uow.commit()
    lena, row = world.at_desk("lena"), newest(world, case)
    assert "Sends insults" not in lena.get("/desk/conduct").text
    assert lena.post(f"/desk/conduct/{row.id}/lift").status_code == 409 and on(world, case)


def test_what_was_held_back_stands_apart_and_can_be_read(world: World, case: int) -> None:
    tom = world.at_desk("tom")
    with world.core.uow() as uow:
        talk = uow.conversation(uow.handover(case).conversation_id, lock=True)
        append(uow, talk, Sender.YOU, "a rude word", world.core.now()).held = "pause"
        append(uow, talk, Sender.YOU, "a plain word", world.core.now())
        uow.commit()
    page = tom.get(f"/desk/cases/{case}").text
    log, facts = page.split('id="facts"')
    assert "a plain word" in log and "a rude word" not in log
    assert "1 message held back" in facts and "a rude word" in facts


def test_looking_at_the_list_is_in_the_audit_log(world: World) -> None:
    world.at_desk("lena").get("/desk/conduct")
    assert ("lena", "conduct_read", None) in world.log()
