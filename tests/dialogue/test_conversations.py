"""Whole conversations through the gateway, the trained model and the real actions."""

from __future__ import annotations

import pytest

from tests.dialogue.conftest import YoungPerson

DISCLOSURES = {
    "my stepdad hits me when hes had a drink": "high",
    "im being forced to have sex and im only 12 years old": "high",
    "my friend cuts herself, she made me swear not to tell": "high",
    "ive taken loads of paracetamol": "immediate",
}


def one_of(person_sees: list[str], core, name: str) -> bool:
    """Whether one variation of a response was said, whatever its variables."""
    starts = [v.text.split("{")[0] for v in core.content.variations(name)]
    return any(text.startswith(start) for text in person_sees for start in starts if start)


@pytest.mark.parametrize(("words", "level"), DISCLOSURES.items())
async def test_a_disclosure_inside_small_talk_reaches_a_person(young_person: YoungPerson, words, level):
    await young_person.says("hi")
    await young_person.says("how are you")
    seen = await young_person.says(words)
    assert young_person.handover().level == level
    assert any("999" in text if level == "immediate" else "believe you" in text for text in seen)


@pytest.mark.parametrize("words", list(DISCLOSURES))
@pytest.mark.parametrize(
    "opening",
    [
        ["i want to report a concern"],
        ["im being bullied", "they pick on me every day"],
        ["delete everything"],
        ["can you pass on what i said"],
        ["i dont know how to say it"],
    ],
)
async def test_a_disclosure_as_the_answer_to_any_question_reaches_a_person(young_person, opening, words):
    for line in opening:
        await young_person.says(line)
    await young_person.says(words)
    assert young_person.handover() is not None


@pytest.mark.parametrize("words", ["this homework is killing me", "who won the world cup", "hello"])
async def test_harmless_words_open_nothing(young_person: YoungPerson, words):
    assert await young_person.says(words)
    assert young_person.handover() is None


async def test_a_child_chooses_a_named_adult_and_their_own_words_go_after_a_yes(young_person, core):
    await young_person.presses("Me")
    await young_person.says("they pick on me every day at school")
    seen = await young_person.says("nobody sits with me at lunch")
    assert one_of(seen, core, "utter_offer_adult")
    await young_person.presses("Yes, show me who")
    await young_person.presses("Oakfield Secondary School")
    seen = await young_person.presses("Choose Mr Reilly")
    assert "1. they pick on me every day at school\n2. nobody sits with me at lunch" in seen
    assert young_person.handover() is None
    seen = await young_person.presses("Yes, send it")
    assert any("Mr Reilly" in text for text in seen)
    assert young_person.handover().details["words"].startswith("they pick on me")


async def test_after_a_no_nothing_goes(young_person: YoungPerson, core):
    await young_person.says("im so lonely at school")
    await young_person.says("can you pass on what i said")
    seen = await young_person.says("no")
    assert one_of(seen, core, "utter_not_passed_on")
    assert young_person.handover() is None


async def test_a_person_is_one_message_away(young_person: YoungPerson):
    seen = await young_person.says("can i talk to a real person")
    assert any("the duty team" in text for text in seen)
    assert young_person.handover().kind == "message"


async def test_a_parent_finds_help_and_asks_for_it(young_person: YoungPerson, core):
    await young_person.presses("I'm a parent or carer")
    seen = await young_person.says("if I'm not coping will they take my kids away")
    assert one_of(seen, core, "utter_fear_children_taken")
    await young_person.presses("Ask for help for my family")
    await young_person.says("my son wont go to school and i am so tired")
    await young_person.says("just me and him, he is 9")
    await young_person.says("text 07700 900123")
    await young_person.says("after six")
    seen = await young_person.presses("Yes please")
    assert "my son wont go to school" in seen[-1] and "07700 900123" in seen[-1]
    await young_person.presses("Yes, send it")
    case = young_person.handover()
    assert case.kind == "early_help"
    assert (case.details["contact"], case.details["contact_time"]) == ("text 07700 900123", "after six")


async def test_a_neighbour_reports_in_a_few_answers(young_person: YoungPerson):
    await young_person.presses("I'm worried about a child")
    await young_person.presses("Report it now")
    await young_person.says("the little ones next door are always dirty and asking for food")
    await young_person.presses("No")
    await young_person.says("most days")
    await young_person.says("Mill Lane, near the shop")
    await young_person.presses("Skip this")
    await young_person.presses("No name")
    await young_person.presses("Yes, send it")
    case = young_person.handover()
    assert case.details["where"] == "Mill Lane, near the shop"
    assert case.details["danger_now"] == "no"


@pytest.mark.parametrize("word", ["stop", "i dont want to talk anymore"])
async def test_stop_is_obeyed_inside_a_form(young_person: YoungPerson, core, word):
    await young_person.says("i want to report a concern")
    assert one_of(await young_person.says(word), core, "utter_stop")
    assert not one_of(await young_person.says("hello"), core, "utter_ask_concern_what")


async def test_the_second_time_it_does_not_understand_it_offers_a_person(young_person: YoungPerson):
    await young_person.says("who won the world cup")
    await young_person.says("whats 12 times 14")
    assert "Yes, a person" in young_person.offered()


async def test_a_yes_to_nothing_gets_choices_and_one_answer(young_person: YoungPerson, core):
    seen = await young_person.says("yes")
    assert len(seen) == 1 and one_of(seen, core, "utter_listen_again")


async def test_no_turn_is_answered_twice(young_person: YoungPerson, core):
    for line in ("hi", "yes", "i hate school", "no", "thanks", "no", "help me calm down", "yes", "yes"):
        seen = await young_person.says(line)
        assert seen and not one_of(seen, core, "utter_listen_again"), line
