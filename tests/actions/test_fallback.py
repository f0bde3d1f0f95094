"""What was not understood: honest, no loop, a person the second time, and never a worry lost."""

from __future__ import annotations

import pytest

from actions.doors import ActionGoThroughDoor
from actions.fallback import ActionFallback, ActionListenAgain
from actions.friend import ActionHelpMeTell
from actions.parent import ActionContactWish
from actions.small_talk import SMALL_QUESTIONS, ActionKeepListening, ActionSmallQuestion
from bot import handover
from bot.risk.taxonomy import Memory
from tests.actions.conftest import CONVERSATION, Child


def test_the_first_time_it_says_that_it_did_not_understand(child: Child):
    assert child.hears(ActionFallback(), "nlu_fallback").names == ["utter_fallback"]


def test_what_it_is_not_for_is_told_apart(child: Child):
    assert child.hears(ActionFallback(), "out_of_scope").names == ["utter_out_of_scope"]


def test_the_second_time_in_a_row_a_person_is_offered(child: Child):
    child.hears(ActionFallback(), "nlu_fallback")
    assert child.hears(ActionFallback(), "out_of_scope").names == ["utter_fallback_again"]


def test_a_talk_in_between_starts_the_count_again(child: Child):
    child.hears(ActionFallback(), "out_of_scope")
    child.hears(ActionListenAgain(), "affirm")
    assert child.hears(ActionFallback(), "out_of_scope").names == ["utter_out_of_scope"]


def test_an_unclear_answer_to_an_open_question_is_kept_and_a_person_offered(child: Child):
    child.hears(ActionKeepListening(), "keep_talking")
    said = child.hears(ActionFallback(), "nlu_fallback", "just my nan and the cat")
    assert said.names == ["utter_heard_not_understood", "utter_offer_adult"]
    assert said.slots["asked"] == "offer_adult"


def test_an_unclear_answer_to_a_response_that_asks_is_kept_too(child: Child):
    child.says_by_rule("utter_name_no_adult")
    said = child.hears(ActionFallback(), "nlu_fallback", "just my nan")
    assert said.names[0] == "utter_heard_not_understood"


def test_an_unclear_message_with_any_risk_is_heard_as_a_worry(child: Child):
    risk = {"level": "concern", "categories": ["neglect"], "about": "self", "evidence": []}
    said = child.hears(ActionFallback(), "nlu_fallback", risk=risk)
    assert said.names[0] == "utter_hear_neglect"


def test_small_questions_are_asked_one_at_a_time_and_in_turn(child: Child):
    names = [child.hears(ActionSmallQuestion(), "affirm").names for _ in range(4)]
    assert names == [[name] for name in (*SMALL_QUESTIONS, SMALL_QUESTIONS[0])]


def test_help_with_what_to_say_fits_who_would_say_it(child: Child):
    told = {}
    for door in ("self", "friend", "own_child"):
        child.slots["about"] = door
        told[door] = child.hears(ActionHelpMeTell(), "help_me_tell").names[0]
    assert told == {
        "self": "utter_help_me_tell",
        "friend": "utter_help_me_tell_friend",
        "own_child": "utter_help_me_tell_adult",
    }


def test_while_somebody_is_on_the_way_what_is_unclear_is_kept_for_them(child: Child):
    with child.core.uow() as uow:
        handover.open_handover(uow, CONVERSATION, kind="message", now=child.core.now())
        uow.commit()
    said = child.hears(ActionFallback(), "nlu_fallback", "theyre about 4 and 6")
    assert said.names == ["utter_safety_added"]


def test_whoever_came_through_a_door_does_not_change_it_by_a_guess(child: Child):
    child.hears(ActionGoThroughDoor(), "door_me")
    said = child.hears(ActionGoThroughDoor(), "door_parent", "my stepdad", confidence=0.5)
    assert said.names == ["utter_listening"]
    assert child.slots["about"] == "self"
    child.hears(ActionGoThroughDoor(), "door_parent", "sorry i am a parent", confidence=0.9)
    assert child.slots["about"] == "own_child"


def test_things_they_can_see_are_no_worry_and_nothing_unclear(child: Child):
    child.says_by_rule("utter_calm_senses")
    assert child.hears(ActionFallback(), "nlu_fallback", "lamp door cat mug sky").names == ["utter_calm_done"]


def test_a_name_given_for_the_plan_is_no_choice_of_an_adult(child: Child):
    child.says_by_rule("utter_ask_plan_who")
    said = child.hears(ActionFallback(), "nlu_fallback", "Mr Reilly")
    assert said.names[-1] == "utter_ask_plan_where"


def test_what_was_told_in_own_words_is_asked_on_about_before_an_offer(child: Child):
    child.slots.update(topic="bullying", asked="worry")
    first = child.hears(ActionFallback(), "nlu_fallback", "at the back of the bus and that")
    second = child.hears(ActionFallback(), "nlu_fallback", "all of them lot")
    assert first.names == ["utter_heard_not_understood", "utter_wonder_bullying"]
    assert second.names == ["utter_heard_not_understood", "utter_offer_adult"]


def test_a_yes_to_nothing_twice_is_not_met_with_the_same_buttons(child: Child):
    child.hears(ActionListenAgain(), "affirm")
    assert child.hears(ActionListenAgain(), "affirm").names == ["utter_listening"]


def test_a_thought_that_comes_in_pieces_is_listened_to_and_not_for_ever(child: Child):
    heard = [
        child.hears(ActionFallback(), "piece", words) for words in ("my step dad", "at lunch", "when he")
    ]
    assert [said.names[0] for said in heard] == [
        "utter_listening",
        "utter_go_on",
        "utter_heard_not_understood",
    ]
    assert heard[2].slots["asked"] == "offer_adult"


@pytest.mark.parametrize("words", ["lol", "Hahaha", "lmaoo 😂", "😂😂", "ha ha"])
def test_a_laugh_is_not_met_with_not_understood(child: Child, words):
    child.hears(ActionFallback(), "out_of_scope", "whoever wrote this maths paper")
    assert child.hears(ActionFallback(), "out_of_scope", words).names == ["utter_laugh"]


@pytest.mark.parametrize("words", ["lol idk", "he he hit me", "", "hahahaha no", "😂 help"])
def test_what_is_more_than_a_laugh_is_not_laughed_off(child: Child, words):
    assert child.hears(ActionFallback(), "nlu_fallback", words).names != ["utter_laugh"]


def test_a_piece_after_not_being_understood_is_offered_a_person(child: Child):
    child.hears(ActionFallback(), "nlu_fallback", "flibber the wug")
    assert child.hears(ActionFallback(), "piece", "gronk zib").names == ["utter_fallback_again"]


@pytest.mark.parametrize(
    ("about", "just_said", "answer"),
    [
        ("self", "", "utter_fallback"),
        (None, "my step dad", "utter_fallback"),
        (None, "", "utter_contact_wish_adult"),
        ("own_child", "my son", "utter_contact_wish_adult"),
    ],
)
def test_only_an_adult_is_asked_who_should_ring_them(child: Child, about, just_said, answer):
    child.slots["about"] = about
    said = child.hears(ActionContactWish(), "contact_wish", "at lunch", memory=Memory(just_said=just_said))
    assert said.names == [answer]
