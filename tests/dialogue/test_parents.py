"""Parents, carers and neighbours: whole conversations through the gateway and the trained model."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
import time_machine

from bot import handover
from tests.dialogue.conftest import YoungPerson
from tests.dialogue.test_conversations import one_of

#: Nobody of the demo's day teams works then.
SATURDAY_NIGHT = datetime(2026, 11, 28, 21, 0, tzinfo=timezone.utc)


async def all_the_way(person: YoungPerson, *lines: str) -> list[str]:
    """Types one line after the other; returns what is said to the last."""
    seen: list[str] = []
    for line in lines:
        seen = await person.says(line)
    return seen


async def asks_for_help(person: YoungPerson) -> list[str]:
    """A request up to the exact words."""
    await person.says("i want to ask for help for my family")
    await person.says("my son wont go to school and i am so tired")
    await person.says("me and a boy of 9")
    await person.says("text 07700 900123, no voicemail")
    await person.presses("Evenings")
    return await person.presses("Yes please")


async def test_a_mother_at_nine_on_a_saturday_night_is_heard_and_told_honestly_when(young_person, core):
    with time_machine.travel(SATURDAY_NIGHT, tick=True):
        await young_person.presses("I'm a parent or carer")
        seen = await young_person.says("i cant cope with the kids")
        assert any("not a reason" in text for text in seen)  # the fear is named before it is asked about
        seen = await asks_for_help(young_person)
        assert "my son wont go to school" in seen[-1] and "07700 900123" in seen[-1]
        assert young_person.handover() is None
        seen = await young_person.presses("Yes, send it")
        case = young_person.handover()
        assert (case.kind, case.about) == ("early_help", "own_child")
        assert case.details["contact_time"] == "in the evening" and case.details["come_along"] == "yes"
        assert any(case.reference in text for text in seen)
        with core.store.read() as uow:
            standing = handover.status(uow, young_person.chat, core.now())
    assert any(f"{standing.who}. You should hear from them by {standing.by_when}" in text for text in seen)


async def test_a_parent_who_comes_back_is_told_where_the_request_is(young_person, core):
    await asks_for_help(young_person)
    await young_person.presses("Yes, send it")
    seen = await young_person.says("has anyone read it yet")
    assert one_of(seen, core, "utter_status_waiting")


async def test_the_same_fear_is_answered_when_it_comes_in_the_middle_of_the_request(young_person, core):
    await young_person.says("i want to ask for help for my family")
    seen = await young_person.says("will they take my kids away")
    assert one_of(seen, core, "utter_form_fear")
    assert one_of(seen, core, "utter_ask_early_help_need")


async def test_a_father_without_a_postcode_is_heard_as_a_father_and_asks_for_help(young_person, core):
    await young_person.presses("I'm a parent or carer")
    seen = await young_person.says("is there anything for dads")
    assert one_of(seen, core, "utter_father_adult")
    await young_person.says("yes please")
    await young_person.says("i see my boys at weekends and i dont know how to talk to them")
    await young_person.presses("Skip this")
    await young_person.presses("Here in this chat")
    await young_person.presses("Weekends")
    await young_person.presses("No thanks")
    await young_person.presses("Yes, send it")
    case = young_person.handover()
    assert case.details == {
        "worry": "i see my boys at weekends and i dont know how to talk to them",
        "contact": "here in this chat",
        "contact_time": "at the weekend",
    }


async def reports(person: YoungPerson, where: str) -> list[str]:
    """A report up to the place."""
    await person.presses("I'm worried about a child")
    await person.presses("Report it now")
    await person.says("the kids next door wear the same dirty clothes every day")
    await person.presses("No")
    await person.says("since the summer")
    return await person.says(where)


async def test_a_neighbour_without_proof_reports_by_postcode_without_a_name(young_person, core):
    await young_person.presses("I'm worried about a child")
    assert one_of(await young_person.presses("I have no proof"), core, "utter_no_proof")
    await young_person.says("i want to report a concern")
    await young_person.says("the kids next door wear the same dirty clothes every day")
    await young_person.presses("No")
    await young_person.says("since the summer")
    seen = await young_person.says("12 Mill Lane, gu1 1aa")
    assert any("Surrey" in text for text in seen)
    seen = await young_person.presses("No name")
    assert "Postcode: GU1 1AA" in seen[-1] and "Council: Surrey" in seen[-1]
    seen = await young_person.presses("Yes, send it")
    case = young_person.handover()
    assert case.kind == "concern_report" and "name" not in case.details
    assert case.details["where"] == "12 Mill Lane" and case.details["postcode"] == "GU1 1AA"
    assert "gov.uk/report-child-abuse-to-local-council" in case.details["council_route"]
    assert any(case.reference in text for text in seen)


async def test_a_street_alone_is_asked_about_once_and_may_stay_as_it_is(young_person, core):
    seen = await reports(young_person, "Mill Lane, near the shop")
    assert one_of(seen, core, "utter_concern_which_town")
    seen = await young_person.presses("I don't know")
    assert one_of(seen, core, "utter_ask_concern_name")
    await young_person.presses("No name")
    await young_person.presses("Yes, send it")
    assert young_person.handover().details["where"] == "Mill Lane, near the shop"


async def test_a_grandmother_in_scotland_is_sent_to_scotlands_way(young_person):
    await reports(young_person, "my grandson is in Leith, Edinburgh")
    await young_person.says("call me Jean")
    await young_person.presses("Yes, send it")
    case = young_person.handover()
    assert case.details["council"] == "City of Edinburgh" and case.details["name"] == "call me Jean"
    assert "gov.uk" not in case.details["council_route"] and "NSPCC" in case.details["council_route"]


async def test_danger_now_is_999_first_and_the_report_goes_on(young_person, core):
    await young_person.says("i want to report a concern")
    await young_person.says("the kids next door wear the same dirty clothes every day")
    seen = await young_person.presses("Yes")
    assert "999" in seen[0]
    assert young_person.handover().level == "immediate"
    assert one_of(seen, core, "utter_ask_concern_when")
    await young_person.says("right now")
    await young_person.says("12 Mill Lane, Guildford")
    await young_person.presses("No name")
    await young_person.presses("Yes, send it")
    case = young_person.handover()
    assert case.level == "immediate" and case.details["where"] == "12 Mill Lane, Guildford"
    assert case.details["danger_now"] == "yes"


async def test_a_no_after_danger_is_honest_about_who_knows(young_person, core):
    await young_person.says("i want to report a concern")
    await young_person.says("the kids next door wear the same dirty clothes every day")
    await young_person.presses("Yes")
    await all_the_way(young_person, "right now", "Guildford", "skip")
    assert one_of(await young_person.presses("No, don't send it"), core, "utter_concern_not_sent_but_known")


@pytest.mark.parametrize(
    "words",
    ["I'm going to hurt her", "i think i might hurt my baby", "im scared ill hurt him"],
)
async def test_a_parent_who_is_afraid_of_hurting_their_child_is_not_lost(young_person, core, words):
    await young_person.presses("I'm a parent or carer")
    await young_person.says("she screams all night and i get so angry")
    seen = await young_person.says(words)
    assert young_person.handover().about == "own_child"
    assert not any("?" in text for text in seen[:-1])
    seen = await young_person.says("i dont want to be like this")
    assert seen and not one_of(seen, core, "utter_fallback")
    seen = await young_person.says("will they take my kids away")
    assert one_of(seen, core, "utter_fear_children_taken")
    seen = await young_person.says("i want to ask for help for my family")
    assert one_of(seen, core, "utter_ask_early_help_need")


async def test_a_parents_own_danger_in_the_middle_of_a_request_is_not_taken_for_an_answer(young_person):
    await young_person.presses("I'm a parent or carer")
    await young_person.says("i want to ask for help for my family")
    await young_person.says("my son wont go to school and i am so tired")
    await young_person.says("my husband hits me and the kids see it")
    assert young_person.handover().kind == "disclosure"
    seen = await young_person.says("i want to ask for help for my family")
    assert not any("my husband hits me" in text for text in seen)
    assert young_person.offered()  # it goes on where it was left


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("my grandchildren live with me", "utter_kinship_carer_adult"),
        ("i have a learning disability", "utter_learning_disability_adult"),
        ("i grew up in care", "utter_was_in_care_adult"),
        ("we have been waiting for months", "utter_waiting_meanwhile_adult"),
        ("can the family worker come after work", "utter_evenings_adult"),
        ("a social worker is coming to my house", "utter_social_worker_visit_adult"),
        ("has it helped anyone", "utter_success_stories_adult"),
        ("what does early help actually do", "utter_what_is_early_help_adult"),
        ("no one ever tells us the criteria", "utter_thresholds_adult"),
        ("what happens after a referral", "utter_after_referral_adult"),
        ("can someone come with me", "utter_come_along_adult"),
        ("do we have to pay for it", "utter_cost_adult"),
    ],
)
async def test_a_kinship_carer_a_parent_who_was_in_care_and_others_get_their_own_answer(
    young_person, core, words, answer
):
    await young_person.presses("I'm a parent or carer")
    assert one_of(await young_person.says(words), core, answer)
    assert one_of(await young_person.says("yes please"), core, "utter_ask_early_help_need")


async def test_somebody_who_changes_a_line_leaves_one_out_and_then_their_mind(young_person, core):
    await asks_for_help(young_person)
    await young_person.presses("Change a line")
    await young_person.presses("Line 1")
    seen = await young_person.says("he is scared of school")
    assert "he is scared of school" in seen[-1] and "wont go to school" not in seen[-1]
    seen = await young_person.says("leave out 2")
    assert "boy of 9" not in seen[-1]
    seen = await young_person.says("hmm i am not so sure")
    assert one_of(seen, core, "utter_form_yes_or_no")
    seen = await young_person.says("no")
    assert one_of(seen, core, "utter_early_help_not_sent")
    assert young_person.handover() is None


async def test_the_copy_is_word_for_word_what_the_desk_has(young_person):
    await asks_for_help(young_person)
    await young_person.says("change 3 to ring my sister on 07700 900321")
    seen = await young_person.presses("Yes, send it")
    case = young_person.handover()
    assert case.details["contact"] == "ring my sister on 07700 900321"
    copy = next(text for text in seen if text.startswith("Your copy") and case.reference in text)
    assert all(words in copy for words in case.details.values())


async def test_what_to_do_while_waiting_is_there_after_the_request(young_person, core):
    await asks_for_help(young_person)
    await young_person.presses("Yes, send it")
    assert one_of(await young_person.presses("While I wait"), core, "utter_waiting_meanwhile_adult")


@pytest.mark.parametrize("word", ["stop", "i dont want to talk anymore"])
async def test_stop_is_obeyed_in_the_middle_of_a_request(young_person, core, word):
    await all_the_way(young_person, "i want to ask for help for my family", "he wont sleep")
    assert one_of(await young_person.says(word), core, "utter_stop")
    assert young_person.handover() is None
