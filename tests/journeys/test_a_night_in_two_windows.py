"""A young person on a phone and a duty worker at the desk, in two windows of a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bot import handover
from bot.desk.queries import queue_rows
from tests.journeys.house import Chat, House, wait_for
from tests.journeys.people import DutyWorker, YoungPerson

pytestmark = pytest.mark.journey

TOLD = "i dont really want to go home tonight, my stepdad hits me when hes had a drink"
BELIEF = re.compile("believe")

#: The budgets are 1 s for the first answer and 0.5 s for the desk; machines that run tests are noisy.
ANSWERED_WITHIN, AT_THE_DESK_WITHIN = 2.0, 1.5


@pytest.fixture
def quiet_desk(house: House) -> House:
    """Nothing is open at the desk: what other tests opened is closed."""
    worker, now = house.on_duty()[0], house.core.now()
    with house.core.uow() as uow:
        for case_id in open_cases(house):
            if uow.handover(case_id).state == handover.WAITING:
                handover.accept(uow, case_id, worker, now)
            handover.close(uow, case_id, uow.handover(case_id).accepted_by, "Closed by a test.", now)
        uow.commit()
    return house


def open_cases(house: House) -> list[int]:
    """Ids of every handover that is not closed."""
    with house.core.store.read() as uow:
        return [row.id for row in queue_rows(uow)]


@pytest.fixture
def young_person(house: House, browser: Browser, tmp_path: Path) -> Iterator[YoungPerson]:
    somebody = YoungPerson(browser, house, tmp_path)
    yield somebody
    somebody.goes()


@pytest.fixture
def duty_worker(house: House, browser: Browser, tmp_path: Path) -> Iterator[DutyWorker]:
    somebody = DutyWorker(browser, house, house.on_duty()[0], tmp_path)
    yield somebody
    somebody.goes()


@pytest.fixture
def told(house: House, young_person: YoungPerson) -> Callable[[], int]:
    """The young person tells of harm; gives the id of the case."""

    def tell() -> int:
        young_person.opens_the_page()
        young_person.goes_through("Me")
        young_person.says(TOLD)
        young_person.hears(BELIEF)
        return house.handover_of(young_person.conversation_id).id

    return tell


def test_a_young_person_tells_and_a_named_worker_answers_and_closes(
    quiet_desk: House, young_person: YoungPerson, duty_worker: DutyWorker
) -> None:
    child, worker = young_person, duty_worker
    child.opens_the_page()
    expect(child.page.locator(".private p")).to_have_count(3)
    private = child.page.locator(".private").bounding_box()
    for other in ("#hello", "#doors"):
        assert private["y"] < child.page.locator(other).bounding_box()["y"]
    assert child.context.cookies() == []
    child.look("1-opening")

    child.goes_through("Me")
    child.look("2-door")
    child.says(TOLD)
    child.hears(BELIEF)
    child.look("3-told")
    believed = child.hears(BELIEF).inner_text()
    assert "the duty team" in believed and re.search(r"\bby \d{1,2}(:\d\d)?[ap]m", believed)
    child.sees_in_the_banner(re.compile(r"the duty team.*by \d"))
    expect(child.page.locator("#banner")).to_have_attribute("data-owner", "waiting")
    assert child.first_saw(believed.splitlines()[-1]) - child.first_saw(TOLD) < ANSWERED_WITHIN

    case = quiet_desk.handover_of(child.conversation_id)
    expect(worker.row(case.id)).to_be_visible()
    worker.look("4-queue")
    assert worker.first_saw(str(case.id)) - case.opened_at.timestamp() < AT_THE_DESK_WITHIN
    expect(worker.page.locator(".row-item").first).to_have_attribute("data-case", str(case.id))
    expect(worker.row(case.id)).to_contain_text("High")

    worker.opens(case.id)
    expect(worker.reads(TOLD).locator("mark").first).to_be_visible()
    assert "hits me" in " ".join(worker.page.locator("mark").all_text_contents())
    worker.look("5-case")
    worker.accepts()
    child.sees_in_the_banner(f"You are talking to {worker.name}")
    child.look("6-a-person-is-here")

    worker.replies("Hi, I'm here now. Are you safe where you are?")
    child.hears("Are you safe where you are?")
    bot_had_said = child.page.locator('.message[data-from="bot"]').count()
    child.writes("yes im at my nans")
    worker.reads("yes im at my nans")
    worker.replies("That's good. Stay there tonight. I will ring your nan with you.")
    child.hears("I will ring your nan with you.")
    assert child.page.locator('.message[data-from="bot"]').count() == bot_had_said
    child.look("7-talking")
    worker.look("8-desk-talking")

    worker.closes_with("You stay at your nan's. I come to see you at school tomorrow.")
    child.hears("I come to see you at school tomorrow.")
    child.sees_in_the_banner("You are talking to Earshot, a computer program")
    child.look("9-outcome")
    worker.look("10-desk-closed")
    child.says("thank you")
    assert quiet_desk.handover_of(child.conversation_id) is None


def test_when_two_workers_accept_at_once_one_wins_and_the_other_is_told_who(
    house: House, told: Callable[[], int], browser: Browser
) -> None:
    case_id = told()
    two = [DutyWorker(browser, house, staff_id) for staff_id in house.on_duty()[:2]]
    assert len(two) == 2
    for worker in two:
        worker.opens(case_id)
    moment = time.time() + 1
    answered: list[int] = []
    for worker in two:
        worker.page.on("response", lambda r: answered.append(r.status) if r.url.endswith("/accept") else None)
        # Pressed by the page's own clock: from one thread the second press would come after the first.
        worker.page.evaluate(
            "at => void setTimeout(() => document.getElementById('accept').click(), at - Date.now())",
            moment * 1000,
        )
    for worker in two:
        expect(worker.page.locator(".head-state")).to_contain_text("this case")
    with house.core.store.read() as uow:
        holder = uow.handover(case_id).accepted_by
    winner, loser = sorted(two, key=lambda worker: worker.staff_id != holder)
    expect(winner.page.locator(".head-state")).to_contain_text("You have this case")
    expect(loser.page.locator(".head-state")).to_contain_text(f"{winner.name} has this case")
    expect(loser.page.locator(".manage .problem")).to_contain_text(winner.name)
    assert sorted(answered) == [303, 409]
    for worker in two:
        worker.goes()


def test_leaving_in_the_middle_of_a_word_shows_nothing_and_the_code_brings_it_back(
    house: House, young_person: YoungPerson, browser: Browser
) -> None:
    child = young_person
    # Where "leave" goes is a page of the wide web: here it is answered in the browser.
    elsewhere = house.settings.exit_url
    child.context.route(elsewhere, lambda route: route.fulfill(body="Sunny spells"))
    child.page.goto(elsewhere)
    child.opens_the_page()
    child.goes_through("Me")
    child.says("i feel sad at school")
    code = child.notes_the_code()
    child.field.press_sequentially("and my dad is in the ro")
    child.leaves_quickly()
    child.page.wait_for_url(elsewhere)
    assert child.page.locator("body").inner_text() == "Sunny spells"
    wait_for(lambda: not child.context.cookies(house.url), 10, lambda: "the cookie stayed")
    child.page.go_back()
    assert "sad at school" not in child.page.content()
    assert "and my dad" not in child.page.content()
    child.page.goto(house.url)
    expect(child.bubbles).to_have_count(0)
    expect(child.field).to_have_value("")

    later = YoungPerson(browser, house)
    later.opens_the_page()
    later.comes_back_with(code)
    expect(later.bubbles.filter(has_text="i feel sad at school")).to_have_count(1)
    assert not any("and my dad" in words for words in later.said())
    later.says("im back")
    later.goes()


def test_deleting_takes_everything_away_where_nobody_needs_it(
    house: House, young_person: YoungPerson, browser: Browser
) -> None:
    child = young_person
    child.opens_the_page()
    child.goes_through("Me")
    child.says("i feel sad at school")
    code, conversation = child.notes_the_code(), child.conversation_id
    child.deletes_the_chat()
    expect(child.page.locator("#notice")).to_have_text("The chat is deleted.")
    child.look("deleted")
    expect(child.bubbles).to_have_count(0)
    assert child.context.cookies() == []
    with house.core.store.read() as uow:
        assert not any(message.text for message in uow.messages(conversation))
    child.comes_back_with(code)
    expect(child.page.locator("#code-error")).not_to_be_empty()


def test_deleting_says_honestly_what_is_kept_while_a_person_works_from_it(
    house: House, young_person: YoungPerson, told: Callable[[], int]
) -> None:
    child = young_person
    case_id = told()
    child.deletes_the_chat()
    expect(child.page.locator("#notice")).to_have_text(house.core.content.say("utter_delete_not_open_case"))
    child.look("kept")
    expect(child.bubbles.filter(has_text=TOLD)).to_have_count(1)
    assert house.handover_of(child.conversation_id).id == case_id
    child.says("ok")
    assert child.said()[-1] == "ok"


def test_a_reload_and_a_second_tab_show_the_same_conversation_once(young_person: YoungPerson) -> None:
    child = young_person
    child.opens_the_page()
    child.goes_through("Me")
    child.says("i feel sad at school")
    before = child.page.locator(".message .text").all_text_contents()
    child.page.reload()
    expect(child.page.locator(".message")).to_have_count(len(before))
    assert child.page.locator(".message .text").all_text_contents() == before

    second = child.new_tab()
    second.goto("/")
    expect(second.locator(".message")).to_have_count(len(before))
    child.says("can you see this in both")
    expect(second.locator(".bubble").filter(has_text="can you see this in both")).to_have_count(1)
    child.rests()
    first_tab = child.page.locator(".message .text")
    assert first_tab.count() > len(before) + 1
    wait_for(
        lambda: second.locator(".message .text").all_text_contents() == first_tab.all_text_contents(),
        10,
        lambda: "the tabs differ",
    )
    assert child.said().count("can you see this in both") == 1


def test_a_safe_adult_is_chosen_by_buttons_and_gets_the_exact_words_after_a_yes(
    house: House, young_person: YoungPerson, duty_worker: DutyWorker
) -> None:
    child = young_person
    worry = "some girls in my class keep leaving me out"
    child.opens_the_page()
    child.goes_through("Me")
    child.says(worry)
    child.says("it makes me sad")
    child.look("0-worry")
    child.chooses("Yes, show me who")
    child.hears("Pick a place, or type its name.")
    child.look("1-places")
    child.chooses("Oakfield Secondary School")
    child.hears("You choose who.")
    expect(child.page.locator(".card-title").filter(has_text="Mr Reilly")).to_be_visible()
    child.look("2-cards")
    child.chooses("Choose Mr Reilly")
    child.hears("This is what I would send to Mr Reilly, just as you wrote it:")
    assert f"1. {worry}\n2. it makes me sad" in child.heard()
    assert house.handover_of(child.conversation_id) is None
    child.look("3-consent")
    child.chooses("Yes, send it")
    case = wait_for(lambda: house.handover_of(child.conversation_id), 10, lambda: "nothing was sent")
    assert (case.kind, case.details["words"]) == (handover.MESSAGE, f"{worry}\nit makes me sad")
    child.look("4-sent")
    duty_worker.opens(case.id)
    expect(duty_worker.page.locator(".asked")).to_contain_text(worry)
    expect(duty_worker.page.locator("#facts")).to_contain_text("Mr Reilly")
    duty_worker.look("5-desk")


def test_the_whole_way_to_a_person_needs_no_mouse_and_has_no_barriers(
    house: House, young_person: YoungPerson
) -> None:
    child, keys = young_person, young_person.page.keyboard
    child.opens_the_page()

    def tab_to(name: str) -> None:
        focused = "document.activeElement.id || document.activeElement.textContent.trim()"
        for _ in range(30):
            keys.press("Tab")
            if child.page.evaluate(focused) == name:
                return
        raise AssertionError(f"Tab never came to {name}")

    tab_to("Me")
    keys.press("Enter")
    expect(child.page.locator('.message[data-from="bot"]').last).to_be_visible()
    child.rests()
    if child.page.evaluate("document.activeElement.id") != "text":
        tab_to("text")
    keys.type(TOLD)
    keys.press("Enter")
    child.hears(BELIEF)
    child.rests()
    child.sees_in_the_banner("the duty team")
    child.checks_for_barriers()

    case_id, worker_id = house.handover_of(child.conversation_id).id, house.on_duty()[0]
    with house.core.uow() as uow:
        handover.accept(uow, case_id, worker_id, house.core.now())
        handover.reply(uow, case_id, worker_id, "Hello, I have read this.", house.core.now())
        name = uow.staff_member(worker_id).name
        uow.commit()
    child.hears("Hello, I have read this.")
    child.sees_in_the_banner(name)
    keys.type("thank you for coming")
    keys.press("Enter")
    child.rests()
    assert child.said()[-1] == "thank you for coming"
    child.checks_for_barriers()


def test_a_case_of_a_program_and_of_a_page_are_the_same_to_the_desk(
    house: House, duty_worker: DutyWorker
) -> None:
    chat = Chat(house.url, "friend")
    chat.says("my friend cuts herself, she made me swear not to tell")
    case = house.handover_of(chat.id)
    expect(duty_worker.row(case.id)).to_contain_text("About a friend")
