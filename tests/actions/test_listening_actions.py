"""Small things that show that somebody listens: saying back, correcting, asking on, going quiet."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from actions._reflection import age, person_meant, reflection
from actions._topics import CARERS
from actions.fallback import ActionListenAgain
from actions.friend import ActionHelpFriend
from actions.numbers import ActionGiveNumber
from actions.safety import ActionGoQuiet, ActionNotSuicide, ActionSafeNow
from actions.small_talk import FACES, ActionCorrect, ActionKeepListening, ActionSkip
from bot.handover import open_handover
from bot.messages import Channel
from bot.risk.taxonomy import Category, Evidence, Finding, Level, Memory
from tests.actions.conftest import CONVERSATION, Child

NIGHT = datetime(2026, 11, 25, 2, 0, tzinfo=timezone.utc)
TOLD = Memory(level=Level.HIGH, categories=(Category.SUICIDE,))


@pytest.mark.parametrize(
    ("text", "said_back"),
    [
        ("i feel so scared at night", {"feeling": "scared"}),
        ("it makes me feel rlly alone", {"feeling": "alone"}),
        ("they do it every day", {"how": "every day"}),
        ("its been like this for ages", {"how": "for ages"}),
        ("hes done it since i was 5", {"how": "since you were 5"}),
    ],
)
def test_a_feeling_or_a_time_is_said_back_in_their_words(text, said_back):
    assert reflection(text)[1] == said_back


@pytest.mark.parametrize(
    "text", ["my mum is sad", "im not scared", "i dont feel sad", "you are useless", "they took my bag"]
)
def test_what_is_not_their_own_feeling_is_not_said_back(text):
    assert reflection(text) is None


@pytest.mark.parametrize(
    ("text", "years"),
    [("im 9", 9), ("i am in yr 4", 9), ("aged 12", 12), ("im 5 minutes away", None), ("he is 40", None)],
)
def test_an_age_is_read_only_when_it_is_told(text, years):
    assert age(text) == years


@pytest.mark.parametrize(
    ("text", "person"), [("no i meant my brother", "brother"), ("not my mum, my dad", None), ("no", None)]
)
def test_whom_a_correction_names(text, person):
    assert person_meant(text) == person


def test_a_correction_says_back_whom_they_mean(child: Child):
    said = child.hears(ActionCorrect(), "correction", "no i meant my brother")
    assert said.values("utter_correction_who")["person"] == "brother"
    assert child.hears(ActionCorrect(), "correction", "thats wrong").names == ["utter_correction"]


@pytest.mark.parametrize("face", sorted(FACES))
def test_every_face_has_an_answer(child: Child, face):
    said = child.hears(ActionKeepListening(), "keep_talking", entities={"feeling": face})
    assert said.names == [f"utter_face_{face}"]
    assert said.names[0] in child.core.content


def test_the_faces_offered_are_those_that_are_answered(child: Child):
    payloads = [choice["payload"] for choice in child.core.content.choices("utter_ask_face")]
    assert [p for p in payloads if p == "/skip"]
    assert {p.split('"')[3] for p in payloads if p != "/skip"} == FACES


def test_a_skipped_question_is_left(child: Child):
    assert child.hears(ActionSkip(), "skip").names == ["utter_no_need"]


def test_who_can_see_the_screen_reads_neutral_words(child: Child):
    said = child.hears(ActionGoQuiet(), "someone_watching", "my mum just came in")
    assert said.names == ["utter_go_quiet"]
    telling = CARERS | {"hurt", "safe", "worry", "person", "help", "999", "childline", "abuse", "?"}
    for variation in child.core.content.variations("utter_go_quiet"):
        assert not [word for word in telling if word in variation.text.lower().split()]
        assert not variation.buttons


def test_on_telegram_nobody_is_sent_to_a_button_that_only_the_web_page_has(child: Child):
    with child.core.uow() as uow:
        uow.conversation(CONVERSATION, lock=True).channel = Channel.TELEGRAM.value
        uow.commit()
    said = child.hears(ActionGoQuiet(), "someone_watching", "my mum just came in")
    assert said.names == ["utter_go_quiet_telegram"]
    for variation in child.core.content.variations("utter_go_quiet_telegram"):
        assert "Leave" not in variation.text and not variation.buttons


def test_numbers_are_few_and_fit_the_worry(child: Child):
    child.slots["topic"] = "running_away"
    said = child.hears(ActionGiveNumber(), "give_number")
    cards = [m["service"] for m in said.messages if m["response"] == "utter_number_card"]
    assert len(cards) == 2 and "Runaway" in cards[0]


def test_a_friend_gets_things_to_do_and_it_is_about_the_friend(child: Child):
    said = child.hears(ActionHelpFriend(), "what_can_i_do_for_friend")
    assert said.slots["about"] == "friend"


@pytest.fixture
def alone(child: Child, at):
    """A child at night, with the whole night team off duty."""
    with child.core.uow() as uow:
        for person in uow.rota().duty_line(NIGHT):
            uow.staff_member(person.id).off_duty = True
        uow.commit()
    with at(NIGHT):
        yield child


def tell_of_suicide(child: Child) -> None:
    evidence = Evidence("phrase", "thoughts", "not being here", 0, 14, Level.HIGH, (Category.SUICIDE,))
    finding = Finding(Level.HIGH, (Category.SUICIDE,), evidence=(evidence,))
    with child.core.uow() as uow:
        open_handover(uow, CONVERSATION, now=child.core.now(), finding=finding)
        uow.commit()


def test_while_nobody_is_coming_suicide_is_asked_about_in_order_one_at_a_time(alone: Child):
    tell_of_suicide(alone)
    said = alone.hears(ActionSafeNow(), "safe_now_yes", memory=TOLD)
    assert said.names == ["utter_ask_suicide_wish"]
    order = []
    for _ in range(3):
        said = alone.hears(ActionListenAgain(), "affirm", memory=TOLD)
        order += said.names
    assert order == ["utter_ask_suicide_plan", "utter_ask_suicide_means", "utter_ask_suicide_tonight"]
    assert "utter_ask" not in alone.hears(ActionListenAgain(), "affirm", memory=TOLD).names[0]


def test_once_a_person_is_coming_nothing_more_is_asked(child: Child):
    tell_of_suicide(child)
    said = child.hears(ActionSafeNow(), "safe_now_yes", memory=TOLD)
    assert said.names == ["utter_safe_now_yes"]


def test_no_wish_to_die_ends_the_questions(alone: Child):
    tell_of_suicide(alone)
    alone.hears(ActionSafeNow(), "safe_now_yes", memory=TOLD)
    assert alone.hears(ActionNotSuicide(), "deny", memory=TOLD).names == ["utter_suicide_stay"]
    assert alone.hears(ActionListenAgain(), "affirm", memory=TOLD).names == ["utter_listen_again"]


def test_no_plan_is_still_asked_about_means_and_tonight(alone: Child):
    tell_of_suicide(alone)
    alone.slots.update(asked="suicide_plan", plainly_asked=["suicide_wish", "suicide_plan"])
    assert alone.hears(ActionNotSuicide(), "deny", memory=TOLD).names == ["utter_ask_suicide_means"]


def test_after_999_was_said_nothing_more_is_asked(alone: Child):
    danger = Memory(level=Level.IMMEDIATE, categories=(Category.SUICIDE,))
    tell_of_suicide(alone)
    assert alone.hears(ActionSafeNow(), "safe_now_yes", memory=danger).names == ["utter_safe_now_yes"]
