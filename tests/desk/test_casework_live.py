"""Working a case in a real browser: on a desk's screen and a phone's, by keyboard, for axe."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bot.messages import Sender
from bot.risk.taxonomy import Level
from tests.desk.test_live import PATIENT, sign_in


@pytest.fixture
def cases(world) -> list[int]:
    """Four cases that Priya holds; the first has a note, a colleague reading along and a record."""
    priya = world.at_desk("priya")
    found = [world.case() for _ in range(4)]
    for case in found:
        priya.post(f"/desk/cases/{case}/accept")
    where = f"/desk/cases/{found[0]}"
    priya.post(f"{where}/notes", note="Rang the school.")
    priya.post(f"{where}/opinion", colleague="lena")
    priya.post(
        f"{where}/record", version="0", q_2="1", neglect_physical="No food.", council_told="yes", f_18C="1"
    )
    priya.post(f"{where}/level", level="concern", reason="A film plot, he says.")
    return found


@pytest.mark.parametrize("width", [375, 1440])
def test_axe_finds_nothing_and_nothing_is_cut_off(world, served, chromium, cases, width):
    page = sign_in(chromium, world, served, "priya", width)
    page.emulate_media(color_scheme="dark" if width == 375 else "light")
    first = f"cases/{cases[0]}"
    for path in ("?level=high", first, f"{first}/record", f"{first}/letter", "side", "replies"):
        page.goto(f"{served}/desk/{path}")
        for fold in page.locator("details").all():  # of a group only one stays open
            fold.evaluate("fold => (fold.open = true)")
        found = Axe().run(page).response["violations"]
        assert not found, [(path, v["id"], v["nodes"][0]["html"]) for v in found]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert not page.problems
    page.context.close()


def test_a_shift_by_keyboard_with_nothing_lost_between_cases(world, served, chromium, cases):
    page = sign_in(chromium, world, served, "priya")
    page.goto(f"{served}/desk/cases/{cases[0]}")
    expect(page.locator("html.js")).to_have_count(1)
    page.keyboard.press("Alt+r")
    page.keyboard.type("Half a sente")
    page.keyboard.press("Alt+j")
    page.wait_for_url(re.compile(rf"/cases/(?!{cases[0]}\b)\d+"))
    expect(page.locator("#text")).to_have_value("")
    page.keyboard.press("Alt+k")
    page.wait_for_url(re.compile(rf"/cases/{cases[0]}\b"))
    expect(page.locator("#text")).to_have_value("Half a sente")
    page.locator("#text").fill("")
    page.keyboard.press("Alt+i")
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_have_value(re.compile("^Hi, I am Priya. I am a real person."))
    assert len(world.texts(cases[0])) == 3  # put into the box, not sent
    page.keyboard.press("Alt+n")
    page.keyboard.type("By keyboard.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".note").last).to_contain_text("By keyboard.")
    expect(page.locator("#note")).to_have_value("")
    page.wait_for_timeout(400)
    talk = world.handover(cases[0]).conversation_id
    world.changes.typing(world.handover(cases[1]).conversation_id, Sender.YOU, True)
    sign = page.locator(f'[data-rail="{cases[1]}"] [data-rail-typing]')
    expect(sign).to_be_visible(timeout=PATIENT)
    world.says(talk, "hes got a knife", "a knife", level=Level.IMMEDIATE)
    expect(page.locator("[data-alert]")).to_have_text("The risk in this chat has risen.", timeout=PATIENT)
    expect(page.locator("[data-live=head]")).to_contain_text("while you were talking")
    assert not page.problems
    page.context.close()


def test_chats_side_by_side_are_live_and_each_is_answered_in_its_own_column(
    world,
    served,
    chromium,
    cases,
):
    page = sign_in(chromium, world, served, "priya")
    page.goto(f"{served}/desk/side?cases={cases[1]},{cases[2]}")
    expect(page.locator("html.js")).to_have_count(1)
    left, right = page.locator(f'[data-chat="{cases[1]}"]'), page.locator(f'[data-chat="{cases[2]}"]')
    assert left.bounding_box()["x"] + left.bounding_box()["width"] <= right.bounding_box()["x"] + 1
    right.locator("textarea").fill("For the right one.")
    right.locator("textarea").press("Enter")
    expect(right.locator(".line-worker")).to_contain_text("For the right one.")
    expect(left.locator(".line-worker")).to_have_count(0)
    page.wait_for_timeout(400)
    world.says(world.handover(cases[1]).conversation_id, "are you there")
    expect(left.locator(".line-you").last).to_contain_text("are you there", timeout=PATIENT)
    expect(page.locator(f'[data-rail="{cases[1]}"]')).to_contain_text("2 new", timeout=PATIENT)
    page.get_by_role("checkbox", name=world.handover(cases[3]).reference).click()
    expect(page.locator("[data-chat]")).to_have_count(3)
    assert world.texts(cases[2])[-1] == "For the right one." and "For the right one." not in world.texts(
        cases[1]
    )
    assert not page.problems
    page.context.close()


def test_the_record_saves_as_one_writes_and_two_writers_see_both(world, served, chromium, cases):
    where = f"{served}/desk/cases/{cases[1]}/record"
    priya, lena = (sign_in(chromium, world, served, who) for who in ("priya", "lena"))
    for page in (priya, lena):
        page.goto(where)
        expect(page.locator("html.js")).to_have_count(1)
    priya.get_by_label("What protects them").fill("Her nan.")
    expect(priya.locator("[data-saved]")).to_contain_text("Version 1, saved", timeout=PATIENT)
    lena.get_by_label("What protects them").fill("Her teacher.")
    expect(lena.locator("[data-problem=record_conflict]")).to_be_visible(timeout=PATIENT)
    expect(lena.get_by_label("What protects them")).to_have_value("Her teacher.")
    expect(lena.locator(".theirs")).to_contain_text("Her nan.")
    lena.get_by_label("What protects them").fill("Her nan and her teacher.")
    lena.get_by_role("button", name="Save").click()
    expect(lena.locator("[data-saved]")).to_contain_text("Version 2, saved", timeout=PATIENT)
    expect(lena.locator(".theirs")).to_have_count(0)
    lena.reload()
    expect(lena.get_by_label("What protects them")).to_have_value("Her nan and her teacher.")
    assert not priya.problems
    for page in (priya, lena):
        page.context.close()
