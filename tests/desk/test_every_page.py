"""Every page of the desk, found by the allow-list: axe, nothing cut off, and every control reached by Tab.

A page that is added is looked at here without anybody remembering it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, ViewportSize
from starlette.applications import Starlette
from starlette.routing import Mount

from bot.desk import access
from bot.desk.app import desk_app
from bot.rota import ADMINISTRATOR, LEAD
from tests.desk.test_practice import kept_in, walk
from tests.desk.world import World, make_core
from tests.standins.served import served

#: A stream, which never ends; an administrator sees this much of the queue.
ENDLESS, ADMINISTRATORS_OWN = "/events", ("/", "/practice")
DESK, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=375, height=740)

# What a keyboard should come to. Of radio buttons with one name it comes to one.
_CONTROLS = """() => {
  for (const fold of document.querySelectorAll("details")) { fold.removeAttribute("name"); fold.open = true; }
  window.reached = new Set();
  document.addEventListener("focusin", (event) => window.reached.add(event.target));
  const all = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  window.seen = (one) => one.checkVisibility({visibilityProperty: true});
  window.wanted = [...document.querySelectorAll(all)].filter((one) =>
    window.seen(one) && !one.disabled && one.type !== "hidden" && one.type !== "radio");
  document.activeElement.blur();
  return window.wanted.length;
}"""
_MISSED = """() => window.wanted.filter((one) => !window.reached.has(one) && one.isConnected)
  .map((one) => one.outerHTML.slice(0, 120))"""
# On a phone the page is the same: what is on its screen may take the focus and is in the order of Tab.
_OUT_OF_ORDER = """() => window.wanted
  .filter((one) => window.seen(one) && (one.tabIndex < 0 || (one.focus(), document.activeElement !== one)))
  .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def busy(tmp_path_factory) -> World:
    """A desk in use: cases waiting, taken, closed, with notes, records, measures and a second opinion."""
    world = World(make_core(tmp_path_factory.mktemp("every-page")))
    world.hire()
    world.has_factor("tom")
    lena = world.at_desk("lena")
    held, other, closed = world.case(), world.case(), world.case(safe_adult="okoro")
    world.case()
    for case in (held, other, closed):
        lena.post(f"/desk/cases/{case}/accept")
    where = f"/desk/cases/{held}"
    lena.post(f"{where}/reply", text="I am here.")
    lena.post(f"{where}/notes", note="Rang the school.")
    lena.post(f"{where}/opinion", colleague="priya")
    lena.post(f"{where}/record", version="0", q_2="1", neglect_physical="No food.", council_told="yes")
    lena.post(f"{where}/level", level="concern", reason="A film plot, he says.")
    lena.post(f"{where}/conduct", measure="warn", reason="Swears at everybody.")
    lena.post(f"{where}/hold", reason="A court asked.")
    lena.post(f"/desk/cases/{closed}/close", outcome="We spoke.", feedback="Seen at school.")
    return world


@pytest.fixture(scope="module")
def address(busy: World) -> Iterator[str]:
    with served(Starlette(routes=[Mount("/desk", desk_app(busy.core, busy.changes))])) as url:
        yield url


def concrete(template: str) -> str:
    values = {"{id:int}": "1", "{path:path}": "desk.css", "{staff_id}": "noah", "{row:int}": "1"}
    for name, value in values.items():
        template = template.replace(name, value)
    return template


def signed_in(chromium, busy: World, url: str, staff_id: str) -> BrowserContext:
    context = chromium.new_context(viewport=DESK)
    if staff_id:
        page = context.new_page()
        page.goto(f"{url}/desk/sign-in?token={busy.link(staff_id)}")
        page.wait_for_url(lambda at: "/desk/sign-in" not in at)
        page.close()
    return context


