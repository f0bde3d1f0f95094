"""The chat by forms and pages alone, against the real gateway: no script runs in any of these tests."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from html import unescape

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bot import handover, transcript
from bot.bootstrap import Core, build_core
from bot.channels.numbers import with_links
from bot.gateway.app import create_app
from bot.gateway.headers import POLICY
from bot.messages import Sender
from bot.store.models import Conversation, Handover
from tests.conftest import ScriptedDialogue
from tests.standins.served import served

DISCLOSURE = "my stepdad hurts me dont tell"
FIELD = re.compile(r'<textarea id="text"[^>]*>\n?(.*?)</textarea>', re.DOTALL)


@pytest.fixture
def house(core: Core) -> Core:
    """A house whose way out leads to a page of its own."""
    return build_core(core.settings.copy(update={"exit_url": "/healthz"}))


@pytest.fixture
def url(house: Core, dialogue: ScriptedDialogue) -> Iterator[str]:
    with served(create_app(house, dialogue)) as address:
        yield address


class Visitor:
    """A browser without scripts, as far as forms go."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=20, follow_redirects=True)
        self.opens()

    def opens(self, address: str = "/") -> str:
        self.got = self.client.get(address)
        return self.page

    def sends(self, action: str = "/say", **fields: str) -> str:
        """Posts a form of the page as it stands, with its hidden fields."""
        self.form = {"client_id": self.hidden("client_id"), **fields}
        if 'name="going"' in self.page:
            self.form.setdefault("going", "1")
        return self.again(action)

    def again(self, action: str = "/say") -> str:
        """The same form a second time."""
        self.got = self.client.post(action, data=self.form)
        return self.page

    @property
    def page(self) -> str:
        return self.got.text

    @property
    def field(self) -> str:
        return unescape(FIELD.search(self.page)[1])

    @property
    def notice(self) -> str:
        found = re.search(r'id="notice"[^>]*>(.*?)</div>', self.page, re.DOTALL)[1]
        return unescape(re.sub(r"<[^>]+>", "", found))

    def hidden(self, name: str) -> str:
        return re.search(rf'name="{name}" value="([^"]*)"', self.page)[1]

    def said(self) -> list[tuple[str, str]]:
        """Who said what, as it stands on the page."""
        rows = re.findall(r'data-from="(\w+)".*?<p class="text" dir="auto">(.*?)</p>', self.page, re.DOTALL)
        return [(sender, unescape(re.sub(r"<[^>]+>", "", text))) for sender, text in rows]

    def choices(self) -> dict[str, str]:
        found = re.findall(r'<button class="choice"[^>]*value="([^"]+)"[^>]*>(.*?)</button>', self.page)
        return {unescape(title): choice_id for choice_id, title in found}


@pytest.fixture
def visitor(url: str) -> Iterator[Visitor]:
    one = Visitor(url)
    yield one
    one.client.close()


def conversations(house: Core) -> list[Conversation]:
    with house.store.read() as uow:
        return uow.session.query(Conversation).all()


def accepts(house: Core) -> str:
    """Somebody on duty takes the open case; their name."""
    with house.uow() as uow:
        worker = uow.rota().duty_line(house.now())[0]
        case = uow.session.query(Handover).filter(Handover.state != "closed").one()
        handover.accept(uow, case.id, worker.id, house.now())
        uow.commit()
        return worker.name


def worker_says(house: Core, text: str, name: str) -> None:
    with house.uow() as uow:
        conversation = uow.session.query(Conversation).one()
        transcript.append(uow, conversation, Sender.WORKER, text, house.now(), name=name)
        uow.commit()


