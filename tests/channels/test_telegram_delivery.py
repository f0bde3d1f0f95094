"""What the outbox hands over arrives whole, in order, as plain text; and what Telegram can answer to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels import telegram_text
from bot.channels.telegram import TelegramChannel, TryLater, Undeliverable
from bot.messages import Choice, OutboundMessage, Sender
from tests.standins.served import free_port
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_door import RecordingConversations, open_door
from tests.standins.telegram_people import Person

ZEB = 600_100_300
ADDRESS = str(ZEB)


@pytest.fixture
async def door(api: TelegramApi, recorder: RecordingConversations) -> AsyncIterator[TelegramChannel]:
    async with open_door(api, recorder) as channel:
        yield channel


@pytest.fixture
def zeb(api: TelegramApi) -> Person:
    person = api.person(ZEB)
    person.chat.talked = True
    return person


def message(text: str, number: int = 1, **more: Any) -> OutboundMessage:
    values = {"sender": Sender.BOT, "at": datetime(2026, 5, 4, tzinfo=timezone.utc), **more}
    return OutboundMessage(id=number, conversation_id="a" * 32, text=text, **values)


async def test_marks_that_mean_something_to_telegram_arrive_as_typed(
    api: TelegramApi, door: TelegramChannel, zeb: Person
) -> None:
    text = "*bold* _x_ [a](b) <b>&amp;</b> `c` <script>alert(1)</script> 1 < 2 \\ {}"
    await door.deliver(ADDRESS, message(text))
    assert zeb.sees()[-1].text == text
    (call,) = api.called("sendMessage")
    assert "parse_mode" not in call.params
    assert call.params["link_preview_options"] == {"is_disabled": True}


async def test_a_worker_is_named_and_the_bot_is_not(door: TelegramChannel, zeb: Person) -> None:
    await door.deliver(ADDRESS, message("I am here.", sender=Sender.WORKER, name="Amira"))
    await door.deliver(ADDRESS, message("Hello.", 2, name="Earshot"))
    assert [s.text for s in zeb.sees()] == ["Amira: I am here.", "Hello."]


async def test_a_long_text_comes_in_pieces_with_its_buttons_at_the_end(
    door: TelegramChannel, zeb: Person
) -> None:
    text = "This is a sentence. " * 450
    await door.deliver(ADDRESS, message(text, choices=(Choice("1.0", "Yes"), Choice("1.1", "No"))))
    seen = zeb.sees()
    assert len(seen) == 3 and " ".join(s.text for s in seen) == text.strip()
    assert all(s.text.endswith("sentence.") for s in seen)
    assert [s.buttons for s in seen] == [(), (), ("Yes", "No")]


async def test_cards_are_read_as_text_and_their_choices_as_buttons(
    door: TelegramChannel, zeb: Person
) -> None:
    cards = (
        {
            "kind": "safe_adult",
            "id": "ms-okoro",
            "name": "Ms Okoro",
            "role": "Head of year",
            "trained_for": ["bullying", "neglect"],
            "lines": ["There: Mon to Fri", "By: chat here"],
            "notes": None,
            "choice": {"id": "7.0", "title": "Choose Ms Okoro"},
        },
        {"name": "Duty line", "phone": "0808 157 0001"},
    )
    await door.deliver(ADDRESS, message("Who?", 7, cards=cards, choices=(Choice("7.1", "Nobody"),)))
    (seen,) = zeb.sees()
    ms_okoro = "Ms Okoro\nHead of year\nbullying, neglect\nThere: Mon to Fri\nBy: chat here"
    assert seen.text == f"Who?\n\n{ms_okoro}\n\nDuty line\n0808 157 0001"
    assert seen.buttons == ("Choose Ms Okoro", "Nobody")


async def test_the_longest_choice_still_fits_a_button(door: TelegramChannel, zeb: Person) -> None:
    await door.deliver(ADDRESS, message("?", choices=(Choice("x" * 40, "Yes"),)))
    assert zeb.sees()[-1].buttons == ("Yes",)


async def test_an_erased_message_and_the_persons_own_are_not_sent(
    api: TelegramApi, door: TelegramChannel, zeb: Person
) -> None:
    await door.deliver(ADDRESS, message(""))
    await door.deliver(ADDRESS, message("mine", 2, sender=Sender.YOU))
    assert api.called("sendMessage") == []


async def test_buttons_that_telegram_refuses_do_not_keep_the_words_back(
    api: TelegramApi, door: TelegramChannel, zeb: Person
) -> None:
    api.fails_next("sendMessage", 400, "Bad Request: BUTTON_DATA_INVALID")
    await door.deliver(ADDRESS, message("Are you safe?", choices=(Choice("1.0", "Yes"),)))
    assert [(s.text, s.buttons) for s in zeb.sees()] == [("Are you safe?", ())]


async def test_half_a_character_does_not_keep_the_rest_back(door: TelegramChannel, zeb: Person) -> None:
    await door.deliver(ADDRESS, message("he said \ud83d and left"))
    assert zeb.sees()[-1].text == "he said \ufffd and left"


async def test_who_blocked_us_or_is_gone_is_undeliverable(
    api: TelegramApi, door: TelegramChannel, zeb: Person
) -> None:
    zeb.chat.blocked = True
    with pytest.raises(Undeliverable):
        await door.deliver(ADDRESS, message("hi"))
    gone = api.person(42)
    gone.chat.talked = True
    gone.deletes_account()
    with pytest.raises(Undeliverable):
        await door.deliver("42", message("hi"))
    with pytest.raises(Undeliverable):
        await door.deliver("99999", message("hi", choices=(Choice("1.0", "Yes"),)))


async def test_a_flood_limit_says_how_long_to_wait(api: TelegramApi, door: TelegramChannel) -> None:
    api.person(ZEB).chat.talked = True
    api.too_many(retry_after=7)
    with pytest.raises(TryLater) as later:
        await door.deliver(ADDRESS, message("hi"))
    assert later.value.seconds == 7


async def test_an_outage_is_tried_later(api: TelegramApi, door: TelegramChannel, zeb: Person) -> None:
    api.goes_down()
    with pytest.raises(TryLater):
        await door.deliver(ADDRESS, message("hi"))
    api.comes_back()
    await door.deliver(ADDRESS, message("hi"))
    assert [s.text for s in zeb.sees()] == ["hi"]


async def test_no_telegram_at_all_is_tried_later(recorder: RecordingConversations) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    channel = TelegramChannel("1:x", recorder, recorder.content, recorder, address)
    with pytest.raises(TryLater):
        await channel.deliver(ADDRESS, message("hi"))
    await channel.typing(ADDRESS)


async def test_a_message_goes_on_from_the_piece_that_failed(
    api: TelegramApi, door: TelegramChannel, zeb: Person
) -> None:
    long = message("This is a sentence. " * 450)
    api.fails_after("sendMessage", 1, 500, "Internal Server Error")
    with pytest.raises(TryLater):
        await door.deliver(ADDRESS, long)
    assert len(zeb.sees()) == 1
    await door.deliver(ADDRESS, long)
    assert [s.text for s in zeb.sees()] == telegram_text.pieces(long)


async def test_order_holds_through_flood_limits_and_an_outage(
    api: TelegramApi, recorder: RecordingConversations, door: TelegramChannel
) -> None:
    zeb = api.person(ZEB)
    zeb.says("hello")
    await zeb.waits_for("heard 1")
    api.too_many(retry_after=1, times=2)
    for number in range(6):
        recorder.asks(ZEB, f"line {number}", ())
    await zeb.waits_for("line 1")
    api.goes_down()
    for number in range(6, 10):
        recorder.asks(ZEB, f"line {number}", ())
    zeb.says("are you there")
    await api.waits_until(lambda: door.status == "unreachable")
    api.comes_back()
    seen = await zeb.waits_for("heard 2", timeout=10)
    assert [s.text for s in seen if s.text.startswith("line")] == [f"line {n}" for n in range(10)]


async def test_the_typing_sign_shows_and_never_fails(
    api: TelegramApi, door: TelegramChannel, zeb: Person
) -> None:
    await door.typing(ADDRESS)
    assert zeb.chat.actions == ["typing"]
    zeb.chat.blocked = True
    await door.typing(ADDRESS)
    api.goes_down()
    await door.typing(ADDRESS)
    assert zeb.chat.actions == ["typing"]


# Splitting ----------------------------------------------------------------------------------------


@given(st.text(alphabet=st.sampled_from("ab. !?\n'\"😢é"), max_size=300), st.integers(4, 60))
def test_splitting_loses_nothing_but_space_and_keeps_the_limit(text: str, limit: int) -> None:
    pieces = telegram_text.split(text, limit)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    for piece in pieces:
        assert piece and piece == piece.strip()
        assert len(piece.encode("utf-16-le")) // 2 <= limit


def test_a_text_is_cut_after_a_sentence_when_there_is_one() -> None:
    assert telegram_text.split("He hit me. I ran. Then home", 18) == ["He hit me. I ran.", "Then home"]
    assert telegram_text.split('She said go now "stop." And I ran', 26) == [
        'She said go now "stop."',
        "And I ran",
    ]
    assert telegram_text.split("one two three", 8) == ["one two", "three"]
    assert telegram_text.split("😢" * 5, 4) == ["😢😢", "😢😢", "😢"]
    assert telegram_text.split("short") == ["short"]
    assert telegram_text.split("  \n ") == []