def complaints(page: Page) -> list[str]:
    """What axe finds and what sticks out, on a desk's screen and a phone's, and what Tab never comes to."""
    controls = page.evaluate(_CONTROLS)
    found = _at(page, DESK, "light")
    missed: list[str] = []
    for _ in range(4):  # days and times take several steps each, and places that scroll take one
        for _ in range(2 * len(missed) + 3 if missed else controls + 3):
            page.keyboard.press("Tab")
        if not (missed := page.evaluate(_MISSED)):
            break
    found += [f"not by Tab: {one}" for one in missed]
    found += _at(page, PHONE, "dark") + [f"no focus: {one}" for one in page.evaluate(_OUT_OF_ORDER)]
    page.set_viewport_size(DESK)
    return found


def _at(page: Page, size: ViewportSize, colours: str) -> list[str]:
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=colours)
    width = size["width"]
    violations = Axe().run(page).response["violations"]
    found = [f"{width}: {one['id']}: {one['nodes'][0]['html'][:120]}" for one in violations]
    wide = page.evaluate("document.documentElement.scrollWidth") > width
    return [*found, f"wider than {width}"] if wide else found


def is_page(context: BrowserContext, url: str) -> bool:
    """Whether an address shows a whole page, and not a file, a part of a page or another page."""
    answer = context.request.get(url, headers={"accept": "text/html"}, max_redirects=0)
    html = answer.headers.get("content-type", "").startswith("text/html")
    assert answer.status < 500, url
    return html and answer.status == 200 and "<html" in answer.text()


def test_no_page_has_a_barrier_and_every_control_is_reached_by_keyboard(
    busy,
    address,
    chromium,
):
    found: list[str] = []
    looked_at, not_pages = set(), set()
    for role, staff_id in (
        (LEAD, "lena"),
        (access.NOBODY, ""),
        (access.HALF_WAY, "tom"),
        (ADMINISTRATOR, "ada"),
    ):
        context = signed_in(chromium, busy, address, staff_id)
        page = context.new_page()
        page.on("pageerror", lambda error, found=found: found.append(str(error)))
        for rule in access.RULES:
            if "GET" not in rule.methods or role not in rule.roles or rule.path == ENDLESS:
                continue
            if role == ADMINISTRATOR and rule.path not in ADMINISTRATORS_OWN:
                continue
            if role == LEAD and access.NOBODY in rule.roles:
                continue  # whoever is signed in already is sent on
            path = concrete(rule.path)
            if "invitation" in path:
                path += f"?token={busy.invitation('noah')}"
            if not is_page(context, f"{address}/desk{path}"):
                not_pages.add(rule.path)
                continue
            page.goto(f"{address}/desk{path}", wait_until="load")
            looked_at.add(rule.path)
            found += [f"{role} {path}: {one}" for one in complaints(page)]
        context.close()
    assert not found, "\n".join(found)
    # What has none of its own: files, parts of a page, and sign-in by a directory that is not set up.
    assert not_pages - looked_at == {
        "/static/{path:path}", "/queue", "/cases/{id:int}/news", "/cases/{id:int}/letter.pdf",
        "/cases/{id:int}/letter.json", "/people/file/export", "/statistics/export.csv", "/posters/file.pdf",
        "/audit/export.csv", "/audit/export.json", "/sign-in/oidc", "/sign-in/oidc/back",
    }  # fmt: skip
    assert len(looked_at) >= 20


def test_no_step_of_the_practice_case_has_a_barrier(busy, address, chromium):
    context = signed_in(chromium, busy, address, "lena")
    page = context.new_page()
    browser = busy.at_desk("lena")
    for step in ("accept", "evidence", "reply", "level", "record", ""):
        kept = kept_in(walk(browser, until=step))
        page.goto(f"{address}/desk/practice")
        page.evaluate("kept => (document.querySelector('[name=kept]') ?? {}).value = kept", kept)
        with page.expect_navigation():
            page.locator("form[action*=practice]").first.evaluate("form => form.submit()")
        assert page.locator("[role=alert]").count() == 1  # the step is behind them: it goes on at the next
        assert complaints(page) == [], step
    context.close()
