"""Early help and concern reports: asked for, answered in their own words, sent only after a yes."""

from __future__ import annotations

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.concern_report import ActionSubmitConcernReport, ValidateConcernReportForm
from actions.parent import ActionClearForm, ActionFindHelp, ActionSubmitEarlyHelp, ValidateEarlyHelpForm
from tests.actions.conftest import CONVERSATION, Child


def handover_of(child: Child):
    with child.core.store.read() as uow:
        return uow.last_handover_of(CONVERSATION)


def check(form, slot: str, value: str, intent: str = "worry"):
    """What a form makes of an answer, and what it says about it."""
    message = {"intent": {"name": intent}, "text": value}
    tracker = Tracker(CONVERSATION, {}, message, [], False, None, {}, "action_listen")
    dispatcher = CollectingDispatcher()
    kept = getattr(form, f"validate_{slot}")(value, dispatcher, tracker, {})
    return kept[slot], [message["response"] for message in dispatcher.messages]


def test_an_early_help_request_goes_to_the_desk_after_a_yes(child: Child):
    child.slots.update(
        about="own_child",
        early_help_need="cant get him to school",
        early_help_contact="text after six",
        early_help_consent=True,
    )
    said = child.hears(ActionSubmitEarlyHelp(), "affirm")
    assert said.names == ["utter_early_help_sent"]
    assert said.values("utter_early_help_sent")["by_when"]
    case = handover_of(child)
    assert case.kind == "early_help"
    assert case.details == {"worry": "cant get him to school", "contact": "text after six"}


def test_a_report_goes_to_the_desk_after_a_yes(child: Child):
    child.slots.update(
        concern_what="left alone", concern_where="Mill Lane", concern_danger="no", concern_consent=True
    )
    assert child.hears(ActionSubmitConcernReport(), "affirm").names == ["utter_concern_sent"]
    case = handover_of(child)
    assert case.kind == "concern_report"
    assert case.details == {"worry": "left alone", "where": "Mill Lane", "danger_now": "no"}


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (ActionSubmitEarlyHelp(), "utter_early_help_not_sent"),
        (ActionSubmitConcernReport(), "utter_concern_not_sent"),
    ],
)
def test_after_a_no_nothing_goes(child: Child, action, words):
    child.slots.update(early_help_consent=False, concern_consent=False)
    assert child.hears(action, "deny").names == [words]
    assert handover_of(child) is None


def test_a_form_that_ended_or_was_left_starts_clean(child: Child):
    child.slots.update(early_help_need="x", concern_what="y", concern_danger="no")
    child.hears(ActionClearForm(), "stop")
    assert all(child.slots[s] is None for s in ("early_help_need", "concern_what", "concern_danger"))


def test_an_answer_is_kept_as_it_was_typed():
    words = "  he doesnt sleep & im SO tired  "
    assert check(ValidateEarlyHelpForm(), "early_help_need", words) == (words.strip(), [])


@pytest.mark.parametrize("value", ["/affirm", "k", "  "])
def test_a_button_or_a_single_letter_is_not_taken_as_an_account(value):
    kept, said = check(ValidateConcernReportForm(), "concern_what", value)
    assert kept is None and said == ["utter_concern_say_more"]


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
def test_danger_now_is_read_and_answered_with_999(intent, value, kept):
    found, said = check(ValidateConcernReportForm(), "concern_danger", value, intent)
    assert found == kept
    assert said == (["utter_concern_call_999"] if kept == "yes" else [])


@pytest.mark.parametrize(
    ("door", "topic", "expected"),
    [
        ("self", "eating", {"Beat", "Childline"}),
        ("self", None, {"Childline"}),
        ("own_child", "money_housing", {"Shelter", "NSPCC helpline"}),
    ],
)
def test_the_help_that_is_named_fits_the_worry_and_the_person(child: Child, door, topic, expected):
    child.slots.update(about=door, topic=topic)
    said = child.hears(ActionFindHelp(), "find_help")
    shown = {m["service"] for m in said.messages if m["response"] == "utter_number_card"}
    assert expected <= shown and len(shown) <= 3


def test_a_parent_is_offered_a_call_from_the_team_after_the_numbers(child: Child):
    child.slots["about"] = "own_child"
    said = child.hears(ActionFindHelp(), "find_help")
    assert said.names[-1] == "utter_find_help_next_adult" and said.slots["asked"] == "offer_help"
