"""The chat in a frame on a school's website: in a real browser, over two origins, under a strict policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bot.bootstrap import Core, build_core
from bot.channels.embed import FRAME_COOKIE
from bot.gateway.app import create_app
from bot.store.models import Conversation
from tests.standins.houses import has_left
from tests.standins.served import eventually, served

DISCLOSURE = "my stepdad hits me when hes had a drink"


class School:
    """A school's website with the one tag, and a policy that allows nothing but that."""

    def __init__(self) -> None:
        self.gateway = ""
        self.attributes = ""
        self.reports: list[Any] = []

    async def page(self, _request: Request) -> Response:
        html = (
            '<!doctype html><html lang="en-GB"><meta name="viewport" content="width=device-width">'
            "<title>Hill School</title><main><h1>Hill School</h1><p>Term dates</p></main>"
            f'<script src="{self.gateway}/embed.js" async {self.attributes}></script></html>'
        )
        policy = f"default-src 'none'; script-src {self.gateway}; frame-src {self.gateway}; base-uri 'none'"
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    async def away(self, _request: Request) -> Response:
        return HTMLResponse('<!doctype html><title>Weather</title><p id="weather">Rain later</p>')

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/", self.page), Route("/away", self.away)])


@pytest.fixture
def school() -> Iterator[tuple[School, str]]:
    made = School()
    with served(made.app()) as url:
        yield made, url.replace("127.0.0.1", "localhost")


@pytest.fixture
def house(core: Core, school: tuple[School, str]) -> Core:
    return build_core(
        core.settings.copy(update={"embed_origins": school[1], "exit_url": f"{school[1]}/away"})
    )


@pytest.fixture
def url(house: Core, school: tuple[School, str], dialogue: Any) -> Iterator[str]:
    with served(create_app(house, dialogue)) as address:
        school[0].gateway = address
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 375, "height": 740}, reduced_motion="reduce")
    yield opened
    opened.close()


def chat_frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def conversations(core: Core) -> int:
    with core.store.read() as uow:
        return uow.session.query(Conversation).count()


def test_a_disclosure_in_a_frame_and_every_way_out_of_it(
    context: BrowserContext, school: tuple[School, str], url: str, house: Core, tmp_path: Path
) -> None:
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.goto(school[1] + "/away")
    page.goto(school[1])

    # Before consent: one script of ours, no cookie, no frame.
    button = page.get_by_role("button", name="Talk to someone")
    expect(button).to_have_attribute("aria-expanded", "false")
    assert [each for each in asked if each.startswith(url)] == [f"{url}/embed.js"]
    assert context.cookies() == []

    # By keyboard: focus goes in, the frame fills the phone's screen, still no cookie.
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    chat = chat_frame(page)
    expect(chat.get_by_role("button", name="A friend")).to_be_visible()
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.tagName") == "IFRAME"
    box = page.locator("dialog").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 375, "height": 740}
    assert context.cookies() == [] and conversations(house) == 0
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()
    page.screenshot(path=tmp_path / "embed-open.png")

    # A disclosure, and its answer; the session is a cookie of this website's frames alone.
    chat.get_by_role("button", name="Me", exact=True).click()
    chat.locator("#text").fill(DISCLOSURE)
    chat.locator("#text").press("Enter")
    expect(chat.locator("#log")).to_contain_text("believe", timeout=15_000)
    (cookie,) = context.cookies()
    assert cookie["name"] == FRAME_COOKIE and cookie["httpOnly"] and cookie["secure"]
    assert cookie["sameSite"] == "None" and cookie.get("partitionKey")
    with house.store.read() as uow:
        assert uow.open_handover_of(uow.session.query(Conversation).one().id).level == "high"

    # Esc puts it away, focus returns; opened again, the chat is as it was. So it is after a reload.
    chat.locator("#text").press("Escape")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    expect(chat.locator("#log")).to_contain_text(DISCLOSURE)
    page.reload()
    button.click()
    chat = chat_frame(page)
    expect(chat.locator("#log")).to_contain_text(DISCLOSURE, timeout=15_000)

    # The website around it may not use the session, though it sits in the same partition.
    tried = page.evaluate(
        "url => fetch(url + '/api/transcript', {credentials: 'include'}).then(() => 'read', () => 'refused')",
        url,
    )
    assert tried == "refused"
    # Neither page's policy stood in the way of anything but that.
    broken = [each for each in complaints if "Content Security Policy" in each or "Error" in each]
    assert [each for each in broken if "/api/transcript" not in each] == []

    # Leaving takes the whole page along, and there is no way back to it. What was said is on the page before
    # its scripts are there, and without them Shift is only Shift.
    page.frames[-1].wait_for_load_state("load")
    chat.locator("#text").fill("half a")
    for _ in range(3):
        page.keyboard.press("Shift")
    page.wait_for_url(f"{school[1]}/away")
    expect(page.locator("#weather")).to_be_visible()
    page.go_back()
    assert page.url == f"{school[1]}/away"
    eventually(lambda: has_left(house))


