"""The one path of a message: stored, assessed, routed, and never left without words."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

import pytest
import sqlalchemy
import time_machine

from bot import handover, transcript
from bot.bootstrap import Core
from bot.changes import Changes
from bot.codes import HIDDEN
from bot.conversation import (
    Conversations,
    EmptyMessage,
    MessageTooLong,
    NoSuchConversation,
    UnknownChoice,
    give_code,
    own_words,
)
from bot.conversation.said import PAUSE
from bot.doors import UnknownSpeaker
from bot.floor import read_answer
from bot.messages import MAX_TEXT, Channel, InboundMessage, Kind, Sender
from bot.passing_on import keep_draft
from bot.risk import detector
from bot.risk.taxonomy import Finding, Level, Memory
from tests.conftest import ScriptedDialogue

DISCLOSURE = "my stepdad hits me when hes had a drink"
OVERDOSE = "ive taken loads of paracetamol"
#: A Tuesday on which the day team is there.
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
SAFETY = {"custom": {"earshot": {"safety": "high"}}}


@pytest.fixture
def conversations(core: Core, dialogue: ScriptedDialogue) -> Conversations:
    return Conversations(core, dialogue, detector.assess, Changes(core.store))


@pytest.fixture
async def chat(conversations: Conversations) -> str:
    return (await conversations.start_web()).conversation_id


def message(chat: str, text: str = "", client_id: str = "m1", **more) -> InboundMessage:
    return InboundMessage(chat, Channel.WEB, client_id, text=text, **more)


def said(core: Core, chat: str, sender: Sender = Sender.BOT) -> list[str]:
    with core.store.read() as uow:
        return [m.text for m in uow.messages(chat) if m.sender == sender.value]


def open_case(core: Core, chat: str):
    with core.store.read() as uow:
        return uow.open_handover_of(chat)


async def test_a_new_conversation_says_what_is_private_before_anything_else(core: Core, chat: str) -> None:
    words = said(core, chat)
    assert words[:2] == [
        core.content.say("utter_opening_hello"),
        core.content.say("utter_opening_private"),
    ]


async def test_a_message_is_answered_by_the_dialogue(conversations, core, chat, dialogue) -> None:
    await conversations.take_turn(message(chat, "hello there"))
    assert dialogue.asked == ["hello there"]
    assert said(core, chat)[-1] == "Tell me more."
    assert open_case(core, chat) is None


async def test_the_same_client_id_twice_is_one_message(conversations, core, chat, dialogue) -> None:
    first = await conversations.take_turn(message(chat, "hello there"))
    again = await conversations.take_turn(message(chat, "hello there"))
    assert first == again
    assert said(core, chat, Sender.YOU) == ["hello there"]
    assert dialogue.asked == ["hello there"]


async def test_two_messages_at_once_are_both_kept_in_order(conversations, core, chat, dialogue) -> None:
    await asyncio.gather(*(conversations.take_turn(message(chat, f"message {n}", f"m{n}")) for n in range(8)))
    assert sorted(said(core, chat, Sender.YOU)) == [f"message {n}" for n in range(8)]
    assert len(dialogue.asked) == 8


@pytest.mark.parametrize("dialogue_does", ["down", "nonsense", "nothing", "the wrong safety words"])
async def test_a_disclosure_gets_words_and_a_handover_whatever_the_dialogue_does(
    conversations, core, chat, dialogue, dialogue_does
) -> None:
    dialogue.down = dialogue_does == "down"
    dialogue.replies = {
        "down": [],
        "nonsense": [{"text": "Lovely! What is your favourite colour?"}],
        "nothing": [],
        "the wrong safety words": [{"text": "Noted."}, SAFETY],
    }[dialogue_does]
    text = OVERDOSE if dialogue_does == "the wrong safety words" else DISCLOSURE
    await conversations.take_turn(message(chat, text))
    assert open_case(core, chat) is not None
    last = said(core, chat)[-1]
    if text is OVERDOSE:
        assert last.splitlines()[0] == "Call 999 now."
    else:
        assert "0800 1111" in last and "favourite colour" not in " ".join(said(core, chat))


async def test_the_floor_is_silent_when_the_dialogue_said_the_safety_words(
    conversations, core, chat, dialogue
) -> None:
    dialogue.replies = [{"text": "I believe you."}, SAFETY]
    await conversations.take_turn(message(chat, DISCLOSURE))
    assert said(core, chat)[-1] == "I believe you."
    assert open_case(core, chat).level == "high"


async def test_a_harmless_message_while_the_dialogue_is_down_gets_an_honest_answer(
    conversations, core, chat, dialogue
) -> None:
    dialogue.down = True
    await conversations.take_turn(message(chat, "who won the world cup"))
    assert said(core, chat)[-1] == core.content.say("utter_machine_down")
    assert open_case(core, chat) is None


async def test_an_assessment_that_breaks_counts_as_danger(core, dialogue) -> None:
    def broken(text: str, memory: Memory) -> Finding:
        raise RuntimeError("broken on purpose")

    conversations = Conversations(core, dialogue, broken, Changes(core.store))
    chat = (await conversations.start_web()).conversation_id
    await conversations.take_turn(message(chat, "anything at all"))
    assert open_case(core, chat).level == "high"


async def test_while_a_person_has_the_chat_the_dialogue_is_not_asked(
    conversations, core, chat, dialogue
) -> None:
    await conversations.take_turn(message(chat, DISCLOSURE))
    asked_before = list(dialogue.asked)
    with core.uow() as uow:
        worker = uow.rota().duty_line(core.now())[0].id
        handover.accept(uow, uow.open_handover_of(chat).id, worker, core.now())
        uow.commit()
    await conversations.take_turn(message(chat, "are you a real person", "m2"))
    await conversations.take_turn(message(chat, OVERDOSE, "m3"))
    assert dialogue.asked == asked_before
    assert open_case(core, chat).level == "immediate"  # shown to the worker who has it


async def test_a_person_who_accepts_while_the_bot_is_thinking_silences_it(
    conversations, core, chat, dialogue
) -> None:
    await conversations.take_turn(message(chat, DISCLOSURE))

    def accept() -> None:
        with core.uow() as uow:
            worker = uow.rota().duty_line(core.now())[0].id
            handover.accept(uow, uow.open_handover_of(chat).id, worker, core.now())
            uow.commit()

    dialogue.during = accept
    dialogue.replies = [{"text": "too late"}]
    await conversations.take_turn(message(chat, "hello", "m2"))
    assert "too late" not in said(core, chat)


async def test_a_message_that_a_crash_left_behind_is_answered_once(
    conversations, core, chat, dialogue
) -> None:
    await conversations.receive(message(chat, DISCLOSURE))  # and then the process died
    assert open_case(core, chat) is None
    another = Conversations(core, dialogue, detector.assess, Changes(core.store))
    assert await another.answer_leftovers(core.now()) == 1
    assert await another.answer_leftovers(core.now()) == 0
    assert open_case(core, chat) is not None


async def test_typed_commands_do_not_reach_the_dialogue_as_commands(conversations, chat, dialogue) -> None:
    await conversations.take_turn(message(chat, "/restart"))
    await conversations.take_turn(message(chat, " //door_me{}", "m2"))
    await conversations.take_turn(message(chat, "///", "m3"))
    assert dialogue.asked == ["restart", "door_me{}", "?"]


async def test_only_choices_that_were_offered_can_be_pressed(conversations, core, chat, dialogue) -> None:
    with core.store.read() as uow:
        doors = uow.messages(chat)[-1]
    offered = transcript.outbound(doors).choices[0]
    await conversations.take_turn(message(chat, choice=offered.id, kind=Kind.CHOICE))
    assert dialogue.asked == ["/door_me"]
    for wrong in ("/restart", "3.99", "99999.0", "", "٣.0", "1" * 4000):
        with pytest.raises(UnknownChoice):
            await conversations.receive(message(chat, choice=wrong, kind=Kind.CHOICE, client_id="m2"))


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
async def test_an_empty_message_is_refused(conversations, chat, text) -> None:
    with pytest.raises(EmptyMessage):
        await conversations.receive(message(chat, text))


async def test_a_huge_message_is_refused_not_cut(conversations, core, chat) -> None:
    with pytest.raises(MessageTooLong):
        await conversations.receive(message(chat, "x" * (MAX_TEXT + 1)))
    assert said(core, chat, Sender.YOU) == []


@pytest.mark.parametrize(
    "text", ["😀😀😀", "<script>alert(1)</script>", "a\x00b", "\ud83d lone", "\u202eevil"]
)
async def test_odd_text_is_kept_as_it_was(conversations, core, chat, text) -> None:
    await conversations.take_turn(message(chat, text))
    assert said(core, chat, Sender.YOU) == [text]


async def test_an_edit_that_tells_of_harm_is_acted_on(conversations, core, chat, dialogue) -> None:
    await conversations.take_turn(message(chat, "my stepdad"))
    await conversations.take_turn(message(chat, "my step dad is nice", "m2", kind=Kind.EDIT))
    assert open_case(core, chat) is None
    assert dialogue.asked == ["my stepdad"]
    await conversations.take_turn(message(chat, DISCLOSURE, "m3", kind=Kind.EDIT))
    assert open_case(core, chat).level == "high"


async def test_a_photo_gets_a_kind_answer_and_its_caption_is_read(
    conversations, core, chat, dialogue
) -> None:
    await conversations.take_turn(message(chat, kind=Kind.UNREADABLE, media="photo"))
    assert said(core, chat)[-1] == core.content.say("utter_unreadable_media")
    assert dialogue.asked == []
    await conversations.take_turn(message(chat, DISCLOSURE, "m2", kind=Kind.UNREADABLE, media="photo"))
    assert open_case(core, chat).level == "high"


async def test_the_code_brings_a_conversation_back_however_it_is_typed(conversations) -> None:
    started = await conversations.start_web()
    typed = started.return_code.replace("-", "  ").upper()
    again = await conversations.resume(typed)
    assert again.conversation_id == started.conversation_id
    assert again.token != started.token
    with pytest.raises(NoSuchConversation):
        await conversations.resume("five words that are wrong")


async def test_the_code_typed_back_is_checked_and_then_kept_by_nobody(conversations, core, dialogue) -> None:
    started = await conversations.start_web()
    nearly = started.return_code.split("-")
    nearly[2] = "wrongword"
    await conversations.take_turn(message(started.conversation_id, " ".join(nearly)))
    assert said(core, started.conversation_id)[-1].startswith("Nearly. Word 3 ")
    await conversations.take_turn(message(started.conversation_id, started.return_code, "m2"))
    assert said(core, started.conversation_id)[-1] == core.content.say("utter_code_right")
    assert dialogue.asked == []
    with core.store.read() as uow:
        assert uow.conversation(started.conversation_id).code is None
        assert own_words(uow, started.conversation_id) == []
    assert set(said(core, started.conversation_id, Sender.YOU)) == {HIDDEN}
    assert (await conversations.resume(started.return_code)).conversation_id == started.conversation_id


@pytest.mark.parametrize(
    "beside",
    ["my stepdad hits me {2}", "{2} {3} my dad hits me", "{2} {3} {4} i want to die", "he hits me {2} {3}"],
)
async def test_harm_told_beside_words_of_the_code_is_read_and_answered(conversations, core, beside) -> None:
    started = await conversations.start_web()
    code = started.return_code.split("-")
    told = " ".join([*code[:2], beside.format(*code)])
    await conversations.take_turn(message(started.conversation_id, told))
    case = open_case(core, started.conversation_id)
    assert case is not None and case.kind == "disclosure"
    (stored,) = said(core, started.conversation_id, Sender.YOU)
    assert beside.split("{")[0].strip() in stored  # staff read what was told, and no way in
    assert not any(word in stored.split() for word in code)


async def test_an_attempt_at_the_code_after_a_safety_question_is_still_read(core, dialogue) -> None:
    def broken(text: str, memory: Memory) -> Finding:
        raise RuntimeError("broken on purpose")

    conversations = Conversations(core, dialogue, broken, Changes(core.store))
    started = await conversations.start_web()
    await conversations.take_turn(message(started.conversation_id, started.return_code))
    assert open_case(core, started.conversation_id).level == "high"  # not assessed: a person is told


async def asks(conversations, core, dialogue, chat: str, *questions: str) -> list[str]:
    """Lets the bot ask these questions, one a turn; returns the ids of the "Yes" under each."""
    for n, name in enumerate(questions):
        first, *_ = core.content.variations(name)
        buttons = [dict(button) for button in first.buttons]
        dialogue.replies = [{"text": first.text, "buttons": buttons}, {"custom": dict(first.custom)}]
        await conversations.take_turn(message(chat, "hello there", f"q{n}"))
    dialogue.replies = [{"text": "Tell me more."}]
    with core.store.read() as uow:
        said_last = [m for m in uow.messages(chat) if m.sender == Sender.BOT.value][-len(questions) :]
        return [c["id"] for m in said_last for c in m.choices if c["payload"] == "/affirm"]


async def presses(conversations, chat: str, choice: str, client_id: str = "p1") -> None:
    await conversations.take_turn(message(chat, client_id=client_id, kind=Kind.CHOICE, choice=choice))


async def test_a_button_pressed_late_does_not_answer_the_newest_question(
    conversations, core, chat, dialogue
) -> None:
    old, _new = await asks(conversations, core, dialogue, chat, "utter_offer_round", "utter_ask_harm")
    asked = len(dialogue.asked)
    await presses(conversations, chat, old)
    assert len(dialogue.asked) == asked, "the dialogue was told of an answer nobody gave"
    assert open_case(core, chat) is None
    left, again = said(core, chat)[-2:]
    assert left in {one.text for one in core.content.variations("utter_late_choice")}
    assert again == core.content.variations("utter_ask_harm")[0].text
    with core.store.read() as uow:
        newest = uow.messages(chat)[-1]
        assert Memory.from_dict(uow.conversation(chat).memory).asked == "harm"
    yes = next(c["id"] for c in newest.choices if c["payload"] == "/affirm")
    await presses(conversations, chat, yes, "p2")
    assert open_case(core, chat).level == "high"


@pytest.mark.parametrize(
    ("question", "level"), [("utter_ask_harm", "high"), ("utter_ask_suicide_tonight", "immediate")]
)
async def test_a_late_yes_to_a_safety_question_is_never_lost(
    conversations, core, chat, dialogue, question, level
) -> None:
    old, _new = await asks(conversations, core, dialogue, chat, question, "utter_offer_round")
    await presses(conversations, chat, old)
    assert open_case(core, chat).level == level


async def test_a_late_yes_to_an_offer_makes_the_offer_again(conversations, core, chat, dialogue) -> None:
    old, _new = await asks(conversations, core, dialogue, chat, "utter_ask_consent", "utter_offer_round")
    await presses(conversations, chat, old)
    assert dialogue.asked[-1] == "/pass_on_words"


async def test_a_picture_or_the_code_leaves_open_what_was_asked(conversations, core, chat, dialogue) -> None:
    (yes,) = await asks(conversations, core, dialogue, chat, "utter_ask_harm")
    await conversations.take_turn(message(chat, client_id="pic", kind=Kind.UNREADABLE, media="photo"))
    await presses(conversations, chat, yes)
    assert open_case(core, chat).level == "high" and dialogue.asked[-1] == "/affirm"


async def test_whoever_comes_back_sees_the_code_once_more_and_where_things_stand(conversations, core) -> None:
    started = await conversations.start_web()
    await conversations.take_turn(message(started.conversation_id, DISCLOSURE))
    before = len(said(core, started.conversation_id))
    await conversations.resume(started.return_code)
    back = said(core, started.conversation_id)[before:]
    assert len(back) == 3 and HIDDEN in back[1] and "the duty team" in back[2]
    await conversations.resume(started.return_code)
    assert not any(HIDDEN in text for text in said(core, started.conversation_id)[before + 3 :])
    await conversations.take_turn(message(started.conversation_id, "hello again", "m2"))
    with core.store.read() as uow:
        assert uow.conversation(started.conversation_id).code is None


async def test_whoever_comes_back_hears_who_has_read_it_and_what_came_of_it(conversations, core) -> None:
    started = await conversations.start_web()
    chat = started.conversation_id
    await conversations.take_turn(message(chat, DISCLOSURE))
    with core.uow() as uow:
        case = uow.open_handover_of(chat)
        handover.accept(uow, case.id, "sam-okafor", NOON)
        uow.commit()
    await conversations.resume(started.return_code)
    assert "Sam Okafor has read it" in said(core, chat)[-1]
    with core.uow() as uow:
        handover.close(uow, case.id, "sam-okafor", "The nurse will see you.", NOON)
        uow.commit()
    await conversations.resume(started.return_code)
    assert "The nurse will see you." in said(core, chat)[-1]


async def test_a_new_code_ends_the_old_one(conversations, core) -> None:
    started = await conversations.start_web()
    with core.uow() as uow:
        code = give_code(uow, uow.conversation(started.conversation_id, lock=True))
        uow.commit()
    assert (await conversations.resume(code)).conversation_id == started.conversation_id
    with pytest.raises(NoSuchConversation):
        await conversations.resume(started.return_code)


async def test_a_speaker_goes_through_their_door(conversations, dialogue) -> None:
    await conversations.start_web("friend")
    assert dialogue.asked == ["/door_friend"]
    with pytest.raises(UnknownSpeaker):
        await conversations.start_web("wizard")


async def test_the_same_telegram_chat_is_the_same_conversation(conversations, core) -> None:
    one = await conversations.open(Channel.TELEGRAM, address="4711")
    assert await conversations.open(Channel.TELEGRAM, address="4711") == one
    assert await conversations.find(Channel.TELEGRAM, "4712") is None
    with core.store.read() as uow:
        assert uow.conversation(one).address == "4711"


async def test_deleting_leaves_no_word_behind(conversations, core, chat) -> None:
    await conversations.take_turn(message(chat, "hello marker-phrase"))
    assert await conversations.erase(chat)
    assert set(said(core, chat, Sender.YOU)) == {None}
    with pytest.raises(NoSuchConversation):
        await conversations.receive(message(chat, "still there?", "m2"))


async def test_an_open_handover_is_not_deleted_under_the_staff(conversations, core, chat) -> None:
    await conversations.take_turn(message(chat, DISCLOSURE))
    assert not await conversations.erase(chat)
    assert DISCLOSURE in said(core, chat, Sender.YOU)


async def test_delete_asked_for_in_the_chat_is_done(conversations, core, chat, dialogue) -> None:
    dialogue.replies = [{"text": "Done."}, {"custom": {"earshot": {"do": "delete"}}}]
    await conversations.take_turn(message(chat, "delete this"))
    with core.store.read() as uow:
        assert uow.conversation(chat).erased_at


async def test_a_level_never_goes_down_by_itself(conversations, core, chat) -> None:
    await conversations.take_turn(message(chat, DISCLOSURE))
    await conversations.take_turn(message(chat, "who won the world cup", "m2"))
    with core.store.read() as uow:
        assert Memory.from_dict(uow.conversation(chat).memory).level is Level.HIGH


async def test_a_wish_not_to_tell_somebody_is_kept_even_when_the_dialogue_is_down(
    conversations, core, chat, dialogue
) -> None:
    dialogue.down = True
    await conversations.take_turn(message(chat, DISCLOSURE))
    await conversations.take_turn(message(chat, "dont tell my stepdad i said", "m2"))
    assert open_case(core, chat).details["do_not_tell"] == "dont tell my stepdad i said"


async def test_a_change_to_their_words_is_not_taken_for_a_new_worry(
    conversations, core, chat, dialogue
) -> None:
    await conversations.take_turn(message(chat, "they leave me out of it all"))
    with core.uow() as uow:
        keep_draft(uow, chat, ["they leave me out of it all"])
        uow.commit()
    dialogue.replies = [{"text": "Shall I send it?"}, {"custom": {"earshot": {"asked": "consent"}}}]
    await conversations.take_turn(message(chat, "pass it on", "m2"))
    await conversations.take_turn(message(chat, "change 1 to they laugh at me", "m3"))
    await conversations.take_turn(message(chat, "add that it was on monday", "m4"))
    assert dialogue.asked[-2:] == [
        '/change_words{"words": "change 1 to they laugh at me"}',
        '/add_words{"words": "add that it was on monday"}',
    ]


async def test_own_words_are_what_was_typed_and_not_what_was_pressed(conversations, core, chat) -> None:
    await conversations.take_turn(message(chat, "mum is ill"))
    with core.store.read() as uow:
        offered = transcript.outbound(uow.messages(chat)[2]).choices[0].id
    await conversations.take_turn(message(chat, choice=offered, kind=Kind.CHOICE, client_id="m2"))
    with core.store.read() as uow:
        assert own_words(uow, chat) == ["mum is ill"]


def test_directives_are_taken_out_of_what_is_said() -> None:
    answer = read_answer(
        [
            {"text": "Pick one.", "buttons": [{"title": "A", "payload": "/a"}]},
            {"custom": {"earshot": {"cards": [{"title": "Ms Begum", "lines": []}], "asked": "safe_now"}}},
            {"custom": {"earshot": {"safety": "immediate"}}},
            {"custom": {"somebody": "else"}},
        ]
    )
    assert [reply.text for reply in answer.replies] == ["Pick one."]
    assert answer.replies[0].cards == [{"title": "Ms Begum", "lines": []}]
    assert (answer.asked, answer.safety) == ("safe_now", Level.IMMEDIATE)


async def test_an_answer_to_a_worker_is_not_an_answer_to_the_bots_last_question(
    conversations, core, chat, dialogue
) -> None:
    dialogue.replies = [{"text": "Safe?"}, SAFETY, {"custom": {"earshot": {"asked": "safe_now"}}}]
    await conversations.take_turn(message(chat, DISCLOSURE))
    with core.uow() as uow:
        worker = uow.rota().duty_line(core.now())[0].id
        handover.accept(uow, uow.open_handover_of(chat).id, worker, core.now())
        uow.commit()
    await conversations.take_turn(message(chat, "no", "m2"))
    assert open_case(core, chat).level == "high"


PIECES = ("my step dad", "when mums at work", "gets in", "my bed")


async def test_a_thought_sent_in_pieces_reaches_a_person(conversations, core, chat, dialogue) -> None:
    assert not any(detector.assess(piece).level.needs_person for piece in PIECES)
    for number, piece in enumerate(PIECES):
        await conversations.take_turn(message(chat, piece, f"p{number}"))
    assert open_case(core, chat).level == "high"
    with core.store.read() as uow:
        kept = uow.conversation(chat).memory
    assert kept["just_said"] == "" and kept["level"] == "high"


class Noted:
    """Reads nothing, and keeps what was said before each message."""

    def __init__(self) -> None:
        self.before: list[str] = []

    def __call__(self, text: str, memory: Memory) -> Finding:
        self.before.append(memory.just_said)
        return Finding(asked=memory.asked if memory.asked == "safe_now" else None)


async def test_what_counts_as_sent_just_before(core, dialogue) -> None:
    noted = Noted()
    conversations = Conversations(core, dialogue, noted, Changes(core.store))
    with time_machine.travel(NOON, tick=False) as clock:
        chat = (await conversations.start_web()).conversation_id
        await conversations.take_turn(message(chat, "my dad", "1"))
        await conversations.take_turn(message(chat, "always", "2"))
        await conversations.take_turn(message(chat, "my dadd", "3", kind=Kind.EDIT))
        await conversations.take_turn(message(chat, "after an edit", "4"))
        clock.shift(PAUSE.total_seconds() + 1)
        await conversations.take_turn(message(chat, "much later", "5"))
        dialogue.replies = [{"text": "Are you safe?", "custom": {"earshot": {"asked": "safe_now"}}}]
        await conversations.take_turn(message(chat, "soon after", "6"))
        dialogue.replies = [{"text": "Tell me more?", "custom": {"earshot": {"asked": "worry"}}}]
        await conversations.take_turn(message(chat, "an answer", "7"))
        await conversations.take_turn(message(chat, "after an answer", "8"))
        await conversations.take_turn(message(chat, "and more", "9"))
    expected = ["", "my dad", "", "", "", "much later", "much later soon after", "", "after an answer"]
    assert noted.before == expected


async def test_a_message_before_that_no_key_opens_does_not_keep_the_next_from_being_read(
    conversations, core, chat
) -> None:
    await conversations.take_turn(message(chat, "hello there", "1"))
    with core.store.engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE message SET finding = 'not sealed' WHERE sender = 'you'"))
    await conversations.take_turn(message(chat, DISCLOSURE, "2"))
    assert open_case(core, chat).level == "high"
