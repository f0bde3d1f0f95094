"""People, hours and places: changed by whom they are theirs to change, and each change is an entry."""

from __future__ import annotations

import html
import re
from datetime import date, timedelta

import pytest
import yaml

from bot.rota import Leave
from bot.store.models import Area, Place, Shift, Staff
from tests.desk.world import PASSWORD, World, email

ROSA = {"name": "Rosa Finch", "role": "duty_worker", "job_title": "Duty worker", "email": "rosa@desk.example"}


def person(world: World, staff_id: str):
    with world.core.store.read() as uow:
        return uow.rota().person(staff_id)


def row(world: World, staff_id: str) -> Staff:
    with world.core.store.read() as uow:
        return uow.staff_member(staff_id)


def form_of(world: World, staff_id: str, **changed: str) -> dict[str, str]:
    """The details form as it stands, with changes."""
    staff = row(world, staff_id)
    stands = {"name": staff.name, "role": staff.role, "job_title": staff.job_title, "email": staff.email}
    stands |= {"place": staff.place_id or ""}
    with world.core.store.read() as uow:
        areas = uow.rota().areas
    stands |= {f"area{n}": a.id for n, a in enumerate(areas) if a.id in (staff.areas or ())}
    return {**stands, **changed}


@pytest.fixture
def two_areas(world: World) -> World:
    """Southsea beside Northmoor: a school, a duty worker and a lead of its own; Tom serves Northmoor only."""
    with world.core.uow() as uow:
        uow.add(Area(id="Northmoor", name="Northmoor", nation="ENG"))
        uow.add(Area(id="southsea", name="Southsea", nation="SCT"))
        uow.add(Place(id="bay", name="Bay School", kind="school", area="southsea", active=True))
        for staff_id, role in (("sol", "duty_worker"), ("sia", "lead")):
            sign_in = uow.cipher.find_hash("staff", email(staff_id))
            staff = Staff(
                id=staff_id, name=staff_id.title(), role=role, job_title=role, areas=["southsea"],
                email=email(staff_id), sign_in_hash=sign_in,
            )  # fmt: skip
            staff.shifts = [
                Shift(days=[1, 2, 3, 4, 5, 6, 7], starts="00:00", ends="00:00", bank_holidays=True)
            ]
            uow.add(staff)
        uow.staff_member("tom").areas = ["Northmoor"]
        uow.commit()
    return world


def test_a_lead_adds_somebody_with_hours_and_invites_them(world):
    lead = world.at_desk("lena")
    added = lead.post("/desk/people/new", **ROSA)
    assert added.headers["location"] == "/desk/people/rosa-finch"
    assert person(world, "rosa-finch").on_duty(world.core.now()) is False
    days = {f"d{n}": "1" for n in range(1, 8)}
    hours = {"from": "00:00", "to": "00:00", "bank_holidays": "1"}
    lead.post("/desk/people/rosa-finch/hours", **days, **hours)
    assert person(world, "rosa-finch").on_duty(world.core.now())
    page = lead.post("/desk/people/rosa-finch/invite").text
    link = html.unescape(re.search(r'value="(http[^"]+/desk/invitation\?token=[^"]+)"', page)[1])
    browser = world.browser()
    assert browser.get(link[link.index("/desk") :]).status_code == 200
    token = link.partition("token=")[2]
    assert browser.post("/desk/invitation", token=token, password=PASSWORD, again=PASSWORD).status_code == 303
    assert "Rosa Finch" in browser.get("/desk/").text
    assert link not in lead.get("/desk/people/rosa-finch").text  # shown once
    assert [entry for entry in world.log() if entry[2] == "rosa-finch"] == [
        ("lena", "person_added", "rosa-finch"),
        ("lena", "hours_added", "rosa-finch"),
        ("lena", "invited", "rosa-finch"),
        ("rosa-finch", "password_set", "rosa-finch"),
        ("lena", "person_read", "rosa-finch"),
    ]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"name": " "}, "cannot be empty"),
        ({"email": "not an address"}, "not an e-mail"),
        ({"email": "PRIYA@desk.example"}, "has this e-mail"),
        ({"role": "boss"}, "Choose one"),
        ({"role": "safe_adult"}, "belongs to a place"),
        ({"place": "nowhere"}, "Choose one"),
        ({"name": "x" * 81}, "too long"),
        ({"alerts": "not an address"}, "no alert address"),
    ],
)
def test_a_form_that_is_wrong_adds_nobody_and_keeps_what_was_typed(world, changed, told):
    answer = world.at_desk("lena").post("/desk/people/new", **{**ROSA, "phone": "01632 960123", **changed})
    assert answer.status_code == 422 and told in answer.text and "01632 960123" in answer.text
    assert person(world, "rosa-finch") is None


