"""What was not understood: honest, no loop, a person the second time, and never a worry lost."""

from __future__ import annotations

from actions.fallback import ActionFallback, ActionListenAgain
from actions.friend import ActionHelpMeTell
from actions.small_talk import SMALL_QUESTIONS, ActionKeepListening, ActionSmallQuestion
from tests.actions.conftest import Child


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
    child.events += [{"event": "user"}, {"event": "action", "name": "utter_name_no_adult"}]
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
