"""Over a hundred updates of every kind, as Telegram sends them, against the real core: each answered once.

``updates/*.json`` holds them, with invented ids, and with each the answer it must get.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from starlette.applications import Starlette
from structlog.testing import capture_logs

from bot.bootstrap import Core
from bot.changes import Changes
from bot.channels.telegram import TelegramChannel
from bot.channels.telegram_intake import chat_id_of
from bot.channels.telegram_record import Record
from bot.channels.telegram_updates import ALLOWED
from bot.channels.telegram_webhook import Webhook, webhook_routes
from bot.conversation import Conversations
from bot.messages import Channel, Sender
from bot.risk import detector
from tests.conftest import ScriptedDialogue
from tests.standins.telegram_api import TelegramApi

FILES = sorted((Path(__file__).parent / "updates").glob("*.json"))
ENTRIES: list[dict[str, Any]] = sorted(
    (entry for file in FILES for entry in json.loads(file.read_text("utf-8"))),
    key=lambda entry: entry["update"]["update_id"],
)

#: Gateways that run one after another in the test with crashes, and updates between two of them.
CRASHES = (1, 30, 60, 90)

#: Updates queued at once where they are out of order. Telegram tells a hundred at a time, lowest id first.
BATCH = 40

#: What is said in the transcript, by the answer that an entry names; ``utter_…`` names itself.
IN_TRANSCRIPT = {
    "nothing": [],
    "kept": [],
    "heard": ["heard"],
    "unreadable": ["utter_unreadable_media"],
    "heard unreadable": ["utter_unreadable_media", "heard"],
}

#: Said straight to the chat, since no transcript has it: by a crash it may be said again.
OUTSIDE = {
    "asked to delete": "utter_telegram_delete_ask",
    "utter_telegram_delete_cancelled": "utter_telegram_delete_cancelled",
    "utter_telegram_deleted": "utter_telegram_deleted",
    "leaves": "utter_telegram_only_private",
}


class Replay:
    """The stand-in, the real core, and doors that come and go between them."""

    def __init__(self, api: TelegramApi, core: Core, dialogue: ScriptedDialogue) -> None:
        self.api, self.core = api, core
        changes = Changes(core.store)
        self.conversations = Conversations(core, dialogue, detector.assess, changes)
        self.record = Record(core, changes)
        dialogue.replies = [{"text": "heard"}]
        for entry in ENTRIES:
            update = entry["update"]
            if query := update.get("callback_query"):
                api.new_query(query["id"], query["from"]["id"])
            for content in update.values():
                chat = _chat_shape(content)
                if chat:
                    api.chat(chat["id"], chat).talked = True

    def make(self, **more: Any) -> TelegramChannel:
        """A door, not started."""
        return TelegramChannel(
            self.api.token,
            self.conversations,
            self.core.content,
            self.record,
            self.api.base_url,
            poll_seconds=1,
            retry_seconds=0.02,
            **more,
        )

    @asynccontextmanager
    async def door(self) -> AsyncIterator[TelegramChannel]:
        """A door that polls, stopped in good order."""
        channel = self.make()
        await channel.start()
        try:
            yield channel
        finally:
            await channel.stop()

    async def crash(self, after: int) -> None:
        """A door that dies when it has taken in some more updates: nothing is finished or confirmed."""
        channel, had = self.make(), self.stored()
        await channel.start()
        await self.api.waits_until(lambda: self.stored() >= had + after or not self.api.pending(), 60)
        channel._task.cancel()
        channel._typing.cancel()
        await channel._intake.stop(0)
        await channel._handler.chats.finish(0)
        await channel._bot.shutdown()

    def queue(self, entries: Sequence[dict[str, Any]]) -> None:
        """Telegram has these updates for the bot."""
        for entry in entries:
            update = dict(entry["update"])
            update_id = update.pop("update_id")
            if not update:
                update = {"kind_without_content": {}}
            self.api.wants = lambda kind: True  # also kinds that were asked for by an earlier program
            self.api.push(update, update_id)

    async def taken(self) -> None:
        """Wait until Telegram was told that all are taken."""
        await self.api.waits_until(lambda: not self.api.pending(), 90)

    async def settle(self) -> None:
        """Let the clock answer what a crash left."""
        await self.conversations.answer_leftovers(self.core.now() + timedelta(hours=1))

    def stored(self) -> int:
        """How many things of people are in transcripts."""
        with self.core.store.read() as uow:
            return uow.newest_ids()[0]

    def said(self, chat_id: int) -> list[str] | None:
        """What was said in a chat after the opening, by response; None when there is no conversation."""
        opening = (
            "utter_opening_hello",
            "utter_opening_private",
            "utter_telegram_start",
            "utter_opening_doors",
        )
        with self.core.store.read() as uow:
            found = uow.cipher.find_hash(f"address-{Channel.TELEGRAM.value}", str(chat_id))
            conversation = uow.conversation_by("address_hash", found)
            if conversation is None:
                return None
            messages = uow.messages(conversation.id)
            ids = [m.client_id for m in messages if m.sender == Sender.YOU.value]
            assert len(set(ids)) == len(ids) and None not in ids
            assert all(m.answered_at for m in messages if m.sender == Sender.YOU.value)
            texts = [m.text for m in messages if m.sender == Sender.BOT.value]
        assert texts[:4] == [self.core.content.say(name) for name in opening]
        return texts[4:]

    def check(self, *, crashed: bool = False) -> None:
        """Every update was answered as its entry says, once."""
        expected: dict[int, list[str]] = {}
        for entry in ENTRIES:
            chat_id = chat_id_of(entry["update"])
            if chat_id is not None:
                expected.setdefault(chat_id, []).append(entry["answer"])
        for chat_id, answers in expected.items():
            self._check_transcript(chat_id, answers)
            self._check_outside(chat_id, answers, crashed=crashed)
        popups = [popup for popup in self.api.popups.values() if popup["text"]]
        assert len(popups) == sum(entry["answer"] == "popup" for entry in ENTRIES)

    def _check_transcript(self, chat_id: int, answers: Sequence[str]) -> None:
        if "heard twice" in answers:  # what is too long for us is taken in two pieces, and answered twice
            assert len(self.said(chat_id) or ()) == 2
            return
        if "believed" in answers:
            (text,) = self.said(chat_id) or ()
            assert "believe" in text
            return
        wanted = [words for answer in answers for words in self._words(answer)]
        said = self.said(chat_id)
        if not wanted and not {"kept", "heard"} & set(answers):
            assert said in (None, []), answers
        else:
            assert said is not None and Counter(said) == Counter(wanted), answers

    def _words(self, answer: str) -> list[str]:
        if answer in OUTSIDE or answer == "popup":
            return []
        names = [name for part in answer.split(" then ") for name in IN_TRANSCRIPT.get(part, [part])]
        say = self.core.content.say
        return [say(name) if name.startswith("utter_") else name for name in names]

    def _check_outside(self, chat_id: int, answers: Sequence[str], *, crashed: bool) -> None:
        chat = self.api._chats.get(chat_id)
        sent = [m["text"] for m in chat.messages.values()] if chat else []
        wanted = [self.core.content.say(OUTSIDE[answer]) for answer in answers if answer in OUTSIDE]
        if crashed:
            assert set(sent) == set(wanted) and len(sent) <= (len(CRASHES) + 2) * len(wanted), answers
        else:
            assert sent == wanted, answers
        if "leaves" in answers:
            assert not chat.member


def _chat_shape(content: Any) -> dict[str, Any] | None:
    if not isinstance(content, dict):
        return None
    return content.get("chat") or (content.get("message") or {}).get("chat")


@pytest.fixture
def replay(core: Core, dialogue: ScriptedDialogue) -> Iterator[Replay]:
    # Whether the disk has really written is not the question here, and it would take most of the time.
    event.listen(core.store.engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    with TelegramApi() as api:
        yield Replay(api, core, dialogue)


@pytest.fixture
def no_errors() -> Iterator[None]:
    """None raises: what is caught on the way is logged as an error.

    Except that a busy machine's disk may keep SQLite waiting too long; then the update is tried again.
    """
    with capture_logs() as logs:
        yield
    wrong = [entry for entry in logs if entry["log_level"] in ("error", "critical")]
    waited = [e for e in wrong if e.get("error") == "OperationalError"]
    assert [e for e in wrong if e not in waited and e["event"] != "telegram_store_unavailable"] == []


def shuffled(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """In another order; an album stays in its own, which decides how it is answered."""
    order = list(entries)
    random.Random(7).shuffle(order)
    places = [i for i, entry in enumerate(order) if "of an album" in entry["name"]]
    for place, entry in zip(places, [e for e in entries if "of an album" in e["name"]], strict=True):
        order[place] = entry
    return order


def test_the_updates_are_many_of_every_kind_that_is_asked_for_and_invented() -> None:
    assert len(ENTRIES) >= 60
    kinds = {kind for entry in ENTRIES for kind in entry["update"]}
    assert set(ALLOWED) <= kinds
    assert len({entry["name"] for entry in ENTRIES}) == len(ENTRIES)
    ids = [entry["update"]["update_id"] for entry in ENTRIES]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "order", [list, shuffled, lambda entries: [e for entry in entries for e in (entry, entry)]],
    ids=["in order", "out of order", "twice"],
)  # fmt: skip
async def test_every_update_is_answered_once(
    order: Callable[[Any], list[dict[str, Any]]], replay: Replay, no_errors: None
) -> None:
    entries = order(ENTRIES)
    async with replay.door():
        for start in range(0, len(entries), BATCH):
            replay.queue(entries[start : start + BATCH])
            await replay.taken()
    await replay.settle()
    replay.check()


async def test_every_update_is_answered_once_although_the_gateway_dies_again_and_again(
    replay: Replay, no_errors: None
) -> None:
    replay.queue([*ENTRIES, *shuffled(ENTRIES)])
    for after in CRASHES:
        await replay.crash(after)
    async with replay.door():
        await replay.taken()
    replay.queue(ENTRIES)  # and Telegram forgets that it was told
    async with replay.door():
        await replay.taken()
    await replay.settle()
    replay.check(crashed=True)


async def test_every_update_that_is_pushed_is_answered_once(replay: Replay, no_errors: None) -> None:
    webhook = Webhook("https://earshot.example", "stand-in_secret-0123456789")
    channel = replay.make(webhook=webhook)
    app = httpx.ASGITransport(Starlette(routes=webhook_routes(channel)))
    async with httpx.AsyncClient(transport=app, base_url="https://earshot.example") as client:
        await channel.start()
        try:
            await replay.api.waits_until(lambda: channel.status == "webhook", 30)
            replay.queue([*ENTRIES, *ENTRIES])
            assert set(await replay.api.pushes(client)) == {200}
        finally:
            await channel.stop()
    await replay.settle()
    replay.check()
