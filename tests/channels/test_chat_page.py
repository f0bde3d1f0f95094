"""The chat page in a real browser, against a small stand-in that speaks the public interface.

The stand-in serves the product's own templates and static files under the product's content security
policy; only the answers of the gateway are its own. Whole conversations against the real gateway are
in tests/journeys.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from playwright.sync_api import Browser, BrowserContext, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bot.channels.plain import faces
from bot.gateway.headers import POLICY
from tests.standins.served import eventually

CHANNELS = Path(__file__).resolve().parents[2] / "bot" / "channels"
EMERGENCY = "In danger now? Call 999. Childline is free, any time: 0800 1111."
OPENING = {
    "hello": "Hello. I am Earshot, a computer program, not a person. Real people work with me.",
    "question": "Who is this about? Pick one, or just start typing.",
    "private": [
        "You do not have to say who you are. What you write stays with the people here who help.",
        "If someone could be badly hurt, we have to tell a person who keeps children safe.",
    ],
    "doors": [
        {"id": "self", "title": "Me", "speaker": "self"},
        {"id": "friend", "title": "A friend", "speaker": "friend"},
        {"id": "parent", "title": "I'm a parent or carer", "speaker": "parent"},
        {"id": "other", "title": "I'm worried about a child", "speaker": "other"},
    ],
}
CODE = "amber kite river lemon"


class StandIn:
    """Speaks the web chat's public interface from memory; a test steers it and reads what it got."""

    def __init__(self) -> None:
        self.stopping = False
        self.epoch = 0  # counted up, it ends every open stream
        self.live = False
        self.messages: list[dict[str, Any]] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.state: dict[str, Any] = {"owner": "bot"}
        self.posts: list[dict[str, Any]] = []
        self.begun: list[dict[str, Any]] = []
        self.left = 0
        self.forms: list[dict[str, Any]] = []
        self.down = False
        self.lose_answers = 0
        self.leave_delay = 0.0
        self.kept = ""

    # What a test does as the gateway.
    def says(self, text: str, sender: str = "bot", **more: Any) -> int:
        number = len(self.messages) + 1
        at = datetime.now(timezone.utc).isoformat()
        message = {"id": number, "from": sender, "text": text, "at": at, **more}
        self.messages.append(message)
        self.emit("message", message)
        return number

    def emit(self, name: str, data: dict[str, Any]) -> None:
        self.events.append((name, data))

    def hands_over(self, owner: str, **handover: Any) -> None:
        self.state = {"owner": owner, "handover": {"state": owner, **handover}}
        self.emit("state", self.state)

    def goes_down(self) -> None:
        self.down = True
        self.epoch += 1

    # What the page asks.
    def allowed(self, request: Request) -> bool:
        return self.live and request.cookies.get("chat") == "token"

    async def page(self, request: Request) -> Response:
        environment = Environment(
            loader=FileSystemLoader(CHANNELS / "templates"), autoescape=True, undefined=StrictUndefined
        )
        html = environment.get_template("chat/page.html").render(
            body_name="Fernleigh Council (demonstration)",
            page_title="Notes",
            exit_url="/elsewhere",
            opening=OPENING,
            emergency=EMERGENCY,
            # The conversation itself comes by the interface here; one that stands in the page already is
            # looked at in test_chat_plain.py, against the gateway.
            live=False,
            messages=[],
            state={"owner": "bot"},
            client_id="f" * 32,
            faces=faces(),
            simple="simple" in request.query_params,
            **dict.fromkeys(("draft", "code", "code_error", "notice", "note", "unanswered", "after"), ""),
        )
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})

    async def start(self, request: Request) -> Response:
        self.forms.append(dict(await request.form()))
        return HTMLResponse("<!doctype html><title>Notes</title><p>started</p>")

    async def elsewhere(self, request: Request) -> Response:
        return HTMLResponse("<!doctype html><title>Weather</title><p>Sunny spells</p>")

    async def leave_link(self, request: Request) -> Response:
        return self.cleared(RedirectResponse("/elsewhere", 303))

    async def leave(self, request: Request) -> Response:
        self.left += 1
        await asyncio.sleep(self.leave_delay)
        return self.cleared(Response(status_code=204))

    def cleared(self, response: Response) -> Response:
        response.delete_cookie("chat")
        return response

    async def conversations(self, request: Request) -> Response:
        if self.down:
            return self.problem(503, "")
        self.live = True
        body = await request.json()
        self.begun.append(body)
        self.says(OPENING["hello"])
        if "speaker" in body:
            door = next(door for door in OPENING["doors"] if door["speaker"] == body["speaker"])
            self.says(door["title"], "you")
        return self.with_cookie(JSONResponse({"id": "c1", "return_code": CODE}, 201))

    def with_cookie(self, response: Response) -> Response:
        response.set_cookie("chat", "token", httponly=True, samesite="strict")
        return response

    async def post_message(self, request: Request) -> Response:
        if self.down:
            return self.problem(503, "")
        if not self.allowed(request):
            return self.problem(401, "This chat is closed.")
        body = await request.json()
        self.posts.append(body)
        if body.get("text") == "refuse me":
            return self.problem(422, "We could not read that.")
        held = [message for message in self.messages if message.get("client_id") == body["client_id"]]
        if not held:
            self.says(body.get("text") or body["choice"], "you", client_id=body["client_id"])
        if self.lose_answers:
            self.lose_answers -= 1
            if not held:
                self.events.pop()  # taken, but neither the answer nor the stream tells of it yet
            return self.problem(502, "")
        return JSONResponse({"id": len(self.messages)}, 202)

    async def stream(self, request: Request) -> Response:
        if self.down or not self.allowed(request):
            return self.problem(503 if self.down else 401, "")
        after = int(request.headers.get("Last-Event-ID") or request.query_params.get("after", 0))
        return StreamingResponse(self.feed(after, self.epoch), media_type="text/event-stream")

    async def feed(self, after: int, epoch: int) -> Any:
        yield "retry: 300\n\n"
        told = len(self.events)
        missed = [("message", message) for message in self.messages if message["id"] > after]
        news = [*missed, ("state", self.state)]
        while epoch == self.epoch and not self.stopping:
            for name, data in news:
                number = f"id: {data['id']}\n" if name == "message" else ""
                yield f"{number}event: {name}\ndata: {json.dumps(data)}\n\n"
            news, told = self.events[told:], len(self.events)
            await asyncio.sleep(0.02)

    async def resume(self, request: Request) -> Response:
        code = (await request.json())["code"]
        if code != CODE:
            return self.problem(404, "We do not know that code. Look at each word and try again.")
        self.live = True
        return self.with_cookie(JSONResponse({"id": "c1"}))

    async def transcript(self, request: Request) -> Response:
        if self.down:
            return self.problem(503, "")
        if not self.allowed(request):
            return self.problem(401, "There is no chat here.")
        return JSONResponse({"messages": self.messages, "state": self.state})

    async def delete(self, request: Request) -> Response:
        if self.kept:
            return JSONResponse({"detail": self.kept})
        self.live = False
        return self.cleared(Response(status_code=204))

    def problem(self, status: int, detail: str) -> Response:
        body = {"status": status, "detail": detail, "emergency": EMERGENCY}
        return JSONResponse(body, status, media_type="application/problem+json")

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/start", self.start, methods=["POST"]),
                Route("/leave", self.leave_link),
                Route("/elsewhere", self.elsewhere),
                Route("/api/leave", self.leave, methods=["POST"]),
                Route("/api/conversations", self.conversations, methods=["POST"]),
                Route("/api/messages", self.post_message, methods=["POST"]),
                Route("/api/events", self.stream),
                Route("/api/resume", self.resume, methods=["POST"]),
                Route("/api/transcript", self.transcript),
                Route("/api/conversation", self.delete, methods=["DELETE"]),
                Mount("/static", StaticFiles(directory=CHANNELS / "static")),
            ]
        )


