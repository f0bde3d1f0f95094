"""Being listened to: conversations through the gateway, the trained model and the real actions."""

from __future__ import annotations

import re

import pytest

from actions._rounds import SIGN
from tests.dialogue.conftest import YoungPerson


def matches(text: str, words: str) -> bool:
    """Whether a text is these words, whatever their variables."""
    pattern = re.sub(r"\\\{\w+\\\}", "(?s:.+)", re.escape(words))
    return re.fullmatch(pattern, text) is not None


def said(seen: list[str], core, *names: str) -> bool:
    """Whether each of these responses was said, in any of its variations."""
    return all(any(matches(text, v.text) for text in seen for v in core.content.variations(n)) for n in names)


def questions(seen: list[str]) -> int:
    """How many question marks were said."""
    return sum(text.count("?") for text in seen)


#: A worry that is no disclosure, and how it goes on: of every kind that a child may bring.
WORRIES = {
    "feeling low": ["i feel really low these days", "i just stay in bed"],
    "food": ["i keep skipping lunch cos i hate how i look", "i think about it all the time"],
    "a death": ["my grandad died last week", "i miss him so much"],
    "who they are": ["i think im gay and i dont know who to tell", "my family wouldnt get it"],
    "being put down": ["my mum says im stupid all the time", "she says it in front of my friends"],
    "parents who row": ["my mum and dad are always arguing", "they shout in the kitchen"],
    "a parent who drinks": ["my mum drinks too much wine", "she falls asleep on the sofa"],
    "caring for someone": ["i have to look after my mum because shes ill", "i do all the cooking"],
    "money": ["we cant pay the rent and mum is worried", "we might have to move"],
    "bullying": ["they call me names at school", "nobody sits with me at lunch"],
    "a falling out": ["my best friend isnt talking to me anymore", "she sits with other people now"],
    "vaping": ["i cant stop vaping", "i do it before school"],
    "school": ["im so stressed about my exams", "i cant sleep before a test"],
    "nothing it has a word for": ["something is bothering me", "its hard to explain"],
}


@pytest.mark.parametrize("lines", WORRIES.values(), ids=WORRIES)
async def test_a_worry_is_heard_over_several_turns_one_question_at_a_time(young_person: YoungPerson, lines):
    before: list[str] = []
    for line in lines:
        seen = await young_person.says(line)
        assert seen and questions(seen) <= 1
        assert not set(seen) & set(before), "the same words twice"
        before += seen


async def test_a_child_who_says_no_gets_five_things_to_choose_from(young_person: YoungPerson, core):
    await young_person.says("they call me names at school")
    await young_person.says("no")
    offered = young_person.offered()
    for title in (
        *("Talk to a person now", "Choose a safe adult", "Help with what to say"),
        *("Something for tonight", "A number to ring"),
    ):
        assert title in offered


async def test_a_feeling_is_said_back_in_the_childs_own_word(young_person: YoungPerson):
    seen = await young_person.says("i feel so lonely at school")
    assert any("lonely" in text for text in seen)


async def test_whoever_comes_back_to_an_earlier_worry_is_told_that_it_was_kept(young_person, core):
    await young_person.says("im being bullied at school")
    await young_person.says("my nan died last week")
    seen = await young_person.says("im still getting bullied")
    assert said(seen, core, "utter_back_to")


async def test_a_correction_is_taken_in_and_said_back(young_person: YoungPerson, core):
    await young_person.says("my dad is always in a mood with me")
    seen = await young_person.says("no i meant my brother")
    assert said(seen, core, "utter_correction_who") and "brother" in seen[0]


async def test_not_knowing_is_fine_and_small_questions_come_with_faces(young_person: YoungPerson, core):
    await young_person.says("i dont know how to say it")
    assert said(await young_person.presses("Yes, ask me"), core, "utter_ask_face")
    seen = await young_person.presses("😢 Sad")
    assert said(seen, core, "utter_face_sad") and questions(seen) == 1


async def test_the_faces_can_be_skipped(young_person: YoungPerson, core):
    await young_person.says("i dont know how to say it")
    await young_person.presses("Yes, ask me")
    assert said(await young_person.presses("Skip this"), core, "utter_no_need")


