"""Every kind of Telegram update, through the real channel and a real HTTP Bot API, to the core."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest
import yaml
from structlog.testing import capture_logs

from bot.channels.telegram import TelegramChannel
from bot.channels.telegram_commands import PRESSES
from bot.messages import MAX_TEXT, Channel, Kind
from bot.settings import ROOT
from tests.standins import telegram_shapes as shapes
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_door import RecordingConversations, open_door, telegram_words
from tests.standins.telegram_people import Person, Seen

ZEB = 600_100_300

MEDIA = {
    "photo": "photo",
    "paid_media": "file",
    "voice": "voice",
    "audio": "voice",
    "video": "video",
    "video_note": "video",
    "animation": "video",
    "document": "file",
    "sticker": "sticker",
    "dice": "sticker",
    "poll": "poll",
    "game": "file",
    "story": "file",
    "something_new": "file",
}

#: What somebody may believe we know now, and the words that say we do not.
NOT_KEPT = {
    "location": "did not keep it",
    "live_location": "did not keep it",
    "venue": "did not keep it",
    "contact": "did not keep that name or number",
}


@pytest.fixture
def core() -> RecordingConversations:
    return RecordingConversations(telegram_words())


@pytest.fixture
async def door(api: TelegramApi, core: RecordingConversations) -> AsyncIterator[TelegramChannel]:
    async with open_door(api, core) as channel:
        yield channel


@pytest.fixture
def zeb(api: TelegramApi, door: TelegramChannel) -> Person:
    return api.person(ZEB)


async def all_taken(api: TelegramApi) -> None:
    await api.waits_until(lambda: not api.pending())


def offered(title: str) -> Callable[[list[Seen]], bool]:
    return lambda seen: any(title in each.buttons for each in seen)


async def test_a_text_is_taken_and_answered(zeb: Person, core: RecordingConversations) -> None:
    update_id = zeb.says("my dad hits me")
    await zeb.waits_for("heard")
    (message,) = core.messages
    assert (message.text, message.kind, message.channel) == ("my dad hits me", Kind.TEXT, Channel.TELEGRAM)
    assert message.client_id == f"tg-{update_id}"
    assert core.opened == [(str(ZEB), None)]


@pytest.mark.parametrize("kind", MEDIA)
async def test_what_cannot_be_opened_is_taken_as_such(
    kind: str, zeb: Person, core: RecordingConversations
) -> None:
    with capture_logs() as logs:
        zeb.sends(kind)
        await zeb.waits_for("heard")
    (message,) = core.messages
    assert (message.kind, message.media) == (Kind.UNREADABLE, MEDIA[kind])
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []


def test_the_kinds_above_are_all_that_the_stand_in_knows() -> None:
    assert {*MEDIA, *NOT_KEPT} == set(shapes.CONTENT)


@pytest.mark.parametrize("with_worker", [False, True])
@pytest.mark.parametrize("kind", NOT_KEPT)
async def test_a_place_and_a_contact_are_not_kept_and_the_person_is_told_so(
    kind: str, with_worker: bool, zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    if with_worker:
        core.with_worker.update(core.addresses.values())
    zeb.sends(kind)
    await zeb.waits_for(NOT_KEPT[kind])
    (note,) = core.notes
    assert (note.title, note.kind) == ("", Kind.UNREADABLE)
    assert "53.48" not in repr(core) and "7700900123" not in repr(core)


async def test_of_a_sticker_its_sign_is_read(zeb: Person, core: RecordingConversations) -> None:
    zeb.sends("sticker")
    await zeb.waits_for("heard")
    assert (core.messages[0].kind, core.messages[0].text) == (Kind.UNREADABLE, "😢")


async def test_words_under_a_photo_are_words_of_theirs(zeb: Person, core: RecordingConversations) -> None:
    zeb.sends_photo(caption="this is what he did")
    await zeb.waits_for("heard")
    assert core.messages[0].text == "this is what he did"


async def test_a_poll_question_is_words_of_theirs(zeb: Person, core: RecordingConversations) -> None:
    zeb.sends("poll")
    await zeb.waits_for("heard")
    assert core.messages[0].text == "Should I tell someone?\nYes\nNo"


async def test_an_album_gets_one_answer(api: TelegramApi, zeb: Person, core: RecordingConversations) -> None:
    zeb.sends_album(4, caption="look")
    await all_taken(api)
    assert core.texts() == ["look"]
    zeb.sends_album(2)
    await all_taken(api)
    assert len(core.messages) == 2


async def test_an_edit_is_taken_again(zeb: Person, core: RecordingConversations) -> None:
    zeb.says("im fine")
    zeb.edits("im not fine, he hit me")
    zeb.sends_photo(caption="a")
    zeb.edits("b")
    await zeb.waits_for("heard 4")
    assert [(m.kind, m.text) for m in core.messages] == [
        (Kind.TEXT, "im fine"),
        (Kind.EDIT, "im not fine, he hit me"),
        (Kind.UNREADABLE, "a"),
        (Kind.EDIT, "b"),
    ]


async def test_forwards_and_replies_are_taken_as_texts(zeb: Person, core: RecordingConversations) -> None:
    zeb.forwards("send me a pic or else")
    await zeb.waits_for("heard")
    zeb.replies("he sent me that")
    await zeb.waits_for("heard 2")
    assert core.texts() == ["send me a pic or else", "he sent me that"]
    assert {m.kind for m in core.messages} == {Kind.TEXT}


@pytest.mark.parametrize("name", shapes.odd_updates(ZEB))
async def test_what_is_not_addressed_to_us_is_ignored_and_breaks_nothing(
    name: str, api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    with capture_logs() as logs:
        api.force(shapes.odd_updates(ZEB)[name]())
        zeb.says("hello")
        await zeb.waits_for("heard")
    assert core.texts() == ["hello"] and core.said == []
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []


async def test_business_chats_and_inline_queries_are_not_even_asked_for(
    api: TelegramApi, zeb: Person
) -> None:
    zeb.says("hi")
    await zeb.waits_for("heard")
    assert not api.wants("business_message") and not api.wants("inline_query")


async def test_a_reaction_is_kept_and_the_first_one_is_answered(
    zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    zeb.reacts("❤")
    await zeb.waits_for("I saw your sign")
    zeb.reacts("👍", old="❤")
    zeb.reacts("", old="👍")
    zeb.says("yes")
    await zeb.waits_for("heard 2")
    assert core.titles() == ["❤", "👍"]
    assert core.responses() == ["utter_telegram_reaction"]


async def test_a_reaction_while_a_worker_is_there_is_left_to_the_worker(
    zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    core.with_worker.update(core.addresses.values())
    zeb.reacts("👍")
    zeb.says("ok")
    await zeb.waits_for("heard 2")
    assert core.titles() == ["👍"] and core.responses() == []


async def test_a_reaction_begins_no_conversation(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    await core.erase(core.addresses[str(ZEB)])
    zeb.reacts()
    await all_taken(api)
    assert core.addresses == {} and core.notes == []


async def test_a_message_in_a_shape_the_library_cannot_decode_is_taken_all_the_same(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    older = {key: value for key, value in shapes.CONTENT["poll"]["poll"].items() if key != "members_only"}
    with capture_logs() as logs:
        zeb.says("hello", date="yesterday")
        zeb.sends_photo(caption="look", photo="not a list")
        zeb.sends("poll", poll=older)
        zeb.says("he is outside")
        await zeb.waits_for("heard 4")
    assert core.texts() == ["hello", "look", "", "he is outside"]
    assert core.messages[2].kind is Kind.UNREADABLE
    assert [e["event"] for e in logs].count("telegram_update_undecodable") == 3


async def test_what_cannot_be_stored_is_told_and_does_not_stop_what_comes_after(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    core.refuses.add("odd")
    with capture_logs() as logs:
        zeb.says("odd")
        zeb.says("he is outside")
        api.person(77).says("hello")
        await api.person(77).waits_for("heard")
        assert core.texts(ZEB) == []  # still its turn; the other chat did not wait
        await zeb.waits_for("Something is wrong on my side")
        await zeb.waits_for("heard", timeout=10)
        await all_taken(api)
    assert core.texts(ZEB) == ["he is outside"]
    assert "telegram_update_set_aside" in [entry["event"] for entry in logs]


async def test_no_name_is_read(zeb: Person, core: RecordingConversations) -> None:
    zeb.starts()
    zeb.says("hello")
    zeb.sends("contact")
    zeb.forwards("hey")
    await zeb.waits_for("heard 2")
    for name in (shapes.FIRST_NAME, shapes.LAST_NAME, shapes.USERNAME):
        assert name not in repr((core.messages, core.opened, core.said))


async def test_a_text_as_long_as_telegram_allows_is_taken_whole(
    zeb: Person, core: RecordingConversations
) -> None:
    text = ("He hits me. " * 400)[:4095] + "x"
    update_id = zeb.says(text)
    await zeb.waits_for("heard 2")
    assert all(len(m.text) <= MAX_TEXT for m in core.messages)
    assert " ".join(core.texts()) == text
    assert [m.client_id for m in core.messages] == [f"tg-{update_id}", f"tg-{update_id}-2"]


# Commands -----------------------------------------------------------------------------------------


async def test_the_menu_and_the_words_above_the_start_button_are_set(api: TelegramApi, zeb: Person) -> None:
    await api.waits_until(lambda: api.profile["short_description"])
    menu = ["help", "person", "code", "language", "leaflet", "stop", "delete", "start"]
    assert [c["command"] for c in api.commands] == menu
    assert api.called("setMyCommands")[0].params["scope"] == {"type": "all_private_chats"}
    assert "could read what we write" in api.profile["description"]


async def test_what_the_bot_says_of_itself_is_set_only_when_it_changed(
    api: TelegramApi, core: RecordingConversations
) -> None:
    for _ in range(2):
        async with open_door(api, core) as channel:
            await api.waits_until(lambda channel=channel: channel.status == "polling", timeout=20)
    assert len(api.called("setMyDescription")) == len(api.called("setMyShortDescription")) == 1


async def test_a_menu_that_telegram_refuses_does_not_keep_the_door_shut(
    api: TelegramApi, core: RecordingConversations
) -> None:
    api.fails_next("setMyCommands", 400, "Bad Request: BOT_COMMAND_INVALID")
    async with open_door(api, core):
        api.person(ZEB).says("hello")
        await api.person(ZEB).waits_for("heard")


async def test_start_opens_and_says_what_telegram_can_see(zeb: Person, core: RecordingConversations) -> None:
    zeb.starts()
    seen = await zeb.waits_for("Telegram can tell")
    assert [s.text for s in seen][0] == "Hello from the opening."
    assert core.messages == [] and core.titles() == ["/start"]
    assert core.responses() == []  # the opening has said it, and shown the doors


@pytest.mark.parametrize("speaker", ["me", "friend", "parent", "concern"])
async def test_a_deep_link_goes_through_its_door(
    speaker: str, zeb: Person, core: RecordingConversations
) -> None:
    zeb.starts(speaker)
    seen = await zeb.waits_for("heard 1")
    assert "Telegram can tell" in seen[1].text
    (note,) = core.notes
    doors = {choice["payload"]: choice["title"] for choice in core.content.choices("utter_opening_doors")}
    assert note.payload == f"/door_{speaker}" and note.title == doors[note.payload]


async def test_a_link_of_an_unknown_poster_just_starts(zeb: Person, core: RecordingConversations) -> None:
    zeb.starts("poster-17")
    await zeb.waits_for("Telegram can tell")
    assert core.titles() == ["/start"] and core.messages == []


async def test_start_again_gives_the_doors_again(zeb: Person, core: RecordingConversations) -> None:
    zeb.starts()
    zeb.starts()
    await zeb.waits_for("Who is this about?")
    assert core.responses() == ["utter_telegram_start", "utter_opening_doors"]
    assert len(core.addresses) == 1


async def test_start_again_asks_nothing_while_a_worker_is_there(
    zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    core.with_worker.update(core.addresses.values())
    zeb.starts()
    await zeb.waits_for(lambda seen: sum("Telegram can tell" in s.text for s in seen) == 2)
    assert core.responses() == ["utter_telegram_start"]


@pytest.mark.parametrize("text", ["/help", "/HELP", "/help@earshot_test_bot"])
async def test_help_lists_the_commands(text: str, zeb: Person, core: RecordingConversations) -> None:
    zeb.says(text)
    seen = await zeb.waits_for("/delete")
    assert "999" in seen[-1].text and core.messages == []


async def test_the_language_is_told_honestly(zeb: Person, core: RecordingConversations) -> None:
    zeb.says("/language")
    await zeb.waits_for("I can only read English")
    assert core.titles() == ["/language"] and core.messages == []


@pytest.mark.parametrize(
    ("command", "words", "payload"),
    [
        ("/person", "I want to talk to a person", "/talk_to_person"),
        ("/stop", "I want to stop", "/stop"),
        ("/code", "I want a code to come back with", "/return_code"),
        ("/leaflet", "I want a list of the help we found", '/find_help{"find": "leaflet"}'),
    ],
)
async def test_a_command_presses_the_button_that_the_web_page_has(
    command: str, words: str, payload: str, zeb: Person, core: RecordingConversations
) -> None:
    zeb.says(command)
    await zeb.waits_for("heard")
    (note,) = core.notes
    assert (note.title, note.payload) == (words, payload) and core.messages == []


def test_every_payload_of_a_command_is_an_intent_that_rasa_knows() -> None:
    domain = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
    intents = {next(iter(i)) if isinstance(i, dict) else i for i in domain["intents"]}
    assert {re.match(r"/(\w+)", payload)[1] for payload in PRESSES.values()} <= intents


@pytest.mark.parametrize("text", ["/help", "/start", "/start friend", "/person", "/language", "/nonsense"])
async def test_a_command_that_comes_twice_across_a_restart_is_obeyed_once(
    text: str, api: TelegramApi, core: RecordingConversations
) -> None:
    zeb = api.person(ZEB)
    async with open_door(api, core):
        update_id = zeb.says(text)
        await all_taken(api)
    (sent,) = [m for m in zeb.chat.messages.values() if m.get("text") == text]
    said = list(core.responses())
    async with open_door(api, core):
        api.push({"message": sent}, update_id)
        await all_taken(api)
    assert core.responses() == said and len(core.notes) == 1


async def test_delete_that_comes_twice_across_a_restart_asks_once(
    api: TelegramApi, core: RecordingConversations
) -> None:
    zeb = api.person(ZEB)
    async with open_door(api, core):
        zeb.says("hello")
        update_id = zeb.says("/delete")
        await all_taken(api)
    (sent,) = [m for m in zeb.chat.messages.values() if m.get("text") == "/delete"]
    async with open_door(api, core):
        api.push({"message": sent}, update_id)
        await all_taken(api)
    assert sum("Yes, delete it" in seen.buttons for seen in zeb.sees()) == 1


async def test_an_unknown_command_gets_help_and_is_read_all_the_same(
    zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("/suicide")
    await zeb.waits_for("heard")
    await zeb.waits_for("I do not know that command")
    assert core.texts() == ["/suicide"]


@pytest.mark.parametrize(
    "text",
    [
        "/start suicide",
        "/help my dad hits me",
        "/stop he wont stop touching me",
        "/person now please he is here",
        "/delete me i want to die",
        "/start i want to die",
        "/start\nhe hit me again",
        "/ i want to die",
        "//",
    ],
)
async def test_words_after_a_command_are_never_lost(
    text: str, zeb: Person, core: RecordingConversations
) -> None:
    zeb.says(text)
    await zeb.waits_for("heard")
    assert text.removeprefix("/start").strip() in core.texts()


async def test_delete_asks_first(zeb: Person, core: RecordingConversations) -> None:
    zeb.says("hello")
    zeb.says("/delete")
    await zeb.waits_for(offered("Yes, delete it"))
    assert core.erased == []
    zeb.presses("No, keep it")
    await zeb.waits_for(offered("✓ No, keep it"))
    await zeb.waits_for("I have kept it")
    assert core.erased == []
    zeb.says("/delete")
    await zeb.waits_for(offered("Yes, delete it"))
    zeb.presses("Yes, delete it")
    await zeb.waits_for("I have deleted")
    assert len(core.erased) == 1


async def test_delete_pressed_twice_deletes_once(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    zeb.says("/delete")
    await zeb.waits_for(offered("Yes, delete it"))
    zeb.presses("Yes, delete it")
    zeb.presses("Yes, delete it", stale=True)
    zeb.presses("No, keep it", stale=True)
    await all_taken(api)
    assert len(core.erased) == 1
    assert sum("I have deleted" in s.text for s in zeb.sees()) == 1
    assert not any("I have kept it" in s.text for s in zeb.sees())


async def test_delete_says_what_stays_while_a_case_is_open(zeb: Person, core: RecordingConversations) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    core.open_handovers.update(core.addresses.values())
    zeb.says("/delete")
    await zeb.waits_for(offered("Yes, delete it"))
    zeb.presses("Yes, delete it")
    await zeb.waits_for("I can't delete this yet")


async def test_delete_says_that_the_notes_of_staff_are_kept(
    zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    zeb.says("/delete")
    await zeb.waits_for(offered("Yes, delete it"))
    core.had_cases.update(core.addresses.values())
    zeb.presses("Yes, delete it")
    await zeb.waits_for("Their notes are kept")
    assert len(core.erased) == 1


async def test_delete_with_nothing_to_delete_makes_nothing(zeb: Person, core: RecordingConversations) -> None:
    zeb.says("/delete")
    await zeb.waits_for(offered("Yes, delete it"))
    zeb.presses("Yes, delete it")
    await zeb.waits_for("I have deleted")
    assert core.opened == []


# Buttons ------------------------------------------------------------------------------------------


async def asked(zeb: Person, core: RecordingConversations, text: str = "Who is it about?") -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    core.asks(ZEB, text, ("Me", "A friend"))
    await zeb.waits_for(lambda seen: seen[-1].text == text)


async def test_a_press_is_a_choice_and_leaves_its_mark(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    await asked(zeb, core)
    update_id = zeb.presses("A friend")
    await zeb.waits_for(lambda seen: any(s.buttons == ("✓ A friend",) for s in seen))
    message = core.messages[-1]
    assert (message.kind, message.choice, message.client_id) == (Kind.CHOICE, "5.1", f"tg-{update_id}")
    assert len(api.called("answerCallbackQuery")) == 1


async def test_a_second_press_is_harmless(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    await asked(zeb, core)
    zeb.presses("A friend")
    zeb.presses("A friend")
    zeb.presses("Me")
    await zeb.waits_for(lambda seen: any(s.buttons == ("✓ A friend",) for s in seen))
    zeb.presses("Me", stale=True)
    zeb.presses("A friend", stale=True)
    await all_taken(api)
    assert [m.choice for m in core.messages if m.kind is Kind.CHOICE] == ["5.1"]
    assert len(api.called("answerCallbackQuery")) == 5  # the clock on the button ends every time


async def test_a_new_question_takes_the_buttons_off_those_asked_before_they_spoke(
    zeb: Person, core: RecordingConversations
) -> None:
    await asked(zeb, core, "First?")
    core.asks(ZEB, "Or this?", ("Yes",))
    await zeb.waits_for("Or this?")
    zeb.says("hm")
    await zeb.waits_for("heard")
    assert all(s.buttons for s in zeb.sees() if s.text.endswith("?"))
    core.asks(ZEB, "Second?", ("Yes",))
    await zeb.waits_for(lambda seen: [s.buttons for s in seen if s.text.endswith("?")] == [(), (), ("Yes",)])


async def test_a_button_whose_message_telegram_forgot_still_counts_once(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    await asked(zeb, core)
    zeb.presses("Me", forgotten=True)
    zeb.presses("Me", forgotten=True, stale=True)
    await all_taken(api)
    assert [m.choice for m in core.messages if m.kind is Kind.CHOICE] == ["5.0"]


async def test_a_button_of_a_deleted_conversation_chooses_nothing_in_the_next(
    zeb: Person, core: RecordingConversations
) -> None:
    await asked(zeb, core, "Old?")
    await core.erase(core.addresses[str(ZEB)])
    zeb.says("hello")
    await zeb.waits_for(lambda seen: sum("heard" in s.text for s in seen) == 2)
    core.asks(ZEB, "New?", ("I am safe", "I am not safe"))
    await zeb.waits_for("New?")
    zeb.presses("Me", stale=True)
    await zeb.waits_for(lambda _: zeb.popups())
    assert "old message" in zeb.popups()[0]
    assert not any(m.kind is Kind.CHOICE for m in core.messages)


# Groups and channels ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
async def test_put_into_a_group_it_explains_once_and_leaves(
    kind: str, api: TelegramApi, door: TelegramChannel, core: RecordingConversations
) -> None:
    group = api.group(-100_300_400, kind)
    group.adds_bot()
    group.says("i want to die")
    group.edits("no i dont")
    await api.waits_until(lambda: not api.pending() and not group.chat.member)
    assert [s.text.split(".")[0] for s in group.sees()] == ["I only talk in private"]
    assert core.messages == [] and core.opened == []
    group.adds_bot()
    await api.waits_until(lambda: not group.chat.member)
    assert len(group.sees()) == 2  # invited anew, explained anew


async def test_thrown_out_of_a_group_it_says_nothing(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    api.group(-100_300_401).removes_bot()
    zeb.says("hi")
    await zeb.waits_for("heard")
    assert api.group(-100_300_401).sees() == [] and api.called("leaveChat") == []


# Coming and going ---------------------------------------------------------------------------------


async def test_blocking_is_noted_and_unblocking_goes_on(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    (conversation_id,) = core.addresses.values()
    zeb.blocks_bot()
    await api.waits_until(lambda: core.reachable == {conversation_id: False})
    zeb.unblocks_bot()
    await api.waits_until(lambda: core.reachable == {conversation_id: True})
    zeb.says("im back")
    await zeb.waits_for("heard 2")
    assert list(core.addresses.values()) == [conversation_id]


async def test_who_deleted_and_then_blocks_leaves_no_trace(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    await core.erase(core.addresses[str(ZEB)])
    zeb.blocks_bot()
    await all_taken(api)
    assert core.addresses == {} and core.reachable == {}


# Signs of typing ----------------------------------------------------------------------------------


async def test_an_answer_that_takes_time_shows_the_typing_sign(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    core.thinking = 1.0
    zeb.says("hello")
    await api.waits_until(lambda: zeb.chat.actions == ["typing"])
    await zeb.waits_for("heard")


async def test_a_worker_who_types_is_shown(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    core.typing.put_nowait(core.addresses[str(ZEB)])
    core.typing.put_nowait("of another door")
    await api.waits_until(lambda: zeb.chat.actions == ["typing"])


# Once, in order, all of them ----------------------------------------------------------------------


async def test_every_shape_is_handled_once_though_sent_twice_and_across_a_restart(
    api: TelegramApi, core: RecordingConversations
) -> None:
    zeb = api.person(ZEB)
    contents = [{"message": zeb.chat.add(zeb.user, text=f"text {n}")} for n in range(10)]
    contents += [{"message": zeb.chat.add(zeb.user, **content)} for content in shapes.CONTENT.values()]
    contents += [
        {"message": zeb.chat.add(zeb.user, **content, caption=f"under {kind}")}
        for kind, content in shapes.CONTENT.items()
        if kind in ("photo", "video", "voice", "document", "animation")
    ]
    contents += [make() for make in shapes.odd_updates(ZEB).values()]
    contents += [
        {"edited_message": {**zeb.chat.add(zeb.user, text="edited"), "edit_date": 1_700_000_001}},
        shapes.membership(zeb.chat.shape, zeb.user, "member", "kicked"),
        shapes.membership(zeb.chat.shape, zeb.user, "kicked", "member"),
        {"channel_post": api.group(-1, "channel").chat.add(None, text="post")},
        {"message": api.group(-2, "group").chat.add(shapes.user(9), text="group")},
        {"message": api.group(-3).chat.add(shapes.user(9), text="supergroup")},
    ]
    assert len(contents) >= 50
    zeb.chat.talked = True
    core.slow[str(ZEB)] = 0.002
    with capture_logs() as logs:
        async with open_door(api, core):
            ids = [api.force(content) for content in contents]
            for update_id, content in zip(ids, contents, strict=True):
                api.push(content, update_id)
            await api.waits_until(lambda: len(core.messages) > 5)
        async with open_door(api, core):
            await all_taken(api)
    taken = [m.client_id for m in core.messages]
    assert len(set(taken)) == len(taken) == 10 + len(MEDIA) + 5 + 1
    assert len(core.notes) == len(NOT_KEPT)
    assert taken == sorted(taken, key=lambda client_id: int(client_id.split("-")[1]))
    assert core.texts()[:10] == [f"text {n}" for n in range(10)]
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []


async def test_updates_out_of_order_are_each_taken(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    zeb.says("hello")
    await zeb.waits_for("heard")
    for update_id in (500_000_100, 500_000_050, 500_000_100, 500_000_075, 500_000_050):
        message = zeb.chat.add(zeb.user, text=str(update_id))
        api.push({"message": message}, update_id)
    await api.waits_until(lambda: len(core.messages) == 4)
    await asyncio.sleep(0.1)
    assert core.texts()[1:] == ["500000100", "500000050", "500000075"]


async def test_one_slow_person_does_not_hold_up_another(
    api: TelegramApi, zeb: Person, core: RecordingConversations
) -> None:
    core.slow[str(ZEB)] = 1.5
    zeb.says("one")
    zeb.says("two")
    await api.waits_until(lambda: core.addresses)
    api.person(55).says("hello")
    await api.person(55).waits_for("heard", timeout=1.0)
    assert core.texts(ZEB) == []
    await zeb.waits_for(lambda seen: len(core.texts(ZEB)) == 2)
    assert core.texts(ZEB) == ["one", "two"]