def test_details_are_changed_and_the_log_names_the_fields_and_not_the_values(world):
    lead = world.at_desk("lena")
    saved = lead.post("/desk/people/priya", **form_of(world, "priya", phone="01632 960001", nation="SCT"))
    assert saved.status_code == 303
    assert row(world, "priya").phone == "01632 960001" and person(world, "priya").nation == "SCT"
    exported = lead.get("/desk/audit/export.json").json()
    (entry,) = [one for one in exported if one["action"] == "person_changed"]
    assert entry["detail"] == {"fields": ["nation", "phone"]} and entry["subject"] == "priya"
    before = len(world.log())
    lead.post("/desk/people/priya", **form_of(world, "priya", phone="01632 960001", nation="SCT"))
    assert "person_changed" not in [action for _, action, _ in world.log()[before:]]


def test_an_administrator_changes_hours_but_not_who_sees_cases(world):
    admin = world.at_desk("ada")
    for path, form in (
        ("/desk/people/new", ROSA),
        ("/desk/people/priya", form_of(world, "priya", role="lead")),
        ("/desk/people/okoro", form_of(world, "okoro", place="")),
        ("/desk/people/ada", form_of(world, "ada", role="lead")),
        ("/desk/people/priya/invite", {}),
        ("/desk/people/priya/sign-out", {}),
        ("/desk/people/lena/deactivate", {}),
    ):
        assert admin.post(path, **form).status_code in (403, 422), path
    assert [person(world, who).role for who in ("priya", "ada", "lena")] == [
        "duty_worker",
        "administrator",
        "lead",
    ]
    assert person(world, "rosa-finch") is None and not [e for e in world.log() if e[1] == "invited"]
    assert (
        admin.post("/desk/people/noah/hours", d1="1", **{"from": "09:00", "to": "17:00"}).status_code == 303
    )
    assert len(person(world, "noah").hours) == 1
    assert (
        admin.post("/desk/people/priya", **form_of(world, "priya", job_title="Night worker")).status_code
        == 303
    )
    new = {**ROSA, "role": "administrator"}
    assert admin.post("/desk/people/new", **new).status_code == 303


@pytest.mark.parametrize("path", ["/desk/people/file", "/desk/people/file/export", "/desk/audit"])
def test_files_and_the_log_are_for_leads(world, path):
    assert world.at_desk("ada").get(path).status_code == 403
    assert world.at_desk("lena").get(path).status_code == 200


def test_hours_and_leave_are_added_and_removed(world):
    lead = world.at_desk("lena")
    times = {"from": "22:00", "to": "06:00"}
    assert lead.post("/desk/people/noah/hours", **times).status_code == 422  # no day
    assert (
        lead.post(
            "/desk/people/noah/hours", first_day="2026-11-28", last_day="2026-11-28", **times
        ).status_code
        == 303
    )
    (hours,) = person(world, "noah").hours
    assert (hours.days, hours.first, hours.last) == ((6,), date(2026, 11, 28), date(2026, 11, 28))
    assert "Sat, 22:00 to 06:00 next day, only 28 Nov 2026" in lead.get("/desk/people/noah").text
    wrong = {"first_day": "2026-12-24", "last_day": "2026-12-23"}
    assert lead.post("/desk/people/noah/leave", **wrong).status_code == 422
    lead.post("/desk/people/noah/leave", first_day="2026-12-24", last_day="2026-12-27")
    lead.post("/desk/people/noah/leave", first_day="2026-12-30")
    assert person(world, "noah").leave == (
        Leave(date(2026, 12, 24), date(2026, 12, 27)),
        Leave(date(2026, 12, 30), date(2026, 12, 30)),
    )
    staff = row(world, "noah")
    # Somebody else's row is not removed by way of this person.
    others = row(world, "priya").shifts[0].id
    lead.post(f"/desk/people/noah/hours/{others}/remove")
    assert person(world, "priya").hours
    lead.post(f"/desk/people/noah/hours/{staff.shifts[0].id}/remove")
    lead.post(f"/desk/people/noah/leave/{staff.leave[0].id}/remove")
    assert person(world, "noah").hours == () and len(person(world, "noah").leave) == 1


def test_leave_takes_somebody_off_the_rota_at_once(world):
    today = world.core.now().date()
    yesterday, tomorrow = str(today - timedelta(days=1)), str(today + timedelta(days=1))
    world.at_desk("lena").post("/desk/people/priya/leave", first_day=yesterday, last_day=tomorrow)
    assert not person(world, "priya").on_duty(world.core.now())
    assert world.at_desk("priya").post(f"/desk/cases/{world.case()}/accept").status_code == 409