async def test_swearing_is_met_with_calm_and_the_talk_goes_on(young_person: YoungPerson, core):
    assert said(await young_person.says("you are useless"), core, "utter_swearing")
    assert said(await young_person.says("no"), core, "utter_listening")


async def test_whoever_tests_it_is_told_that_it_works(young_person: YoungPerson, core):
    assert said(await young_person.says("testing testing"), core, "utter_testing")
    assert young_person.handover() is None


async def test_whoever_asks_is_told_who_it_is_for(young_person: YoungPerson, core):
    assert said(await young_person.says("who is this for"), core, "utter_who_for")
    assert "A friend" in young_person.offered()


async def test_a_promise_not_to_tell_is_taken_seriously(young_person: YoungPerson, core):
    await young_person.presses("A friend")
    seen = await young_person.says("i promised not to tell")
    assert said(seen, core, "utter_promised_not_to_tell")
    assert "What can I do for them?" in young_person.offered()


async def test_a_friend_is_shown_what_they_can_do_and_makes_a_plan(young_person: YoungPerson, core):
    await young_person.presses("A friend")
    assert said(await young_person.says("how can i help my friend"), core, "utter_friend_options")
    assert said(await young_person.presses("Something for tonight"), core, "utter_ask_plan_where")


async def test_a_plan_for_tonight_is_made_of_their_own_words(young_person: YoungPerson, core):
    await young_person.says("how do i get through tonight")
    await young_person.says("at my nans")
    await young_person.says("skip")
    seen = await young_person.says("my cat and a hot drink")
    assert said(seen, core, "utter_plan_end")
    assert any("at my nans\nmy cat and a hot drink" in text for text in seen)
    assert young_person.handover() is None


async def test_breathing_is_followed_by_five_things_and_a_plan(young_person: YoungPerson, core):
    assert said(await young_person.says("help me calm down"), core, "utter_calm_breathing")
    assert said(await young_person.presses("Yes, one more"), core, "utter_calm_senses")
    assert said(await young_person.presses("Yes, help for tonight"), core, "utter_ask_plan_where")


async def test_a_number_is_given_when_it_is_asked_for(young_person: YoungPerson, core):
    assert said(await young_person.says("can i have the childline number"), core, "utter_numbers")
    assert "Talk to a person" in young_person.offered()


@pytest.mark.parametrize("words", ["someone can see my phone", "my mum just came in"])
async def test_when_somebody_can_see_the_screen_it_goes_quiet_at_once(young_person, core, words):
    await young_person.says("they call me names at school")
    seen = await young_person.says(words)
    assert said(seen, core, "utter_go_quiet") and len(seen) == 1
    assert not young_person.offered() and questions(seen) == 0


async def asks_about_home(young_person: YoungPerson) -> list[str]:
    """Tells of neglect and says yes to small questions; returns the first."""
    await young_person.presses("Me")
    await young_person.says("theres not much food in our house")
    return await young_person.presses("Yes, ask me")


def is_a_sign_question(seen: list[str], core) -> bool:
    return any(said(seen, core, name) for name in core.content.names() if name.startswith(SIGN))


async def test_a_child_who_tells_of_neglect_is_asked_small_things_and_not_what_they_told(young_person, core):
    seen = await asks_about_home(young_person)
    assert is_a_sign_question(seen, core) and not said(seen, core, f"{SIGN}food")
    seen = await young_person.presses("Skip this one")
    assert said(seen, core, "utter_round_skipped") and questions(seen) <= 1


async def test_small_questions_are_not_pressed_on_anyone(young_person: YoungPerson, core):
    await young_person.says("theres not much food in our house")
    assert said(await young_person.presses("Not now"), core, "utter_no_need")


async def test_small_questions_stop_at_a_button_and_an_adult_is_offered(young_person: YoungPerson, core):
    await asks_about_home(young_person)
    seen = await young_person.presses("That's enough")
    assert said(seen, core, "utter_round_over", "utter_offer_adult_after_round")
    assert young_person.handover() is None


