"""The door tells whom it is about, for the whole conversation."""

from __future__ import annotations

import pytest

from actions.doors import ABOUT, ActionGoThroughDoor
from tests.actions.conftest import CONVERSATION, Child


def test_at_the_same_door_again_it_listens_on(child: Child):
    child.hears(ActionGoThroughDoor(), "door_friend")
    assert child.hears(ActionGoThroughDoor(), "door_friend").names == ["utter_listening"]


@pytest.mark.parametrize("door", sorted(ABOUT))
def test_a_door_is_noted_and_answered_with_its_own_words(child: Child, door):
    said = child.hears(ActionGoThroughDoor(), door)
    assert said.names == [f"utter_{door}"]
    assert said.names[0] in child.core.content
    assert said.slots["about"] == ABOUT[door]
    with child.core.store.read() as uow:
        row = uow.conversation(CONVERSATION)
        assert row.about == row.memory["about"] == ABOUT[door]