def test_whoever_leaves_is_signed_out_and_their_cases_go_back(world):
    case = world.case()
    priya, lead = world.at_desk("priya"), world.at_desk("lena")
    priya.post(f"/desk/cases/{case}/accept")
    token = world.invitation("priya")
    assert lead.post("/desk/people/priya/deactivate").status_code == 303
    assert priya.get("/desk/").status_code == 303 and person(world, "priya") is None
    assert world.handover(case).state == "waiting"
    assert world.browser().get(f"/desk/invitation?token={token}").status_code == 401
    assert world.browser().post("/desk/sign-in", email=email("priya"), password=PASSWORD).status_code == 401
    assert "People who left (1)" in lead.get("/desk/people").text
    lead.post("/desk/people/priya/reactivate")
    assert person(world, "priya").hours
    # The password they had does not come back with them.
    assert world.browser().post("/desk/sign-in", email=email("priya"), password=PASSWORD).status_code == 401


def test_a_lead_signs_somebody_out_and_their_cases_go_back(world):
    case, priya = world.case(), world.at_desk("priya")
    priya.post(f"/desk/cases/{case}/accept")
    world.at_desk("lena").post("/desk/people/priya/sign-out")
    assert priya.get("/desk/").status_code == 303 and world.handover(case).state == "waiting"


def test_there_is_always_a_lead(world):
    lead = world.at_desk("lena")
    assert lead.post("/desk/people/lena/deactivate").status_code == 422
    demoted = lead.post("/desk/people/lena", **form_of(world, "lena", role="duty_worker"))
    assert demoted.status_code == 422 and "must be the lead" in demoted.text
    lena = f"id: lena, name: L, role: duty_worker, job_title: t, email: {email('lena')}"
    text = f"area: Northmoor\nstaff: [{{{lena}}}]"
    assert lead.post("/desk/people/file", text=text).status_code == 422
    assert person(world, "lena").role == "lead"
    lead.post("/desk/people/priya", **form_of(world, "priya", role="lead"))
    assert lead.post("/desk/people/lena", **form_of(world, "lena", role="duty_worker")).status_code == 303


def test_who_becomes_an_administrator_gives_their_cases_back(world):
    case, priya = world.case(), world.at_desk("priya")
    priya.post(f"/desk/cases/{case}/accept")
    world.at_desk("lena").post("/desk/people/priya", **form_of(world, "priya", role="administrator"))
    assert world.handover(case).state == "waiting"
    assert priya.get(f"/desk/cases/{case}").status_code == 403


# Places, areas, files ------------------------------------------------------------------------------


def test_a_place_is_added_changed_and_closed_when_nobody_belongs_to_it(two_areas):
    lead = two_areas.at_desk("lena")
    lead.post("/desk/people/places", name="Moor Youth Club", kind="youth_centre", area="Northmoor")
    with two_areas.core.store.read() as uow:
        assert uow.rota().place("moor-youth-club").area == "Northmoor"
    assert lead.post("/desk/people/places/close", id="hill").status_code == 409
    assert lead.post("/desk/people/places/close", id="bay").status_code == 303
    assert lead.post("/desk/people/places", name="X", kind="school", area="nowhere").status_code == 422
    assert lead.post("/desk/people/areas", name="Westfold", nation="WLS").status_code == 303
    assert lead.post("/desk/people/areas", name="Westfold", nation="FRA").status_code == 422
    with two_areas.core.store.read() as uow:
        assert uow.rota().place("bay") is None and "westfold" in {area.id for area in uow.rota().areas}


def test_a_rota_file_is_saved_and_loaded_again(two_areas):
    lead = two_areas.at_desk("lena")
    text = lead.get("/desk/people/file/export").text
    assert {one["id"] for one in yaml.safe_load(text)["staff"]} >= {"priya", "sol", "okoro"}
    changed = text.replace("name: Sol", "name: Solveig")
    assert "Loaded 2 places and 9 people" in lead.post("/desk/people/file", text=changed).text
    assert person(two_areas, "sol").name == "Solveig" and person(two_areas, "sol").areas == ("southsea",)
    wrong = lead.post("/desk/people/file", text="staff: [")
    assert wrong.status_code == 422 and "Check it is YAML" in wrong.text
    assert ("lena", "rota_loaded", "sol") in two_areas.log()


# Areas are kept apart --------------------------------------------------------------------------------


