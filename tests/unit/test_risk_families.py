"""Every reviewed phrase family and guard does what its examples say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot.content import Content
from bot.risk.context import AFTER_DISCLOSURE
from bot.risk.detector import DATA_DIR, Detector
from bot.risk.examples import check_examples, check_family, check_guard
from bot.risk.families import Family, Guard, RiskDataError, load
from bot.risk.taxonomy import Category, Level

DETECTOR = Detector.load()
FAMILIES = {family.name: family for family in DETECTOR.data.families}
GUARDS = {guard.name: guard for guard in DETECTOR.data.guards}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_a_family_matches_what_it_must_and_nothing_it_must_not(family: Family) -> None:
    assert check_family(family, DETECTOR) == []


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_every_example_comes_out_at_the_level_of_its_family_or_above(family: Family) -> None:
    low = [text for text in family.must_match if DETECTOR.assess(text).level < family.level]
    assert low == []


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
def test_a_guard_silences_the_innocent_and_never_a_disclosure_beside_it(guard: Guard) -> None:
    assert check_guard(guard, DETECTOR) == []


def test_every_category_has_a_family() -> None:
    covered = {category for family in FAMILIES.values() for category in family.categories}
    assert set(Category) - covered == set()


def test_every_kind_of_significant_harm_has_a_family_that_calls_a_person() -> None:
    serious = {c for f in FAMILIES.values() if f.level.needs_person for c in f.categories}
    assert serious >= {
        Category.SUICIDE, Category.SELF_HARM, Category.MEDICAL_EMERGENCY, Category.PHYSICAL_ABUSE,
        Category.SEXUAL_ABUSE, Category.SEXUAL_EXPLOITATION, Category.EMOTIONAL_ABUSE, Category.NEGLECT,
        Category.DOMESTIC_ABUSE, Category.CRIMINAL_EXPLOITATION, Category.HONOUR_BASED_ABUSE,
        Category.MISSING,
        Category.HARM_TO_OTHERS,
    }  # fmt: skip


def test_nothing_is_signed_off_by_us() -> None:
    assert {family.reviewed_by for family in FAMILIES.values()} == {""}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shutil.copytree(DATA_DIR / "risk", tmp_path / "risk")
    shutil.copytree(DATA_DIR / "nlu", tmp_path / "nlu")
    return tmp_path


ENTRY = """
topic: new
families:
  - name: {name}
    why: {why}
    level: {level}
    categories: [{category}]
    phrases: {phrases}
    must_match: {must_match}
    must_not_match: [a, b, c, d]
    {reviewed}
