"""The small rounds: one question at a time, each skippable, nothing asked twice, their words kept."""

from __future__ import annotations

import pytest

from actions._rounds import SIGN, SIGNS
from actions.doors import ActionGoThroughDoor
from actions.fallback import ActionFallback
from actions.neglect import ActionBeginRound, ActionGoOn, ActionMakePlan, signs_in
from actions.small_talk import ActionImOk, ActionSkip
from actions.worry import ActionHearWorry
from bot.handover import open_handover
from bot.risk.families import load
from bot.risk.taxonomy import Memory
from bot.settings import ROOT
from tests.actions.conftest import CONVERSATION, Child, Said

TELLS = {"level": "concern", "categories": ["neglect"], "about": "self", "evidence": []}


def begin(child: Child, **more) -> Said:
    return child.hears(ActionBeginRound(), "affirm", **more)


def says(child: Child, text: str, **more) -> Said:
    """What is said to a message that no intent fits, as most answers are."""
    return child.hears(ActionFallback(), "nlu_fallback", text, **more)


def test_the_signs_are_those_of_the_reviewed_file():
    assert {sign.name for sign in load(ROOT / "data").signs} == set(SIGNS)


def test_a_child_who_tells_of_neglect_is_offered_the_round_once(child: Child):
    first = child.hears(ActionHearWorry(), "worry", "there is no food", risk=TELLS)
    assert first.names[-1] == "utter_offer_round"
    assert first.slots["asked"] == "offer_round"
    again = [child.hears(ActionHearWorry(), "worry", "still none", risk=TELLS) for _ in range(3)]
    assert not [said for said in again if "utter_offer_round" in said.names]


@pytest.mark.parametrize("door", ["friend", "own_child", "other_child"])
def test_the_round_is_for_children_themselves(child: Child, door):
    child.slots["about"] = door
    said = child.hears(ActionHearWorry(), "worry", "no food there", risk={**TELLS, "about": door})
    assert "utter_offer_round" not in said.names


def test_every_sign_is_asked_about_once_and_one_at_a_time(child: Child):
    said, asked = begin(child), []
    while any(name.startswith(SIGN) for name in said.names):
        asked += [name.removeprefix(SIGN) for name in said.names if name.startswith(SIGN)]
        assert len(said.names) <= 2
        said = says(child, f"answer {len(asked)}")
    assert asked == list(SIGNS)
    assert said.names == ["utter_round_over", "utter_offer_adult_after_round"]
    assert said.slots["asked"] == "offer_adult"


def test_what_was_told_before_is_not_asked(child: Child):
    memory = Memory(signs=frozenset({"food", "home"}))
    assert begin(child, memory=memory).names == [f"{SIGN}clothes_and_washing"]


def test_the_words_are_kept_by_sign_as_they_were_typed(child: Child):
    begin(child)
    said = says(child, "Crisps mostly: salt n vinegar")
    assert signs_in(said.slots["told"]) == {"sign_food": "Crisps mostly: salt n vinegar"}


def test_a_worry_as_an_answer_is_kept_and_the_round_goes_on(child: Child):
    begin(child)
    said = child.hears(ActionHearWorry(), "worry", "nothing most days", risk=TELLS)
    assert said.names == ["utter_round_taken_in", f"{SIGN}home"]
    assert signs_in(said.slots["told"])["sign_food"] == "nothing most days"


def test_a_message_that_may_tell_of_harm_is_asked_about_instead(child: Child):
    begin(child)
    said = child.hears(ActionHearWorry(), "worry", "he gets cross", risk={**TELLS, "unsure": True})
    assert said.names[-1] == "utter_ask_harm"


def test_each_question_can_be_skipped(child: Child):
    begin(child)
    said = child.hears(ActionSkip(), "skip", "skip this one")
    assert said.names == ["utter_round_skipped", f"{SIGN}home"]
    assert signs_in(said.slots["told"]) == {}


