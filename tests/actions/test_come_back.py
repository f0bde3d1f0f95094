"""The code to come back with, and what was said, said again."""

from __future__ import annotations

from actions.come_back import ActionRepeat, ActionReturnCode
from bot.codes import HIDDEN
from bot.conversation import give_code
from bot.messages import Sender
from bot.transcript import append
from tests.actions.conftest import CONVERSATION, Child


def test_the_code_is_offered_and_is_in_no_transcript(child: Child):
    with child.core.uow() as uow:
        code = give_code(uow, uow.conversation(CONVERSATION, lock=True))
        uow.commit()
    said = child.hears(ActionReturnCode(), "return_code")
    assert said.values("utter_code")["code"] == HIDDEN
    assert code not in str(said.messages)


def test_a_code_that_cannot_be_opened_any_more_gives_way_to_a_new_one(child: Child):
    assert child.hears(ActionReturnCode(), "return_code").names == ["utter_code_new"]
    with child.core.store.read() as uow:
        row = uow.conversation(CONVERSATION)
        assert row.code_hash == uow.cipher.slow_hash("return-code", row.code)


def test_on_telegram_no_code_is_needed(child: Child):
    with child.core.uow() as uow:
        uow.conversation(CONVERSATION).channel = "telegram"
        uow.commit()
    assert child.hears(ActionReturnCode(), "return_code").names == ["utter_code_not_needed"]


def test_what_was_said_is_said_again_with_its_choices_and_its_question(child: Child):
    child.types("i want to tell someone")
    with child.core.uow() as uow:
        row = uow.conversation(CONVERSATION, lock=True)
        choice = {"title": "Choose", "payload": "/choose_safe_adult"}
        card = {"title": "Ms Begum", "lines": [], "choice": choice}
        yes = {"title": "Yes", "payload": "/affirm"}
        append(uow, row, Sender.BOT, "Shall I?", child.core.now(), choices=[yes], cards=[card])
        uow.commit()
    child.types("what?")
    child.events += [{"event": "user"}, {"event": "slot", "name": "asked", "value": "consent"}]
    said = child.hears(ActionRepeat(), "repeat_that", "what?")
    again = said.values("utter_said_again")
    assert again["said"] == "Shall I?" and again["buttons"] == [{"title": "Yes", "payload": "/affirm"}]
    assert said.messages[1]["custom"] == {"earshot": {"cards": [card]}}
    assert said.slots["asked"] == "consent"
