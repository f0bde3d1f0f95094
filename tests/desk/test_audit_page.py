"""The audit page: search, export, check. Whoever looks is written down too."""

from __future__ import annotations

import csv
import io
import re

import pytest
from sqlalchemy import text

from bot.store import audit
from bot.store.models import Area, AuditEntry, Staff
from tests.desk.world import email


def rows(page: str) -> list[str]:
    """What the page's rows say."""
    body = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    found = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL) if body else []
    return [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in found]


def listed(lead, **query: str) -> list[str]:
    query = "&".join(f"{name}={value}" for name, value in query.items())
    return rows(lead.get(f"/desk/audit?{query}").text)


def test_every_read_of_a_case_and_of_people_is_an_entry(world):
    case = world.case()
    world.at_desk("priya").get(f"/desk/cases/{case}")
    lead = world.at_desk("lena")
    for path in ("/desk/people", "/desk/people/tom", "/desk/people/preview", "/desk/people/file/export"):
        lead.get(path)
    for path in ("/desk/audit?who=priya", "/desk/audit/export.csv", "/desk/audit/export.json"):
        lead.get(path)
    assert world.audit(case)[-1] == ("priya", "read")
    assert [(actor, action) for actor, action, _ in world.log()][-7:] == [
        ("lena", "people_read"),
        ("lena", "person_read"),
        ("lena", "rota_previewed"),
        ("lena", "rota_exported"),
        ("lena", "audit_read"),
        ("lena", "audit_exported"),
        ("lena", "audit_exported"),
    ]


def test_the_lead_searches_by_person_case_action_and_day(world):
    first, second = world.case(), world.case()
    for who, case in (("priya", first), ("tom", second)):
        world.at_desk(who).get(f"/desk/cases/{case}")
    lead = world.at_desk("lena")
    reference = world.handover(first).reference
    assert all(reference in one for one in listed(lead, case=reference.lower())) and listed(
        lead, case=reference
    )
    assert all("Tom Ashworth" in one for one in listed(lead, who="tom"))
    assert len(listed(lead, action="read")) == 2
    assert len(listed(lead, action="read", who="priya", case=reference)) == 1
    assert listed(lead, action="read", who="priya", case=world.handover(second).reference) == []
    today = str(world.core.now().date())
    assert len(listed(lead, action="read", since="2020-01-01", until=today)) == 2
    assert listed(lead, until="2020-01-01") == [] and listed(lead, since="2100-01-01") == []
    assert listed(lead, since="nonsense", before="nonsense")


def test_a_person_is_found_as_the_one_it_was_done_to_as_well(world):
    world.invitation("noah")
    assert any(
        "Lena Fairweather Invited Noah Quill" in one for one in listed(world.at_desk("lena"), who="noah")
    )


def test_long_logs_are_read_page_by_page(world):
    with world.core.uow() as uow:
        for n in range(120):
            uow.audit(world.core.now(), "clock", "alert_sent", number=n)
        uow.commit()
    lead = world.at_desk("lena")
    page, seen = lead.get("/desk/audit?action=alert_sent").text, []
    for _ in range(3):
        seen += [int(re.search(r"number: (\d+)", one)[1]) for one in rows(page)]
        older = re.search(r'href="(/desk/audit\?[^"]*before=\d+)"', page)
        page = lead.get(older[1].replace("&amp;", "&")).text if older else ""
    assert seen == list(range(119, -1, -1)) and not page


def test_an_export_holds_the_chain_so_that_others_can_check_it(world):
    world.case()
    found = world.at_desk("lena").get("/desk/audit/export.json").json()
    assert len(found) > 2 and found[0]["previous_hash"] == audit.FIRST
    assert all(b["previous_hash"] == a["hash"] for a, b in zip(found, found[1:], strict=False))
    answer = world.at_desk("lena").get("/desk/audit/export.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@sum", "\tx", "\rx"])
def test_no_cell_of_an_export_is_a_formula(world, name):
    with world.core.uow() as uow:
        uow.staff_member("noah").name = name
        uow.audit(world.core.now(), "noah", "=cmd()", subject="noah")
        uow.commit()
    answer = world.at_desk("lena").get("/desk/audit/export.csv?who=noah")
    (line,) = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert line["actor_name"] == f"'{name}" and line["action"] == "'=cmd()"
    assert not [cell for cell in line.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_an_export_holds_what_was_searched_for(world):
    world.case()
    lead = world.at_desk("lena")
    assert {one["action"] for one in lead.get("/desk/audit/export.json?action=opened").json()} == {"opened"}


def test_the_check_says_that_the_log_is_whole_or_where_it_is_not(world):
    world.case()
    lead = world.at_desk("lena")
    assert "none changed, removed or moved" in lead.post("/desk/audit/check").text
    with world.core.store.engine.execution_options(earshot_write=True).begin() as connection:
        connection.execute(text("UPDATE audit SET actor = 'x' WHERE id = 2"))
    told = lead.post("/desk/audit/check").text
    assert "The log is not what was written" in told and "Entry 2" in told
    assert ("lena", "audit_checked", None) in world.log()


def test_a_lead_of_one_area_reads_of_their_own_cases_and_people(world):
    with world.core.uow() as uow:
        uow.add(Area(id="southsea", name="Southsea", nation="ENG"))
        sign_in = uow.cipher.find_hash("staff", email("sia"))
        uow.add(
            Staff(id="sia", name="Sia", role="lead", job_title="l", areas=["southsea"], sign_in_hash=sign_in)
        )
        uow.commit()
    case = world.case()
    world.at_desk("priya").get(f"/desk/cases/{case}")
    world.invitation("noah")
    sia = world.at_desk("sia")
    assert {one["actor"] for one in sia.get("/desk/audit/export.json").json()} == {"sia"}
    assert world.handover(case).reference not in sia.get("/desk/audit").text


def test_what_is_looked_for_and_is_no_id_of_ours_is_not_written_down(world):
    lead = world.at_desk("lena")
    reference = world.handover(world.case()).reference
    lead.get("/desk/audit?who=jane.doe&case=JANE-DOE&action=jane+doe")
    lead.get(f"/desk/audit/export.csv?who=Jane&case={reference}&action=opened")
    with world.core.store.read() as uow:
        found = [e.detail["search"] for e in uow.session.query(AuditEntry) if "search" in e.detail]
    assert found == [
        {"who": "unknown", "case": "unknown", "action": "unknown"},
        {"who": "unknown", "case": reference, "action": "opened"},
    ]