def test_that_all_is_well_is_an_answer_too(child: Child):
    begin(child)
    said = child.hears(ActionImOk(), "im_ok")
    assert said.names == ["utter_round_fine", f"{SIGN}home"]
    assert signs_in(said.slots["told"]) == {"sign_food": "ok"}


def test_the_button_that_stops_the_questions_is_obeyed(child: Child):
    begin(child)
    said = child.hears(ActionGoOn(), "deny")
    assert said.names == ["utter_round_over", "utter_offer_adult_after_round"]


def test_a_typed_no_is_an_answer_and_not_the_end(child: Child):
    begin(child)
    said = child.hears(ActionGoOn(), "deny", "no not really")
    assert said.names[-1] == f"{SIGN}home"


def test_something_else_in_between_pauses_the_round(child: Child):
    begin(child)
    child.says_by_rule("utter_is_this_private")
    said = says(child, "the moon is nice")
    assert said.names == ["utter_fallback"]


def test_while_somebody_is_coming_the_words_go_to_them(child: Child):
    with child.core.uow() as uow:
        opened = open_handover(uow, CONVERSATION, kind="message", now=child.core.now())
        uow.commit()
    begin(child)
    says(child, "only toast")
    said = child.hears(ActionGoOn(), "deny")
    assert said.names == ["utter_round_added"]
    with child.core.store.read() as uow:
        assert uow.handover(opened.handover_id).details["sign_food"] == "only toast"


def test_a_plan_for_tonight_is_three_small_steps_in_their_words(child: Child):
    assert child.hears(ActionMakePlan(), "tonight").names == ["utter_plan_begin", "utter_ask_plan_where"]
    assert says(child, "my nans").names[-1] == "utter_ask_plan_who"
    assert child.hears(ActionSkip(), "skip", "skip").names[-1] == "utter_ask_plan_thing"
    said = says(child, "my cat")
    assert said.names == ["utter_plan_made", "utter_plan_end"]
    assert said.values("utter_plan_made")["plan"] == "my nans\nmy cat"


def test_a_plan_with_nothing_in_it_is_not_shown(child: Child):
    child.hears(ActionMakePlan(), "tonight")
    for _ in range(2):
        child.hears(ActionSkip(), "skip", "skip")
    assert child.hears(ActionSkip(), "skip", "skip").names == ["utter_plan_end"]


def test_a_second_plan_begins_anew(child: Child):
    child.hears(ActionMakePlan(), "tonight")
    says(child, "my nans")
    assert child.hears(ActionMakePlan(), "tonight").slots["told"] == []


def test_what_sounds_like_something_else_is_an_answer_too(child: Child):
    child.hears(ActionMakePlan(), "tonight")
    said = child.hears(ActionFallback(), "out_of_scope", "my cat and a hot drink")
    assert said.slots["told"] == ["utter_ask_plan_where: my cat and a hot drink"]


def test_an_answer_that_sounds_like_a_door_is_the_answer(child: Child):
    begin(child)
    said = child.hears(ActionGoThroughDoor(), "door_parent", "my nans house", confidence=0.9)
    assert not [name for name in said.names if name.startswith("utter_door")]
    assert "about" not in said.slots
    assert any("my nans house" in entry for entry in said.slots["told"])


def test_a_door_that_is_pressed_is_gone_through(child: Child):
    begin(child)
    said = child.hears(ActionGoThroughDoor(), "door_parent")
    assert said.slots["about"] == "own_child"


def test_a_skip_after_the_question_about_harm_goes_on_with_the_round(child: Child):
    child.hears(ActionBeginRound(), "affirm")
    unsure = {"level": "none", "categories": [], "about": "self", "evidence": [], "unsure": True}
    assert "utter_ask_harm" in child.hears(ActionGoOn(), "worry", "he gets a bit much", risk=unsure).names
    said = child.hears(ActionSkip(), "skip", "skip")
    assert said.names[0] == "utter_round_skipped" and said.names[1].startswith(SIGN)
