"""A parent finds help: three questions at most, then services as cards; nothing kept that need not be."""

from __future__ import annotations

import asyncio

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import _place
from actions.find_help import ActionFindHelp, ValidateFindHelpForm
from bot.areas.authorities import Authorities
from bot.areas.finder import Answer, AnswerKind, Areas
from bot.areas.table import Position
from tests.actions.conftest import CONVERSATION, Child

POSTCODE = "SO14 7DU"
FORM = ValidateFindHelpForm()


class AreasHere:
    """The look-up with one postcode, since a test machine may not have the list."""

    def __init__(self) -> None:
        self._areas = Areas(Authorities.load(), None)

    def look_up(self, text: str) -> Answer:
        if "so147du" in text.lower().replace(" ", ""):
            area = self._areas.authorities.whole("E06000045")
            return Answer(AnswerKind.FOUND, (area,), postcode=POSTCODE, position=Position(50.90812, -1.40123))
        return self._areas.look_up(text)

    find = look_up


@pytest.fixture(autouse=True)
def areas_here(monkeypatch):
    here = AreasHere()
    monkeypatch.setattr(_place, "areas", lambda: here)
    monkeypatch.setattr("actions._finding.areas", lambda: here)


def answered(child: Child, question: str | None, text: str = "", intent: str = "worry", find: str = ""):
    """What the form makes of a message while a question is open: the slots it sets, and what it says."""
    message = {
        "intent": {"name": intent, "confidence": 1.0},
        "text": text or f"/{intent}",
        "entities": [{"entity": "find", "value": find}] if find else [],
    }
    slots = {**child.slots, "requested_slot": question}
    tracker = Tracker(CONVERSATION, slots, message, list(child.events), False, None, {}, "action_listen")
    dispatcher = CollectingDispatcher()
    asked = asyncio.run(FORM.required_slots([], dispatcher, tracker, {}))
    found = {}
    for slot in asked:
        found.update(getattr(FORM, f"extract_{slot}")(dispatcher, tracker, {}))
    return asked, found, [m["response"] for m in dispatcher.messages]


@pytest.fixture
def parent(child: Child) -> Child:
    child.slots["about"] = "own_child"
    return child


def test_the_need_is_taken_from_what_was_told_before(parent: Child):
    parent.events.append({"event": "user", "text": "i cant cope with his behaviour"})
    assert answered(parent, None, intent="find_help")[1] == {"find_need": "behaviour"}


def test_the_need_is_taken_from_the_question_itself(parent: Child):
    assert answered(parent, None, "is there a foodbank near me", "find_help")[1] == {"find_need": "food"}


def test_the_need_is_taken_from_the_worry_that_was_heard(parent: Child):
    parent.slots["topic"] = "bereavement"
    assert answered(parent, None, intent="find_help")[1] == {"find_need": "bereavement"}


@pytest.mark.parametrize("question", ["find_need", "find_age", "find_area"])
@pytest.mark.parametrize(
    ("intent", "text"), [("skip", "/skip"), ("unsure", "dont know"), ("deny", "rather not")]
)
def test_every_question_can_be_skipped(parent: Child, question, intent, text):
    assert answered(parent, question, text, intent)[1][question] == "any"


@pytest.mark.parametrize(
    ("question", "find"), [("find_need", "need:any"), ("find_age", "age:any"), ("find_area", "area:any")]
)
def test_every_question_can_be_skipped_by_a_button(parent: Child, question, find):
    assert answered(parent, question, intent="find_help", find=find)[1][question] == "any"


def test_the_age_is_read_from_their_words(parent: Child):
    assert answered(parent, "find_age", "hes nearly 3")[1] == {"find_age": "3"}


def test_of_a_postcode_only_the_area_and_a_rounded_position_are_kept(parent: Child):
    parent.types(f"we live at {POSTCODE.lower()}")
    _, found, _ = answered(parent, "find_area", f"we live at {POSTCODE.lower()}", "my_postcode")
    assert found == {"find_area": "E06000045|England|50.91,-1.4"}
    with parent.core.store.read() as uow:
        (message,) = uow.messages(CONVERSATION)
    assert message.text == "we live at SO14 …"


