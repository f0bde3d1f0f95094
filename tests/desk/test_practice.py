"""The practice case: a whole first shift that leaves no trace, without scripts, for everybody at the desk."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from bot.casework import practice
from bot.risk.detector import Detector
from bot.risk.taxonomy import Level
from bot.settings import ROOT
from bot.signoff import unsigned
from bot.store.models import Base
from tests.desk.world import Browser, World

STEPS = {
    "queue": {},
    "accept": {},
    "evidence": {},
    "reply": {"text": "Hi, I am Priya."},
    "note": {"note": "Rang nobody yet."},
    "level": {"level": "immediate", "reason": "A neighbour rang the police."},
    "danger": {"text": "Please call 999."},
    "transfer": {"to": "colleague"},
    "record": {"what_was_said": "He hits her.", "council_told": "yes"},
    "close": {"outcome": "Mrs Khan <knows> & stays."},
}


def kept_in(page: str) -> str:
    return html.unescape(re.search(r'name="kept" value="([^"]*)"', page)[1])


def walk(browser: Browser, until: str = "") -> str:
    """Go through the steps as the page's own forms do; gives the last page."""
    page = browser.get("/desk/practice").text
    for step, fields in STEPS.items():
        if step == until:
            break
        assert f'name="step" value="{step}"' in page
        answer = browser.post("/desk/practice", kept=kept_in(page), step=step, **fields)
        assert answer.status_code == 200, step
        page = answer.text
    return page


def rows(world: World) -> dict[str, int]:
    """How many rows every table holds."""
    with world.core.store.read() as uow:
        return {
            name: uow.session.scalar(select(func.count()).select_from(table))
            for name, table in Base.metadata.tables.items()
        }


@pytest.mark.parametrize("who", ["priya", "okoro", "lena", "ada"])
def test_everybody_at_the_desk_can_practise_a_whole_case_and_nothing_is_stored(world, who):
    browser = world.at_desk(who)
    before, log = rows(world), world.log()
    page = walk(browser)
    assert "You have been through a whole case" in page and "Mrs Khan &lt;knows&gt; &amp; stays." in page
    assert rows(world) == before and world.log() == log
    if who != "ada":
        assert "PRA-000" not in browser.get("/desk/?tab=closed").text


def test_the_practice_case_is_marked_as_practice_at_every_step(world):
    browser = world.at_desk("priya")
    for step in STEPS:
        page = walk(browser, until=step)
        assert "Nothing is stored, nobody is alerted" in page and 'tag-warn">practice<' in page


def test_the_walk_shows_the_marked_words_the_answers_and_the_raised_level(world):
    browser = world.at_desk("priya")
    assert "<mark>stepdad hits me</mark>" in walk(browser, until="evidence")
    answered = walk(browser, until="note")
    assert "Hi, I am Priya." in answered and practice.load().answers["reply"] in answered
    assert 'level-immediate">' not in answered
    assert 'level-immediate">' in walk(browser, until="danger")


def test_a_reply_goes_into_the_box_and_is_not_sent(world):
    browser = world.at_desk("priya")
    page = walk(browser, until="reply")
    filled = browser.post("/desk/practice", kept=kept_in(page), step="reply", use="hello", text="").text
    assert re.search(r"<textarea[^>]*>Hi, I am Priya. I am a real person.", filled)
    assert 'name="step" value="reply"' in filled and "line-worker" not in filled


@pytest.mark.parametrize(
    ("step", "fields", "words"),
    [
        ("reply", {"text": " "}, "nothing to send"),
        ("note", {"note": "x" * 1_001}, "too long"),
        ("level", {"level": "concern", "reason": "Hm."}, "Which level means"),
        ("level", {"level": "immediate", "reason": ""}, "Say why"),
        ("close", {"outcome": ""}, "Write what happens now"),
        ("queue", {}, "That step is behind you"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_lost(world, step, fields, words):
    browser = world.at_desk("priya")
    page = walk(browser, until="level" if step == "queue" else step)
    answer = browser.post("/desk/practice", kept=kept_in(page), step=step, **fields)
    assert answer.status_code == 422 and words in answer.text
    assert kept_in(answer.text) == kept_in(page)


@pytest.mark.parametrize(
    "kept",
    ["", "{", "7", "null", '[["close", {}]]', '[["queue", 3]]', '[["queue", {}], ["done", {}]]', "[[[[[["],
)
def test_a_list_that_no_page_made_begins_from_the_start(world, kept):
    answer = world.at_desk("priya").post("/desk/practice", kept=kept, step="queue")
    assert answer.status_code == 200 and 'name="step" value="accept"' in answer.text


def test_what_earshot_finds_in_the_script_is_what_the_script_says():
    detector, script = Detector.load(), practice.load()
    spoken = [said for said in script.said if said.sender == "you"]
    spoken += [replace(spoken[0], text=text) for text in script.answers.values()]
    assert len(spoken) >= 5
    for said in spoken:
        found = detector.assess(said.text)
        assert found.level == said.finding.level, said.text
        named = {(one.family, one.words, one.level) for one in found.evidence}
        assert {(one.family, one.words, one.level) for one in said.finding.evidence} <= named
    assert script.level == max((said.finding.level for said in spoken), default=Level.NONE)
    assert script.raised_to > script.level


def test_nobody_has_signed_the_practice_case_and_the_page_says_so(world):
    assert not practice.load().reviewed
    assert "no safeguarding lead has signed it" in world.at_desk("priya").get("/desk/practice").text
    drafts = unsigned(world.core.content, ROOT / "data")
    assert ("data/practice.yml", "PRA-000") in drafts
