"""The queue page and the duty button."""

from __future__ import annotations

import re
from datetime import timedelta

from bot.desk import queries
from bot.messages import Channel
from bot.risk.taxonomy import Level


def references(page: str) -> list[str]:
    return re.findall(r'class="whole"[^>]*>([A-Z]{3}-\d{3})<', page)


def test_the_most_dangerous_comes_first_and_then_whose_deadline_is_nearest(world):
    minutes = timedelta(minutes=1)
    new_high = world.case(ago=1 * minutes)
    old_high = world.case(ago=9 * minutes)
    new_immediate = world.case("ive taken pills", "taken pills", level=Level.IMMEDIATE)
    page = world.at_desk("priya").get("/desk/").text
    expected = [world.handover(case).reference for case in (new_immediate, old_high, new_high)]
    assert references(page) == expected
    browser = world.at_desk("priya")
    browser.post(f"/desk/cases/{old_high}/accept")  # 15 minutes from now, and after the answer none
    assert references(browser.get("/desk/").text) == [expected[0], expected[2], expected[1]]
    browser.post(f"/desk/cases/{old_high}/reply", text="I am here.")
    assert references(browser.get("/desk/").text) == [expected[0], expected[2], expected[1]]


def test_a_row_tells_level_kind_place_waiting_and_deadline_in_words(world):
    case = world.case(ago=timedelta(minutes=3))
    page = world.at_desk("priya").get("/desk/").text
    for words in ("High", "Disclosure", "Physical abuse", "About themselves", "Hillbrook", "Northmoor"):
        assert words in page
    assert "3 min" in page and "Answer by" in page and "Nobody yet" in page
    assert world.handover(case).reference in page


def test_a_row_holds_no_word_of_the_child(world):
    world.case("purple walrus hits me every night", "hits me")
    browser = world.at_desk("priya")
    assert "walrus" not in browser.get("/desk/").text
    assert "hits me" not in browser.get("/desk/queue").text


def test_an_unanswered_case_is_marked_overdue(world):
    world.case(ago=timedelta(hours=2))
    page = world.at_desk("priya").get("/desk/").text
    assert "Overdue" in page and "1 waiting, 1 overdue" in page


def test_the_tabs_show_mine_waiting_all_and_closed(world):
    mine, waiting, closed = world.case(), world.case(), world.case()
    browser = world.at_desk("priya")
    for case in (mine, closed):
        browser.post(f"/desk/cases/{case}/accept")
    browser.post(f"/desk/cases/{closed}/close", outcome="We spoke.")
    named = {case: world.handover(case).reference for case in (mine, waiting, closed)}
    assert references(browser.get("/desk/?tab=mine").text) == [named[mine]]
    assert references(browser.get("/desk/?tab=waiting").text) == [named[waiting]]
    assert set(references(browser.get("/desk/?tab=all").text)) == {named[mine], named[waiting]}
    assert references(browser.get("/desk/?tab=closed").text) == [named[closed]]
    assert set(references(browser.get("/desk/?tab=nonsense").text)) == {named[mine], named[waiting]}


def test_who_is_on_duty_is_listed_and_who_is_not_is_not(world):
    page = world.at_desk("priya").get("/desk/").text
    listed = page[page.index("On duty now") :]
    assert "Tom Ashworth" in listed and "Noah Quill" not in listed and "Ada Moss" not in listed


def test_off_duty_takes_you_from_the_list_and_on_duty_brings_you_back(world):
    browser = world.at_desk("priya")
    assert browser.post("/desk/duty", off="1").status_code == 303
    page = browser.get("/desk/").text
    assert "Go on duty" in page and "Priya Nandakumar (you)" not in page
    browser.post("/desk/duty", off="0")
    assert "Priya Nandakumar (you)" in browser.get("/desk/").text


def test_nobody_goes_off_duty_or_signs_out_with_a_case_in_hand(world):
    case = world.case()
    browser = world.at_desk("priya")
    browser.post(f"/desk/cases/{case}/accept")
    for path in ("/desk/duty", "/desk/sign-out"):
        asked = browser.post(path, off="1")
        assert asked.status_code == 409 and world.handover(case).reference in asked.text
        assert world.handover(case).accepted_by == "priya"
    assert browser.post("/desk/sign-out", confirm="1").status_code == 303
    assert world.handover(case).state == "waiting"
    assert ("priya", "released") in world.audit(case)


def test_signing_out_of_one_of_two_browsers_keeps_the_cases(world):
    case = world.case()
    first, second = world.at_desk("priya"), world.at_desk("priya")
    first.post(f"/desk/cases/{case}/accept")
    assert second.post("/desk/sign-out").status_code == 303
    assert world.handover(case).accepted_by == "priya"


def test_the_queue_opens_no_sealed_words(world, monkeypatch):
    for _ in range(3):
        world.case(channel=Channel.TELEGRAM)
    with world.core.store.read() as uow:
        opened = []
        real = uow.cipher.open
        monkeypatch.setattr(uow.cipher, "open", lambda sealed: (opened.append(1), real(sealed))[1])
        assert len(queries.queue_rows(uow)) == 3
    assert not opened
