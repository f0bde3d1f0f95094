"""In their own words: shown line by line, changed as they like, and nothing goes before a yes."""

from __future__ import annotations

import pytest

from actions.consent import ActionAddWords, ActionAskConsent, ActionChangeWords, ActionPassOn
from actions.fallback import ActionFallback
from actions.own_words import ActionAskTypedWords, ActionDoNotTell, ActionKeepWords
from actions.person import ActionChooseSafeAdult, ActionOpenPerson
from bot.handover import open_handover, status
from tests.actions.conftest import CONVERSATION, Child


def handover_of(child: Child):
    with child.core.store.read() as uow:
        return uow.last_handover_of(CONVERSATION)


def shown(said) -> str:
    """The lines that were shown."""
    return said.values("utter_consent_words_team")["words"]


@pytest.fixture
def telling(child: Child) -> Child:
    """Somebody who has told three things and asked to have them passed on."""
    for words in ("they pick on me at lunch", "mr hall saw it all", "i cried in the toilets"):
        child.types(words)
    child.hears(ActionAskConsent(), "pass_on_words")
    return child


def test_without_any_words_nothing_is_asked_for(child: Child):
    said = child.hears(ActionAskConsent(), "pass_on_words")
    assert said.names == ["utter_consent_nothing_yet"]
    assert said.slots["asked"] == "worry"


def test_after_a_yes_the_words_that_were_shown_go_to_the_adult_who_was_chosen(child: Child):
    child.types("they leave me out of it")
    child.hears(ActionChooseSafeAdult(), "choose_safe_adult", entities={"safe_adult": "tom-reilly"})
    child.types("yes send it")
    said = child.hears(ActionPassOn(), "affirm", "yes send it")
    assert said.values("utter_passed_on")["who"] == "Mr Reilly"
    assert handover_of(child).details == {"words": "they leave me out of it"}
    with child.core.store.read() as uow:
        assert status(uow, CONVERSATION, child.core.now()).state == "waiting"


def test_only_what_was_told_is_shown_and_not_the_talk_around_it(child: Child):
    for text, intent in (("hi", "greet"), ("is this private", "is_this_private"), ("im lonely", "worry")):
        child.types(text)
        child.events.append({"event": "user", "text": text, "intent": {"name": intent}})
    child.types("pass it on pls")
    assert shown(child.hears(ActionAskConsent(), "pass_on_words", "pass it on pls")) == "1. im lonely"


def test_a_name_typed_in_answer_is_no_part_of_what_is_told(child: Child):
    for text, slot in (
        ("im lonely", None),
        ("oakfeild", "place"),
        ("they sit away from me at oakfield", "place"),
        ("idk", None),
    ):
        child.types(text)
        child.events.append({"event": "user", "text": text, "intent": {"name": "nlu_fallback"}})
        if slot:
            child.events.append({"event": "slot", "name": slot, "value": "oakfield"})
    child.types("begum")
    said = child.hears(ActionFallback(), "nlu_fallback", "begum")
    assert said.slots["safe_adult"] == "amina-begum"
    words = said.values("utter_consent_words")["words"]
    assert words == "1. im lonely\n2. they sit away from me at oakfield\n3. idk"


@pytest.mark.parametrize(
    ("typed", "lines"),
    [
        (
            "change 2 to nobody saw it",
            "1. they pick on me at lunch\n2. nobody saw it\n3. i cried in the toilets",
        ),
        ("leave out the last one", "1. they pick on me at lunch\n2. mr hall saw it all"),
    ],
)
def test_one_line_is_changed_or_left_out_and_the_rest_stays(telling: Child, typed, lines):
    telling.types(typed)
    said = telling.hears(ActionChangeWords(), "change_words", typed)
    assert shown(said) == lines
    assert said.slots["asked"] == "consent"


def test_it_asks_which_line_where_none_was_named(telling: Child):
    said = telling.hears(ActionChangeWords(), "change_words", "can i change it")
    assert [b["title"] for b in said.messages[0]["buttons"]] == ["Line 1", "Line 2", "Line 3"]
    assert said.slots["asked"] == "nothing"


