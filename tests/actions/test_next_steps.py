"""Where things stand is read from the handover, never guessed."""

from __future__ import annotations

from datetime import datetime, timezone

from actions.next_steps import ActionHowLong, ActionTellStatus
from actions.stop_delete import ActionAskDelete, ActionChangedMind
from bot.handover import accept, close, open_handover
from tests.actions.conftest import CONVERSATION, Child

#: In the night only the night team is there, and both of them have pressed "off duty".
NIGHT = datetime(2026, 11, 25, 2, 0, tzinfo=timezone.utc)


def ask_for_a_person(child: Child) -> int:
    with child.core.uow() as uow:
        opened = open_handover(uow, CONVERSATION, now=child.core.now(), kind="message")
        uow.commit()
        return opened.handover_id


def test_before_anything_was_sent_it_says_so(child: Child):
    said = child.hears(ActionTellStatus(), "has_anyone_read_it")
    assert said.names == ["utter_status_none"]
    assert said.slots["asked"] == "offer_adult"


def test_what_would_happen_is_told_without_sending_anything(child: Child):
    assert child.hears(ActionTellStatus(), "what_happens_next").names == ["utter_next_none"]


def test_while_waiting_it_names_who_has_it_and_by_when(child: Child):
    ask_for_a_person(child)
    said = child.hears(ActionTellStatus(), "what_happens_next")
    assert said.names == ["utter_status_waiting", "utter_next_waiting"]
    assert said.messages[0]["who"] and said.messages[0]["by_when"]


def test_once_accepted_it_names_the_worker(child: Child):
    case = ask_for_a_person(child)
    with child.core.uow() as uow:
        accept(uow, case, "sam-okafor", child.core.now())
        uow.commit()
    said = child.hears(ActionTellStatus(), "has_anyone_read_it")
    assert said.values("utter_status_accepted")["who"] == "Sam Okafor"


def test_after_the_close_it_tells_the_outcome(child: Child):
    case = ask_for_a_person(child)
    with child.core.uow() as uow:
        accept(uow, case, "sam-okafor", child.core.now())
        close(uow, case, "sam-okafor", "Ms Begum will see you at lunch.", child.core.now())
        uow.commit()
    said = child.hears(ActionTellStatus(), "has_anyone_read_it")
    assert said.values("utter_status_closed")["outcome"] == "Ms Begum will see you at lunch."


def test_a_joke_is_taken_back_only_if_nothing_was_sent(child: Child):
    assert child.hears(ActionChangedMind(), "changed_mind_joking").names == ["utter_changed_mind"]
    ask_for_a_person(child)
    assert child.hears(ActionChangedMind(), "changed_mind_joking").names == ["utter_changed_mind_open"]


def test_deleting_is_asked_before_it_is_done(child: Child):
    said = child.hears(ActionAskDelete(), "delete")
    assert said.names == ["utter_ask_delete"] and said.slots["asked"] == "delete"


def test_how_long_it_takes_is_read_from_the_rota_before_anything_is_sent(child: Child):
    said = child.hears(ActionHowLong(), "how_long")
    assert said.values("utter_how_long_now")["by_when"] == "1pm"  # noon, and an hour for a message


def test_when_nobody_is_there_how_long_says_so(child: Child, at):
    with child.core.uow() as uow:
        for person in ("priya-nair", "owen-hughes"):
            uow.staff_member(person).off_duty = True
        uow.commit()
    with at(NIGHT):
        said = child.hears(ActionHowLong(), "how_long")
    assert said.values("utter_how_long_later")["by_when"] == "8am"


def test_while_waiting_how_long_is_the_deadline(child: Child):
    ask_for_a_person(child)
    assert child.hears(ActionHowLong(), "how_long").names == ["utter_status_waiting"]