class TestForms:
    def test_a_reply_stands_on_the_page_that_sending_leads_to(self, visitor: Visitor) -> None:
        visitor.sends("/start", speaker="me")
        visitor.sends(text="hello\r\nthere")
        assert visitor.said()[-2:] == [("you", "hello\nthere"), ("bot", "Tell me more.")]
        assert [each.status_code for each in visitor.got.history] == [303]
        assert visitor.field == ""

    def test_opening_the_page_sets_no_cookie_and_begins_nothing(self, visitor: Visitor, house: Core) -> None:
        visitor.opens()
        assert not visitor.client.cookies and conversations(house) == []

    def test_a_form_sent_twice_is_one_message(self, visitor: Visitor, dialogue: ScriptedDialogue) -> None:
        visitor.sends("/start", speaker="me")
        visitor.sends(text="hello")
        visitor.again()
        assert [text for sender, text in visitor.said() if sender == "you"] == ["Me", "hello"]
        assert dialogue.asked == ["/door_me", "hello"]

    def test_a_first_message_sent_twice_begins_one_conversation(
        self, visitor: Visitor, house: Core, dialogue: ScriptedDialogue
    ) -> None:
        visitor.sends(text="hello")
        visitor.client.cookies.clear()  # the first answer was lost
        visitor.again()
        assert len(conversations(house)) == 1 and dialogue.asked == ["hello"]
        assert [text for sender, text in visitor.said() if sender == "you"] == ["hello"]

    def test_a_choice_is_a_button_until_it_was_answered(
        self, visitor: Visitor, dialogue: ScriptedDialogue
    ) -> None:
        buttons = [
            {"title": "At <home>", "payload": "/at_home"},
            {"title": "At school", "payload": "/at_school"},
        ]
        dialogue.replies = [{"text": "Where?", "buttons": buttons}]
        visitor.sends(text="hello")
        dialogue.replies = [{"text": "Thank you."}]
        visitor.sends(choice=visitor.choices()["At <home>"])
        assert visitor.said()[-2:] == [("you", "At <home>"), ("bot", "Thank you.")]
        assert dialogue.asked == ["hello", "/at_home"] and visitor.choices() == {}

    def test_cards_are_shown_and_lead_only_to_pages_of_this_house(
        self, visitor: Visitor, dialogue: ScriptedDialogue
    ) -> None:
        links = ["/leaflet?s=1", "//elsewhere.example", "https://elsewhere.example"]
        cards = [
            {"title": f"Ms {n}", "lines": ["Ring 01632 960123"], "link": {"title": "See", "href": href}}
            for n, href in enumerate(links)
        ]
        cards[0]["choice"] = {"title": "Ask Ms 0", "payload": "/ask"}
        dialogue.replies = [{"text": "These can help."}, {"custom": {"earshot": {"cards": cards}}}]
        visitor.sends(text="hello")
        assert visitor.page.count('<li class="card">') == 4  # with the one that scripts build from
        assert visitor.page.count('href="/leaflet?s=1"') == 1 and "elsewhere.example" not in visitor.page
        assert 'href="tel:01632960123"' in visitor.page
        visitor.sends(choice=visitor.choices()["Ask Ms 0"])
        assert dialogue.asked[-1] == "/ask"

    def test_what_people_write_is_shown_as_text(self, visitor: Visitor) -> None:
        mark_up = "<img src=x onerror=alert(1)></textarea><script>alert(2)</script>"
        visitor.sends(text=mark_up)
        assert ("you", mark_up) in [(who, text) for who, text in _raw(visitor)]
        visitor.sends(text=mark_up, check="1")
        assert visitor.field == mark_up and "<img src=x" not in visitor.page

    def test_looking_for_a_reply_keeps_what_is_being_typed_and_sends_nothing(self, visitor: Visitor) -> None:
        visitor.sends(text="hello")
        before = visitor.said()
        visitor.sends(text="\nhalf a sent", check="1")
        assert visitor.field == "\nhalf a sent"
        assert visitor.said() == before

    def test_a_choice_or_a_face_pressed_while_typing_keeps_the_words(
        self, visitor: Visitor, dialogue: ScriptedDialogue
    ) -> None:
        visitor.sends(text="half a sent", say="I feel scared")
        assert visitor.field == "half a sent" and dialogue.asked == ["I feel scared"]
        visitor.sends(text="half a sentence")
        assert dialogue.asked == ["I feel scared", "half a sentence"] and visitor.field == ""

    def test_words_that_were_taken_already_are_not_offered_for_sending_again(self, visitor: Visitor) -> None:
        visitor.sends(text="hello")
        visitor.form["check"] = "1"  # pressed while the answer to sending was on its way
        visitor.again()
        assert visitor.field == "" and [w for w, _ in visitor.said()].count("you") == 1

    @pytest.mark.parametrize(
        ("fields", "status", "words"),
        [
            ({"text": "  "}, 422, "utter_empty"),
            ({"text": "a" * 4_001}, 413, "utter_too_long"),
            ({"text": "\U0001f600" * 4_001}, 413, "utter_too_long"),
            ({"text": "kept", "choice": "99.0"}, 422, "problem_unknown_choice"),
            ({"text": "kept", "client_id": "x" * 65}, 422, "problem_bad_field"),
        ],
    )
    def test_an_error_is_told_in_words_and_what_was_typed_is_kept(
        self, visitor: Visitor, house: Core, fields: dict[str, str], status: int, words: str
    ) -> None:
        visitor.sends("/start", speaker="me")
        visitor.sends(**fields)
        assert visitor.got.status_code == status
        assert visitor.notice == house.content.say(words, field="client_id")
        assert visitor.field.strip() == fields["text"].strip() and "0800 1111" in visitor.page
        assert [text for sender, text in visitor.said() if sender == "you"] == ["Me"]

    def test_too_fast_is_told_and_the_words_wait_in_the_field(self, visitor: Visitor, house: Core) -> None:
        visitor.sends("/start", speaker="me")
        for number in range(40):
            body = {"client_id": f"n{number}", "text": f"n {number}"}
            visitor.client.post("/api/messages", json=body)
        visitor.sends(text="one more")
        assert visitor.got.status_code == 429 and visitor.field == "one more"
        assert visitor.notice == house.content.say("utter_slow_down")

    def test_a_chat_closed_elsewhere_keeps_the_words_and_the_next_press_begins_anew(
        self, visitor: Visitor, url: str, house: Core
    ) -> None:
        visitor.sends(text="hello")
        code = visitor.client.post("/api/leave")  # in another tab
        assert code.status_code == 204
        visitor.sends(text="please do not lose this")
        assert visitor.got.status_code == 401 and visitor.field == "please do not lose this"
        assert visitor.notice == house.content.say("problem_no_session")
        visitor.sends(text=visitor.field)
        assert ("you", "please do not lose this") in visitor.said() and len(conversations(house)) == 2

    def test_the_code_brings_the_chat_back_and_a_wrong_one_is_kept_to_be_mended(
        self, visitor: Visitor, url: str, house: Core
    ) -> None:
        code = visitor.client.post("/api/conversations").json()["return_code"]
        visitor.client.post("/api/messages", json={"client_id": "m1", "text": "from the phone"})
        laptop = Visitor(url)
        laptop.sends("/resume", code="wrong words")
        assert laptop.got.status_code == 404 and 'value="wrong words"' in laptop.page
        assert house.content.say("problem_unknown_code") in unescape(laptop.page)
        laptop.sends("/resume", code=code.replace("-", " ").upper())
        assert ("you", "from the phone") in laptop.said()
        visitor.opens()
        assert visitor.said() == [] and "closed on this phone" in visitor.page
        for _ in range(5):
            laptop.sends("/resume", code="a b c d e")
        assert laptop.got.status_code == 429

    def test_delete_takes_everything_or_says_why_not(self, visitor: Visitor, house: Core) -> None:
        visitor.sends(text="hello")
        visitor.sends("/delete")
        assert visitor.notice == "The chat is deleted." and visitor.said() == []
        assert not visitor.client.cookies
        visitor.opens("/")
        visitor.sends(text=DISCLOSURE)
        visitor.sends("/delete")
        assert visitor.notice == house.content.say("utter_delete_not_open_case")
        assert ("you", DISCLOSURE) in visitor.said()

    @pytest.mark.parametrize("action", ["/start", "/say", "/resume", "/delete"])
    def test_another_website_may_send_no_form(self, visitor: Visitor, house: Core, action: str) -> None:
        visitor.sends(text="hello")
        before = visitor.said()
        form = {"client_id": "evil", "text": "x", "code": "a b c d e"}
        for origin in ("https://elsewhere.example", "null"):
            answer = visitor.client.post(action, data=form, headers={"Origin": origin})
            assert answer.status_code == 403
        visitor.opens()
        assert visitor.said() == before and len(conversations(house)) == 1

    def test_an_address_of_a_form_opened_by_hand_leads_to_the_chat(self, visitor: Visitor) -> None:
        for address in ("/start", "/say", "/resume", "/delete"):
            visitor.opens(address)
            assert visitor.got.url.path == "/" and visitor.got.status_code == 200

    def test_a_database_that_is_gone_is_told_and_the_words_are_kept(
        self, visitor: Visitor, house: Core, core: Core, tmp_path
    ) -> None:
        visitor.sends(text="hello")
        kept = {name: path.read_bytes() for path in tmp_path.glob("earshot.db*") if (name := path.name)}
        for name in kept:
            (tmp_path / name).write_bytes(b"not a database" * 400)
        house.store.engine.dispose()
        visitor.sends(text="are you there")
        assert visitor.got.status_code == 503 and visitor.field == "are you there"
        assert visitor.notice == house.content.say("problem_down") and "999" in visitor.page
        assert visitor.client.get("/leave", follow_redirects=False).status_code == 303

    def test_the_simple_look_stays_in_the_address_and_goes_through_every_form(self, visitor: Visitor) -> None:
        visitor.sends(look="simple")
        assert str(visitor.got.url).endswith("/?simple=1#newest") and "<body" in visitor.page
        assert 'class="fresh simple"' in visitor.page and "face-scared.svg" in visitor.page
        visitor.sends(simple="1", say="I feel lonely")
        assert 'class="talking simple"' in visitor.page and ("you", "I feel lonely") in visitor.said()
        assert [cookie.name for cookie in visitor.client.cookies.jar] == ["earshot"]
        visitor.sends(look="usual", simple="1")
        assert 'class="talking"' in visitor.page

    def test_the_small_page_tells_of_news_and_of_nothing_else(self, visitor: Visitor, house: Core) -> None:
        visitor.sends(text=DISCLOSURE)
        after = re.search(r"/news\?after=(\d+)", visitor.page)[1]
        address = f"/news?after={after}"
        assert "Nothing new yet" in visitor.client.get(address).text
        worker_says(house, "Hello, I am here.", accepts(house))
        news = visitor.client.get(address)
        assert "There is a new message" in news.text and "I am here" not in news.text
        assert "refresh" not in news.text  # it has said all there is
        assert news.headers["x-frame-options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in news.headers["content-security-policy"]
        assert httpx.get(str(visitor.client.base_url) + address).text.count("closed here") == 1


def _raw(visitor: Visitor) -> list[tuple[str, str]]:
    rows = re.findall(r'data-from="(\w+)".*?<p class="text" dir="auto">(.*?)</p>', visitor.page, re.DOTALL)
    return [(sender, unescape(text)) for sender, text in rows]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Call 999.", 'Call <a href="tel:999">999</a>.'),
        (
            "0800 1111, or 116 123",
            '<a href="tel:08001111">0800 1111</a>, or <a href="tel:116123">116 123</a>',
        ),
        ("You are 13 & it is 2026 <b>", "You are 13 &amp; it is 2026 &lt;b&gt;"),
        ("1234 999 5", "1234 999 5"),
    ],
)
def test_numbers_to_ring_are_links_and_the_rest_is_text(text: str, shown: str) -> None:
    assert str(with_links(text)) == shown


