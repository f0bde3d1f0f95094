"""Early help and concern reports: asked for, answered in their own words, sent only after a yes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import _place
from actions._form_answers import ASIDES
from actions._forms import CONCERN_REPORT_SLOTS, EARLY_HELP_SLOTS
from actions._place import area_of, authority, keep_postcode, kept_postcode
from actions.concern_report import (
    TOLD,
    ActionAskConcernConsent,
    ActionAskConcernTown,
    ActionAskConcernWhere,
    ActionSubmitConcernReport,
    ValidateConcernReportForm,
)
from actions.parent import (
    PARENTS_SAY,
    ActionAnswerQuestion,
    ActionAskEarlyHelpConsent,
    ActionClearForm,
    ActionHearParent,
    ActionSubmitEarlyHelp,
    ValidateEarlyHelpForm,
)
from bot import handover
from bot.risk.taxonomy import About, Category, Finding, Level
from bot.store.models import Area
from tests.actions.conftest import CONVERSATION, Child

SURREY = "E10000030"


@pytest.fixture
def sheffield_only(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    """EARSHOT_AREAS_SERVED=Sheffield."""
    core = replace(child.core, settings=child.core.settings.copy(update={"areas_served": "Sheffield"}))
    monkeypatch.setattr(_place, "core", lambda: core)


def handover_of(child: Child):
    with child.core.store.read() as uow:
        return uow.last_handover_of(CONVERSATION)


async def check(form, slot: str, value: str, intent: str = "worry", **slots):
    """What a form makes of an answer: the slots it sets, and what it says about it."""
    message = {"intent": {"name": intent}, "text": value, "entities": slots.pop("entities", [])}
    tracker = Tracker(CONVERSATION, {**slots, slot: value}, message, [], False, None, {}, "action_listen")
    dispatcher = CollectingDispatcher()
    kept = getattr(form, f"validate_{slot}")(value, dispatcher, tracker, {})
    return kept, [message["response"] for message in dispatcher.messages]


EARLY_HELP_GIVEN = {
    "early_help_need": "cant get him to school",
    "early_help_who": "me and a boy of 9",
    "early_help_contact": "text me, no voicemail",
    "early_help_time": "in the evening",
    "early_help_along": "yes",
}
CONCERN_GIVEN = {
    "concern_what": "left alone all day",
    "concern_danger": "no",
    "concern_when": "since monday",
    "concern_where": "Mill Lane",
    "concern_council": SURREY,
}


def test_an_early_help_request_goes_to_the_desk_after_a_yes(child: Child):
    child.slots.update(EARLY_HELP_GIVEN, about="own_child", early_help_consent="yes")
    said = child.hears(ActionSubmitEarlyHelp(), "affirm")
    case = handover_of(child)
    assert case.kind == "early_help"
    assert case.details == {
        "worry": "cant get him to school",
        "family": "me and a boy of 9",
        "contact": "text me, no voicemail",
        "contact_time": "in the evening",
        "come_along": "yes",
    }
    assert said.values("utter_early_help_sent")["by_when"]


def test_the_parent_keeps_a_copy_word_for_word_with_the_reference_the_desk_uses(child: Child):
    child.slots.update(EARLY_HELP_GIVEN, early_help_consent="yes")
    copy = child.hears(ActionSubmitEarlyHelp(), "affirm").values("utter_early_help_copy")
    assert copy["reference"] == handover_of(child).reference
    assert all(words in copy["lines"] for words in EARLY_HELP_GIVEN.values())


def test_what_was_left_out_is_neither_shown_nor_sent(child: Child):
    child.slots.update(EARLY_HELP_GIVEN, early_help_who="left out", early_help_consent="yes")
    child.hears(ActionSubmitEarlyHelp(), "affirm")
    assert "family" not in handover_of(child).details


def test_a_request_without_a_door_is_about_their_own_child(child: Child):
    child.slots.update(EARLY_HELP_GIVEN, early_help_consent="yes")
    child.hears(ActionSubmitEarlyHelp(), "affirm")
    assert handover_of(child).about == "own_child"


def test_a_report_goes_to_the_desk_after_a_yes_with_the_councils_route(child: Child):
    child.slots.update(CONCERN_GIVEN, concern_consent="yes")
    said = child.hears(ActionSubmitConcernReport(), "affirm")
    case = handover_of(child)
    assert (case.kind, case.about) == ("concern_report", "other_child")
    route = case.details.pop("council_route")
    assert "gov.uk/report-child-abuse-to-local-council" in route and "0808 800 5000" in route
    assert case.details == {
        "worry": "left alone all day",
        "danger_now": "no",
        "when": "since monday",
        "where": "Mill Lane",
        "council": "Surrey",
    }
    assert said.values("utter_concern_sent")["reference"] == case.reference


def test_a_report_for_a_council_that_is_not_served_is_kept_and_offered(child: Child, sheffield_only):
    child.slots.update(CONCERN_GIVEN, concern_consent="yes")
    child.hears(ActionSubmitConcernReport(), "affirm")
    case = handover_of(child)
    assert case.details["served_here"] == "no" and case.details["council"] == "Surrey"
    with child.core.store.read() as uow:
        assert uow.alerts_of(case.id)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (ActionSubmitEarlyHelp(), "utter_early_help_not_sent"),
        (ActionSubmitConcernReport(), "utter_concern_not_sent"),
    ],
)
def test_after_a_no_nothing_goes(child: Child, action, words):
    child.slots.update(EARLY_HELP_GIVEN, early_help_consent="no", concern_consent="no")
    assert child.hears(action, "deny").names == [words]
    assert handover_of(child) is None


def test_a_no_after_danger_does_not_pretend_that_nobody_knows(child: Child):
    with child.core.uow() as uow:
        handover.open_handover(uow, CONVERSATION, now=child.core.now())
        uow.commit()
    child.slots.update(CONCERN_GIVEN, concern_consent="no")
    said = child.hears(ActionSubmitConcernReport(), "deny")
    assert said.names == ["utter_concern_not_sent_but_known"]
    assert "worry" not in handover_of(child).details


@pytest.mark.parametrize("action", [ActionSubmitEarlyHelp(), ActionSubmitConcernReport()])
def test_a_form_that_was_walked_out_of_sends_nothing(child: Child, action):
    child.slots.update(EARLY_HELP_GIVEN, **CONCERN_GIVEN)
    assert child.hears(action, "door_me").names == ["utter_form_left"]
    assert handover_of(child) is None


@pytest.mark.parametrize("action", [ActionClearForm(), ActionSubmitEarlyHelp(), ActionSubmitConcernReport()])
def test_a_form_that_ended_or_was_left_starts_clean(child: Child, action):
    child.slots.update(EARLY_HELP_GIVEN, **CONCERN_GIVEN, line_asked="again", early_help_consent="no")
    child.hears(action, "stop")
    left = [name for name in (*EARLY_HELP_SLOTS, *CONCERN_REPORT_SLOTS, "line_asked") if child.slots[name]]
    assert left == []


async def test_an_answer_is_kept_as_it_was_typed():
    words = "  he doesnt sleep & im SO tired  "
    kept, said = await check(ValidateEarlyHelpForm(), "early_help_need", words)
    assert (kept["early_help_need"], said) == (words.strip(), [])


@pytest.mark.parametrize("value", ["/affirm", "k", "  "])
@pytest.mark.parametrize(
    ("form", "slot", "words"),
    [
        (ValidateConcernReportForm(), "concern_what", "utter_concern_say_more"),
        (ValidateEarlyHelpForm(), "early_help_need", "utter_early_help_say_more"),
    ],
)
async def test_a_button_or_a_single_letter_is_not_taken_as_an_account(form, slot, words, value):
    kept, said = await check(form, slot, value)
    assert kept[slot] is None and said == [words]


@pytest.mark.parametrize(
    ("intent", "value", "kept"),
    [
        ("affirm", "/affirm", "yes"),
        ("safe_now_no", "they are in there with him now", "yes"),
        ("deny", "no", "no"),
        ("unsure", "/unsure", "not known"),
        ("out_of_scope", "he was fine on monday", "he was fine on monday"),
    ],
)
async def test_danger_now_is_read_and_answered_with_999(intent, value, kept):
    found, said = await check(ValidateConcernReportForm(), "concern_danger", value, intent)
    assert found["concern_danger"] == kept
    assert said == (["utter_concern_call_999"] if kept == "yes" else [])


@pytest.mark.parametrize(
    ("form", "slot"),
    [(ValidateEarlyHelpForm(), "early_help_need"), (ValidateConcernReportForm(), "concern_when")],
)
@pytest.mark.parametrize(("intent", "words"), ASIDES.items())
async def test_a_question_in_the_middle_is_answered_and_the_form_asks_again(form, slot, intent, words):
    assert await check(form, slot, "will they?", intent) == ({slot: None}, [words])


async def test_a_long_answer_is_an_answer_whatever_question_it_sounds_like():
    long = "they said six months and i do not know how long we can go on like this with him"
    kept, said = await check(ValidateEarlyHelpForm(), "early_help_need", long, "how_long")
    assert (kept["early_help_need"], said) == (long, [])


async def test_a_button_for_how_to_be_reached_is_kept_in_words():
    wish = [{"entity": "wish", "value": "here in this chat"}]
    value = '/contact_wish{"wish": "here in this chat"}'
    kept, _said = await check(
        ValidateEarlyHelpForm(), "early_help_contact", value, "contact_wish", entities=wish
    )
    assert kept == {"early_help_contact": "here in this chat"}


async def test_another_door_leaves_the_form():
    kept, _said = await check(ValidateEarlyHelpForm(), "early_help_who", "/door_me", "door_me")
    assert kept["requested_slot"] is None and kept["early_help_who"] is None


async def test_a_door_in_their_own_words_is_an_answer():
    words = "im a dad with two boys"
    kept, _said = await check(ValidateEarlyHelpForm(), "early_help_who", words, "door_parent")
    assert kept == {"early_help_who": words}


@pytest.mark.parametrize(
    ("intent", "typed", "kept"),
    [
        ("affirm", "yes", "yes"),
        ("affirm", "yes my sister could", "yes my sister could"),
        ("come_along", "i dont want to go alone", "i dont want to go alone"),
        ("deny", "/deny", "left out"),
    ],
)
async def test_someone_to_come_along_is_asked_for(intent, typed, kept):
    found, _said = await check(ValidateEarlyHelpForm(), "early_help_along", typed, intent)
    assert found == {"early_help_along": kept}


# The place ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "where", "council"),
    [
        ("12 Mill Lane, GU1 1AA", "12 Mill Lane", SURREY),
        ("4 Oak Road, Guildford", "4 Oak Road, Guildford", SURREY),
        ("in Leith, Edinburgh", "in Leith, Edinburgh", "S12000036"),
        ("s1 2hh", "left out", "E08000039"),
        ("SO14", "left out", "E06000045"),
    ],
)
async def test_a_place_leads_to_its_council_and_the_postcode_is_not_kept(child: Child, typed, where, council):
    kept, said = await check(ValidateConcernReportForm(), "concern_where", typed)
    assert (kept["concern_where"], kept["concern_council"]) == (where, council)
    assert kept["concern_town"] == "left out" and said == ["utter_area_found"]
    assert not any(part in str(kept).lower() for part in ("gu1", "1aa", "s1 2hh", "so14"))


async def test_a_street_alone_asks_once_for_the_town_and_then_lets_it_be(child: Child):
    kept, said = await check(ValidateConcernReportForm(), "concern_where", "Mill Lane, near the shop")
    assert kept["concern_where"] == "Mill Lane, near the shop"
    assert "concern_town" not in kept and said == []
    kept, _said = await check(ValidateConcernReportForm(), "concern_town", "by the big tree")
    assert kept == {"concern_town": "by the big tree", "concern_council": "left out"}


@pytest.mark.parametrize("typed", ["12 Mill Street", "on our street", "she was in the bath", "church road"])
async def test_a_word_that_is_also_a_town_leads_nowhere_by_itself(child: Child, typed):
    kept, said = await check(ValidateConcernReportForm(), "concern_where", typed)
    assert authority(kept["concern_council"]) is None and said == []
    kept, _said = await check(ValidateConcernReportForm(), "concern_town", typed)
    assert kept["concern_council"] == "left out"


async def test_the_town_may_be_skipped(child: Child):
    kept, said = await check(ValidateConcernReportForm(), "concern_town", "/skip", "skip")
    assert kept == {"concern_town": "left out", "concern_council": "left out"} and said == []


@pytest.mark.parametrize(("intent", "council"), [("affirm", SURREY), ("deny", "left out")])
@pytest.mark.parametrize(
    "typed", ["guildfrod", "springfield road guildford", "the flats behind guildford station"]
)
async def test_a_place_that_had_to_be_guessed_is_used_only_after_a_yes(child: Child, typed, intent, council):
    kept, said = await check(ValidateConcernReportForm(), "concern_where", typed)
    child.slots.update(kept)
    assert kept["concern_council"].startswith("?") and "concern_town" not in kept and said == []
    assert child.hears(ActionAskConcernTown(), "worry").names == ["utter_concern_is_it_there"]
    kept, _said = await check(ValidateConcernReportForm(), "concern_town", f"/{intent}", intent, **kept)
    assert kept == {"concern_town": "left out", "concern_council": council}


@pytest.mark.parametrize("typed", ["IM1 1AA", "JE2 3AB"])
async def test_an_island_with_help_of_its_own_is_said(child: Child, typed):
    kept, said = await check(ValidateConcernReportForm(), "concern_where", typed)
    assert said == ["utter_area_crown_dependency"] and kept["concern_council"] == "left out"


async def test_a_council_that_is_not_served_is_named_with_its_own_way(child: Child, sheffield_only):
    _kept, said = await check(ValidateConcernReportForm(), "concern_where", "GU1 1AA")
    assert said == ["utter_concern_not_served", "utter_concern_council_card", "utter_concern_council_card"]


def test_a_postcode_is_sent_only_as_a_line_that_was_shown(child: Child):
    keep_postcode(CONVERSATION, "GU1 1AA")
    child.slots.update(CONCERN_GIVEN, concern_postcode="given")
    shown = child.hears(ActionAskConcernConsent(), "skip").values("utter_concern_lines")["lines"]
    assert "Postcode: GU1 1AA" in shown
    child.slots.update(concern_consent="yes")
    child.hears(ActionSubmitConcernReport(), "affirm")
    assert handover_of(child).details["postcode"] == "GU1 1AA"
    assert kept_postcode(CONVERSATION) == ""  # from here on it is with the report and nowhere else


@pytest.mark.parametrize("left", [ActionClearForm(), ActionSubmitConcernReport()])
def test_a_postcode_that_was_not_sent_is_forgotten(child: Child, left):
    keep_postcode(CONVERSATION, "GU1 1AA")
    child.slots.update(CONCERN_GIVEN, concern_postcode="given", concern_consent="no")
    child.hears(left, "deny")
    assert kept_postcode(CONVERSATION) == "" and handover_of(child) is None


async def test_a_postcode_is_taken_out_of_what_was_typed_and_kept_apart(child: Child):
    child.types("12 Mill Lane, gu11aa")
    kept, _said = await check(ValidateConcernReportForm(), "concern_where", "12 Mill Lane, gu11aa")
    assert kept["concern_postcode"] == "given" and kept_postcode(CONVERSATION) == "GU1 1AA"
    with child.core.store.read() as uow:
        assert [m.text for m in uow.messages(CONVERSATION)] == ["12 Mill Lane GU1 …"]


def test_a_postcode_line_that_was_left_out_is_not_sent(child: Child):
    keep_postcode(CONVERSATION, "GU1 1AA")
    child.slots.update(CONCERN_GIVEN, concern_postcode="left out", concern_consent="yes")
    child.hears(ActionSubmitConcernReport(), "affirm")
    assert "postcode" not in handover_of(child).details


# The exact words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "intent", "expected"),
    [
        ("yes", "affirm", {"early_help_consent": "yes"}),
        ("no", "deny", {"early_help_consent": "no"}),
        ("change 1 to he wont leave his room", "change_words", {"early_help_need": "he wont leave his room"}),
        ("leave out 2", "change_words", {"early_help_who": "left out"}),
        ("no, leave out the second one", "deny", {"early_help_who": "left out"}),
        ("change line 3", "change_words", {"line_asked": "early_help_contact"}),
        ("leave out 1", "change_words", {"line_asked": "early_help_need"}),
        ("change something", "change_words", {"line_asked": "which"}),
        ("thats not right", "correction", {"line_asked": "which"}),
        (
            "add that he has no friends",
            "add_words",
            {"early_help_need": "cant get him to school\nhe has no friends"},
        ),
        ("i want to add something", "add_words", {"line_asked": "add"}),
        ("im scared", "worry", {"line_asked": "again"}),
        ("/door_me", "door_me", {"requested_slot": None}),
    ],
)
async def test_what_is_said_to_the_exact_words(typed, intent, expected):
    kept, _said = await check(
        ValidateEarlyHelpForm(), "early_help_consent", typed, intent, **EARLY_HELP_GIVEN
    )
    assert {"early_help_consent": None, **expected}.items() <= kept.items()


@pytest.mark.parametrize(
    ("waits_for", "typed", "expected"),
    [
        ("early_help_contact", "ring my sister", {"early_help_contact": "ring my sister"}),
        ("add", "he is 9", {"early_help_need": "cant get him to school\nhe is 9"}),
    ],
)
async def test_the_new_words_take_their_place_and_all_is_shown_again(waits_for, typed, expected):
    slots = {**EARLY_HELP_GIVEN, "line_asked": waits_for}
    kept, _said = await check(ValidateEarlyHelpForm(), "early_help_consent", typed, "worry", **slots)
    assert kept == {"early_help_consent": None, "line_asked": None, **expected}


async def test_a_council_that_is_changed_by_hand_is_looked_up_again(child: Child):
    typed = "change 5 to sheffield"
    kept, _said = await check(
        ValidateConcernReportForm(), "concern_consent", typed, "change_words", **CONCERN_GIVEN
    )
    assert kept["concern_council"] == "E08000039"


@pytest.mark.parametrize(
    ("waits_for", "words"),
    [
        (None, "utter_early_help_lines"),
        ("again", "utter_form_yes_or_no"),
        ("which", "utter_form_which_line"),
        ("add", "utter_form_add"),
        ("early_help_need", "utter_form_new_words"),
    ],
)
def test_the_question_at_the_end_is_what_is_still_open(child: Child, waits_for, words):
    child.slots.update(EARLY_HELP_GIVEN, line_asked=waits_for)
    assert child.hears(ActionAskEarlyHelpConsent(), "worry").names == [words]


# What parents ask and say -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question", ["what_is_early_help", "thresholds", "after_referral", "come_along", "cost"]
)
def test_a_question_is_answered_in_words_for_whoever_asks(child: Child, question):
    assert child.hears(ActionAnswerQuestion(), question).names == [f"utter_{question}"]
    child.slots["about"] = "own_child"
    said = child.hears(ActionAnswerQuestion(), question)
    assert said.names == [f"utter_{question}_adult"] and said.slots["asked"] == "offer_help"


@pytest.mark.parametrize("intent", sorted(PARENTS_SAY))
def test_what_only_a_parent_says_opens_their_door(child: Child, intent):
    said = child.hears(ActionHearParent(), intent)
    assert said.names == [f"utter_{intent}_adult"] and said.slots["about"] == "own_child"


@pytest.mark.parametrize("intent", ["was_in_care", "learning_disability", "cant_cope"])
@pytest.mark.parametrize("door", [None, "self"])
def test_what_a_child_may_say_too_is_heard_as_a_childs_worry(child: Child, intent, door):
    child.slots["about"] = door
    assert f"utter_{intent}_adult" not in child.hears(ActionHearParent(), intent, "i was in care").names


def test_a_worry_the_detector_is_not_sure_of_comes_before_good_advice(child: Child):
    child.slots["about"] = "own_child"
    risk = {"level": "concern", "categories": ["physical_abuse"], "about": "own_child", "unsure": True}
    said = child.hears(ActionHearParent(), "cant_cope", "i cant cope with him", risk={**risk, "evidence": []})
    assert "utter_cant_cope_adult" not in said.names and said.slots["asked"] == "harm"


def test_the_same_words_are_not_said_twice_to_a_parent(child: Child):
    child.slots["about"] = "own_child"
    words = "i cant cope with the kids"
    assert child.hears(ActionHearParent(), "cant_cope", words).names == ["utter_cant_cope_adult"]
    assert "utter_cant_cope_adult" not in child.hears(ActionHearParent(), "cant_cope", words).names


def test_a_button_is_answered_each_time_it_is_pressed(child: Child):
    child.slots["about"] = "own_child"
    for _time in range(2):
        assert child.hears(ActionHearParent(), "waiting_meanwhile").names == ["utter_waiting_meanwhile_adult"]


async def taken(child: Child, slot: str, text: str, intent: str) -> bool:
    """Whether the form takes a message for the answer to the question of ``slot``."""
    form = ValidateEarlyHelpForm() if slot.startswith("early") else ValidateConcernReportForm()
    message = {"intent": {"name": intent}, "text": text, "entities": []}
    slots = {"requested_slot": slot}
    tracker = Tracker(CONVERSATION, slots, message, [], False, None, {}, "action_listen")
    events = await form.get_extraction_events(CollectingDispatcher(), tracker, child.domain)
    assert all(event["name"] == slot and event["value"] == text for event in events)
    return bool(events)


@pytest.mark.parametrize(
    ("slot", "text", "intent", "expected"),
    [
        ("early_help_need", "he wont sleep", "worry", True),
        ("early_help_need", "no", "deny", False),
        ("early_help_who", "no", "deny", True),
        ("early_help_consent", "no", "deny", True),
        ("early_help_consent", "leave out 2", "stop", True),
        ("concern_consent", "stop", "stop", False),
        ("concern_what", "bye", "bye", False),
        (
            "concern_what",
            "every night before bed she shouts goodbye at him and leaves them there on their own",
            "bye",
            True,
        ),
        (
            "concern_when",
            "they are on the stairs behind me now and i am not safe here please help",
            "safe_now_no",
            False,
        ),
        ("concern_name", "can i talk to someone", "talk_to_person", False),
        ("early_help_time", "he is looking at my phone", "someone_watching", False),
    ],
)
async def test_what_a_form_takes_for_an_answer_and_what_leaves_it(child, slot, text, intent, expected):
    assert await taken(child, slot, text, intent) is expected


def test_no_answer_is_filled_before_the_danger_in_it_is_read(domain):
    """Rasa fills mapped slots before any policy speaks. The one that it may fill has a place for danger."""
    slots = [*EARLY_HELP_SLOTS, *CONCERN_REPORT_SLOTS]
    mapped = [s for s in slots if domain["slots"][s]["mappings"] != [{"type": "custom"}]]
    assert mapped == ["concern_danger"]


@pytest.mark.parametrize(
    ("pressed", "words"), [("/affirm", "yes"), ("/unsure", "not known"), ("/deny", "no")]
)
def test_danger_that_was_pressed_is_shown_in_words(child: Child, pressed, words):
    child.slots.update(CONCERN_GIVEN, concern_danger=pressed)
    shown = child.hears(ActionAskConcernConsent(), "skip").values("utter_concern_lines")["lines"]
    assert f"In danger right now: {words}" in shown


@pytest.mark.parametrize(
    ("form", "slot"),
    [
        (ValidateConcernReportForm(), "concern_where"),
        (ValidateConcernReportForm(), "concern_danger"),
        (ValidateEarlyHelpForm(), "early_help_contact"),
    ],
)
@pytest.mark.parametrize("typed", ["skip that one", "/skip"])
async def test_a_question_may_be_skipped_in_a_form(form, slot, typed):
    kept, said = await check(form, slot, typed, intent="skip")
    assert (kept[slot], said) == ("left out", [])


def in_danger(child: Child) -> None:
    """Somebody has been told of danger already."""
    told = Finding(Level.HIGH, (Category.PHYSICAL_ABUSE,), About.OTHER_CHILD)
    with child.core.uow() as uow:
        handover.open_handover(uow, CONVERSATION, now=child.core.now(), finding=told)
        uow.commit()


async def test_the_place_of_a_child_in_danger_goes_to_the_case_at_once(child: Child):
    in_danger(child)
    assert child.hears(ActionAskConcernWhere(), "deny").names == ["utter_concern_where_now"]
    child.types("12 Mill Lane, gu1 1aa")
    await check(ValidateConcernReportForm(), "concern_where", "12 Mill Lane, gu1 1aa")
    details = handover_of(child).details
    assert (details["where"], details["postcode"], details["council"]) == (
        "12 Mill Lane",
        "GU1 1AA",
        "Surrey",
    )
    assert "gov.uk" in details["council_route"]


async def test_without_danger_no_place_goes_before_a_yes(child: Child):
    assert child.hears(ActionAskConcernWhere(), "skip").names == ["utter_ask_concern_where"]
    await check(ValidateConcernReportForm(), "concern_where", "12 Mill Lane, gu1 1aa")
    assert handover_of(child) is None


async def test_the_people_of_the_area_that_was_told_are_asked_and_not_later(child: Child):
    with child.core.uow() as uow:
        uow.add(Area(id="surrey", name="Surrey", nation="england"))
        uow.commit()
    with child.core.store.read() as uow:
        assert area_of(uow, authority(SURREY)) == "surrey"
    in_danger(child)
    promised = handover_of(child).deadline_at
    await check(ValidateConcernReportForm(), "concern_where", "Guildford")
    assert handover_of(child).area == "surrey" and handover_of(child).deadline_at <= promised


def test_after_a_disclosure_the_report_ends_with_the_place(child: Child):
    in_danger(child)
    child.slots.update(CONCERN_GIVEN, concern_consent=TOLD)
    said = child.hears(ActionSubmitConcernReport(), "deny")
    assert said.names == ["utter_concern_added"]
    assert said.values("utter_concern_added")["reference"] == handover_of(child).reference
