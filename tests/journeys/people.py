"""A young person at the chat page and a duty worker at the desk, in a real browser, in their own verbs."""

from __future__ import annotations

import re
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from bot.store.models import Message
from tests.journeys.house import House, wait_for

#: Milliseconds until something must be on a screen. Budgets are asserted apart, from :func:`first_saw`.
PATIENT = 15_000

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}

# When each message and each case first stood on the screen, by the page's own clock.
_WATCH = """
  window.firstSeen = {};
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const added of addedNodes) {
      if (added.nodeType !== 1) continue;
      for (const each of [added, ...added.querySelectorAll(".message, [data-case], [data-seq]")]) {
        const words = each.dataset.case ?? each.querySelector?.(".text, .line-text")?.textContent;
        if (words !== undefined) window.firstSeen[words] ??= Date.now() / 1000;
      }
    }
  }).observe(document, { childList: true, subtree: true });
"""


class _Somebody:
    """Whoever sits before a page; script errors and broken policies are kept in :attr:`faults`."""

    def __init__(self, browser: Browser, house: House, viewport: dict[str, int], shots: Path | None) -> None:
        self.house, self.shots = house, shots
        self.context: BrowserContext = browser.new_context(
            base_url=house.url, viewport=viewport, reduced_motion="reduce", locale="en-GB"
        )
        self.context.set_default_timeout(PATIENT)
        expect.set_options(timeout=PATIENT)
        self.context.add_init_script(_WATCH)
        self.faults: list[str] = []
        self.page = self.new_tab()

    def new_tab(self) -> Page:
        """Another tab of the same browser."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        policy = "Content Security Policy"
        page.on("console", lambda line: self.faults.append(line.text) if policy in line.text else None)
        return page

    def look(self, name: str) -> None:
        """Keep what is on the screen as a picture, where pictures are wanted."""
        if self.shots:
            self.page.screenshot(path=self.shots / f"{name}.png")

    def first_saw(self, words: str) -> float:
        """When a message with these words, or the case of this id, stood on the screen: Unix seconds.

        Raises:
            AssertionError: it never did.
        """
        seen: dict[str, float] = self.page.evaluate("window.firstSeen")
        found = [at for text, at in seen.items() if words == text or (len(words) > 6 and words in text)]
        assert found, f"never on the screen: {words!r}"
        return min(found)

    def checks_for_barriers(self) -> None:
        """Assert that axe finds nothing to complain of on the page as it stands."""
        results = Axe().run(self.page)
        assert results.violations_count == 0, results.generate_report()

    def goes(self) -> None:
        """Close the browser; fails if a page of theirs broke on the way."""
        self.context.close()
        assert self.faults == []


class YoungPerson(_Somebody):
    """Somebody with a phone, at the chat page."""

    def __init__(self, browser: Browser, house: House, shots: Path | None = None) -> None:
        super().__init__(browser, house, PHONE, shots)

    def opens_the_page(self) -> None:
        """Type the address and wait until the page is awake."""
        self.page.goto("/")
        expect(self.page.locator("html.js")).to_be_attached()

    @property
    def bubbles(self) -> Locator:
        """Every message on the screen."""
        return self.page.locator("#log .bubble")

    @property
    def field(self) -> Locator:
        """Where one writes."""
        return self.page.get_by_label("Write a message")

    def goes_through(self, door: str) -> None:
        """Press one of the four doors and wait for the answer."""
        self.page.locator("#doors").get_by_role("button", name=door, exact=True).click()
        self.is_answered()

    def says(self, text: str) -> None:
        """Write, send, and wait for the program's answer."""
        self.writes(text)
        self.is_answered()

    def writes(self, text: str) -> None:
        """Write and send, to a person who answers in their own time."""
        self.field.fill(text)
        self.field.press("Enter")
        self.rests()

    def is_answered(self) -> None:
        """Wait until the program has answered the last thing they sent, and all of it is on the screen."""
        mine = self.page.locator('.message[data-from="you"]').last
        expect(mine).to_have_attribute("data-id", re.compile(r"\d"))
        number = int(mine.get_attribute("data-id"))
        wait_for(lambda: self._turn_is_over(number), PATIENT / 1000, lambda: "the turn does not end")
        newest = max(number + 1, self._stored()[-1].seq)
        shown = self.page.locator(".message[data-id]").last
        wait_for(lambda: int(shown.get_attribute("data-id")) >= newest, PATIENT / 1000, lambda: "no answer")
        self.rests()

    def _turn_is_over(self, number: int) -> bool:
        return any(message.seq == number and message.answered_at for message in self._stored())

    def _stored(self) -> list[Message]:
        with self.house.core.store.read() as uow:
            return list(uow.messages(self.conversation_id))

    def chooses(self, title: str) -> None:
        """Press a choice that is on offer, on a card or below a question."""
        choice = self.page.get_by_role("button", name=title, exact=True).last
        choice.click()
        self.is_answered()

    def hears(self, words: str | re.Pattern[str]) -> Locator:
        """Wait for a message that is not their own."""
        message = self.page.locator('.message:not([data-from="you"])').filter(has_text=words).last
        expect(message).to_be_visible()
        return message

    def rests(self) -> None:
        """Wait until what was sent has arrived and nobody is writing."""
        expect(self.page.locator(".message[data-state=sending]")).to_have_count(0)
        expect(self.page.locator("#typing")).to_be_hidden()

    def heard(self) -> list[str]:
        """Everything on the screen that is not their own, in order."""
        return self.page.locator('.message:not([data-from="you"]) .text').all_text_contents()

    def said(self) -> list[str]:
        """Everything of their own on the screen, in order."""
        return self.page.locator('.message[data-from="you"] .text').all_text_contents()

    def sees_in_the_banner(self, words: str | re.Pattern[str]) -> None:
        """Wait until the banner says whom they talk to."""
        expect(self.page.locator("#banner-text")).to_contain_text(words)

    def opens_the_menu(self, item: str) -> None:
        """Press "More" and one of its lines."""
        self.page.locator("#menu summary").click()
        self.page.get_by_role("button", name=item).click()

    def notes_the_code(self) -> str:
        """Read the return code and close its dialog."""
        self.opens_the_menu("A code to come back")
        code = self.page.locator("#code-words").text_content()
        self.look("code")
        self.page.locator("#code-dialog .sheet-end [data-close]").click()
        return code

    def comes_back_with(self, code: str) -> None:
        """Type a return code at the start."""
        self.page.get_by_text("I have a code to come back").click()
        self.page.get_by_label("Your code").fill(code)
        self.page.get_by_role("button", name="Open my chat").click()

    def deletes_the_chat(self) -> None:
        """Ask for it in the menu, and say yes."""
        self.opens_the_menu("Delete this chat")
        self.page.get_by_role("button", name="Delete it").click()

    def leaves_quickly(self) -> None:
        """Press the button at the top."""
        self.page.locator(".top [data-leave]").click()

    @property
    def conversation_id(self) -> str:
        """The id of the conversation, as the house knows it by this browser's cookie."""
        token = next(c["value"] for c in self.context.cookies() if c["name"] == "earshot")
        with self.house.core.store.read() as uow:
            return uow.conversation_by("session_hash", uow.cipher.find_hash("session", token)).id


