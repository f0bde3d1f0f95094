"""Legal holds, exports and figures at the desk: for leads alone, and every one of them is noted."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot import handover
from bot.custody import purge as purging
from bot.custody.tables import CaseCount
from bot.risk.taxonomy import Category, Level
from bot.store.models import AuditEntry, Staff

WORDS = "my stepdad hits me when hes had a drink"


@pytest.fixture
def closed(world):
    """A case that was taken and closed, perhaps long ago."""

    def make(days: float = 0, **more) -> int:
        case = world.case(WORDS, **more)
        at = world.core.now() - timedelta(days=days)
        with world.core.uow() as uow:
            handover.accept(uow, case, "priya", world.core.now())
            row = handover.close(uow, case, "priya", "We spoke with your school.", world.core.now())
            row.opened_at = row.closed_at = at
            uow.conversation(row.conversation_id).last_at = at
            uow.conversation(row.conversation_id).created_at = at
            uow.commit()
        return case

    return make


def actions(world) -> list[tuple[str, str]]:
    return [(actor, action) for actor, action, _ in world.log()]


# Hold --------------------------------------------------------------------------------------------


def test_a_lead_puts_a_hold_on_and_lifts_it_and_both_are_noted(world, closed):
    case = closed(days=40_000)
    lead = world.at_desk("lena")
    assert lead.post(f"/desk/cases/{case}/hold", hold_reason="Family court, spring").status_code == 303
    page = lead.get(f"/desk/cases/{case}").text
    assert "Family court, spring" in page and "Lena Fairweather put this on" in page
    assert purging.purge(world.core, world.core.now()).kept_by_hold == 1
    assert lead.post(f"/desk/cases/{case}/hold/lift").status_code == 303
    assert "Family court" not in lead.get(f"/desk/cases/{case}").text
    assert [a for a in actions(world) if "hold" in a[1] or a[1] == "held"] == [
        ("lena", "held"),
        ("lena", "hold_lifted"),
    ]
    assert "Family" not in json.dumps([e.detail for e in _entries(world)])


def _entries(world):
    with world.core.store.read() as uow:
        return uow.session.scalars(select(AuditEntry)).all()


@pytest.mark.parametrize(("reason", "told"), [("  ", "Say why"), ("x" * 501, "longer than 500")])
def test_a_hold_without_a_good_reason_is_not_put_on(world, closed, reason, told):
    case = closed()
    answer = world.at_desk("lena").post(f"/desk/cases/{case}/hold", hold_reason=reason)
    assert answer.status_code == 422 and told in answer.text and world.handover(case).held_at is None


def test_whoever_is_no_lead_sees_the_hold_and_cannot_touch_it(world, closed):
    case = closed()
    worker = world.at_desk("priya")
    assert "Put a hold on" not in worker.get(f"/desk/cases/{case}").text
    world.at_desk("lena").post(f"/desk/cases/{case}/hold", hold_reason="Family court")
    page = worker.get(f"/desk/cases/{case}").text
    assert "Family court" in page and "Lift the hold" not in page and "As JSON" not in page
    for path in ("hold", "hold/lift", "export"):
        assert worker.post(f"/desk/cases/{case}/{path}", hold_reason="x").status_code == 403
    assert world.handover(case).held_at


def test_a_purged_case_says_so_and_has_nothing_to_hold_or_hand_out(world, closed):
    case = closed(days=40_000)
    purging.purge(world.core, world.core.now())
    lead = world.at_desk("lena")
    page = lead.get(f"/desk/cases/{case}").text
    assert "had been kept as long as the rules say" in page and "stepdad" not in page
    assert lead.post(f"/desk/cases/{case}/hold", hold_reason="Family court").status_code == 422
    assert lead.post(f"/desk/cases/{case}/export", form="json").status_code == 409
    assert "Deleted: kept long enough" in lead.get("/desk/audit?action=purged").text


# Export ------------------------------------------------------------------------------------------


def test_a_lead_takes_everything_that_is_held_on_a_conversation(world, closed):
    case = closed()
    lead = world.at_desk("lena")
    answer = lead.post(f"/desk/cases/{case}/export", form="json")
    reference = world.handover(case).reference
    assert f'filename="earshot-{reference}.json"' in answer.headers["content-disposition"]
    held = answer.json()["held"]
    assert WORDS in [m["text"] for m in held["message"]]
    assert held["handover"][0]["outcome"] == "We spoke with your school."
    page = lead.post(f"/desk/cases/{case}/export", form="html")
    assert page.headers["content-type"].startswith("text/html") and WORDS in page.text
    assert "attachment" in page.headers["content-disposition"]
    assert actions(world).count(("lena", "subject_exported")) == 2


def test_a_lead_of_another_area_takes_nothing(world, closed):
    case = closed()
    with world.core.uow() as uow:
        uow.session.get(Staff, "lena").areas = ["Southmoor"]
        uow.commit()
    lead = world.at_desk("lena")
    for path, form in (("export", {"form": "json"}), ("hold", {"hold_reason": "x"})):
        refused = lead.post(f"/desk/cases/{case}/{path}", **form)
        assert refused.status_code == 403 and "stepdad" not in refused.text
    assert ("lena", "subject_exported") not in actions(world) and not world.handover(case).held_at


# Figures -----------------------------------------------------------------------------------------


def test_figures_below_five_are_not_shown_and_others_are(world, closed):
    for _ in range(7):
        closed()
    for _ in range(2):
        closed(category=Category.NEGLECT)
    page = world.at_desk("lena").get("/desk/statistics").text
    rows = " ".join(page.split())
    assert '<th scope="row">High</th><td>9</td>' in rows
    assert '<th scope="row">neglect</th><td><span class="soft">not shown</span></td>' in rows
    # The other one would tell it, as cases have one category each here.
    assert '<th scope="row">physical abuse</th><td><span class="soft">not shown</span></td>' in rows
    assert "stepdad" not in page


def test_the_figures_stay_what_they_were_when_the_words_are_gone(world, closed):
    for _ in range(6):
        closed(days=40_000)
    lead = world.at_desk("lena")
    before = lead.get("/desk/statistics/export.csv").text
    assert purging.purge(world.core, world.core.now()).cases == 6
    assert lead.get("/desk/statistics/export.csv").text == before
    rows = list(csv.reader(io.StringIO(before)))
    assert rows[0] == ["month", "area", "what", "value", "count"]
    assert ["Northmoor", "kind", "disclosure", "6"] in [row[1:] for row in rows]
    assert ["Northmoor", "closed_in", "1 h", "6"] in [row[1:] for row in rows]
    assert ("lena", "statistics_exported") in actions(world)


def test_no_cell_of_the_figures_is_a_formula(world, closed):
    with world.core.uow() as uow:
        uow.add(CaseCount(month="2026-01", area="=1+1", kind="message", level="none", measure="case",
                          value="", count=9))  # fmt: skip
        uow.commit()
    text = world.at_desk("lena").get("/desk/statistics/export.csv").text
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert "'=1+1" in cells and not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_a_lead_sees_the_figures_of_their_areas(world, closed):
    for _ in range(5):
        closed(level=Level.IMMEDIATE)
    with world.core.uow() as uow:
        uow.session.get(Staff, "lena").areas = ["Southmoor"]
        uow.commit()
    lead = world.at_desk("lena")
    assert "Northmoor" not in lead.get("/desk/statistics/export.csv").text
    assert "Immediate</th>" not in lead.get("/desk/statistics").text


def test_the_page_says_what_was_deleted_and_that_nobody_signed_the_rules(world, closed):
    closed(days=40_000)
    done = purging.run_by_hand(world.core, world.core.now())
    page = world.at_desk("lena").get("/desk/statistics").text
    assert done.digest in page and "Nobody has signed it" in page and "The operator" in page
    assert world.at_desk("lena").get("/desk/statistics?area=%00%22&year=9999").status_code == 200
