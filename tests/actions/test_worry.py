"""Hearing a worry: the words fit the topic and the person, one question at a time, no nagging."""

from __future__ import annotations

import pytest

from actions._topics import ANY_WORRY, GRAVE, TOPIC_OF_CATEGORY, TOPICS, WORTH_KNOWING
from actions.worry import ActionHearWorry
from bot.bootstrap import Core
from bot.handover import open_handover
from bot.risk.taxonomy import Category, Memory
from tests.actions.conftest import CONVERSATION, Child, Said


def asked_in(core: Core, names: list[str]) -> int:
    """The most question marks that these responses can hold together, whichever variant is said."""
    return sum(max(v.text.count("?") for v in core.content.variations(name)) for name in names)


#: For every topic a category that the detector names for it.
CATEGORY_OF = {topic: category for category, topic in TOPIC_OF_CATEGORY.items()}


def tell(child: Child, topic: str, text: str = "", **more) -> Said:
    """What the bot answers to a worry of this topic."""
    if topic == "parent_drinks_drugs":
        topic, text = "own_drugs_alcohol", text or "my mum is always drunk"
    categories = [CATEGORY_OF[topic]] if topic != ANY_WORRY else []
    heard = {"level": "concern", "categories": categories, "about": "self", **more.pop("risk", {})}
    return child.hears(ActionHearWorry(), "worry", text, risk=heard, **more)


@pytest.mark.parametrize("topic", sorted(TOPICS))
@pytest.mark.parametrize("door", ["self", "friend", "own_child", "other_child"])
def test_every_topic_has_words_for_everyone_and_at_most_one_question(child: Child, topic, door):
    child.slots["about"] = door
    for _ in range(4):
        said = tell(child, topic)
        assert all(name in child.core.content for name in said.names)
        assert asked_in(child.core, said.names) <= 1


def test_every_category_of_risk_has_words():
    assert set(TOPIC_OF_CATEGORY) == {category.value for category in Category}


def test_the_first_worry_gets_a_question_and_the_second_an_offer(child: Child):
    first = tell(child, "bullying")
    second = tell(child, "bullying")
    third = tell(child, "bullying")
    assert first.names == ["utter_hear_bullying", "utter_wonder_bullying"]
    assert second.names == ["utter_hear_more", "utter_offer_adult"]
    assert second.slots["asked"] == "offer_adult"
    assert "utter_offer_adult" not in third.names


def test_another_topic_is_met_with_its_own_words(child: Child):
    tell(child, "bullying")
    said = tell(child, "bereavement")
    assert said.names[0] == "utter_hear_bereavement"


def test_a_parent_is_offered_help_and_a_neighbour_a_report(child: Child):
    offers = {}
    for door in ("own_child", "other_child"):
        child.slots.update(about=door, worries=1)
        offers[door] = tell(child, "school").names[-1]
    assert offers == {"own_child": "utter_offer_help_adult", "other_child": "utter_offer_report"}


def test_what_is_said_outright_counts_more_than_the_door(child: Child):
    child.slots["about"] = "self"
    evidence = [{"layer": "phrase", "family": "x", "words": "my friend", "start": 0, "end": 9}]
    risk = {"level": "concern", "categories": ["neglect"], "about": "friend", "evidence": evidence}
    said = tell(child, "neglect", risk=risk)
    assert said.names[0] == "utter_hear_neglect_friend"
    assert said.slots["about"] == "friend"


def test_a_parent_who_says_i_still_speaks_about_the_child(child: Child):
    child.slots["about"] = "own_child"
    risk = {"level": "concern", "categories": ["neglect"], "about": "self", "evidence": [{"words": "i"}]}
    assert tell(child, "neglect", risk=risk).slots["about"] == "own_child"


def test_thoughts_of_suicide_are_asked_about_plainly(child: Child):
    said = tell(child, "suicide")
    assert said.names[-1] == "utter_ask_suicide_thoughts"
    assert said.slots["asked"] == "suicide_thoughts"


@pytest.mark.parametrize("topic", sorted(GRAVE))
def test_a_grave_topic_asks_whether_they_are_safe(child: Child, topic):
    said = tell(child, topic)
    assert said.names[-1] == "utter_safety_stay"
    assert said.slots["asked"] == "safe_now"


