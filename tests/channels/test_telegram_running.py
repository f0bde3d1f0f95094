"""Starting, stopping, crashes, outages, and what must never be written down."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from structlog.testing import capture_logs

from bot.channels import telegram_commands
from bot.channels.telegram import TelegramChannel
from bot.messages import Kind
from tests.standins import telegram_shapes as shapes
from tests.standins.served import free_port
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_door import RecordingConversations, open_door, telegram_words

ZEB = 600_100_300
MARKER = "zanzibar-marker-phrase"


def build(api: TelegramApi, recorder: RecordingConversations) -> TelegramChannel:
    return TelegramChannel(
        api.token, recorder, recorder.content, recorder, api.base_url, poll_seconds=5, retry_seconds=0.05
    )


async def test_stopping_is_prompt_while_a_poll_is_held_open(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    channel = build(api, recorder)
    await channel.start()
    await api.waits_until(lambda: api.called("getUpdates"))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await channel.stop()
    assert time.monotonic() - began < 1.0
    assert channel.status == "stopped"
    await channel.stop()


async def test_stopping_is_prompt_while_an_update_waits_for_the_store(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    recorder.store_down = True
    channel = build(api, recorder)
    await channel.start()
    update_id = api.person(ZEB).says("help")
    await asyncio.sleep(0.4)
    began = time.monotonic()
    await channel.stop()
    assert time.monotonic() - began < 1.0
    assert api.pending() == [update_id]


async def test_the_gateway_starts_without_telegram_and_connects_when_it_is_there(
    recorder: RecordingConversations,
) -> None:
    api = TelegramApi(port=free_port())
    channel = build(api, recorder)
    began = time.monotonic()
    await channel.start()
    assert time.monotonic() - began < 0.1
    await api.waits_until(lambda: channel.status == "unreachable")
    with api:
        api.person(ZEB).says("hello")
        await api.waits_until(lambda: recorder.texts() == ["hello"])
        assert channel.status == "polling"
        await channel.stop()


async def test_a_refused_token_is_said_once_and_not_quoted(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    wrong = "700100200:" + "wrong-" * 6
    with capture_logs() as logs:
        async with open_door(api, recorder, token=wrong) as channel:
            await api.waits_until(lambda: channel.status == "refused")
    assert [e["event"] for e in logs if e["log_level"] == "error"] == ["telegram_polling_failed"]
    assert "wrong-" not in repr(logs)


async def test_a_second_program_polling_for_the_same_bot_is_reported(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    with capture_logs() as logs:
        async with open_door(api, recorder) as one, open_door(api, recorder) as two:
            await api.waits_until(lambda: "conflict" in (one.status, two.status))
    assert {e.get("status") for e in logs if e["event"] == "telegram_polling_failed"} == {"conflict"}


async def test_a_webhook_left_behind_does_not_keep_the_door_shut(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    api.webhook = {"url": "https://old.example/hook"}
    api.person(ZEB).says("hello")
    async with open_door(api, recorder):
        await api.waits_until(lambda: recorder.texts() == ["hello"])


async def test_an_update_is_confirmed_only_after_it_was_stored(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    recorder.slow[str(ZEB)] = 0.8
    async with open_door(api, recorder):
        update_id = api.person(ZEB).says("slowly stored")
        await api.waits_until(lambda: recorder.addresses)
        await asyncio.sleep(0.5)
        assert recorder.messages == [] and api.pending() == [update_id]
        await api.waits_until(lambda: not api.pending())
        assert recorder.texts() == ["slowly stored"]


async def test_a_crash_between_receiving_and_storing_loses_nothing(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    recorder.slow[str(ZEB)] = 60
    crashed = build(api, recorder)
    await crashed.start()
    zeb = api.person(ZEB)
    zeb.says("one")
    zeb.says("two")
    await api.waits_until(lambda: recorder.addresses)
    crashed._task.cancel()  # nothing is finished, confirmed or closed
    await crashed._intake.stop(0)
    assert recorder.messages == []
    recorder.slow.clear()
    async with open_door(api, recorder):
        await api.waits_until(lambda: recorder.texts() == ["one", "two"])


async def test_what_was_handled_is_confirmed_at_the_stop(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    async with open_door(api, recorder):
        api.person(ZEB).says("hello")
        await api.waits_until(lambda: recorder.messages)
    assert api.pending() == []


async def test_while_the_store_is_down_the_person_is_told_and_nothing_is_lost(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    zeb = api.person(ZEB)
    recorder.store_down = True
    with capture_logs() as logs:
        async with open_door(api, recorder):
            zeb.says("one " + MARKER)
            zeb.says("two")
            (told,) = await zeb.waits_for("Something is wrong on my side")
            assert "999" in told.text and "0800 1111" in told.text
            await asyncio.sleep(2.5)  # far past the tries that an odd update gets
            recorder.store_down = False
            await api.waits_until(lambda: len(recorder.messages) == 2)
            await zeb.waits_for("heard 2")
    assert recorder.texts() == ["one " + MARKER, "two"]
    assert sum("Something is wrong" in s.text for s in zeb.sees()) == 1
    assert MARKER not in repr(logs)


async def test_neither_the_token_nor_words_nor_names_reach_any_log(
    api: TelegramApi, recorder: RecordingConversations, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "telegram", "telegram.Bot", "telegram.ext.ExtBot"):
        caplog.set_level(logging.DEBUG, logger=name)
    zeb = api.person(ZEB)
    with capture_logs() as logs:
        async with open_door(api, recorder) as channel:
            zeb.says(MARKER)
            zeb.sends_photo(caption=MARKER)
            await zeb.waits_for("heard 2")
            recorder.asks(ZEB, MARKER, ("Yes",))
            await zeb.waits_for(MARKER)
            zeb.says(MARKER, date="undecodable")
            api.too_many(retry_after=1)
            recorder.refuses.add("refused " + MARKER)
            zeb.says("refused " + MARKER)
            await zeb.waits_for("Something is wrong")
            api.goes_down()
            await api.waits_until(lambda: channel.status == "unreachable")
            assert api.token not in repr(channel) + repr(channel._bot) + str(vars(channel))
    written = caplog.text + repr(logs)
    assert "getUpdates" in caplog.text  # httpx was listened to
    for secret in (api.token, api.token.split(":")[1], MARKER, shapes.FIRST_NAME, shapes.USERNAME):
        assert secret not in written


async def test_the_token_is_in_no_exception(recorder: RecordingConversations) -> None:
    token = "700100200:" + "secret-" * 5
    channel = TelegramChannel(
        token, recorder, recorder.content, recorder, f"http://127.0.0.1:{free_port()}/bot/"
    )
    with pytest.raises(Exception) as raised:  # noqa: B017, PT011 - whichever it is
        await channel._bot.initialize()
    chain, error = "", raised.value
    while error:
        chain += repr(error) + str(error) + repr(vars(error).get("_request"))
        error = error.__cause__ or error.__context__
    assert "withheld" not in repr(channel) and "secret-" not in chain
    await channel._bot.shutdown()


async def test_edits_of_a_live_location_are_not_answered(
    api: TelegramApi, recorder: RecordingConversations
) -> None:
    zeb = api.person(ZEB)
    async with open_door(api, recorder):
        zeb.sends("live_location")
        for _ in range(5):
            api.push(shapes.odd_updates(ZEB)["live_location_moved"]())
        await api.waits_until(lambda: not api.pending())
    assert [note.kind for note in recorder.notes] == [Kind.UNREADABLE] and recorder.messages == []


def test_every_response_that_the_door_says_is_written() -> None:
    content = telegram_words()
    names = {
        *(f"utter_telegram_menu_{name}" for name in telegram_commands.COMMANDS),
        *(f"utter_telegram_words_{name}" for name in telegram_commands.PRESSES),
        *(
            f"utter_telegram_{name}"
            for name in (
                "about about_short start help language unknown_command old_button location contact reaction "
                "only_private trouble delete_ask delete_cancelled deleted deleted_case delete_kept"
            ).split()
        ),
    }
    assert names == {name for name in content.names() if name.startswith("utter_telegram")}
    for name in names:
        assert content.say(name)  # none needs a value that nobody gives
        if "menu" in name:
            assert len(content.say(name)) <= 256
    for name in telegram_commands.COMMANDS:
        assert name == "help" or f"/{name}" in content.say("utter_telegram_help")
    assert len(content.say("utter_telegram_old_button")) <= 200
    assert len(content.choices("utter_telegram_delete_ask")) == 2