@pytest.fixture
def context(browser: Browser, url: str) -> Iterator[BrowserContext]:
    opened = browser.new_context(
        base_url=url, java_script_enabled=False, viewport={"width": 375, "height": 740}
    )
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """The chat's page; the test fails when anything on it breaks the policy."""
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda line: faults.append(line.text) if "Security Policy" in line.text else None)
    page.goto("/")
    yield page
    assert faults == []


def send(page: Page, text: str) -> None:
    page.get_by_label("Write a message").fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def bubbles(page: Page):
    return page.locator("#log .bubble")


def nothing_for_axe(page: Page) -> None:
    """Axe is a script: it looks at the same page in a browser that runs scripts, but gets none of ours."""
    shown = page.content().replace("<noscript>", "").replace("</noscript>", "")
    headers = {"Content-Security-Policy": POLICY, "Content-Type": "text/html; charset=utf-8"}
    with closing(page.context.browser.new_context(viewport=page.viewport_size)) as looking:
        copy = looking.new_page()
        copy.route(lambda url: url.endswith(".js"), lambda route: route.abort())
        copy.route(page.url.partition("#")[0], lambda route: route.fulfill(body=shown, headers=headers))
        copy.goto(page.url)
        for scheme in ("light", "dark"):
            copy.emulate_media(color_scheme=scheme)
            results = Axe().run(copy)
            assert results.violations_count == 0, results.generate_report()


