"""The case page and what is done on it."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from bot.desk.case_view import marked, reasons
from bot.handover import keep_from
from bot.messages import Channel
from bot.risk.taxonomy import About, Category, Evidence, Finding, Level
from tests.desk.world import finding


def taken(world, **more):
    """A case and the browser of the worker who holds it."""
    case = world.case(**more)
    browser = world.at_desk("priya")
    assert browser.post(f"/desk/cases/{case}/accept").status_code == 303
    return case, browser


def test_the_page_shows_level_evidence_and_transcript(world):
    case = world.case()
    page = world.at_desk("priya").get(f"/desk/cases/{case}").text
    assert "High" in page and "<mark>my stepdad hits me</mark> when hes had a drink" in page
    assert "Hit by adult, found by a phrase on the list" in page and "physical abuse" in page
    assert "Hillbrook School" in page


def test_what_only_the_encoder_guesses_is_called_a_guess_and_suggests_no_census_factor(world):
    told = "my stepdad hits me when hes had a drink"
    named = (Category.PHYSICAL_ABUSE, Category.SUBSTANCE_MISUSE, Category.SEXUAL_ABUSE)
    phrase = finding(told, "my stepdad hits me").evidence
    guess = Evidence("model", "tuned encoder", told, 0, len(told), Level.HIGH, named)
    talk = world.conversation()
    case = world.opens(talk, Finding(Level.HIGH, named, About.SELF, (*phrase, guess)))
    browser = world.at_desk("priya")
    page = " ".join(browser.get(f"/desk/cases/{case}").text.split())
    assert '<dt>What</dt><dd>physical abuse <span class="soft">perhaps also ' in page
    assert "perhaps also drink or drugs, sexual abuse" in page
    assert "18C physical abuse" in page and "19C" not in page
    row = " ".join(browser.get("/desk/").text.split())
    guessed = '<span class="soft">perhaps also drink or drugs, sexual abuse</span>'
    assert f"<strong>Physical abuse</strong> {guessed}" in row


def test_reading_a_case_is_in_the_audit_log(world):
    case = world.case()
    world.at_desk("priya").get(f"/desk/cases/{case}")
    assert ("priya", "read") in world.audit(case)


def test_fetching_the_news_of_a_case_that_one_does_not_have_open_is_reading_too(world):
    case = world.case()
    world.at_desk("tom").get(f"/desk/cases/{case}/news")
    assert world.audit(case).count(("tom", "read")) == 1


def test_script_in_a_message_is_shown_as_text(world):
    nasty = '<script>alert(1)</script> <img src=x onerror="alert(2)"> he hits me'
    case = world.case(nasty, "he hits me")
    with world.core.uow() as uow:
        uow.handover(case).details = {"wish": "<b>bold</b>"}
        uow.commit()
    page = world.at_desk("priya").get(f"/desk/cases/{case}").text
    assert "<script>alert" not in page and "<img src=x" not in page and "<b>bold" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_who_must_not_be_told_stands_above_everything_else(world):
    case = world.case()
    with world.core.uow() as uow:
        chat = uow.handover(case).conversation_id
        keep_from(uow, chat, "not my <b>stepdad</b>", world.core.now())
        keep_from(uow, chat, "dont ring home", world.core.now())
        uow.commit()
    page = world.at_desk("priya").get(f"/desk/cases/{case}").text
    top = page[: page.index("head-state")]
    assert "Who must not be told" in top
    assert "not my &lt;b&gt;stepdad&lt;/b&gt;" in top and "dont ring home" in top
    assert page.count("dont ring home") == 1


def test_accepting_makes_it_mine_and_silences_the_bot(world):
    case, browser = taken(world)
    page = browser.get(f"/desk/cases/{case}").text
    assert "You have this case" in page and "Write to the person" in page
    with world.core.store.read() as uow:
        assert uow.conversation(world.handover(case).conversation_id).owner == "worker"


def test_of_two_who_accept_at_once_one_wins_and_the_other_is_told_the_name(world):
    case = world.case()
    names = {"priya": "Priya Nandakumar", "tom": "Tom Ashworth"}
    browsers = {who: world.at_desk(who) for who in names}
    tokens = {who: browser.token() for who, browser in browsers.items()}
    start = threading.Barrier(2)
    answers = {}

    def click(who: str) -> None:
        start.wait()
        answers[who] = browsers[who].post(f"/desk/cases/{case}/accept", csrf_token=tokens[who])

    threads = [threading.Thread(target=click, args=(who,)) for who in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    winner = world.handover(case).accepted_by
    loser = next(who for who in names if who != winner)
    assert answers[winner].status_code == 303
    assert answers[loser].status_code == 409
    assert f"{names[winner]} accepted this first" in answers[loser].text
    assert [action for _, action in world.audit(case)].count("accepted") == 1


def test_who_is_off_duty_is_told_how_to_take_a_case(world):
    case = world.case()
    browser = world.at_desk("noah")
    answer = browser.post(f"/desk/cases/{case}/accept")
    assert answer.status_code == 409 and "You are off duty" in answer.text and "your lead" in answer.text
    assert world.handover(case).state == "waiting"


def test_a_reply_is_in_the_transcript_once_however_often_it_is_sent(world):
    case, browser = taken(world)
    for _ in range(3):
        answer = browser.post(f"/desk/cases/{case}/reply", text="I am here.", client_id="one")
        assert answer.status_code == 303
    browser.post(f"/desk/cases/{case}/reply", text="Take your time.", client_id="two")
    said = world.texts(case)
    assert said.count("I am here.") == 1 and said[-1] == "Take your time."


def test_a_reply_in_the_page_answers_with_the_new_lines(world):
    case, browser = taken(world)
    answer = browser.post(
        f"/desk/cases/{case}/reply?after=2", {"x-fragment": "1"}, text="I am\r\nhere.", client_id="one"
    )
    assert answer.status_code == 200 and "I am\nhere." in answer.text and "<html" not in answer.text


def test_two_replies_without_an_id_are_two(world):
    case, browser = taken(world)
    for text in ("One.", "Two."):
        browser.post(f"/desk/cases/{case}/reply", text=text)
    assert world.texts(case)[-2:] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("text", "words"), [("", "nothing to send"), (" \n ", "nothing to send"), ("a" * 4_001, "longer")]
)
def test_a_reply_that_cannot_be_sent_says_why_and_is_kept(world, text, words):
    case, browser = taken(world)
    before = world.texts(case)
    answer = browser.post(f"/desk/cases/{case}/reply", text=text, client_id="one")
    assert answer.status_code == 422 and words in answer.text and text in answer.text
    assert world.texts(case) == before


def test_only_the_holder_writes(world):
    case, _ = taken(world)
    tom = world.at_desk("tom")
    answer = tom.post(f"/desk/cases/{case}/reply", text="hello there", client_id="one")
    assert answer.status_code == 409 and "with somebody else now" in answer.text
    quiet = tom.post(f"/desk/cases/{case}/reply", {"x-fragment": "1"}, text="hello there", client_id="one")
    assert quiet.status_code == 409 and "data-problem" in quiet.text
    assert "hello there" not in world.texts(case)


def test_closing_sends_the_outcome_in_the_workers_words(world):
    case, browser = taken(world)
    preview = browser.get(f"/desk/cases/{case}").text
    answer = browser.post(f"/desk/cases/{case}/close", outcome="Mrs Okoro will see you at ten.")
    assert answer.status_code == 303
    stored = world.handover(case)
    assert stored.state == "closed" and stored.outcome == "Mrs Okoro will see you at ten."
    assert "Mrs Okoro will see you at ten." in world.texts(case)[-1]
    assert "Priya Nandakumar has ended" in preview  # the words around it were shown before
    page = browser.get(f"/desk/cases/{case}").text
    assert "Mrs Okoro will see you at ten." in page and "This case is closed" in page
    again = browser.post(f"/desk/cases/{case}/close", outcome="Twice.")
    assert again.status_code == 409 and "closed" in again.text


@pytest.mark.parametrize(("outcome", "words"), [("  ", "Write what happens"), ("a" * 1_001, "1,000")])
def test_closing_needs_an_outcome_of_a_sane_length(world, outcome, words):
    case, browser = taken(world)
    answer = browser.post(f"/desk/cases/{case}/close", outcome=outcome)
    assert answer.status_code == 422 and words in answer.text
    assert world.handover(case).state == "accepted"


def test_releasing_puts_the_case_back_in_the_queue(world):
    case, browser = taken(world)
    assert browser.post(f"/desk/cases/{case}/release").status_code == 303
    assert world.handover(case).state == "waiting"
    assert "Accept this case" in browser.get(f"/desk/cases/{case}").text


def test_a_case_is_handed_only_to_somebody_on_duty(world):
    case, browser = taken(world)
    page = browser.get(f"/desk/cases/{case}").text
    offered = page[page.index('<select id="to"') :]
    offered = offered[: offered.index("</select>")]
    assert '<option value="tom">' in offered and '<option value="noah">' not in offered
    for to, words in (("noah", "gone off duty"), ("", "Choose who"), ("nobody at all", "gone off duty")):
        answer = browser.post(f"/desk/cases/{case}/transfer", to=to)
        assert answer.status_code == 422 and words in answer.text
    assert browser.post(f"/desk/cases/{case}/transfer", to="tom").status_code == 303
    assert world.handover(case).accepted_by == "tom"
    assert "Tom Ashworth has this case" in browser.get(f"/desk/cases/{case}").text
    assert "Priya Nandakumar handed it to Tom Ashworth" in browser.get(f"/desk/cases/{case}").text


def test_others_who_look_are_named_until_they_leave(world):
    case = world.case()
    priya, tom = world.at_desk("priya"), world.at_desk("tom")
    priya.get(f"/desk/cases/{case}")
    assert "Also looking: Priya Nandakumar" in tom.get(f"/desk/cases/{case}").text
    priya.post(f"/desk/cases/{case}/left")
    assert "Also looking" not in tom.get(f"/desk/cases/{case}/news").text


def test_news_bring_what_came_after_and_a_level_found_late(world):
    case, browser = taken(world)
    talk = world.handover(case).conversation_id
    world.says(talk, "now he has a knife", "has a knife", level=Level.IMMEDIATE)
    news = browser.get(f"/desk/cases/{case}/news?after=3").text
    assert "<mark>has a knife</mark>" in news and "level-edge-immediate" in news
    assert "Level raised from high to immediate" in news


def test_telegram_delivery_is_shown(world):
    case, browser = taken(world, channel=Channel.TELEGRAM)
    browser.post(f"/desk/cases/{case}/reply", text="I am here.", client_id="one")
    assert "On its way" in browser.get(f"/desk/cases/{case}").text
    with world.core.uow() as uow:
        conversation = uow.conversation(world.handover(case).conversation_id)
        for message in uow.messages(conversation.id):
            message.delivered_at = world.core.now()
        uow.commit()
    page = browser.get(f"/desk/cases/{case}").text
    assert "Delivered to Telegram" in page and "On its way" not in page
    with world.core.uow() as uow:
        uow.conversation(conversation.id).unreachable_at = world.core.now() - timedelta(minutes=1)
        uow.commit()
    browser.post(f"/desk/cases/{case}/reply", text="Still here.", client_id="two")
    assert "stopped the chat in Telegram" in browser.get(f"/desk/cases/{case}").text


def test_what_was_deleted_is_said_to_be_deleted(world):
    case, browser = taken(world)
    browser.post(f"/desk/cases/{case}/close", outcome="We spoke.")
    with world.core.uow() as uow:
        for message in uow.messages(world.handover(case).conversation_id):
            message.text = message.finding = None
        uow.commit()
    assert "Deleted by the person" in browser.get(f"/desk/cases/{case}").text


def test_marks_stand_where_the_words_were_typed_even_when_they_overlap():
    text = "he hit me and he hit me again"

    def evidence(start: int, end: int) -> Evidence:
        return Evidence("phrase", "hit", text[start:end], start, end, Level.HIGH, (Category.PHYSICAL_ABUSE,))

    spans = (evidence(3, 9), evidence(0, 6), evidence(14, 400), Evidence("model", "m", "", 0, 0, Level.HIGH))
    cut = marked(text, Finding(Level.HIGH, (), About.SELF, spans))
    assert "".join(part.text for part in cut) == text
    assert [part.text for part in cut if part.marked] == ["he hit", " me"]


def test_the_strongest_reason_comes_first_and_each_once():
    high = finding("he hits me", "hits me").to_dict()
    worse = finding("has a knife", "knife", Level.IMMEDIATE).to_dict()
    assert [reason.level for reason in reasons([high, worse, high])] == ["immediate", "high"]


def test_evidence_in_an_answer_stands_with_the_question(world):
    plain = finding("gets in", "gets in")
    answer = replace(plain, asked="harm")
    cases = [world.opens(world.conversation(), seen) for seen in (answer, plain)]
    browser = world.at_desk("priya")
    pages = [browser.get(f"/desk/cases/{case}").text for case in cases]
    words = "when asked whether somebody hurts them or they are in danger"
    assert words in pages[0] and words not in pages[1]


def test_no_word_name_or_token_of_anybody_is_logged(world, caplog):
    caplog.set_level(logging.DEBUG)
    marker = "purple walrus seven"
    with structlog.testing.capture_logs() as events:
        case = world.case(f"{marker} hits me", "hits me")
        token = world.link("priya")
        browser = world.browser()
        browser.post("/desk/sign-in", email="walrus@desk.example", password=f"{marker} password")
        browser.post("/desk/sign-in/link", token=token)
        browser.get(f"/desk/cases/{case}")
        browser.post(f"/desk/cases/{case}/accept")
        browser.post(f"/desk/cases/{case}/reply", text=f"{marker} reply", client_id="one")
        browser.post(f"/desk/cases/{case}/reply", text=marker * 400, client_id="two")
        browser.post(f"/desk/cases/{case}/close", outcome=f"{marker} outcome")
        browser.get(f"/desk/cases/{case}/news")
    assert marker in "".join(world.texts(case))
    logged = caplog.text + repr(events)
    assert "desk_sign_in_failed" in logged
    for secret in (marker, "walrus", "Nandakumar", browser.client.cookies["earshot_desk"]):
        assert secret not in logged
    # httpx, in the test's own browser, logs addresses; ours holds a token only on the way in.
    assert token not in logged