@pytest.mark.parametrize("word", ["stop", "i dont want to talk anymore"])
async def test_stop_is_obeyed_between_small_questions(young_person: YoungPerson, core, word):
    await asks_about_home(young_person)
    assert said(await young_person.says(word), core, "utter_stop")
    assert not is_a_sign_question(await young_person.says("hello"), core)


async def test_a_question_in_between_is_answered_and_the_small_questions_wait(young_person, core):
    await asks_about_home(young_person)
    assert said(await young_person.says("who can see this"), core, "utter_who_sees_this")


@pytest.mark.parametrize("words", ["my stepdad hits me", "ive taken loads of paracetamol"])
async def test_a_disclosure_between_small_questions_reaches_a_person(young_person, core, words):
    seen = await asks_about_home(young_person)
    seen = await young_person.says(words)
    assert young_person.handover() is not None
    assert not is_a_sign_question(seen, core)


async def test_after_a_disclosure_only_safety_words_are_said(young_person: YoungPerson, core):
    seen = await young_person.says("my stepdad hits me")
    assert said(seen, core, "utter_safety_high_self", "utter_safety_stay") and questions(seen) == 1
    assert said(await young_person.presses("Yes, I'm safe"), core, "utter_safe_now_yes")


async def test_while_a_person_is_coming_suicide_is_not_asked_about_further(young_person: YoungPerson, core):
    await young_person.says("i want to kill myself")
    seen = await young_person.presses("Yes, I'm safe")
    assert not said(seen, core, "utter_ask_suicide_wish")


async def test_when_nobody_is_coming_suicide_is_asked_about_in_order_until_999(young_person, core):
    with core.uow() as uow:
        for person in uow.rota().everyone_on_duty(core.now()):
            uow.staff_member(person.id).off_duty = True
        uow.commit()
    await young_person.says("i want to kill myself")
    seen = await young_person.presses("Yes, I'm safe")
    assert said(seen, core, "utter_ask_suicide_wish") and questions(seen) == 1
    await young_person.presses("No")
    assert "Talk to a person now" not in young_person.offered()
    assert young_person.handover().level == "high"


async def test_pictures_sent_round_are_helped_with_while_a_person_is_coming(young_person: YoungPerson, core):
    await young_person.says("he has nudes of me and says hell share them")
    await young_person.presses("Yes, I'm safe")
    seen = await young_person.says("im worried about people online seeing the picture")
    assert young_person.handover() is not None
    assert questions(seen) <= 1


@pytest.mark.parametrize("line", [".", "k", "?", "lol"])
async def test_a_word_or_a_dot_is_answered_and_never_with_silence(young_person: YoungPerson, line):
    assert len(await young_person.says(line)) == 1


async def test_it_never_loops_on_what_it_does_not_understand(young_person: YoungPerson, core):
    lines = ["flibber the wug", "gronk zib tarn", "blorp blorp vim"]
    answers = [text for line in lines for text in await young_person.says(line)]
    assert len(set(answers)) == len(answers)
    assert any("person" in title for title in young_person.offered())


async def test_a_thought_in_pieces_is_no_answer_to_anything(young_person: YoungPerson, core):
    """ "my step dad" asked who must not be told, and "at lunch" when to be rung."""
    seen = [
        text for line in ("so basically", "my step dad", "at lunch") for text in await young_person.says(line)
    ]
    calm = {
        v.text
        for name in ("utter_listening", "utter_go_on", "utter_heard_not_understood", "utter_fallback")
        for v in core.content.variations(name)
    }
    assert calm & set(seen)
    for name in ("utter_ask_who_not", "utter_contact_wish_adult", "utter_safe_now_yes"):
        assert not {v.text for v in core.content.variations(name)} & set(seen)
    assert young_person.handover() is None


async def test_a_time_after_an_alarm_goes_to_staff_and_begins_no_plan(young_person: YoungPerson, core):
    """ "tonight" was when she would take them; it was taken for a wish for a plan for tonight."""
    for line in ("my mate", "she said shes gonna", "take all her nans tablets"):
        await young_person.says(line)
    assert young_person.handover() is not None
    seen = await young_person.says("tonight")
    assert not {v.text for v in core.content.variations("utter_ask_plan_where")} & set(seen)
    assert said(seen, core, "utter_safety_added")