class TestInABrowserWithoutScripts:
    def test_a_whole_conversation_with_a_disclosure_in_its_midst(
        self, page: Page, house: Core, dialogue: ScriptedDialogue
    ) -> None:
        nothing_for_axe(page)
        buttons = [{"title": "At home", "payload": "/at_home"}]
        dialogue.replies = [{"text": "Where is it?", "buttons": buttons}]
        page.get_by_role("button", name="Me", exact=True).click()
        page.get_by_role("button", name="At home").click()
        expect(bubbles(page).nth(-2)).to_have_text("At home")

        dialogue.down = True  # Rasa is away: the floor speaks
        began = time.process_time()
        send(page, DISCLOSURE)
        expect(bubbles(page).last).to_contain_text("I believe you")
        assert time.process_time() - began < 1  # processor time, gateway and page together
        expect(bubbles(page).last).to_be_in_viewport()
        expect(page.locator("#banner-text")).to_contain_text("Waiting for a person: the duty team")
        expect(page.locator("#banner-text")).to_contain_text("should answer by")
        nothing_for_axe(page)

        # A person takes it and writes while something is being typed.
        news = page.frame_locator("iframe.news")
        expect(news.get_by_text("Nothing new yet")).to_be_visible()
        name = accepts(house)
        worker_says(house, "Hello. I have read what you wrote.", name)
        page.get_by_label("Write a message").fill("is it ok to")
        page.get_by_role("button", name="Check for a reply").click()
        expect(page.locator("[data-from=worker] .bubble")).to_have_text("Hello. I have read what you wrote.")
        expect(page.locator("[data-from=worker] .name").last).to_have_text(name)
        expect(page.get_by_label("Write a message")).to_have_value("is it ok to")
        expect(page.locator("#banner-text")).to_have_text(f"You are talking to {name}")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(bubbles(page).last).to_have_text("is it ok to")
        expect(page.get_by_text("There is no answer here yet")).to_be_visible()
        nothing_for_axe(page)

    def test_the_menu_its_dialogs_and_deleting_work_by_address(self, page: Page) -> None:
        send(page, "hello")
        page.get_by_text("More", exact=True).click()
        page.get_by_role("link", name="What happens to what I say").click()
        sheet = page.locator("#what-dialog")
        expect(sheet).to_be_visible()
        expect(sheet.get_by_role("link", name="Leave quickly")).to_be_in_viewport()
        nothing_for_axe(page)
        sheet.get_by_role("link", name="Close").click()
        expect(sheet).to_be_hidden()
        page.get_by_text("More", exact=True).click() if not page.locator("#menu[open]").count() else None
        page.get_by_role("link", name="Delete this chat").click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.locator("#notice")).to_have_text("The chat is deleted.")
        expect(bubbles(page)).to_have_count(0)

    def test_the_simple_look_at_the_size_of_a_small_phone(self, page: Page) -> None:
        page.set_viewport_size({"width": 320, "height": 640})
        page.get_by_role("button", name="Bigger words and faces").first.click()
        face = page.get_by_role("button", name="scared")
        assert min(face.bounding_box()["width"], face.bounding_box()["height"]) >= 44
        nothing_for_axe(page)
        face.click()
        expect(bubbles(page).last).to_have_text("Tell me more.")
        for element in ("document.scrollingElement", "document.getElementById('scroll')"):
            assert page.evaluate(f"{element}.scrollWidth - {element}.clientWidth") == 0
        expect(page.locator(".top .leave")).to_be_in_viewport(ratio=1)

    def test_leaving_blanks_before_the_server_answers_and_back_shows_nothing_of_the_chat(
        self, page: Page, context: BrowserContext, url: str
    ) -> None:
        send(page, "a secret that nobody may see")
        page.get_by_label("Write a message").fill("and half of ano")
        frame, box = page.locator("#frame"), page.locator(".top .leave").bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 20)
        page.mouse.down()  # the server has not even been asked
        expect(frame).to_have_css("opacity", "0")
        page.mouse.up()
        expect(page).to_have_url(f"{url}/healthz")
        assert context.cookies() == []
        page.go_back()
        assert "secret" not in page.content() and "half of ano" not in page.content()
        assert page.title() == "Notes"