"""
GOOD = {
    "name": "new_family",
    "why": "because",
    "level": "high",
    "category": "neglect",
    "phrases": "[purple elephant]",
    "must_match": "[purple elephant, a purple elephant, b purple elephant, c purple elephant,"
    " d purple elephant, e purple elephant]",
    "reviewed": 'reviewed_by: ""\n    reviewed_on: ""',
}


def test_a_new_family_in_a_new_file_works_at_once(data: Path) -> None:
    (data / "risk" / "new.yml").write_text(ENTRY.format(**GOOD))
    detector = Detector.load(data)
    assert detector.assess("there is a purple elephant").level is Level.HIGH
    new = [family for family in detector.data.families if family.name == "new_family"]
    assert check_examples(new, detector) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"level": "hgih"}, "hgih"),
        ({"level": "none"}, "none"),
        ({"category": "neglekt"}, "neglekt"),
        ({"phrases": "[]"}, "phrases"),
        ({"phrases": "['']"}, "empty"),
        ({"phrases": "['<nobody> hits me']"}, "<nobody>"),
        ({"phrases": "['[only] ... [optional]']"}, "must be there"),
        ({"phrases": "['a |b']"}, "|"),
        ({"phrases": "['... at the start']"}, "beginning"),
        ({"phrases": "['what?']"}, "what?"),
        ({"name": "hit_by_carer"}, "already"),
        ({"name": "Bad Name"}, "small letters"),
        ({"must_match": "[one]"}, "must_match"),
        ({"why": '""'}, "why"),
        ({"reviewed": "reviewed_by: x"}, "reviewed_on"),
        ({"reviewed": 'reviewed_by: ""\n    reviewed_on: ""\n    colour: red'}, "colour"),
    ],
)
def test_a_broken_family_names_file_entry_and_remedy_and_nothing_loads(
    data: Path, change: dict[str, str], problem: str
) -> None:
    (data / "risk" / "new.yml").write_text(ENTRY.format(**{**GOOD, **change}))
    with pytest.raises(RiskDataError) as error:
        load(data)
    message = str(error.value)
    assert "risk/new.yml" in message or "hit_by_carer" in message
    assert problem in message
    assert "Remedy" in message


@pytest.mark.parametrize("name", ["words.yml", "harmless.yml", "about.yml", "answers.yml"])
def test_a_missing_file_refuses_to_load(data: Path, name: str) -> None:
    (data / "risk" / name).unlink()
    with pytest.raises(RiskDataError, match=name):
        load(data)


def test_a_file_that_is_not_yaml_refuses_to_load(data: Path) -> None:
    (data / "risk" / "neglect.yml").write_text("families: [")
    with pytest.raises(RiskDataError, match=r"risk/neglect.yml: line \d+"):
        load(data)


def test_an_example_that_does_not_match_is_named(data: Path) -> None:
    (data / "risk" / "new.yml").write_text(ENTRY.format(**{**GOOD, "must_match": "[q, w, e, r, t, z]"}))
    detector = Detector.load(data)
    wrong = check_examples(detector=detector)
    assert len(wrong) == 6
    assert all("new.yml: new_family" in line and "Remedy" in line for line in wrong)


def test_a_guard_of_one_topic_may_stand_in_a_file_of_its_own(data: Path) -> None:
    before = {guard.name for guard in load(data).guards}
    guard = "  - {name: new_guard, why: x., governs: over, phrases: [in a play], only: [run_away],"
    guard += " innocent: [she ran away in a play, he ran away in a play], still_heard: [i ran away]}\n"
    (data / "risk" / "harmless_new.yml").write_text(f"guards:\n{guard}")
    assert {guard.name for guard in load(data).guards} == {*before, "new_guard"}
    (data / "risk" / "harmless_newer.yml").write_text(f"guards:\n{guard}")
    with pytest.raises(RiskDataError, match=r"harmless_newer.yml: new_guard: .*already .*harmless_new.yml"):
        load(data)


def test_a_word_set_that_holds_itself_refuses_to_load(data: Path) -> None:
    path = data / "risk" / "words.yml"
    path.write_text(path.read_text() + "  loop: [<loop>]\n")
    (data / "risk" / "new.yml").write_text(ENTRY.format(**{**GOOD, "phrases": "['<loop>']"}))
    with pytest.raises(RiskDataError, match="holds itself"):
        load(data)


def test_every_question_that_answers_are_read_after_is_asked() -> None:
    risk = load(DATA_DIR)
    read_after = {asked for answer in risk.answers for asked in answer.asked} - {AFTER_DISCLOSURE}
    content = Content.load(DATA_DIR)
    variations = [variation for name in content.names() for variation in content.variations(name)]
    asked = {variation.custom.get("earshot", {}).get("asked") for variation in variations}
    assert read_after | set(risk.questions) <= asked


@pytest.mark.parametrize(
    ("found", "written", "problem"),
    [
        ("alone: true", "alone: perhaps", "alone"),
        ("level: none", "level: nothing", "nothing"),
        ("questions:\n", "question:\n", "questions"),
        ("safe_now: are you", "safe_now: []\n  other: are you", "questions"),
        ("to_the_bot:\n", "to_bot:\n", "to_the_bot"),
        ("  - not really\n", "  - <nobody>\n", "<nobody>"),
    ],
)
def test_broken_answers_name_file_and_remedy_and_nothing_loads(
    data: Path, found: str, written: str, problem: str
) -> None:
    path = data / "risk" / "answers.yml"
    text = path.read_text()
    assert found in text
    path.write_text(text.replace(found, written, 1))
    with pytest.raises(RiskDataError, match=rf"risk/answers.yml.*{problem}.*Remedy"):
        load(data)
