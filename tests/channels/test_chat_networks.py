"""The chat page against the real gateway: bad networks, restarts, several tabs, reading aloud."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bot.bootstrap import Core, build_core
from bot.gateway.app import create_app
from bot.store.models import Conversation, Message
from tests.conftest import ScriptedDialogue
from tests.standins.houses import has_left
from tests.standins.served import eventually

#: Bytes over the wire, headers too, until the page needs nothing more.
FIRST_LOAD = 60 * 1024
#: A poor 2G connection: 250 kbit/s down, 50 up, 300 ms there and back.
SLOW = {"offline": False, "latency": 300, "downloadThroughput": 250_000 // 8, "uploadThroughput": 50_000 // 8}
#: Voices as a browser tells of them; what is said is noted instead of spoken.
VOICES = """([local]) => {
  window.spoken = [];
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
  const synth = new EventTarget();
  synth.getVoices = () => [{lang: "en-GB", localService: local, name: "one"}];
  synth.speak = (words) => spoken.push([words.text, words.voice.localService]);
  synth.cancel = () => spoken.push("stop");
  Object.defineProperty(window, "speechSynthesis", {value: synth});
}"""


class Gateway:
    """A gateway on one port that can be stopped and started again."""

    def __init__(self, core: Core, dialogue: ScriptedDialogue) -> None:
        self.core, self.dialogue = core, dialogue
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        app = create_app(build_core(self.core.settings.copy(update={"exit_url": "/healthz"})), self.dialogue)
        config = uvicorn.Config(
            app, port=self.port, ws="none", log_level="warning", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        eventually(lambda: self._server.started, 30)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)

    def said(self) -> list[str]:
        """What the people of every conversation said, in order."""
        with self.core.store.read() as uow:
            rows = uow.session.query(Message).filter(Message.sender == "you").order_by(Message.id)
            return [row.text for row in rows]


@pytest.fixture
def gateway(core: Core, dialogue: ScriptedDialogue) -> Iterator[Gateway]:
    running = Gateway(core, dialogue)
    yield running
    running.stop()


@pytest.fixture
def context(browser: Browser, gateway: Gateway) -> Iterator[BrowserContext]:
    opened = browser.new_context(
        base_url=gateway.url, viewport={"width": 390, "height": 844}, reduced_motion="reduce"
    )
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Security Policy" in line.text else None)
    yield page
    assert faults == []


def opened(page: Page) -> Page:
    page.goto("/")
    page.wait_for_selector("html.js", state="attached")
    return page


def write(page: Page, text: str) -> None:
    page.get_by_label("Write a message").fill(text)
    page.keyboard.press("Enter")


def own(page: Page):
    return page.locator("#log [data-from=you] .bubble")


def bubbles(page: Page):
    return page.locator("#log .bubble")


def test_nothing_is_shown_before_the_keys_that_leave_are_heard(page: Page, context: BrowserContext) -> None:
    context.route("**/static/leave.js", lambda route: (time.sleep(1), route.continue_()))
    page.goto("/")
    heard, shown = page.evaluate(
        "async () => ["
        "performance.getEntriesByName(new URL('/static/leave.js', location).href)[0].responseEnd,"
        " await new Promise((seen) => new PerformanceObserver((list) => list.getEntries().forEach((paint) =>"
        " paint.name === 'first-contentful-paint' && seen(paint.startTime)))"
        ".observe({type: 'paint', buffered: true}))]"
    )
    assert heard > 1_000 and shown >= heard


@pytest.mark.parametrize("address", ["/", "/?simple=1"])
def test_the_first_load_is_small_over_the_wire(page: Page, context: BrowserContext, address: str) -> None:
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    loaded: dict[str, float] = {}
    asked: dict[str, str] = {}
    wire.on(
        "Network.requestWillBeSent", lambda told: asked.update({told["requestId"]: told["request"]["url"]})
    )
    wire.on(
        "Network.loadingFinished", lambda told: loaded.update({told["requestId"]: told["encodedDataLength"]})
    )
    page.goto(address)
    page.wait_for_load_state("networkidle")
    names = {asked[each].rpartition("/")[2].partition("?")[0] for each in loaded}
    modules = {"api.js", "chat.js", "dialogs.js", "events.js", "leave.js", "log.js", "look.js", "outbox.js"}
    assert modules | {"speech.js", "words.js", "chat.css"} <= names
    assert 15_000 < sum(loaded.values()) <= FIRST_LOAD, {asked[each]: size for each, size in loaded.items()}


def test_on_a_2g_phone_the_page_is_used_before_the_scripts_arrive_and_nothing_is_sent_twice(
    page: Page, context: BrowserContext, gateway: Gateway
) -> None:
    held: list = []
    page.route("**/static/chat.js", lambda route: held.append(route))
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW)
    page.goto("/", wait_until="commit")
    page.get_by_label("Write a message").fill("before any script")
    page.get_by_role("button", name="Send", exact=True).click(no_wait_after=True)
    expect(bubbles(page).last).to_have_text("Tell me more.")
    assert page.locator("html.js").count() == 0

    # Typed before the scripts came, sent after: it goes as the form does, under the form's id.
    page.get_by_label("Write a message").fill("typed meanwhile")
    eventually(lambda: len(held) > 1, 30)
    held[-1].continue_()
    page.wait_for_selector("html.js", state="attached")
    page.unroute("**/static/chat.js")
    page.get_by_label("Write a message").press("Enter")
    expect(own(page)).to_have_text(["before any script", "typed meanwhile"])
    page.wait_for_selector("html.js", state="attached")
    expect(page.get_by_label("Write a message")).to_have_value("")
    write(page, "with scripts")
    expect(own(page)).to_have_text(["before any script", "typed meanwhile", "with scripts"])
    expect(bubbles(page).last).to_have_text("Tell me more.")
    assert gateway.said() == ["before any script", "typed meanwhile", "with scripts"]


def test_what_the_server_put_into_the_page_is_taken_over_as_it_stands(
    page: Page, gateway: Gateway, dialogue: ScriptedDialogue
) -> None:
    buttons = [{"title": "At home", "payload": "/at_home"}, {"title": "At school", "payload": "/at_school"}]
    dialogue.replies = [{"text": "Where?", "buttons": buttons}]
    opened(page)
    write(page, "hello")
    expect(page.get_by_role("button", name="At home")).to_be_visible()
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url))
    page.reload()
    page.wait_for_selector("html.js", state="attached")
    count = bubbles(page).count()
    dialogue.replies = [{"text": "Thank you."}]
    page.get_by_role("button", name="At home").click()
    expect(bubbles(page).last).to_have_text("Thank you.")
    assert bubbles(page).count() == count + 2 and gateway.said() == ["hello", "At home"]
    assert not any("/api/transcript" in url for url in calls)


def test_five_messages_written_while_the_connection_is_cut_arrive_once_and_in_order(
    page: Page, context: BrowserContext, gateway: Gateway
) -> None:
    opened(page)
    write(page, "before")
    expect(bubbles(page).last).to_have_text("Tell me more.")
    written = [f"in the dark {n}" for n in range(1, 6)]
    context.set_offline(True)
    for text in written:
        write(page, text)
    expect(page.locator("#notice")).to_contain_text("No connection just now")
    expect(page.locator("#notice")).to_contain_text("0800 1111")
    expect(page.locator("[data-state=late]")).to_have_count(5)
    time.sleep(5)  # longer than the page waits before it says so, and than several tries
    context.set_offline(False)
    eventually(lambda: len(gateway.said()) == 6, 30)
    expect(page.locator("[data-state=late]")).to_have_count(0)
    expect(own(page)).to_have_text(["before", *written])
    expect(page.locator("#notice")).not_to_contain_text("No connection")
    assert gateway.said() == ["before", *written]


def test_a_server_restarted_in_the_midst_of_a_chat_loses_and_doubles_nothing(
    page: Page, gateway: Gateway
) -> None:
    opened(page)
    # Read as one thought these must be harmless: a disclosure would be answered with other words.
    write(page, "i like football")
    expect(bubbles(page).last).to_have_text("Tell me more.")
    gateway.stop()
    write(page, "my team is rovers")
    write(page, "we won on saturday")
    expect(page.locator("[data-state=late]")).to_have_count(2)
    expect(page.locator("#notice")).to_contain_text("No connection just now")
    gateway.start()
    expect(page.locator("[data-state=late]")).to_have_count(0, timeout=40_000)
    expect(own(page)).to_have_text(["i like football", "my team is rovers", "we won on saturday"])
    assert gateway.said() == ["i like football", "my team is rovers", "we won on saturday"]
    write(page, "two nil")
    expect(page.locator("#log .message").last).to_contain_text("Tell me more.")
    assert len(set(page.locator("#log .message").evaluate_all("all => all.map(e => e.dataset.id)"))) == (
        page.locator("#log .message").count()
    )


def test_two_tabs_share_one_conversation_and_one_exit(
    page: Page, context: BrowserContext, gateway: Gateway, core: Core
) -> None:
    first, second = opened(page), opened(context.new_page())
    write(first, "from the first")
    expect(own(second)).to_have_text(["from the first"])  # told by the other tab, without a reload
    write(second, "from the second")
    expect(own(first)).to_have_text(["from the first", "from the second"])
    with core.store.read() as uow:
        assert uow.session.query(Conversation).count() == 1
    second.get_by_label("Write a message").fill("half a sen")
    first.keyboard.press("Escape")
    for tab in (first, second):
        expect(tab).to_have_url(f"{gateway.url}/healthz")
    eventually(lambda: context.cookies() == [], 30)
    second.go_back()
    assert second.url == "about:blank"
    first.goto("/")
    expect(bubbles(first)).to_have_count(0)
    eventually(lambda: has_left(core))  # the gateway took the beacon


def test_who_writes_before_the_page_has_asked_whose_it_is_is_in_a_chat_all_the_same(page: Page) -> None:
    held: list = []
    page.route("**/api/transcript", lambda route: held.append((route, route.fetch())))
    opened(page)
    eventually(lambda: page.evaluate("1") and held)  # the held answer comes in while the page is asked
    write(page, "hello")
    expect(bubbles(page).last).to_have_text("Tell me more.")
    route, answer = held[0]
    assert answer.status == 401
    with page.expect_response("**/api/transcript"):
        route.fulfill(response=answer)
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_role("button", name="Delete this chat")).to_be_visible()


def test_leaving_in_a_dialog_while_a_message_is_read_out_blanks_first_and_stops_the_voice(
    page: Page, gateway: Gateway
) -> None:
    page.add_init_script(f"({VOICES})([true])")
    opened(page)
    write(page, "hello")
    expect(bubbles(page).last).to_have_text("Tell me more.")
    expect(page.locator("#log [data-from=you] .read")).to_have_count(0)
    button = page.locator("#log .read").last
    assert button.bounding_box()["height"] >= 44
    button.click()
    assert page.evaluate("spoken.at(-1)") == ["Earshot. Tell me more.", True]
    expect(button).to_have_text("Stop reading")
    button.click()
    assert page.evaluate("spoken.at(-1)") == "stop"
    button.click()
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Delete this chat").click()
    page.route("**/healthz", lambda route: None)  # a page to go to that never answers
    blank = page.evaluate(
        """() => {
          for (let n = 0; n < 3; n++) document.dispatchEvent(new KeyboardEvent("keydown", {key: "Shift"}));
          return [document.body.innerHTML, spoken.at(-1), document.title];
        }"""
    )
    assert blank == ["", "stop", "Notes"]


def test_without_a_voice_of_its_own_the_device_reads_nothing_out(page: Page) -> None:
    page.add_init_script(f"({VOICES})([false])")
    opened(page)
    write(page, "hello")
    expect(bubbles(page).last).to_have_text("Tell me more.")
    expect(page.locator("#log .read").first).to_be_hidden()
    assert page.evaluate("spoken") == []


@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_can_be_turned_round_for_languages_written_from_right_to_left(
    page: Page, gateway: Gateway, dialogue: ScriptedDialogue, width: int
) -> None:
    arabic = "\u0623\u0646\u0627 \u062e\u0627\u0626\u0641"
    dialogue.replies = [{"text": arabic, "buttons": [{"title": arabic, "payload": "/yes"}]}]
    page.set_viewport_size({"width": width, "height": 640})
    opened(page)
    write(page, arabic)
    expect(bubbles(page).last).to_have_text(arabic)
    # In a page from left to right, what is written the other way runs the other way.
    for part in (own(page).last.locator(".text"), page.locator(".choice").last):
        expect(part).to_have_css("direction", "rtl")
    page.evaluate("document.documentElement.dir = 'rtl'")
    mine, theirs = (page.locator(f"[data-from={who}]").last.bounding_box() for who in ("you", "bot"))
    assert mine["x"] < theirs["x"] + theirs["width"] - mine["width"]
    leave, brand = page.locator(".top .leave").bounding_box(), page.locator(".brand").bounding_box()
    assert leave["x"] < brand["x"]
    for element in ("document.scrollingElement", "document.getElementById('scroll')"):
        assert page.evaluate(f"{element}.scrollWidth - {element}.clientWidth") == 0


def test_the_simple_look_keeps_what_is_typed_and_lasts_over_a_reload_but_not_in_the_browser(
    page: Page, gateway: Gateway
) -> None:
    opened(page)
    page.get_by_label("Write a message").fill("half a sen")
    page.locator(".asides .to-simple").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".asides .to-usual")).to_be_focused()
    expect(page.get_by_label("Write a message")).to_have_value("half a sen")
    expect(page.locator("#banner-text")).to_have_text("You are talking to a computer")
    page.get_by_label("Write a message").fill("")
    page.get_by_role("button", name="sad", exact=True).click()
    expect(own(page)).to_have_text(["I feel sad"])
    expect(bubbles(page).last).to_have_text("Tell me more.")
    assert re.search(r"simple=1", page.url)
    page.reload()
    page.wait_for_selector("html.js", state="attached")
    expect(page.locator("body")).to_have_class(re.compile("simple"))
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert gateway.said() == ["I feel sad"]
