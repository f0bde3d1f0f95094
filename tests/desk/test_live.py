"""The desk over a real connection: the stream of news, and two pages in a real browser."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import suppress

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from bot.messages import Sender
from bot.risk.taxonomy import Level
from tests.desk.world import World

#: Milliseconds a page has to show what happened elsewhere; half a second is usual, machines get busy.
PATIENT = 5_000


def sign_in(chromium: Browser, world: World, url: str, staff_id: str, width: int = 1440) -> Page:
    """A page in a browser of its own, signed in by link; it fails the test on any script error."""
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: line.type == "error" and page.problems.append(line.text))
    page.goto(f"{url}/desk/sign-in?token={world.link(staff_id)}")
    page.wait_for_url(f"{url}/desk/")
    return page


def accept(page: Page) -> None:
    """Take the open case. News of it reaches the open page first: wait for the page that follows."""
    with page.expect_navigation():
        page.get_by_role("button", name="Accept this case").click()


def stream(url: str, cookie: str, into: list, ready: threading.Event) -> None:
    """Collect ``(event, data)`` until the stream ends, or the test is over and its server gone."""
    cookies = {"earshot_desk": cookie}
    with suppress(httpx.RemoteProtocolError), httpx.Client(cookies=cookies, timeout=30) as client:
        with client.stream("GET", f"{url}/desk/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            name = ""
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    name = line.partition(": ")[2]
                elif line.startswith("data:"):
                    into.append((name, json.loads(line.partition(": ")[2])))
                    ready.set()


def wait_for(into: list, wanted: tuple, seconds: float = 5.0) -> float:
    """Seconds until an event is there."""
    began = time.perf_counter()
    while wanted not in into:
        assert time.perf_counter() - began < seconds, f"no {wanted} in {into}"
        time.sleep(0.005)
    return time.perf_counter() - began


def test_the_stream_tells_that_something_changed_and_never_what_was_said(world, served):
    cookie = world.at_desk("priya").client.cookies["earshot_desk"]
    events: list = []
    ready = threading.Event()
    listening = threading.Thread(target=stream, args=(served, cookie, events, ready), daemon=True)
    listening.start()
    assert ready.wait(10) and events[0] == ("hello", {})
    time.sleep(0.4)  # the first look of the stream, and of the watcher for other processes
    case = world.case("purple walrus hits me", "hits me")
    wait_for(events, ("queue", {}))
    with world.core.store.read() as uow:
        newest = uow.messages(world.handover(case).conversation_id)[-1].seq
    wait_for(events, ("case", {"id": case, "seq": newest}))
    assert "walrus" not in repr(events) and world.handover(case).reference not in repr(events)
    with world.core.uow() as uow:
        uow.staff_member("priya").active = False
        uow.commit()
    world.case()
    wait_for(events, ("signed_out", {}))
    listening.join(10)
    assert not listening.is_alive()


def test_a_safe_adult_hears_only_of_their_own_cases(world, served):
    cookie = world.at_desk("okoro").client.cookies["earshot_desk"]
    events: list = []
    ready = threading.Event()
    threading.Thread(target=stream, args=(served, cookie, events, ready), daemon=True).start()
    assert ready.wait(10)
    time.sleep(0.4)
    others, theirs = world.case(), world.case(safe_adult="okoro")
    wait_for(events, ("queue", {}))
    time.sleep(0.6)  # two looks of the watcher: whatever was to come is there
    heard = {data["id"] for name, data in events if name == "case"}
    assert heard == {theirs} and others != theirs


def test_a_new_case_is_on_the_open_queue_page_without_a_reload(world, served, chromium):
    world.case()
    page = sign_in(chromium, world, served, "priya")
    expect(page.locator("[data-case]")).to_have_count(1)
    page.wait_for_timeout(600)
    page.evaluate("window.notReloaded = true")
    case = world.case("ive taken pills", "taken pills", level=Level.IMMEDIATE)
    expect(page.locator(f'[data-case="{case}"]')).to_be_visible(timeout=PATIENT)
    expect(page.locator("[data-case]").first).to_contain_text("Immediate")
    expect(page.locator("[data-live=summary]")).to_have_text("2 waiting")
    assert page.title().startswith("(2)")
    assert page.evaluate("window.notReloaded")
    assert not page.problems
    page.context.close()


def test_on_a_phone_the_cases_come_first_and_what_narrows_them_is_folded(world, served, chromium):
    case = world.case()
    page = sign_in(chromium, world, served, "priya", width=375)
    page.set_viewport_size({"width": 375, "height": 667})
    level = page.get_by_label("Level", exact=True)
    expect(level).to_be_hidden()
    expect(page.locator(f'[data-case="{case}"]')).to_be_in_viewport(ratio=1)
    page.get_by_text("Show only some").click()
    with page.expect_navigation():
        level.select_option("immediate")
    expect(level).to_be_visible()
    expect(page.locator("[data-case]")).to_have_count(0)
    page.set_viewport_size({"width": 1440, "height": 800})
    page.goto(f"{served}/desk/")
    expect(level).to_be_visible()
    expect(page.get_by_text("Show only some")).to_be_hidden()
    assert not page.problems
    page.context.close()


def test_a_conversation_is_live_on_both_sides_and_ends_with_an_outcome(world, served, chromium):
    case = world.case()
    talk = world.handover(case).conversation_id
    page = sign_in(chromium, world, served, "priya", width=375)
    page.locator(f'[data-case="{case}"] a').click()
    accept(page)
    box = page.get_by_label("Your message to the person")
    expect(box).to_be_visible()
    expect(page.locator("html.js")).to_have_count(1)
    with page.expect_response("**/typing") as told:
        box.fill("I am here.")
    assert told.value.status == 204
    box.press("Shift+Enter")
    box.press_sequentially("You are not in trouble.")
    box.press("Enter")
    expect(page.locator(".line-worker")).to_have_text(re.compile("I am here.\nYou are not in trouble."))
    expect(box).to_have_value("")
    page.wait_for_timeout(400)
    world.changes.typing(talk, Sender.YOU, True)
    expect(page.get_by_text("The person is typing")).to_be_visible(timeout=PATIENT)
    world.says(talk, "<b>now</b> he has a knife", "has a knife", level=Level.IMMEDIATE)
    said = page.locator(".line-you").last
    expect(said).to_contain_text("<b>now</b> he has a knife", timeout=PATIENT)
    expect(page.get_by_text("The person is typing")).to_be_hidden()
    expect(said.locator("mark")).to_have_text("has a knife")
    expect(said).to_contain_text("Immediate")
    expect(page.locator("[data-live=head]")).to_contain_text("Immediate")
    page.locator("summary", has_text="Close").click()
    page.get_by_label("What happens now").fill("Mrs Okoro is coming to you now.")
    expect(page.locator("[data-preview]")).to_have_text("Mrs Okoro is coming to you now.")
    page.get_by_role("button", name="Send this and close").click()
    expect(page.locator("[data-live=head]")).to_contain_text("Closed")
    assert world.texts(case).count("I am here.\nYou are not in trouble.") == 1
    assert any("Mrs Okoro is coming to you now." in said for said in world.texts(case))
    assert not page.problems
    page.context.close()


def test_a_draft_survives_a_failed_send_and_arrives_once(world, served, chromium):
    case = world.case()
    page = sign_in(chromium, world, served, "priya")
    page.goto(f"{served}/desk/cases/{case}")
    accept(page)
    box = page.get_by_label("Your message to the person")
    expect(page.locator("html.js #text-help")).to_be_visible()

    def lose_the_answer(route) -> None:
        route.fetch()  # it arrives, but the worker's line breaks before they hear so
        route.abort()

    page.route("**/reply*", lose_the_answer)
    box.fill("I am still here.")
    box.press("Enter")
    expect(page.get_by_text("This was not sent.")).to_be_visible()
    expect(box).to_have_value("I am still here.")
    page.unroute("**/reply*")
    box.press("Enter")
    expect(box).to_have_value("")
    assert world.texts(case).count("I am still here.") == 1
    page.context.close()


def test_a_page_whose_session_ended_says_so(world, served, chromium):
    page = sign_in(chromium, world, served, "priya")
    page.wait_for_timeout(400)
    with world.core.uow() as uow:
        uow.staff_member("priya").active = False
        uow.commit()
    world.case()
    expect(page.get_by_text("You are signed out.")).to_be_visible(timeout=PATIENT)
    page.context.close()


def test_six_open_chats_leave_room_to_send(world, served, chromium):
    cases = [world.case() for _ in range(7)]
    page, priya = sign_in(chromium, world, served, "priya"), world.at_desk("priya")
    for case in cases:
        priya.post(f"/desk/cases/{case}/accept")
        tab = page.context.new_page()
        tab.goto(f"{served}/desk/cases/{case}")
    box = tab.get_by_label("Your message to the person")
    box.fill("Hello from the seventh chat.")
    box.press("Enter")
    expect(tab.locator(".line-worker")).to_contain_text("Hello from the seventh chat.", timeout=PATIENT)
    page.context.close()


def test_the_second_worker_sees_the_case_being_taken_while_they_look(world, served, chromium):
    case = world.case()
    tom = sign_in(chromium, world, served, "tom")
    tom.goto(f"{served}/desk/cases/{case}")
    expect(tom.get_by_role("button", name="Accept this case")).to_be_visible()
    priya = sign_in(chromium, world, served, "priya")
    priya.goto(f"{served}/desk/cases/{case}")
    expect(tom.locator(".looking")).to_contain_text("Priya Nandakumar", timeout=PATIENT)
    priya.get_by_role("button", name="Accept this case").click()
    expect(tom.locator("[data-live=head]")).to_contain_text("Priya Nandakumar has this case", timeout=PATIENT)
    expect(tom.get_by_role("button", name="Accept this case")).to_have_count(0)
    for page in (tom, priya):
        page.context.close()


@pytest.mark.parametrize("width", [320, 375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_have_no_accessibility_violation_and_fit_the_screen(world, served, chromium, width, scheme):
    mine, waiting = world.case(), world.case("ive taken pills", "taken pills", level=Level.IMMEDIATE)
    for case in (mine, world.case(), world.case()):
        world.at_desk("priya").post(f"/desk/cases/{case}/accept")
    page = sign_in(chromium, world, served, "priya", width)
    page.emulate_media(color_scheme=scheme)
    for path in ("", f"cases/{mine}", f"cases/{waiting}", "sign-in", "?tab=closed"):
        page.goto(f"{served}/desk/{path}")
        for menu in page.locator("details.menu").all():
            menu.locator("summary").click()
        found = Axe().run(page).response["violations"]
        assert not found, [(v["id"], v["nodes"][0]["html"]) for v in found]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_everything_is_reached_by_keyboard(world, served, chromium):
    case = world.case()
    page = sign_in(chromium, world, served, "priya")

    def tab_to(selector: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"{selector} was not reached")

    tab_to(f"#case-{case}")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/desk/cases/{case}")
    tab_to("#accept")
    page.keyboard.press("Enter")
    page.wait_for_selector("#text")
    tab_to(".menu-close summary")
    page.keyboard.press("Enter")
    tab_to("#outcome")
    page.keyboard.press("Escape")
    assert page.locator(".menu-close").get_attribute("open") is None
    tab_to("#text")
    page.keyboard.type("Hello.")
    page.keyboard.press("Enter")
    expect(page.locator(".line-worker")).to_contain_text("Hello.")
    page.context.close()
