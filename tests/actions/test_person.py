"""Reaching a person: what is offered is the rota, and nothing goes before a yes."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from actions.fallback import ActionFallback
from actions.person import ActionChooseSafeAdult, ActionOfferPlaces, ActionOfferSafeAdults, ActionOpenPerson
from bot.store.models import Place, Staff
from tests.actions.conftest import CONVERSATION, Child

#: In the night only the night team is there, and both of them have pressed "off duty".
NIGHT = datetime(2026, 11, 25, 2, 0, tzinfo=timezone.utc)


def handover_of(child: Child):
    with child.core.store.read() as uow:
        return uow.last_handover_of(CONVERSATION)


def test_asking_for_a_person_opens_a_handover_at_once(child: Child):
    said = child.hears(ActionOpenPerson(), "talk_to_person")
    assert said.names == ["utter_person_coming"]
    assert said.values("utter_person_coming")["by_when"]
    assert handover_of(child).kind == "message"


def test_asking_twice_says_who_was_asked(child: Child):
    child.hears(ActionOpenPerson(), "talk_to_person")
    assert child.hears(ActionOpenPerson(), "talk_to_person").names == ["utter_person_already"]


@pytest.mark.parametrize(
    ("door", "words"), [("self", "utter_person_off_duty"), ("own_child", "utter_person_off_duty_adult")]
)
def test_when_nobody_is_on_duty_it_says_so(child: Child, at, door, words):
    child.slots["about"] = door
    with child.core.uow() as uow:
        for person in ("priya-nair", "owen-hughes"):
            uow.staff_member(person).off_duty = True
        uow.commit()
    with at(NIGHT):
        said = child.hears(ActionOpenPerson(), "talk_to_person")
    assert said.names == [words]
    assert said.messages[0]["by_when"] == "8am"  # the day team starts at 7, with an hour to answer


def test_the_places_are_those_of_the_rota(child: Child):
    said = child.hears(ActionOfferPlaces(), "affirm")
    buttons = said.values("utter_offer_places")["buttons"]
    assert {b["title"] for b in buttons} >= {"Oakfield Secondary School", "Harbour Youth Centre"}
    assert json.loads(buttons[0]["payload"].removeprefix("/choose_place"))["place"]


def test_a_place_pressed_shows_its_adults_with_what_a_child_asks_about_them(child: Child):
    said = child.hears(ActionOfferSafeAdults(), "choose_place", entities={"place": "oakfield"})
    card = said.values("utter_safe_adult_card")
    assert all(card[k] for k in ("adult", "role", "trained_for", "hours", "answers_by"))
    names = [m["adult"] for m in said.messages if m["response"] == "utter_safe_adult_card"]
    assert sorted(names) == ["Mr Reilly", "Ms Begum"]
    with child.core.store.read() as uow:
        assert uow.conversation(CONVERSATION).place_id == "oakfield"


def test_a_place_typed_is_found_by_its_name(child: Child):
    said = child.hears(ActionOfferSafeAdults(), "choose_place", "i go to Brookside")
    assert said.values("utter_safe_adult_card")["adult"] == "Mrs Mensah"


def test_a_place_nobody_knows_shows_the_places(child: Child):
    child.hears(ActionOfferPlaces(), "affirm")
    said = child.hears(ActionOfferSafeAdults(), "choose_place", "hogwarts")
    assert said.names == ["utter_offer_places_again", "utter_offer_places_other"]


def test_a_misspelt_place_is_found_once_places_were_asked_for(child: Child):
    child.hears(ActionOfferPlaces(), "affirm")
    said = child.hears(ActionFallback(), "nlu_fallback", "brooksid")
    assert said.values("utter_safe_adult_card")["adult"] == "Mrs Mensah"


def test_with_many_places_the_area_is_asked_first(child: Child):
    with child.core.uow() as uow:
        for n in range(8):
            uow.add(Place(id=f"p{n}", name=f"Hill {n} School", kind="school", area="north_shire"))
            uow.add(Staff(id=f"s{n}", name=f"A{n}", role="safe_adult", job_title="Teacher", place_id=f"p{n}"))
        uow.commit()
    said = child.hears(ActionOfferPlaces(), "affirm")
    assert [b["title"] for b in said.messages[0]["buttons"]] == ["Demoshire", "North Shire"]
    said = child.hears(ActionOfferSafeAdults(), "choose_place", entities={"place": "area:demoshire"})
    assert {b["title"] for b in said.messages[0]["buttons"]} >= {"Brookside Primary School"}
    assert len(said.messages[0]["buttons"]) < 8


@pytest.mark.parametrize(
    ("action", "entities", "words"),
    [
        (ActionOfferSafeAdults(), {"place": "elsewhere"}, "utter_not_at_my_school"),
        (ActionChooseSafeAdult(), {"safe_adult": "someone_else"}, "utter_someone_else"),
    ],
)
def test_somebody_who_is_not_on_the_cards_is_an_answer(child: Child, action, entities, words):
    intent = "choose_place" if "place" in entities else "choose_safe_adult"
    assert child.hears(action, intent, entities=entities).names == [words]


def test_a_card_says_whether_they_are_there_now(child: Child, at):
    said = child.hears(ActionOfferSafeAdults(), "choose_place", entities={"place": "oakfield"})
    assert said.values("utter_safe_adult_card")["here"] == "Here now"
    with at(NIGHT):
        said = child.hears(ActionOfferSafeAdults(), "choose_place", entities={"place": "brookside"})
    assert said.values("utter_safe_adult_card")["here"] == "Back at 8am"


def test_an_adult_chosen_while_a_case_waits_is_asked_as_well(child: Child):
    child.hears(ActionOpenPerson(), "talk_to_person")
    said = child.hears(ActionChooseSafeAdult(), "choose_safe_adult", entities={"safe_adult": "tom-reilly"})
    assert said.names == ["utter_safe_adult_asked_too"]
    assert "tom-reilly" in handover_of(child).routed_to


def test_an_adult_who_is_away_is_noted_and_nobody_is_promised(child: Child, at):
    with at(NIGHT):
        child.hears(ActionOpenPerson(), "talk_to_person")
        said = child.hears(
            ActionChooseSafeAdult(), "choose_safe_adult", entities={"safe_adult": "tom-reilly"}
        )
    assert said.names == ["utter_safe_adult_away"]
    assert "tom-reilly" not in handover_of(child).routed_to


def test_an_address_that_sounds_like_a_place_is_not_an_answer_nobody_asked_for(child: Child):
    said = child.hears(ActionOfferSafeAdults(), "choose_place", "12 high street")
    assert said.names == ["utter_fallback"]


def test_an_adult_named_in_passing_is_understood(child: Child):
    child.types("they leave me out")
    said = child.hears(ActionFallback(), "nlu_fallback", "can i talk to miss begum")
    assert said.slots["safe_adult"] == "amina-begum"
    assert said.names[-1] == "utter_ask_consent"


def test_a_chosen_adult_is_noted_and_the_exact_words_are_shown(child: Child):
    child.types("they leave me out")
    child.types("every day at break time")
    said = child.hears(ActionChooseSafeAdult(), "choose_safe_adult", entities={"safe_adult": "tom-reilly"})
    assert said.names == ["utter_safe_adult_chosen", "utter_consent_words", "utter_ask_consent"]
    assert said.values("utter_consent_words")["words"] == "1. they leave me out\n2. every day at break time"
    assert said.slots == {"safe_adult": "tom-reilly", "asked": "consent"}
    assert handover_of(child) is None


def test_an_adult_wanted_but_not_named_shows_the_places(child: Child):
    said = child.hears(ActionChooseSafeAdult(), "choose_safe_adult", "can i tell a teacher")
    assert said.names[0] == "utter_offer_places"


def test_consent_says_who_reads_it_when_the_chosen_adult_is_away(child: Child, at):
    child.types("they leave me out")
    with at(datetime(2026, 11, 25, 2, 0, tzinfo=timezone.utc)):
        said = child.hears(
            ActionChooseSafeAdult(), "choose_safe_adult", entities={"safe_adult": "tom-reilly"}
        )
    assert "utter_consent_adult_away" in said.names