def test_while_a_person_is_coming_nothing_more_is_offered(child: Child):
    with child.core.uow() as uow:
        opened = open_handover(uow, CONVERSATION, now=child.core.now())
        uow.commit()
    said = tell(child, "low_mood")
    assert said.names == ["utter_hear_low_mood", "utter_will_be_read"]
    assert said.values("utter_will_be_read")["who"] == opened.who


def test_with_an_adult_chosen_the_words_are_shown_after_the_worry(child: Child):
    child.slots["safe_adult"] = "tom-reilly"
    child.types("they push me on the stairs")
    said = tell(child, "bullying", "they push me on the stairs")
    assert said.names[-1] == "utter_ask_consent"
    assert said.slots["asked"] == "consent"


MAYBE_HARM = {"unsure": True}


def test_a_message_that_may_tell_of_harm_is_asked_about_plainly(child: Child):
    said = tell(child, "parents_fighting", risk=MAYBE_HARM)
    assert said.names[-1] == "utter_ask_harm"
    assert said.slots["asked"] == "harm"


def test_the_same_plain_question_is_asked_once(child: Child):
    tell(child, "parents_fighting", risk=MAYBE_HARM)
    said = tell(child, "bullying", risk=MAYBE_HARM)
    assert "utter_ask_harm" not in said.names


def test_under_a_dark_mood_suicide_is_asked_about(child: Child):
    said = tell(child, "low_mood", risk={**MAYBE_HARM, "categories": ["mental_health"]})
    assert said.names[-1] == "utter_ask_suicide_thoughts"


def test_about_a_friend_the_plain_question_is_about_the_friend(child: Child):
    child.slots["about"] = "friend"
    said = tell(
        child,
        "low_mood",
        risk={**MAYBE_HARM, "about": "friend", "evidence": [{"words": "x"}]},
    )
    assert said.names[-1] == "utter_ask_harm_other"


def test_worries_that_add_up_are_offered_a_person_at_once_and_more_firmly(child: Child):
    risen = Memory(signs=frozenset({"food", "home", "safety"}))
    said = tell(child, "neglect", memory=risen)
    assert said.names[-1] == "utter_offer_adult_rising"


def test_a_feeling_is_said_back_once(child: Child):
    first = tell(child, "bullying", "i feel so lonely")
    second = tell(child, "bullying", "i feel so lonely")
    assert first.values("utter_reflect_feeling")["feeling"] == "lonely"
    assert "utter_reflect_feeling" not in second.names


def test_coming_back_to_an_earlier_topic_is_noticed(child: Child):
    tell(child, "bullying")
    tell(child, "bereavement")
    said = tell(child, "bullying")
    assert said.values("utter_back_to")["thing"] == child.core.content.say("utter_label_bullying")


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_topic_has_a_name_to_return_to(child: Child, topic):
    assert child.core.content.say(f"utter_label_{topic}")


@pytest.mark.parametrize("topic", sorted(WORTH_KNOWING))
def test_what_is_worth_knowing_is_said_once(child: Child, topic):
    names = [name for _ in range(5) for name in tell(child, topic).names]
    assert names.count(f"utter_know_{topic}") == 1


def test_a_worry_without_a_category_is_about_what_they_were_telling(child: Child):
    tell(child, "bereavement")
    said = tell(child, ANY_WORRY)
    assert said.slots["topic"] == "bereavement"


def test_a_young_child_is_shown_faces_once(child: Child):
    first = tell(child, "school", "im 8 and i hate school")
    assert first.names[-1] == "utter_ask_face"
    assert "utter_ask_face" not in tell(child, "school", "im 8").names


@pytest.mark.parametrize("topic", sorted(GRAVE - {"harm_others"}))
def test_in_a_grave_matter_nothing_is_asked_about_what_happened(child: Child, topic):
    asked = [name for _ in range(6) for name in tell(child, topic).names if "wonder" in name]
    assert set(asked) <= {"utter_wonder_grave"}


def test_what_the_adult_may_ask_is_told_once_while_waiting(child: Child):
    with child.core.uow() as uow:
        open_handover(uow, CONVERSATION, now=child.core.now())
        uow.commit()
    names = [name for _ in range(5) for name in tell(child, "school").names]
    assert names.count("utter_adult_may_ask") == 1