class DutyWorker(_Somebody):
    """Somebody on duty, at the desk."""

    def __init__(self, browser: Browser, house: House, staff_id: str, shots: Path | None = None) -> None:
        super().__init__(browser, house, DESK, shots)
        self.staff_id = staff_id
        with house.core.store.read() as uow:
            self.name: str = uow.staff_member(staff_id).name
        self.page.goto(house.sign_in_link(staff_id))
        self.page.wait_for_url(f"{house.url}/desk/")
        expect(self.page.locator("html.js")).to_be_attached()

    def row(self, case_id: int) -> Locator:
        """The line of a case in the queue."""
        return self.page.locator(f'[data-case="{case_id}"].row-item')

    def opens(self, case_id: int) -> None:
        """Click the case in the queue."""
        self.row(case_id).get_by_role("link").click()
        self.page.wait_for_url(re.compile(rf"/desk/cases/{case_id}"))
        expect(self.page.locator("html.js")).to_be_attached()

    def accepts(self) -> None:
        """Take the open case."""
        # The open page shows the news of it before the answer brings the next page: wait for that one.
        with self.page.expect_navigation():
            self.page.get_by_role("button", name="Accept this case").click()
        expect(self.page.get_by_label("Your message to the person")).to_be_visible()
        expect(self.page.locator("html.js")).to_be_attached()

    def replies(self, text: str) -> None:
        """Write to the person and see it in the transcript."""
        box = self.page.get_by_label("Your message to the person")
        box.fill(text)
        box.press("Enter")
        expect(self.page.locator(".line-worker").filter(has_text=text)).to_be_visible()

    def reads(self, words: str) -> Locator:
        """Wait for words of the person in the transcript."""
        line = self.page.locator(".line-you").filter(has_text=words).last
        expect(line).to_be_visible()
        return line

    def closes_with(self, outcome: str) -> None:
        """Close the case with words for the person."""
        self.page.locator(".menu-close summary").click()
        self.page.get_by_label("What happens now, in words for the person").fill(outcome)
        self.look("closing")
        self.page.get_by_role("button", name="Send this and close").click()
        expect(self.page.locator(".head-state")).to_contain_text("Closed")