@contextlib.contextmanager
def serving(stand_in: StandIn) -> Iterator[str]:
    """Serves ``stand_in`` on a free loopback port; yields its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Rasa pins a websockets older than uvicorn reads; no test here needs web sockets.
    config = uvicorn.Config(stand_in.app(), log_level="error", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stand_in.stopping = True
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def server() -> Iterator[tuple[StandIn, str]]:
    """A gateway for each test: what a page says as it goes may come long after the next test has begun."""
    stand_in = StandIn()
    with serving(stand_in) as address:
        yield stand_in, address


@pytest.fixture
def gateway(server: tuple[StandIn, str]) -> StandIn:
    return server[0]


@pytest.fixture
def context(browser: Browser, gateway: StandIn, server: tuple[StandIn, str]) -> Iterator[BrowserContext]:
    opened = browser.new_context(
        base_url=server[1], viewport={"width": 390, "height": 844}, reduced_motion="reduce"
    )
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def chat(context: BrowserContext) -> Iterator[Page]:
    """The page, freshly opened; the test fails when it breaks the policy or raises."""
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    policy = "Content Security Policy"
    page.on("console", lambda line: faults.append(line.text) if policy in line.text else None)
    page.goto("/")
    page.wait_for_selector("html.js", state="attached")
    yield page
    assert faults == []


def write(page: Page, text: str) -> None:
    page.get_by_label("Write a message").fill(text)
    page.keyboard.press("Enter")


def begin(page: Page, gateway: StandIn) -> None:
    """Goes through the first door and waits until the gateway has it and the stream runs."""
    page.get_by_role("button", name="Me", exact=True).click()
    eventually(lambda: gateway.begun)
    gateway.says("I'm glad you are here.")
    expect(bubbles(page).last).to_have_text("I'm glad you are here.")


def bubbles(page: Page) -> Any:
    return page.locator("#log .bubble")


def in_minutes(minutes: int) -> str:
    return (datetime.now(timezone.utc) + timedelta(minutes=minutes)).isoformat()


class TestBeforeAnythingIsSaid:
    def test_what_stays_private_the_four_doors_and_the_numbers_are_read_before_any_script(
        self, browser: Browser, gateway: StandIn, server: tuple[StandIn, str]
    ) -> None:
        without_scripts = browser.new_context(base_url=server[1], java_script_enabled=False)
        page = without_scripts.new_page()
        page.goto("/")
        for line in [*OPENING["private"], EMERGENCY]:
            expect(page.get_by_text(line)).to_be_visible()
        expect(page.locator("#doors button")).to_have_count(4)
        page.get_by_role("button", name="A friend").click()
        expect(page.get_by_text("started")).to_be_visible()
        assert [form["speaker"] for form in gateway.forms] == ["friend"]
        page.goto("/")
        page.get_by_role("link", name="Leave quickly").click()
        expect(page).to_have_url(f"{server[1]}/elsewhere")
        without_scripts.close()

    def test_no_cookie_and_no_conversation_before_a_door_is_pressed(
        self, chat: Page, context: BrowserContext, gateway: StandIn
    ) -> None:
        chat.wait_for_load_state("networkidle")
        assert context.cookies() == [] and gateway.begun == []
        begin(chat, gateway)
        assert gateway.begun == [{"speaker": "self"}]
        assert gateway.posts == []
        expect(bubbles(chat)).to_have_text([OPENING["hello"], "Me", "I'm glad you are here."])
        assert [cookie["httpOnly"] for cookie in context.cookies()] == [True]

    def test_writing_without_a_door_begins_a_conversation_too(self, chat: Page, gateway: StandIn) -> None:
        write(chat, "can i talk")
        eventually(lambda: gateway.posts)
        assert gateway.begun == [{}] and gateway.posts[0]["text"] == "can i talk"

    def test_nothing_stays_on_the_device_and_nothing_is_asked_of_a_third_party(
        self, context: BrowserContext, gateway: StandIn, server: tuple[StandIn, str]
    ) -> None:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/")
        begin(page, gateway)
        assert [url for url in asked if not url.startswith(server[1])] == []
        assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
        assert page.evaluate("navigator.serviceWorker.getRegistrations().then(found => found.length)") == 0


class TestTalking:
    def test_enter_sends_and_shift_enter_makes_a_new_line(self, chat: Page, gateway: StandIn) -> None:
        chat.get_by_label("Write a message").fill("one")
        chat.keyboard.press("Shift+Enter")
        chat.keyboard.type("two")
        chat.keyboard.press("Enter")
        eventually(lambda: gateway.posts)
        assert gateway.posts[0]["text"] == "one\ntwo"
        expect(chat.get_by_label("Write a message")).to_have_value("")

    def test_an_empty_message_is_not_sent(self, chat: Page, gateway: StandIn) -> None:
        write(chat, "  \n ")
        write(chat, "hello")
        eventually(lambda: gateway.posts)
        assert [post["text"] for post in gateway.posts] == ["hello"]

    def test_what_people_write_is_shown_as_text(self, chat: Page, gateway: StandIn) -> None:
        begin(chat, gateway)
        mark_up = "<img src=x onerror=alert(1)><b>hi</b>"
        write(chat, mark_up)
        gateway.says(mark_up, "worker", name=mark_up)
        card = {"title": mark_up, "lines": [mark_up]}
        gateway.says(mark_up, choices=[{"id": "a", "title": mark_up}], cards=[card])
        expect(bubbles(chat).last).to_have_text(mark_up)
        expect(chat.locator(".card")).to_contain_text(mark_up)
        assert chat.locator("#log img, #log b").count() == 0

    def test_each_message_is_in_the_live_log_once_with_who_said_it(
        self, chat: Page, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        number = gateway.says("Are you safe just now?")
        gateway.emit("message", gateway.messages[number - 1])
        gateway.says("Hello, I'm Sam.", "worker", name="Sam Okafor")
        expect(bubbles(chat).last).to_have_text("Hello, I'm Sam.")
        log = chat.get_by_role("log")
        expect(log.locator(".message")).to_have_count(5)
        said_by = [who.split()[0] for who in log.locator(".who").all_inner_texts()]
        assert said_by == ["Earshot", "You", "Earshot", "Earshot", "Sam"]

    def test_an_own_message_stands_once_when_the_stream_tells_of_it(
        self, chat: Page, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        write(chat, "just me")
        eventually(lambda: len(gateway.posts) == 1)
        gateway.says("I hear you.")
        expect(bubbles(chat).last).to_have_text("I hear you.")
        expect(chat.locator("[data-from=you] .bubble")).to_have_text(["Me", "just me"])
        expect(chat.get_by_text("Sending")).to_have_count(0)

    def test_a_choice_is_a_large_button_and_the_focus_stays_when_it_is_pressed(
        self, chat: Page, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        places = [{"id": "home", "title": "At home"}, {"id": "school", "title": "At school"}]
        gateway.says("Where?", choices=places)
        button = chat.get_by_role("button", name="At home")
        assert button.bounding_box()["height"] >= 44
        button.focus()
        chat.keyboard.press("Enter")
        eventually(lambda: len(gateway.posts) == 1)
        assert gateway.posts[0]["choice"] == "home"
        expect(button).to_be_focused()
        expect(chat.get_by_role("button", name="At school")).to_have_count(0)
        chat.keyboard.press("Enter")
        gateway.says("Thank you.")
        expect(bubbles(chat).last).to_have_text("Thank you.")
        assert len(gateway.posts) == 1

    def test_a_message_too_long_is_told_of_and_kept_whole(self, chat: Page, gateway: StandIn) -> None:
        long = "a" * 4_010
        write(chat, long)
        expect(chat.locator("#room")).to_contain_text("10 letters too long")
        expect(chat.get_by_label("Write a message")).to_have_value(long)
        assert gateway.posts == []

    def test_a_refused_message_says_why_and_the_next_one_goes(self, chat: Page, gateway: StandIn) -> None:
        begin(chat, gateway)
        write(chat, "refuse me")
        write(chat, "next")
        expect(chat.locator("[data-state=refused] .mark")).to_contain_text("We could not read that.")
        eventually(lambda: gateway.posts and gateway.posts[-1].get("text") == "next")

    def test_a_number_in_the_programs_words_can_be_rung(self, chat: Page, gateway: StandIn) -> None:
        begin(chat, gateway)
        gateway.says("Call 999, or Childline on 0800 1111. It is 2026 and you are 13.")
        links = bubbles(chat).last.get_by_role("link")
        expect(links).to_have_text(["999", "0800 1111"])
        expect(links.last).to_have_attribute("href", "tel:08001111")

    def test_a_reload_goes_on_where_the_chat_was(self, chat: Page, gateway: StandIn) -> None:
        begin(chat, gateway)
        gateway.hands_over("worker", **{"with": "Sam Okafor"})
        chat.reload()
        expect(bubbles(chat)).to_have_text([OPENING["hello"], "Me", "I'm glad you are here."])
        expect(chat.locator("#doors")).to_be_hidden()
        expect(chat.locator("#banner-text")).to_have_text("You are talking to Sam Okafor")
        gateway.says("Still here.")
        expect(bubbles(chat).last).to_have_text("Still here.")


class TestWhoYouAreTalkingTo:
    def test_the_banner_says_program_waiting_with_name_and_time_then_person(
        self, chat: Page, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        banner = chat.locator("#banner-text")
        expect(banner).to_have_text("You are talking to Earshot, a computer program")
        gateway.hands_over("waiting", **{"with": "Ms Bello", "expected_by": in_minutes(5)})
        expect(banner).to_contain_text("Waiting for a person: Ms Bello should answer by ")
        gateway.hands_over("waiting")
        expect(banner).to_contain_text("Waiting for a person.")
        gateway.hands_over("worker", **{"with": "Sam Okafor, youth worker"})
        expect(banner).to_have_text("You are talking to Sam Okafor, youth worker")
        gateway.hands_over("bot")
        expect(banner).to_have_text("You are talking to Earshot, a computer program")
        assert banner.get_attribute("role") == "status"

    def test_the_typing_sign_goes_when_the_message_comes(self, chat: Page, gateway: StandIn) -> None:
        begin(chat, gateway)
        gateway.emit("typing", {"from": "worker", "name": "Sam", "on": True})
        expect(chat.locator("#typing")).to_contain_text("Sam is writing")
        gateway.says("Hello.", "worker", name="Sam")
        expect(chat.locator("#typing")).to_be_hidden()


class TestBadNetworks:
    def test_messages_written_while_the_connection_is_gone_arrive_once_and_in_order(
        self, chat: Page, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        gateway.goes_down()
        written = ["one", "two", "three", "four", "five"]
        for text in written:
            write(chat, text)
        expect(chat.locator("[data-state=late]")).to_have_count(5)
        expect(chat.locator("#notice")).to_contain_text("No connection just now", timeout=15_000)
        expect(chat.locator("#notice")).to_contain_text("999")
        gateway.down = False
        expect(chat.locator("[data-state=sent]")).to_have_count(6, timeout=20_000)
        assert [post["text"] for post in gateway.posts] == written
        expect(chat.locator("[data-from=you] .bubble")).to_have_text(["Me", *written])
        expect(chat.locator("#notice")).not_to_contain_text("No connection", timeout=20_000)

    def test_a_lost_answer_is_tried_again_with_the_same_client_id(self, chat: Page, gateway: StandIn) -> None:
        begin(chat, gateway)
        gateway.lose_answers = 2
        write(chat, "did you get this")
        eventually(lambda: len(gateway.posts) == 3, 15)
        assert len({post["client_id"] for post in gateway.posts}) == 1
        expect(chat.locator("[data-from=you] .bubble")).to_have_text(["Me", "did you get this"])
        expect(chat.locator("[data-state=sent]")).to_have_count(2)

    def test_what_was_said_while_the_stream_was_cut_is_caught_up(self, chat: Page, gateway: StandIn) -> None:
        begin(chat, gateway)
        gateway.goes_down()
        gateway.says("Said in the dark.")
        time.sleep(1)
        gateway.down = False
        expect(bubbles(chat).last).to_have_text("Said in the dark.", timeout=20_000)
        expect(bubbles(chat)).to_have_count(4)

    def test_a_page_opened_while_the_server_is_away_goes_on_when_it_is_back(
        self, chat: Page, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        # The page itself still comes; only the conversation cannot be had.
        gateway.goes_down()
        chat.reload()
        expect(chat.locator("#notice")).to_contain_text("No connection just now")
        gateway.down = False
        expect(bubbles(chat)).to_have_count(3, timeout=15_000)
        expect(chat.locator("#notice")).not_to_contain_text("No connection")

    def test_a_chat_closed_elsewhere_keeps_the_words_and_offers_to_send_them_in_a_new_one(
        self, chat: Page, context: BrowserContext, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        context.clear_cookies()
        write(chat, "please do not lose this")
        expect(chat.locator("#notice")).to_contain_text("closed")
        chat.get_by_role("button", name="Send in a new chat").click()
        eventually(lambda: gateway.posts and gateway.posts[-1].get("text") == "please do not lose this")
        assert len(gateway.begun) == 2


class TestLeaving:
    @pytest.mark.parametrize("way", ["button", "shift", "escape"])
    def test_leaving_blanks_drops_the_session_and_leaves_no_way_back(
        self, chat: Page, context: BrowserContext, gateway: StandIn, server: tuple[StandIn, str], way: str
    ) -> None:
        begin(chat, gateway)
        chat.get_by_label("Write a message").fill("half a sentence, in the midd")
        if way == "button":
            chat.get_by_role("link", name="Leave quickly").click()
        elif way == "escape":
            chat.keyboard.press("Escape")
        else:
            for _ in range(3):
                chat.keyboard.press("Shift")
        expect(chat).to_have_url(f"{server[1]}/elsewhere")
        eventually(lambda: gateway.left == 1)
        eventually(lambda: context.cookies() == [])
        chat.go_back()
        assert chat.url == "about:blank"
        chat.goto("/")
        expect(bubbles(chat)).to_have_count(0)
        expect(chat.get_by_label("Write a message")).to_have_value("")

    def test_the_screen_is_blank_at_once_when_every_server_is_slow(
        self, chat: Page, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        chat.route("**/elsewhere", lambda route: (time.sleep(1), route.continue_()))
        gateway.leave_delay = 1
        blank = chat.evaluate(
            "() => { document.querySelector('.top [data-leave]').click(); return document.body.innerText }"
        )
        assert blank == ""

    def test_capital_letters_and_a_slow_shift_do_not_leave(self, chat: Page, gateway: StandIn) -> None:
        begin(chat, gateway)
        chat.get_by_label("Write a message").focus()
        for letter in "ABCD":
            chat.keyboard.press(f"Shift+{letter}")
        chat.keyboard.press("Shift")
        chat.keyboard.press("Shift")
        expect(chat.locator("#spoken")).to_have_text("Press Shift once more to leave")
        time.sleep(4.5)  # more than the pause of leave.js, also on a busy machine
        chat.keyboard.press("Shift")
        assert gateway.left == 0 and bubbles(chat).count() == 3

    def test_leaving_in_one_tab_empties_the_other(
        self, chat: Page, context: BrowserContext, gateway: StandIn, server: tuple[StandIn, str]
    ) -> None:
        begin(chat, gateway)
        second = context.new_page()
        second.goto("/")
        expect(bubbles(second)).to_have_count(3)
        second.keyboard.press("Escape")
        expect(chat).to_have_url(f"{server[1]}/elsewhere")
        expect(second).to_have_url(f"{server[1]}/elsewhere")

    def test_escape_closes_an_open_dialog_and_every_dialog_has_its_own_way_out(
        self, chat: Page, gateway: StandIn, server: tuple[StandIn, str]
    ) -> None:
        begin(chat, gateway)
        for dialog in chat.locator("dialog").all():
            assert dialog.locator("[data-leave]").count() == 1
        chat.get_by_text("More", exact=True).click()
        chat.get_by_role("button", name="A code to come back").click()
        chat.keyboard.press("Escape")
        expect(chat.locator("#code-dialog")).to_be_hidden()
        assert gateway.left == 0
        chat.keyboard.press("Escape")
        expect(chat).to_have_url(f"{server[1]}/elsewhere")


class TestComingBackAndDeleting:
    def test_the_code_is_shown_when_asked_for_and_not_after_a_reload(
        self, chat: Page, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        expect(chat.get_by_text(CODE)).to_be_hidden()
        chat.get_by_text("More", exact=True).click()
        chat.get_by_role("button", name="A code to come back").click()
        expect(chat.get_by_text(CODE)).to_be_visible()
        chat.reload()
        expect(bubbles(chat)).to_have_count(3)
        chat.get_by_text("More", exact=True).click()
        chat.get_by_role("button", name="A code to come back").click()
        expect(chat.locator("#code-unknown")).to_be_visible()
        expect(chat.locator("#code-known")).to_be_hidden()

    def test_a_code_opens_the_chat_and_a_wrong_one_says_so(self, chat: Page, gateway: StandIn) -> None:
        gateway.says("Welcome back to here.")
        chat.get_by_text("I have a code to come back").click()
        chat.get_by_label("Your code").fill("wrong words")
        chat.get_by_role("button", name="Open my chat").click()
        expect(chat.get_by_role("alert").filter(has_text="We do not know that code")).to_be_visible()
        expect(chat.get_by_label("Your code")).to_be_focused()
        chat.get_by_label("Your code").fill(CODE)
        chat.keyboard.press("Enter")
        expect(bubbles(chat)).to_have_text(["Welcome back to here."])

    def test_delete_asks_first_and_then_nothing_is_left(
        self, chat: Page, context: BrowserContext, gateway: StandIn
    ) -> None:
        begin(chat, gateway)
        chat.get_by_text("More", exact=True).click()
        chat.get_by_role("button", name="Delete this chat").click()
        expect(chat.get_by_role("dialog")).to_contain_text("their notes stay for a while")
        chat.get_by_role("button", name="Keep my chat").click()
        expect(bubbles(chat)).to_have_count(3)
        chat.get_by_text("More", exact=True).click()
        chat.get_by_role("button", name="Delete this chat").click()
        chat.get_by_role("button", name="Delete it").click()
        expect(chat.locator("#notice")).to_have_text("The chat is deleted.")
        expect(bubbles(chat)).to_have_count(0)
        expect(chat.locator("#doors")).to_be_visible()
        assert context.cookies() == []

    def test_what_had_to_be_kept_is_told_in_the_gateways_words(self, chat: Page, gateway: StandIn) -> None:
        begin(chat, gateway)
        gateway.kept = "Sam is helping you now, so we keep what you told Sam."
        chat.get_by_text("More", exact=True).click()
        chat.get_by_role("button", name="Delete this chat").click()
        chat.get_by_role("button", name="Delete it").click()
        expect(chat.locator("#notice")).to_have_text(gateway.kept)
        expect(bubbles(chat)).to_have_count(3)


def reach(page: Page, gateway: StandIn, state: str) -> None:
    """Brings the page into one of the states a person can meet."""
    if state == "fresh":
        page.get_by_text("I have a code to come back").click()
        return
    if state == "simple":
        page.get_by_role("button", name="Bigger words and faces").first.click()
        return
    begin(page, gateway)
    if state == "ended":
        page.context.clear_cookies()
        write(page, "please do not lose this")
        expect(page.get_by_role("button", name="Send in a new chat")).to_be_visible()
        return
    card = {"title": "Ms Bello", "lines": ["01632 960123"], "choice": {"id": "bello", "title": "Choose"}}
    gateway.says("These people can help.", choices=[{"id": "more", "title": "Tell me more"}], cards=[card])
    if state == "waiting":
        gateway.hands_over("waiting", **{"with": "Ms Bello", "expected_by": in_minutes(5)})
        gateway.emit("typing", {"from": "bot", "on": True})
        expect(page.locator("#typing")).to_be_visible()
        page.get_by_text("More", exact=True).click()
    elif state == "worker":
        gateway.hands_over("worker", **{"with": "Sam Okafor"})
        gateway.says("Hello.", "worker", name="Sam Okafor")
        expect(bubbles(page).last).to_have_text("Hello.")
    elif state == "lost":
        gateway.goes_down()
        write(page, "are you there")
        expect(page.locator("#notice")).to_contain_text("No connection just now", timeout=15_000)
    elif state == "talking":
        expect(page.get_by_role("button", name="Tell me more")).to_be_visible()
        page.get_by_text("More", exact=True).click()
        page.get_by_role("button", name="Bigger words and faces").click()
        page.evaluate("document.documentElement.classList.add('can-speak')")
    else:
        page.get_by_text("More", exact=True).click()
        page.locator(f"[data-dialog={state}]").click()
        expect(page.locator(f"#{state}")).to_be_visible()


class TestForEveryone:
    @pytest.mark.parametrize(
        "state",
        [
            "fresh",
            "simple",
            "talking",
            "waiting",
            "worker",
            "ended",
            "lost",
            "code-dialog",
            "what-dialog",
            "delete-dialog",
        ],
    )
    def test_axe_finds_nothing_in_any_state(self, chat: Page, gateway: StandIn, state: str) -> None:
        reach(chat, gateway, state)
        for more in ({"color_scheme": "light"}, {"color_scheme": "dark"}, {"forced_colors": "active"}):
            chat.emulate_media(reduced_motion="reduce", **more)
            results = Axe().run(chat)
            assert results.violations_count == 0, f"{more}\n{results.generate_report()}"

    @pytest.mark.parametrize(("width", "height"), [(320, 568), (320, 256), (390, 844), (1440, 900)])
    @pytest.mark.parametrize("state", ["fresh", "worker", "talking"])
    def test_the_way_out_and_the_numbers_stay_on_screen_and_nothing_runs_off_the_side(
        self, chat: Page, gateway: StandIn, state: str, width: int, height: int
    ) -> None:
        chat.set_viewport_size({"width": width, "height": height})
        reach(chat, gateway, state)
        for part in (chat.locator(".top [data-leave]"), chat.get_by_text(EMERGENCY)):
            expect(part.first).to_be_in_viewport(ratio=1)
        chat.wait_for_timeout(800)  # the newest message scrolls into sight first
        chat.get_by_label("Write a message").blur()
        chat.get_by_label("Write a message").focus()
        expect(chat.get_by_label("Write a message")).to_be_in_viewport(ratio=1)
        for element in ("document.scrollingElement", "document.getElementById('scroll')"):
            assert chat.evaluate(f"{element}.scrollWidth - {element}.clientWidth") == 0

    def test_wider_text_spacing_cuts_nothing_off(self, chat: Page, gateway: StandIn) -> None:
        chat.set_viewport_size({"width": 320, "height": 568})
        reach(chat, gateway, "talking")
        # Through the object model, since the policy forbids a style element, as it should.
        chat.evaluate(
            """() => { for (const each of document.querySelectorAll('body *')) {
                 const wide = { lineHeight: '1.5', letterSpacing: '.12em', wordSpacing: '.16em' };
                 Object.assign(each.style, wide);
               } }"""
        )
        cut = chat.evaluate(
            """() => [...document.querySelectorAll(
                 '.choice, .face, .leave, .solid, .bubble, .banner-who, .help p')]
                 .filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.className)"""
        )
        assert cut == []

    def test_every_control_can_be_reached_and_pressed_by_keyboard_alone(
        self, chat: Page, gateway: StandIn
    ) -> None:
        names = []
        for _ in range(15):
            chat.keyboard.press("Tab")
            focused = "(document.activeElement.textContent || document.activeElement.id).trim()"
            names.append(chat.evaluate(focused))
        doors = [door["title"] for door in OPENING["doors"]]
        asides = ["I have a code to come back", "What happens to what I say"]
        look = "Bigger words and faces"
        for wanted in ["Skip to the chat", "Leave quickly", "More", *doors, look, *asides, "text", "Send"]:
            assert wanted in names
        chat.locator("#doors button").nth(1).focus()
        chat.keyboard.press("Enter")
        eventually(lambda: gateway.begun)
        assert gateway.begun == [{"speaker": "friend"}]
        assert chat.evaluate("document.activeElement.id") in {"text", "scroll"}

    def test_the_pages_own_words_are_easy_to_read(self, chat: Page, gateway: StandIn) -> None:
        words = chat.locator("#words").evaluate("e => [...e.content.children].map(each => each.textContent)")
        said = chat.locator("dialog p, .aside p").evaluate_all("all => all.map(e => e.textContent)")
        sentences = [text for text in [*words, *said] if len(text.split()) > 5]
        assert len(sentences) > 20
        assert {text: grade(text) for text in sentences if grade(text) > 6.8} == {}
        assert grade(" ".join(sentences)) <= 5


def grade(text: str) -> float:
    """Flesch-Kincaid grade; syllables by groups of vowels, a silent final e left out."""
    words = re.findall(r"[a-z']+", text.lower())
    sentences = max(1, len(re.findall(r"[.?:](?:\s|$)", text)))
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?<![l])e$", "", word)))) for word in words)
    return 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59