def test_the_link_to_leave_goes_out_of_the_frame_before_scripts_arrive(
    context: BrowserContext, school: tuple[School, str], url: str
) -> None:
    school[0].attributes = 'data-side="left" data-label="Worried?" data-plain'
    context.route(re.compile(r"/static/.*\.js"), lambda route: route.abort())
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(school[1])
    page.get_by_role("button", name="Worried?").click()
    box = page.locator("dialog").bounding_box()
    assert box["x"] == 16 and box["width"] < 600
    leave = chat_frame(page).locator(".top .leave")
    expect(leave).to_be_visible()
    leave.click()
    page.wait_for_url(f"{school[1]}/away")


def test_shift_pressed_outside_the_frame_leaves_as_well(
    context: BrowserContext, school: tuple[School, str], url: str, house: Core
) -> None:
    page = context.new_page()
    page.goto(school[1])
    page.get_by_role("button", name="Talk to someone").click()
    chat = chat_frame(page)
    chat.get_by_role("button", name="Me", exact=True).click()
    expect(chat.locator("#log")).to_contain_text("Tell me more", timeout=15_000)
    page.get_by_role("button", name="Close").focus()
    for _ in range(3):
        page.keyboard.press("Shift")
    page.wait_for_url(f"{school[1]}/away")
    eventually(lambda: has_left(house))


def framed(url: str, token: str, **headers: str) -> dict[str, str]:
    return {"cookie": f"{FRAME_COOKIE}={token}", **{k.replace("_", "-"): v for k, v in headers.items()}}


def test_the_frames_cookie_is_no_use_to_the_website_around_it(url: str, house: Core) -> None:
    own = {"origin": url, "sec-fetch-site": "same-origin", "earshot-framed": "1"}
    with httpx.Client(base_url=url) as client:
        begun = client.post("/api/conversations", headers=own)
    assert begun.status_code == 201
    cookie = begun.headers["set-cookie"]
    assert cookie.startswith(f"{FRAME_COOKIE}=")
    assert cookie.endswith("; SameSite=None; Secure; Partitioned") and "; httponly;" in cookie
    token = cookie.split("=")[1].split(";")[0]
    say = {"client_id": "m1", "text": "hello"}

    def sends(**headers: str) -> int:
        return httpx.post(f"{url}/api/messages", json=say, headers=framed(url, token, **headers)).status_code

    def reads(**headers: str) -> int:
        return httpx.get(f"{url}/api/transcript", headers=framed(url, token, **headers)).status_code

    assert sends() == 401, "without an origin it could be anybody"
    assert sends(origin="https://www.school.example", sec_fetch_site="cross-site") in (401, 403)
    assert sends(origin=url, sec_fetch_site="cross-site") == 401
    assert reads(sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 401
    assert reads(sec_fetch_site="cross-site", sec_fetch_mode="navigate") == 401
    assert sends(origin=url, sec_fetch_site="same-origin") == 202
    assert reads(sec_fetch_site="same-origin") == 200
    left = httpx.post(
        f"{url}/api/leave", headers=framed(url, token, origin=url, sec_fetch_site="same-origin")
    )
    assert "Max-Age=0" in left.headers["set-cookie"] or "max-age=0" in left.headers["set-cookie"]
    assert left.headers["set-cookie"].startswith(f"{FRAME_COOKIE}=")
    assert reads(sec_fetch_site="same-origin") == 401


def test_outside_a_frame_the_cookie_stays_strict(url: str) -> None:
    begun = httpx.post(f"{url}/api/conversations")
    assert begun.headers["set-cookie"].startswith("earshot=")
    assert "SameSite=strict" in begun.headers["set-cookie"]


def test_only_the_chat_may_be_framed_and_only_by_who_is_named(
    url: str, core: Core, dialogue: Any, school: tuple[School, str]
) -> None:
    page = httpx.get(f"{url}/").headers
    assert page["content-security-policy"].endswith(f"frame-ancestors {school[1]}")
    assert "x-frame-options" not in page
    for path in ("/desk/sign-in", "/api/transcript", "/leaflet", "/embed.js"):
        headers = httpx.get(f"{url}{path}").headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
    with served(create_app(core, dialogue)) as alone:
        assert httpx.get(f"{alone}/").headers["content-security-policy"].endswith("frame-ancestors 'none'")
        assert httpx.get(f"{alone}/").headers["x-frame-options"] == "DENY"
        assert httpx.get(f"{alone}/embed.js").status_code == 404
        given = httpx.get(f"{alone}/api/transcript", headers={"cookie": f"{FRAME_COOKIE}=x"})
        assert given.status_code == 401
