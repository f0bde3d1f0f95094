"""Account, people and audit in a real browser: on a desk's screen and a phone's, by keyboard, for axe."""

from __future__ import annotations

import re

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.desk.test_live import sign_in

#: Milliseconds a page has to answer: machines get busy.
PATIENT = 20_000

PAGES = (
    "people", "people/preview?at=2026-12-25T02:10&where=place:hill&as=immediate&adult=okoro", "people/noah",
    "people/new", "people/file", "audit", "account", "second-factor/set-up",
)  # fmt: skip


def complaints(page) -> list[str]:
    """What axe finds, and whether the page is wider than its screen."""
    found = [one["id"] for one in Axe().run(page).response["violations"]]
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return found + (["wider than the screen"] if wide else [])


@pytest.mark.parametrize("width", [1440, 375])
def test_axe_finds_nothing_and_nothing_is_cut_off(world, served, chromium, width):  # noqa: F811
    page = sign_in(chromium, world, served, "lena", width)
    world.at_desk("priya").get(f"/desk/cases/{world.case()}")
    for path in PAGES:
        page.goto(f"{served}/desk/{path}")
        assert complaints(page) == [], path
    page.goto(f"{served}/desk/invitation?token={world.invitation('noah')}")
    assert complaints(page) == [] and page.problems == []
    page.context.close()


def test_somebody_is_found_given_hours_and_invited_without_a_mouse(world, served, chromium):  # noqa: F811
    page = sign_in(chromium, world, served, "lena")

    def tab_to(role: str, name: str) -> None:
        wanted = page.get_by_role(role, name=name).first
        for _ in range(80):
            if wanted.evaluate("one => one === document.activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{name} cannot be reached")

    tab_to("link", "People")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible(timeout=PATIENT)
    tab_to("link", "Noah Quill")
    page.keyboard.press("Enter")
    tab_to("checkbox", "Mon")
    page.keyboard.press("Space")
    tab_to("textbox", "From")
    page.keyboard.type("0900AM")
    tab_to("textbox", "To (earlier: next day)")
    page.keyboard.type("0500PM")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Mon, 09:00 to 17:00")).to_be_visible(timeout=PATIENT)
    tab_to("button", "New invitation: resets the password")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Invitation link")).to_have_value(re.compile(r"/desk/invitation\?token="))
    page.context.close()


def test_the_second_step_is_set_up_from_what_the_page_shows(world, served, chromium):  # noqa: F811
    page = sign_in(chromium, world, served, "tom", 375)
    page.goto(f"{served}/desk/second-factor/set-up")
    picture = page.get_by_role("img", name="QR code")
    assert picture.evaluate("one => one.complete && one.naturalWidth > 100")
    page.get_by_text("No camera?").click()
    secret = page.locator(".key").inner_text().replace(" ", "")
    page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    page.keyboard.press("Enter")
    expect(page.locator(".codes li")).to_have_count(10)
    assert complaints(page) == [] and page.problems == []
    page.context.close()


def test_a_chosen_rota_file_is_seen_before_it_is_sent(world, served, chromium, tmp_path):  # noqa: F811
    page = sign_in(chromium, world, served, "lena")
    file = tmp_path / "rota.yml"
    file.write_text(
        "area: Northmoor\nstaff: [{id: una, name: Una, role: lead, job_title: l, email: u@x.example}]"
    )
    page.goto(f"{served}/desk/people/file")
    page.get_by_label("A file").set_input_files(file)
    expect(page.get_by_label("What is in it")).to_have_value(re.compile("Una"))
    page.get_by_role("button", name="Load").click()
    expect(page.get_by_text("Loaded 0 places and 1 person")).to_be_visible(timeout=PATIENT)
    page.context.close()
