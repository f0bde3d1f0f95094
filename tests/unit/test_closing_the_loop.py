"""After a close: words for the person and for colleagues, check-ins, and the same worker again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from bot import handover
from bot.bootstrap import Core
from bot.changes import Changes
from bot.conversation import Conversations
from bot.gateway.clock import Clock
from bot.handover import check_ins
from bot.messages import Channel, InboundMessage, Kind
from bot.risk import detector
from bot.store import aftercare
from bot.store.models import CheckIn
from tests.unit.test_handover import TUESDAY_NOON, told

WEEK, MONTH = timedelta(days=7, seconds=1), timedelta(days=30, seconds=1)
DISCLOSURE = "my stepdad hits me when hes had a drink"


@pytest.fixture(autouse=True)
def travel() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(TUESDAY_NOON, tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def conversations(core: Core, dialogue) -> Conversations:
    return Conversations(core, dialogue, detector.assess, Changes(core.store))


@pytest.fixture
async def chat(conversations: Conversations) -> str:
    return (await conversations.start_web()).conversation_id


class Talk:
    """What a person and a worker do in one conversation."""

    def __init__(self, core: Core, conversations: Conversations, chat: str) -> None:
        self.core, self.conversations, self.chat = core, conversations, chat
        self._count = 0
        self.clock = Clock(core, conversations, Changes(core.store))

    async def says(self, text: str) -> list[str]:
        """Type something; gives what is answered."""
        self._count += 1
        seq = await self.conversations.take_turn(
            InboundMessage(self.chat, Channel.WEB, f"m{self._count}-{self.core.now()}", text=text)
        )
        return [m.text for m in self.messages() if m.seq > seq]

    async def presses(self, title: str) -> list[str]:
        """Press a button."""
        self._count += 1
        (choice,) = [c["id"] for m in self.messages()[::-1] for c in m.choices or () if c["title"] == title][
            :1
        ]
        seq = await self.conversations.take_turn(
            InboundMessage(self.chat, Channel.WEB, f"p{self._count}", kind=Kind.CHOICE, choice=choice)
        )
        return [m.text for m in self.messages() if m.seq > seq]

    def case(self, staff: str, **closing) -> int:
        """A case that a worker took and closed."""
        now = self.core.now()
        with self.core.uow() as uow:
            opened = handover.open_handover(uow, self.chat, now=now, kind=handover.MESSAGE)
            handover.accept(uow, opened.handover_id, staff, now)
            handover.close(
                uow, opened.handover_id, staff, "Ms Okafor talks to you on Monday.", now, **closing
            )
            uow.commit()
            return opened.handover_id

    def messages(self):
        """The transcript."""
        with self.core.store.read() as uow:
            return uow.messages(self.chat)

    def texts(self) -> list[str]:
        """Its texts."""
        return [message.text for message in self.messages()]

    def check_ins(self) -> list[CheckIn]:
        """The check-ins of the conversation."""
        with self.core.store.read() as uow:
            return list(aftercare.check_ins_of(uow, self.chat))


@pytest.fixture
def talk(core: Core, conversations: Conversations, chat: str) -> Talk:
    return Talk(core, conversations, chat)


def said(talk: Talk, response: str) -> int:
    words = {one.text for one in talk.core.content.variations(response)}
    return sum(text in words for text in talk.texts())


def worker_on_duty(core: Core) -> str:
    with core.store.read() as uow:
        return uow.rota().duty_line(core.now())[0].id


# The outcome -----------------------------------------------------------------------------------------


async def test_the_outcome_is_told_in_the_chat_and_again_on_return_by_code(
    talk: Talk, conversations: Conversations
) -> None:
    started = await conversations.start_web()
    talk.chat = started.conversation_id
    talk.case(worker_on_duty(talk.core))
    assert "talks to you on Monday" in talk.texts()[-1]
    await conversations.resume(started.return_code)
    assert "talks to you on Monday" in talk.texts()[-1]


async def test_whoever_reported_about_a_child_is_told_what_may_be_told(talk: Talk) -> None:
    now = talk.core.now()
    with talk.core.uow() as uow:
        opened = handover.open_handover(uow, talk.chat, now=now, kind=handover.CONCERN_REPORT)
        worker = uow.rota().duty_line(now)[0].id
        handover.accept(uow, opened.handover_id, worker, now)
        handover.close(uow, opened.handover_id, worker, "Somebody has visited the family.", now)
        uow.commit()
    assert "about the child" in talk.texts()[-1] and "visited the family" in talk.texts()[-1]


async def test_the_outcome_reaches_telegram(core: Core, conversations: Conversations) -> None:
    chat = await conversations.open(Channel.TELEGRAM, address="4711")
    talk = Talk(core, conversations, chat)
    talk.case(worker_on_duty(core), offer_check_ins=True)
    with core.store.read() as uow:
        waiting = [message.text for message, _ in uow.undelivered("telegram")]
    assert any("talks to you on Monday" in text for text in waiting)
    assert await talk.says("yes please") == [core.content.say("utter_check_in_agreed")]


async def test_colleagues_who_were_part_of_it_hear_what_came_of_it_and_the_closer_does_not(
    core: Core, talk: Talk
) -> None:
    now = core.now()
    with core.uow() as uow:
        uow.conversation(talk.chat).safe_adult_id = "amina-begum"
        case = handover.open_handover(uow, talk.chat, now=now, finding=told()).handover_id
        first, second = (person.id for person in uow.rota().duty_line(now))
        uow.commit()
    with core.uow() as uow:
        handover.accept(uow, case, "amina-begum", now)
        handover.transfer(uow, case, "amina-begum", first, now)
        handover.transfer(uow, case, first, second, now)
        uow.commit()
    with core.uow() as uow:
        handover.close(uow, case, second, "We have a plan.", now, feedback="Early help took it.")
        uow.commit()
    with core.store.read() as uow:
        told_of_it = {a.staff_id for a in uow.alerts_of(case) if a.reason == "outcome"}
        stored = uow.handover(case)
    assert told_of_it == {"amina-begum", first} and stored.feedback == "Early help took it."
    assert "Early help" not in " ".join(talk.texts())


# Check-ins -------------------------------------------------------------------------------------------


async def test_nobody_is_asked_who_did_not_say_yes(talk: Talk, travel) -> None:
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    travel.shift(MONTH)
    await talk.clock.tick()
    assert not talk.check_ins() and said(talk, "utter_check_in_week") == 0


@pytest.mark.parametrize("answer", ["yes", "ok then", "yeah please"])
async def test_a_yes_is_asked_once_after_a_week_and_once_after_a_month(
    talk: Talk, travel, answer: str
) -> None:
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    assert await talk.says(answer) == [talk.core.content.say("utter_check_in_agreed")]
    for shift, week, month in (
        (timedelta(days=6), 0, 0),
        (timedelta(days=2), 1, 0),
        (timedelta(days=23), 1, 1),
    ):
        travel.shift(shift)
        await talk.clock.tick()
        await Talk(talk.core, talk.conversations, talk.chat).clock.tick()  # another gateway, or a restart
        assert said(talk, "utter_check_in_week") == week and said(talk, "utter_check_in_month") == month


async def test_the_buttons_of_the_offer_work_without_the_dialogue(talk: Talk, dialogue) -> None:
    dialogue.down = True
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    assert await talk.presses("Yes, ask me") == [talk.core.content.say("utter_check_in_agreed")]
    assert [one.step for one in talk.check_ins()] == ["week", "month"]
    assert dialogue.asked == []


async def test_a_no_is_kept_and_the_offer_is_not_made_again(talk: Talk) -> None:
    worker = worker_on_duty(talk.core)
    talk.case(worker, offer_check_ins=True)
    assert await talk.says("no thanks") == [talk.core.content.say("utter_check_in_declined")]
    talk.case(worker, offer_check_ins=True)
    assert said(talk, check_ins.OFFER) == 1 and not talk.check_ins()


@pytest.mark.parametrize("words", ["stop asking me", "pls dont check in again", "stop the check-ins"])
async def test_stop_ends_it_at_any_time(talk: Talk, travel, words: str) -> None:
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    await talk.says("yes")
    assert await talk.says(words) == [talk.core.content.say("utter_check_in_stopped")]
    travel.shift(WEEK)
    await talk.clock.tick()
    assert said(talk, "utter_check_in_week") == 0


async def test_a_yes_to_something_else_agrees_to_nothing(talk: Talk) -> None:
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    await talk.says("what was that about my form again")
    assert await talk.says("yes") == ["Tell me more."], "the bot asked something in between"
    assert not talk.check_ins()


async def test_an_answer_to_a_check_in_is_a_message_like_any_other(talk: Talk, travel, dialogue) -> None:
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    await talk.says("yes")
    travel.shift(WEEK)
    await talk.clock.tick()
    await talk.says("he hit me again last night")
    with talk.core.store.read() as uow:
        case = uow.open_handover_of(talk.chat)
    assert case.kind == handover.DISCLOSURE and case.level == "high"


async def test_a_disclosure_right_after_the_offer_is_no_answer_to_it(talk: Talk) -> None:
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    await talk.says("no he hits me every night")
    with talk.core.store.read() as uow:
        assert uow.open_handover_of(talk.chat).level == "high"
        assert uow.conversation(talk.chat).check_ins == check_ins.OFFERED


async def test_whoever_is_in_touch_with_a_person_is_not_asked(talk: Talk, travel) -> None:
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    await talk.says("yes")
    travel.shift(WEEK)
    with talk.core.uow() as uow:
        handover.open_handover(uow, talk.chat, now=talk.core.now(), kind=handover.MESSAGE)
        uow.commit()
    await talk.clock.tick()
    assert said(talk, "utter_check_in_week") == 0 and talk.check_ins()[0].result == "not_needed"


async def test_whoever_deleted_everything_is_not_asked(talk: Talk, travel) -> None:
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    await talk.says("yes")
    assert await talk.conversations.erase(talk.chat)
    travel.shift(MONTH)
    await talk.clock.tick()
    assert all(one.result == "stopped" for one in talk.check_ins())
    assert talk.messages() and all(text is None for text in talk.texts())


async def test_a_check_in_is_shown_to_whoever_comes_back_with_their_code(talk: Talk, travel) -> None:
    started = await talk.conversations.start_web()
    talk.chat = started.conversation_id
    talk.case(worker_on_duty(talk.core), offer_check_ins=True)
    await talk.says("yes")
    travel.shift(WEEK)
    await talk.clock.tick()
    await talk.conversations.resume(started.return_code)
    assert talk.texts()[-1] == talk.core.content.say("utter_check_in_week")
    assert await talk.presses("Things are OK") == [talk.core.content.say("utter_check_in_fine")]
    await talk.conversations.resume(started.return_code)
    assert talk.texts()[-1] != talk.core.content.say("utter_check_in_week"), "answered already"


# The same worker -------------------------------------------------------------------------------------


async def test_somebody_who_comes_back_meets_the_same_worker_if_they_are_there(
    core: Core, talk: Talk, travel
) -> None:
    first = worker_on_duty(core)
    talk.case(first)
    with core.uow() as uow:
        again = handover.open_handover(uow, talk.chat, now=core.now(), finding=told())
        uow.commit()
    with core.store.read() as uow:
        assert uow.handover(again.handover_id).routed_to == [first]
        name = uow.staff_member(first).name
    assert again.who == name
    with core.uow() as uow:
        assert handover.chase(uow, again.handover_id, core.now() + timedelta(minutes=11))
        assert set(uow.handover(again.handover_id).routed_to) > {first}, "unanswered: the whole duty line"


async def test_where_the_last_worker_is_away_the_duty_line_is_asked(core: Core, talk: Talk, travel) -> None:
    first = worker_on_duty(core)
    talk.case(first)
    with core.uow() as uow:
        staff = uow.staff_member(first)
        staff.off_duty, staff.off_duty_at = True, core.now()
        uow.commit()
    with core.uow() as uow:
        again = handover.open_handover(uow, talk.chat, now=core.now(), finding=told())
        uow.commit()
        assert first not in uow.handover(again.handover_id).routed_to
    assert again.who == core.content.say("utter_who_duty_line")


async def test_reopening_keeps_one_history(core: Core, talk: Talk) -> None:
    one = talk.case(worker_on_duty(core))
    two = talk.case(worker_on_duty(core))
    with core.store.read() as uow:
        assert [case.id for case in aftercare.handovers_of(uow, talk.chat)] == [one, two]