@pytest.mark.parametrize("text", ["12345", "IM1 1AA", "qwertz"])
def test_what_is_no_place_in_the_country_is_answered_and_asked_again(parent: Child, text):
    _, found, said = answered(parent, "find_area", text)
    assert found == {"find_area": None} and said[0].startswith("utter_area_")


@pytest.mark.parametrize(
    "intent", ["stop", "delete", "talk_to_person", "someone_watching", "early_help_request"]
)
def test_whoever_wants_something_else_is_not_held_by_a_question(parent: Child, intent):
    assert answered(parent, "find_need", "no i want out", intent)[1] == {}


def test_a_question_asked_in_between_is_answered_and_the_open_one_asked_again(parent: Child):
    _, found, said = answered(parent, "find_age", "is this private", "is_this_private")
    assert found == {"find_age": None} and said == ["utter_is_this_private"]


@pytest.mark.parametrize("words", ["help for my son", "is there a group for dads", "support for parents"])
def test_a_parent_is_known_by_their_words_without_a_door(child: Child, words):
    assert answered(child, None, words, "find_help")[0]


def test_a_young_person_is_asked_nothing_and_gets_the_lines_for_young_people(child: Child):
    child.slots["topic"] = "eating"
    assert answered(child, None, "who can help me", "find_help")[0] == []
    said = child.hears(ActionFindHelp(), "find_help", "who can help me")
    shown = {m["service"] for m in said.messages if m["response"] == "utter_number_card"}
    assert {"Beat", "Childline"} <= shown and len(shown) <= 3
    assert said.names[-1] == "utter_find_help_next"


def found_for(parent: Child, find: str = "", **slots):
    parent.slots.update({"find_need": "behaviour", "find_age": "8", **slots})
    said = parent.hears(ActionFindHelp(), "find_help", entities={"find": find} if find else None)
    return said, [m for m in said.messages if m.get("response") == "utter_service_card"]


def test_three_services_that_fit_each_with_the_five_things(parent: Child):
    said, cards = found_for(parent, find_area="E06000045|England|50.91,-1.4")
    assert len(cards) == 3 and "Calmer Days" in cards[0]["title"]
    for card in cards:
        assert card["who"].startswith("Who it is for: ") and card["how"].startswith("How to get it: ")
        assert card["wait"].startswith("Wait: ") and card["cost"].startswith("Cost: ")
        assert card["checked"].startswith("Last checked: ")
    assert said.slots["asked"] == "offer_help"
    titles = [button["title"] for button in said.messages[-1]["buttons"]]
    assert "Ask for help for my family" in titles and "Make a leaflet of these" in titles


def test_a_filter_narrows_stays_on_and_is_not_offered_twice(parent: Child):
    said, cards = found_for(parent, "open:weekend", find_area="E06000045|England|50.91,-1.4")
    assert "Saturday family drop-in" in cards[0]["title"] and said.slots["find_filters"] == "open:weekend"
    said, cards = found_for(parent, "free")
    assert said.slots["find_filters"] == "open:weekend free"
    titles = [button["title"] for button in said.messages[-1]["buttons"]]
    assert not {"Open at weekends", "Free only"} & set(titles)


def test_others_are_others(parent: Child):
    _, first = found_for(parent)
    _, second = found_for(parent, "more")
    assert second and not {c["title"] for c in first} & {c["title"] for c in second}


def test_far_from_everything_it_says_so(parent: Child):
    said, cards = found_for(parent, find_area="S12000036|Scotland|55.95,-3.19")
    notes = [m["words"] for m in said.messages if m.get("response") == "utter_find_help_note"]
    assert notes and "nothing near you" in notes[0] and len(cards) == 3


def test_a_leaflet_in_the_browser_is_a_link_within_the_house(parent: Child):
    said, _ = found_for(parent, "leaflet")
    address = said.values("utter_leaflet_card")["address"]
    assert address.startswith("/leaflet?s=") and address.count("s=") == 3


def test_a_leaflet_in_telegram_is_plain_text(parent: Child):
    with parent.core.uow() as uow:
        uow.conversation(CONVERSATION, lock=True).channel = "telegram"
        uow.commit()
    said, _ = found_for(parent, "leaflet")
    words = [m["words"] for m in said.messages if m.get("response") == "utter_find_help_note"]
    assert len(words) == 3 and all("How to get it: " in text for text in words)
