"""Working a case at the desk: level, notes, second opinions, replies, the record and the letter."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import text

from bot.desk.app import _environment
from bot.handover import keep_from
from bot.risk.taxonomy import Level

WORDS = _environment().get_template("_words.html").module
QUIET = {"x-fragment": "1"}


@pytest.fixture
def held(world):
    """A case and the browser of the worker who holds it."""
    case = world.case()
    browser = world.at_desk("priya")
    browser.post(f"/desk/cases/{case}/accept")
    return case, browser


def newest(page: str) -> str:
    return re.search(r'name="version" value="(\d+)"', page)[1]


# Level --------------------------------------------------------------------------------------------


def test_a_lowered_level_shows_what_was_found_and_why_it_was_lowered(world, held):
    case, browser = held
    answer = browser.post(f"/desk/cases/{case}/level", level="concern", reason="A <b>film</b> plot.")
    assert answer.status_code == 303
    head = browser.get(f"/desk/cases/{case}").text
    head = head[: head.index('<section class="chat"')]
    assert (
        "Lowered from high</strong> by Priya Nandakumar" in head and "A &lt;b&gt;film&lt;/b&gt; plot." in head
    )
    assert ("priya", "level_lowered") in world.audit(case)
    world.says(world.handover(case).conversation_id, "no he really hits me", "he really hits me")
    page = browser.get(f"/desk/cases/{case}").text
    assert world.handover(case).level == "high" and "Lowered from" not in page


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"level": "concern", "reason": " "}, "Say why"),
        ({"level": "", "reason": "x"}, "Choose a level"),
        ({"level": "high", "reason": "x"}, "this level already"),
        ({"level": "concern", "reason": "x" * 1_001}, "under 1,000"),
    ],
)
def test_a_level_that_is_not_changed_says_why_not(world, held, form, words):
    case, browser = held
    answer = browser.post(f"/desk/cases/{case}/level", **form)
    assert answer.status_code == 422 and words in answer.text and world.handover(case).level == "high"


def test_somebody_elses_case_is_not_lowered_and_a_lead_may(world, held):
    case, _ = held
    assert world.at_desk("tom").post(f"/desk/cases/{case}/level", level="none", reason="x").status_code == 409
    assert (
        world.at_desk("lena").post(f"/desk/cases/{case}/level", level="none", reason="x").status_code == 303
    )


def test_a_rise_while_talking_is_on_the_page(world, held):
    case, browser = held
    world.says(world.handover(case).conversation_id, "hes got a knife", "a knife", level=Level.IMMEDIATE)
    page = browser.get(f"/desk/cases/{case}").text
    assert "The risk rose from high to immediate while you were talking" in page
    assert "Hit by adult, by a phrase on the list" in page


# Notes and second opinions ------------------------------------------------------------------------


def test_a_note_is_for_colleagues_only(world, held):
    case, browser = held
    before = world.texts(case)
    assert browser.post(f"/desk/cases/{case}/notes", note="Rang <i>school</i>.").status_code == 303
    assert browser.post(f"/desk/cases/{case}/notes", note=" ").status_code == 422
    page = world.at_desk("tom").get(f"/desk/cases/{case}").text
    assert "Rang &lt;i&gt;school&lt;/i&gt;." in page and "Priya Nandakumar" in page
    assert world.texts(case) == before
    with world.core.store.engine.connect() as connection:
        stored = connection.execute(text("SELECT text FROM case_note")).scalar_one()
    assert b"school" not in bytes(stored)


def test_a_colleague_asked_for_an_opinion_reads_and_notes_but_cannot_write_to_the_person(world, held):
    case, browser = held
    bell = world.at_desk("bell")
    assert bell.get(f"/desk/cases/{case}").status_code == 403
    before = world.texts(case)
    assert browser.post(f"/desk/cases/{case}/opinion", colleague="bell").status_code == 303
    page = bell.get(f"/desk/cases/{case}").text
    assert "my stepdad hits me" in page and 'name="text"' not in page and "I am done here" in page
    assert "Second opinion" in bell.get("/desk/").text
    assert world.handover(case).reference in bell.get("/desk/?tab=asked").text
    assert bell.post(f"/desk/cases/{case}/notes", note="I know the family.").status_code == 303
    assert bell.post(f"/desk/cases/{case}/reply", text="Hello").status_code == 409
    assert bell.post(f"/desk/cases/{case}/record", version="0", outcome="x").status_code == 409
    assert world.texts(case) == before
    assert bell.post(f"/desk/cases/{case}/opinion/end", colleague="bell").status_code == 303
    assert bell.get(f"/desk/cases/{case}").status_code == 403


def test_a_second_opinion_ends_at_the_close(world, held):
    case, browser = held
    browser.post(f"/desk/cases/{case}/opinion", colleague="bell")
    browser.post(f"/desk/cases/{case}/close", outcome="We spoke.")
    assert world.at_desk("bell").get(f"/desk/cases/{case}").status_code == 403


@pytest.mark.parametrize("colleague", ["", "ada", "priya", "nobody"])
def test_who_cannot_be_asked_is_not_asked(world, held, colleague):
    case, browser = held
    assert browser.post(f"/desk/cases/{case}/opinion", colleague=colleague).status_code == 422
    assert ("priya", "opinion_asked") not in world.audit(case)


# Replies ------------------------------------------------------------------------------------------


def test_a_reply_template_goes_into_the_box_without_scripts_and_is_not_sent(world, held):
    case, browser = held
    before = world.texts(case)
    page = browser.get(f"/desk/cases/{case}?reply=hello").text
    box = page[page.index('<textarea id="text"') :]
    assert "Hi, I am Priya. I am a real person." in box[: box.index("</textarea>")]
    assert world.texts(case) == before


def test_only_leads_change_replies_and_what_they_change_is_on_the_case_page(world, held):
    case, browser = held
    form = {"id": "hello", "title": "Hello", "text": "Hello from {name}, {role}.", "reviewed_by": ""}
    assert browser.post("/desk/replies", **form).status_code == 403
    lead = world.at_desk("lena")
    assert lead.post("/desk/replies", **form).status_code == 303
    assert "Hello from Priya Nandakumar, Duty worker." in browser.get(f"/desk/cases/{case}").text
    refused = lead.post("/desk/replies", id="", title="New", text="Dear {child}")
    assert refused.status_code == 422 and "Dear {child}" in refused.text
    assert ("lena", "reply_template_saved", None) in world.log()


# The record ---------------------------------------------------------------------------------------


def test_the_record_works_without_scripts(world, held):
    case, browser = held
    page = browser.get(f"/desk/cases/{case}/record").text
    assert "<mark>my stepdad hits me</mark>" in page and "18C physical abuse, adult on child" in page
    form = {
        "version": newest(page),
        "q_2": "1",
        "protective": "<b>Nan</b>",
        "parents_told": "no",
        "f_18C": "1",
    }
    assert browser.post(f"/desk/cases/{case}/record", **form).headers["location"].endswith("record?saved=1")
    page = browser.get(f"/desk/cases/{case}/record?saved=1").text
    assert "&lt;b&gt;Nan&lt;/b&gt;" in page and 'name="q_2" value="1" checked' in page
    assert 'name="f_18C" value="1" checked' in page and newest(page) == "1"
    assert ("priya", "record_saved") in world.audit(case) and ("priya", "record_read") in world.audit(case)


def test_of_two_who_write_at_once_each_sees_both_versions(world, held):
    case, browser = held
    lena = world.at_desk("lena")
    where = f"/desk/cases/{case}/record"
    assert lena.post(where, version="0", outcome="Lena wrote this", who_knows="nan").status_code == 303
    answer = browser.post(where, version="0", outcome="Priya wrote that", who_knows="nan")
    assert answer.status_code == 409
    assert "Priya wrote that</textarea>" in answer.text and "Lena wrote this</blockquote>" in answer.text
    assert answer.text.count('class="theirs"') == 1
    kept = re.search(rf"{where}/versions/\d+", answer.text)[0]
    assert "Priya wrote that" in browser.get(kept).text
    assert browser.post(where, version=newest(answer.text), outcome="Both").status_code == 303
    assert "Both</textarea>" in browser.get(where).text


def test_saving_as_one_writes_answers_with_the_version_only(world, held):
    case, browser = held
    answer = browser.post(f"/desk/cases/{case}/record", QUIET, version="0", outcome="x")
    assert answer.status_code == 200 and 'data-version="1"' in answer.text and "<html" not in answer.text
    assert len(answer.text) < 500


def test_what_cannot_be_saved_is_kept_in_the_form(world, held):
    case, browser = held
    answer = browser.post(f"/desk/cases/{case}/record", version="0", outcome="y" * 4_001, who_knows="her nan")
    assert answer.status_code == 422 and "y" * 4_001 in answer.text and "her nan" in answer.text
    assert newest(browser.get(f"/desk/cases/{case}/record").text) == "0"


def test_every_message_and_every_factor_may_be_ticked(world, held):
    case, browser = held
    talk = world.handover(case).conversation_id
    for number in range(50):
        world.says(talk, f"line {number}")
    with world.core.store.read() as uow:
        ticks = {f"q_{m.seq}": "1" for m in uow.messages(talk) if m.sender == "you"}
    factors = {f"f_{code}": "1" for code in ("16A", "18C", "7A", "1B")}
    assert browser.post(f"/desk/cases/{case}/record", version="0", **ticks, **factors).status_code == 303
    assert browser.get(f"/desk/cases/{case}/record").text.count('value="1" checked') == len(ticks) + 4


def test_nobody_writes_in_the_record_of_a_waiting_case_or_of_somebody_elses(world, held):
    case, _ = held
    waiting = world.case()
    tom = world.at_desk("tom")
    for one in (case, waiting):
        assert tom.post(f"/desk/cases/{one}/record", version="0", outcome="x").status_code == 409
        assert "<textarea" not in tom.get(f"/desk/cases/{one}/record").text


def test_the_worker_writes_on_after_the_close(world, held):
    case, browser = held
    browser.post(f"/desk/cases/{case}/close", outcome="We spoke.")
    assert browser.post(f"/desk/cases/{case}/record", version="0", outcome="Social worker").status_code == 303


# The letter ---------------------------------------------------------------------------------------


def test_the_letter_the_pdf_and_the_export_say_the_same_and_each_is_audited(world, held):
    case, browser = held
    with world.core.uow() as uow:
        keep_from(uow, uow.handover(case).conversation_id, "not my stepdad", world.core.now())
        uow.commit()
    browser.post(
        f"/desk/cases/{case}/record", version="0", q_2="1", protective='=cmd|"x" <script>', f_16A="1"
    )
    browser.post(f"/desk/cases/{case}/notes", note="between us")
    page = browser.get(f"/desk/cases/{case}/letter").text
    assert page.index("The person asked that these are not told") < page.index("What was said")
    assert "my stepdad hits me when hes had a drink" in page and "16A neglect" in page
    assert "&lt;script&gt;" in page and "<script>" not in page and "between us" not in page
    pdf = browser.get(f"/desk/cases/{case}/letter.pdf")
    assert pdf.content.startswith(b"%PDF-") and pdf.headers["content-type"] == "application/pdf"
    reference = world.handover(case).reference
    assert pdf.headers["content-disposition"] == f'attachment; filename="earshot-{reference}.pdf"'
    export = browser.get(f"/desk/cases/{case}/letter.json")
    facts = json.loads(export.text)
    assert facts["must_not_be_told"] == ["not my stepdad"] and "between us" not in export.text
    assert facts["record"]["protective"] == '=cmd|"x" <script>'
    done = [action for actor, action in world.audit(case) if actor == "priya"]
    assert {"letter_read", "letter_pdf", "case_exported"} <= set(done)


@pytest.mark.parametrize("path", ["record", "letter", "letter.pdf", "letter.json", "record/versions/1"])
def test_safe_adults_see_only_the_records_of_their_own_cases_and_administrators_none(world, held, path):
    case, browser = held
    browser.post(f"/desk/cases/{case}/record", version="0", protective="purple walrus")
    theirs = world.case(safe_adult="okoro")
    okoro = world.at_desk("okoro")
    refused = okoro.get(f"/desk/cases/{case}/{path}")
    assert refused.status_code == 403 and "walrus" not in refused.text
    assert okoro.get(f"/desk/cases/{theirs}/{path}").status_code == (404 if "versions" in path else 200)
    assert world.at_desk("ada").get(f"/desk/cases/{case}/{path}").status_code == 403


def test_a_version_of_another_case_is_not_shown_under_this_one(world, held):
    case, browser = held
    browser.post(f"/desk/cases/{case}/record", version="0", protective="purple walrus")
    other = world.case()
    assert browser.get(f"/desk/cases/{other}/record/versions/1").status_code == 404


# Words --------------------------------------------------------------------------------------------


def test_every_detail_that_a_handover_can_carry_has_words_for_staff(world):
    from actions._rounds import SIGNS
    from actions.concern_report import CONCERN
    from actions.parent import EARLY_HELP

    known = {*CONCERN.values(), *EARLY_HELP.values(), *(f"sign_{name}" for name in SIGNS)}
    assert known | {"words", "do_not_tell", "council_route", "served_here"} <= set(WORDS.DETAILS)
    assert set(SIGNS) == set(WORDS.SIGNS)


def test_every_field_of_the_record_and_every_audited_action_has_words():
    from bot.casework import record

    assert {*record.FIELDS, "quotes", "factors"} == set(WORDS.RECORD)
    assert set(record.ANSWERS) == set(WORDS.TOLD)


# Side by side and the queue's filters -------------------------------------------------------------


def test_up_to_three_of_ones_own_cases_stand_side_by_side(world, held):
    case, browser = held
    own = [case]
    for _ in range(4):
        own.append(world.case())
        browser.post(f"/desk/cases/{own[-1]}/accept")
    others = world.case()
    page = browser.get(f"/desk/side?cases={own[3]},{others},{own[1]}").text
    assert re.findall(r'data-chat="(\d+)"', page) == [str(own[3]), str(own[1])]
    assert len(re.findall(r'data-chat="\d+"', browser.get("/desk/side").text)) == 3
    assert ("priya", "read") not in world.audit(others)
    answer = browser.post(f"/desk/cases/{case}/reply?after=0&side=1", QUIET, text="Hello.")
    assert f'id="text-{case}"' in answer.text


def test_the_rail_counts_what_was_not_answered(world, held):
    case, browser = held
    talk = world.handover(case).conversation_id
    for words in ("one", "two"):
        world.says(talk, words)
    assert "3 new" in browser.get(f"/desk/cases/{case}").text
    browser.post(f"/desk/cases/{case}/reply", text="I am here.")
    assert " new</span>" not in browser.get(f"/desk/cases/{case}").text
    world.says(talk, "three")
    assert "1 new" in browser.get(f"/desk/cases/{case}").text


def references(page: str) -> set[str]:
    return set(re.findall(r'class="whole"[^>]*>([A-Z]{3}-\d{3})<', page))


def test_the_queue_is_narrowed_by_the_address(world):
    high, immediate = world.case(), world.case("ive taken pills", "taken pills", level=Level.IMMEDIATE)
    talk = world.conversation()
    message = world.opens(talk, world.says(talk, "sad"), kind="message")
    named = {case: world.handover(case).reference for case in (high, immediate, message)}
    browser = world.at_desk("priya")
    for query, shown in (
        ("level=high", {high}),
        ("kind=message", {message}),
        (f"q={named[high].lower().replace('-', ' ')}", {high}),
        (
            f"q={named[immediate][:3]}&level=high",
            {high} if named[high][:3] == named[immediate][:3] else set(),
        ),
        ("area=Northmoor", {high, immediate, message}),
        ("area=-", set()),
        ("level=nonsense&kind=nonsense", {high, immediate, message}),
    ):
        for path in ("/desk/", "/desk/queue"):
            page = browser.get(f"{path}?{query}").text
            assert references(page) == {named[case] for case in shown}, query
    page = browser.get("/desk/?tab=waiting&level=high").text
    assert "tab=mine&amp;level=high" in page and "2 more cases are hidden" in page


def test_who_looks_at_a_case_is_on_the_queue(world):
    case = world.case()
    world.at_desk("tom").get(f"/desk/cases/{case}")
    assert "Tom Ashworth looking" in world.at_desk("priya").get("/desk/").text