def test_a_line_that_was_picked_is_asked_for_with_its_words(telling: Child):
    said = telling.hears(ActionChangeWords(), "change_words", entities={"line": "2"})
    assert said.slots["words_for"] == "line 2"
    said = telling.hears(ActionAskTypedWords(), "change_words")
    assert said.messages[0]["words"] == "mr hall saw it all"
    telling.slots["typed_words"] = "miss hall saw it"
    telling.types("miss hall saw it")
    said = telling.hears(ActionKeepWords(), "worry", "miss hall saw it")
    assert "2. miss hall saw it\n" in shown(said)
    assert said.slots["typed_words"] is None


def test_with_every_line_left_out_there_is_nothing_to_send(child: Child):
    child.types("they leave me out of it")
    child.hears(ActionAskConsent(), "pass_on_words")
    said = child.hears(ActionChangeWords(), "change_words", entities={"line": "leave out 1"})
    assert said.names == ["utter_no_words_left"]
    assert said.slots["asked"] == "nothing"


def test_what_is_added_is_the_last_line(telling: Child):
    typed = "can i add that it was on monday"
    telling.types(typed)
    assert shown(telling.hears(ActionAddWords(), "add_words", typed)).endswith("4. it was on monday")


def test_what_is_told_after_it_was_shown_comes_after_it(telling: Child):
    telling.types("and today they took my bag")
    assert shown(telling.hears(ActionAskConsent(), "pass_on_words")).endswith("4. and today they took my bag")


def test_words_that_were_not_shown_are_never_sent(telling: Child):
    telling.types("dont send this bit about my mum")
    telling.hears(ActionPassOn(), "affirm", "yes")
    assert "my mum" not in handover_of(telling).details["words"]


def test_once_a_person_has_it_words_are_added_to_the_case(child: Child):
    child.types("they leave me out of it")
    child.hears(ActionAskConsent(), "pass_on_words")
    child.hears(ActionPassOn(), "affirm", "yes")
    assert child.hears(ActionAskConsent(), "pass_on_words").names == ["utter_words_with_them"]
    typed = "add that it was on monday"
    assert child.hears(ActionAddWords(), "add_words", typed).names == ["utter_words_added"]
    assert handover_of(child).details["words"] == "they leave me out of it\nit was on monday"


@pytest.mark.parametrize("typed", ["not my stepdad", "dont ring home", "pls dont let miss hall know"])
def test_who_must_not_be_told_is_kept_as_it_was_typed(child: Child, typed):
    child.hears(ActionOpenPerson(), "talk_to_person")
    said = child.hears(ActionDoNotTell(), "do_not_tell", typed)
    assert said.names == ["utter_not_told_kept"]
    assert handover_of(child).details["do_not_tell"] == typed


def test_a_wish_told_early_goes_with_a_handover_that_opens_later(child: Child):
    for typed in ("not my stepdad", "dont ring home"):
        assert child.hears(ActionDoNotTell(), "do_not_tell", typed).names == ["utter_not_told_noted"]
    with child.core.uow() as uow:
        open_handover(uow, CONVERSATION, now=child.core.now())
        uow.commit()
    assert handover_of(child).details["do_not_tell"] == "not my stepdad\ndont ring home"


def test_who_must_not_be_told_is_asked_where_nobody_was_named(child: Child):
    said = child.hears(ActionDoNotTell(), "do_not_tell")
    assert said.slots["words_for"] == "do_not_tell"
    assert child.hears(ActionAskTypedWords(), "do_not_tell").names == ["utter_ask_who_not"]
    child.slots["typed_words"] = "jake"
    assert child.hears(ActionKeepWords(), "nlu_fallback", "jake").names == ["utter_not_told_noted"]


def test_the_question_whether_to_send_is_asked_again_after_a_wish(telling: Child):
    telling.events.append({"event": "slot", "name": "asked", "value": "consent"})
    said = telling.hears(ActionDoNotTell(), "do_not_tell", "not my dad")
    assert said.names == ["utter_not_told_noted", "utter_ask_consent"]
    assert said.slots["asked"] == "consent"