def test_a_duty_worker_sees_the_cases_of_the_areas_they_serve(two_areas):
    world = two_areas
    case = world.case()  # at Hillbrook, in Northmoor
    reference = world.handover(case).reference
    for staff_id, sees in (("tom", True), ("priya", True), ("sol", False), ("sia", False), ("lena", True)):
        browser = world.at_desk(staff_id)
        assert (reference in browser.get("/desk/").text) is sees, staff_id
        assert (browser.get(f"/desk/cases/{case}").status_code == 200) is sees
        assert (browser.get(f"/desk/cases/{case}/news").status_code == 200) is sees
    sol = world.at_desk("sol")
    assert sol.post(f"/desk/cases/{case}/accept").status_code == 403
    assert sol.get("/desk/cases/999").status_code == 403  # whether it exists is not told either
    assert set(world.handover(case).routed_to) == {"priya", "tom"}


def test_a_case_of_nobody_knows_where_is_everyones(two_areas):
    world = two_areas
    case = world.case()
    with world.core.uow() as uow:
        uow.conversation(uow.handover(case).conversation_id).place_id = None
        uow.commit()
    assert world.at_desk("sol").get(f"/desk/cases/{case}").status_code == 200


def test_who_was_handed_a_case_sees_it_wherever_it_is(two_areas):
    world = two_areas
    case, priya = world.case(), world.at_desk("priya")
    priya.post(f"/desk/cases/{case}/accept")
    assert priya.post(f"/desk/cases/{case}/transfer", to="sol").status_code == 303
    assert world.at_desk("sol").get(f"/desk/cases/{case}").status_code == 200


def test_a_lead_of_one_area_looks_after_its_people_only(two_areas):
    sia = two_areas.at_desk("sia")
    listed = sia.get("/desk/people").text
    assert (
        "/desk/people/sol" in listed
        and "/desk/people/tom" not in listed
        and "/desk/people/okoro" not in listed
    )
    for path in ("", "/hours", "/leave", "/invite", "/deactivate"):
        assert sia.post(f"/desk/people/tom{path}", **form_of(two_areas, "tom")).status_code == 404
    assert sia.get("/desk/people/tom").status_code == sia.get("/desk/people/nobody").status_code == 404
    # Nor do they let anybody into other areas, themselves included.
    for who in ("sol", "sia"):
        assert (
            sia.post(f"/desk/people/{who}", **form_of(two_areas, who, area0="Northmoor")).status_code == 403
        )
    widened = {k: v for k, v in form_of(two_areas, "sia").items() if not k.startswith("area")}
    assert sia.post("/desk/people/sia", **widened).status_code == 403
    assert sia.post("/desk/people/new", **ROSA).status_code == 403
    assert sia.post("/desk/people/new", **ROSA, area1="southsea").status_code == 303
    assert sia.post("/desk/people/places", id="hill", name="H", kind="s", area="southsea").status_code == 403
    assert sia.get("/desk/people/file/export").status_code == 403
    assert sia.post("/desk/people/areas", name="Northmoor", id="Northmoor", nation="SCT").status_code == 403
    assert person(two_areas, "sia").areas == ("southsea",)


# Who would get it ------------------------------------------------------------------------------------


def test_the_preview_asks_as_the_chain_would(two_areas):
    lead = two_areas.at_desk("lena")
    answer = lead.get("/desk/people/preview?at=2026-12-25T02:10&where=place:hill&as=high&adult=okoro")
    steps = re.search(r'<ol class="asked-steps".*?</ol>', answer.text, re.DOTALL)[0]
    text = " ".join(re.sub(r"<[^>]+>", " ", steps).split())
    assert text.index("Mrs Okoro") < text.index("Priya Nandakumar") < text.index("Lena Fairweather")
    assert "Sol" not in text
    assert re.findall(r"to answer by Fri 25 Dec, (\S+?)[ ;]", text + " ") == [
        "02:20",
        "02:30",
        "02:40",
        "02:50",
    ]
    assert ("lena", "rota_previewed", None) in two_areas.log()


def test_the_preview_tells_when_nobody_is_there(world):
    lead = world.at_desk("lena")
    for who in ("priya", "tom", "noah", "okoro", "bell", "lena"):
        for shift in row(world, who).shifts:
            lead.post(f"/desk/people/{who}/hours/{shift.id}/remove")
    lead.post("/desk/people/noah/hours", d1="1", **{"from": "09:00", "to": "17:00"})
    today = date.today()
    sunday = today + timedelta(days=13 - today.weekday())  # not this week's: today is written otherwise
    monday = f"{sunday + timedelta(days=1):%a %-d %b}"
    text = lead.get(f"/desk/people/preview?at={sunday}T10:00&as=message").text
    assert "nobody of them is on duty" in text and f"{monday}, 09:00" in text and f"{monday}, 10:00" in text


@pytest.mark.parametrize(
    "query", ["", "?at=nonsense&where=place:gone&as=x&adult=gone", "?at=0001-01-01T00:00"]
)
def test_a_preview_of_nonsense_still_answers(world, query):
    assert world.at_desk("lena").get(f"/desk/people/preview{query}").status_code == 200
