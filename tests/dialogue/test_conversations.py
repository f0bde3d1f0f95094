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


async def test_a_question_about_being_found_out_is_answered_and_not_added_to_the_words(young_person, core):
    await young_person.presses("A friend")
    await young_person.says("my mate keeps cutting her arms")
    words_before = young_person.handover().details
    for question in ("will she know it was me", "will he know i told you", "will they find out who said it"):
        assert one_of(await young_person.says(question), core, "utter_will_they_know"), question
    assert young_person.handover().details == words_before


async def test_a_neighbour_who_tells_of_danger_is_asked_for_danger_now_and_the_place(young_person, core):
    await young_person.presses("I'm worried about a child")
    seen = await young_person.says("the man next door hits his little girl with a belt")
    assert one_of(seen, core, "utter_safety_high_child") and one_of(seen, core, "utter_ask_concern_danger")
    assert one_of(await young_person.presses("No"), core, "utter_concern_where_now")
    seen = await young_person.says("12 Mill Lane, gu1 1aa")
    assert one_of(seen, core, "utter_concern_added") and any("Surrey" in text for text in seen)
    case = young_person.handover()
    assert (case.kind, case.level, case.details["postcode"]) == ("disclosure", "high", "GU1 1AA")
    tracker = await young_person.trackers.retrieve(young_person.chat)
    assert tracker.active_loop_name is None


async def test_danger_now_is_999_once_and_then_the_place(young_person, core):
    seen = await young_person.says("my neighbour beats his kids i can hear them screaming right now")
    assert seen[0].startswith("Call 999") and one_of(seen, core, "utter_concern_where_now")
    seen = await young_person.presses("I don't know")
    assert one_of(seen, core, "utter_concern_added")


async def test_a_child_who_tells_of_a_brother_is_not_asked_for_an_address(young_person, core):
    seen = await young_person.says("my stepdad hits my little brother")
    assert young_person.handover() is not None
    assert not one_of(seen, core, "utter_concern_where_now")
    assert not one_of(seen, core, "utter_ask_concern_danger")


async def test_the_next_question_about_suicide_comes_with_the_answer_and_not_a_turn_later(young_person, core):
    with core.uow() as uow:
        for person in uow.rota().everyone_on_duty(core.now()):
            uow.staff_member(person.id).off_duty = True
        uow.commit()
    await young_person.says("i want to kill myself")
    seen = await young_person.says("i really want to die")
    assert one_of(seen, core, "utter_ask_suicide_wish")
    seen = await young_person.presses("Yes")
    assert one_of(seen, core, "utter_ask_suicide_plan")
    assert (await young_person.presses("Yes"))[0].startswith("Call 999")


@pytest.mark.parametrize("words", ["😭😭", "😢"])
async def test_a_crying_face_is_heard_as_sad(young_person, core, words):
    assert one_of(await young_person.says(words), core, "utter_face_sad")


@pytest.mark.parametrize("words", ["nie mowie po angielsku", "je ne parle pas anglais", "أحتاج مساعدة"])
async def test_another_language_is_met_with_a_person(young_person, core, words):
    assert one_of(await young_person.says(words), core, "utter_other_language")
    assert "Yes, a person" in young_person.offered()


async def test_a_parent_who_says_what_they_need_is_offered_to_look_for_it(young_person, core):
    seen = await young_person.says("my son is 8 and wont behave")
    assert one_of(seen, core, "utter_door_parent_told")
    seen = await young_person.says("yes please")
    assert one_of(seen, core, "utter_ask_find_age") or one_of(seen, core, "utter_ask_find_area")


async def test_harm_typed_among_the_words_of_the_return_code_reaches_a_person(young_person, core):
    with core.store.read() as uow:
        code = uow.conversation(young_person.chat).code.split("-")
    seen = await young_person.says(f"{code[0]} {code[1]} my stepdad hits me {code[2]}")
    assert one_of(seen, core, "utter_safety_high_self")
    assert young_person.handover().level == "high"


async def test_a_button_of_an_old_question_does_not_answer_the_new_one(young_person, core):
    await young_person.says("theres not much food in our house")
    old = young_person.choice("Not now")
    await young_person.presses("Yes, ask me")
    seen = await young_person.presses_again(old)
    assert one_of(seen, core, "utter_late_choice") and len(seen) == 2
    assert "Skip this one" in young_person.offered()
    assert one_of(await young_person.presses("Skip this one"), core, "utter_round_skipped")
