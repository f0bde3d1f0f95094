"""What a door may do with a conversation: begin it, send a message, come back to it, have it deleted."""

from __future__ import annotations

import asyncio
import secrets
import weakref
from dataclasses import replace
from datetime import datetime, timedelta

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from bot import handover, transcript
from bot.bootstrap import Core
from bot.codes import HIDDEN, normal_code, without_code, wrong_words
from bot.conversation import late
from bot.conversation.contract import (
    Assess,
    Dialogue,
    EmptyMessage,
    MessageTooLong,
    NoSuchConversation,
    Notify,
    Started,
    UnknownChoice,
)
from bot.conversation.said import give_code
from bot.conversation.turn import Turns, memory_of
from bot.custody import erasing
from bot.doors import DOORS, door_of
from bot.floor import Answer
from bot.handover import check_ins
from bot.messages import MAX_TEXT, Channel, InboundMessage, Kind, Sender
from bot.risk.taxonomy import About, Finding, Level, Memory
from bot.store.models import Conversation
from bot.store.uow import UnitOfWork

#: A message this far ahead of the clock was stored before the clock was put back; it waits for nothing.
CLOCK_BACK = timedelta(seconds=5)


class Conversations:
    """The conversations of one gateway. Channels hand messages in and know nothing else."""

    def __init__(self, core: Core, dialogue: Dialogue, assess: Assess, notify: Notify) -> None:
        self._core = core
        self._notify = notify
        self._turns = Turns(core, dialogue, assess, notify)
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._cut_off: set[str] = set()  # the database failed while they were answered

    # Opening --------------------------------------------------------------------------------------

    async def start_web(self, speaker: str | None = None) -> Started:
        """A new web conversation; the opening words are in its outbox.

        Raises:
            UnknownSpeaker: no door has this name.
        """
        door = door_of(speaker) if speaker else None
        started = await to_thread.run_sync(self._create_web, door)
        if door:
            await self._go_through(started.conversation_id, Channel.WEB, door)
        return started

    async def open(self, channel: Channel, *, speaker: str | None = None, address: str | None = None) -> str:
        """The conversation of an address (a Telegram chat), a new one if there is none.

        ``speaker`` goes through that door, also in a conversation that is already under way.

        Raises:
            UnknownSpeaker: no door has this name.
        """
        door = door_of(speaker) if speaker else None
        conversation_id = await to_thread.run_sync(self._find_or_create, channel, address)
        self._notify.changed(conversation_id)
        if door:
            await self._go_through(conversation_id, channel, door)
        return conversation_id

    async def find(self, channel: Channel, address: str) -> str | None:
        """The conversation of an address, if there is one."""

        def look() -> str | None:
            with self._core.store.read() as uow:
                found = uow.conversation_by("address_hash", _address_hash(uow, channel, address))
                return found.id if found else None

        return await to_thread.run_sync(look)

    async def resume(self, code: str) -> Started:
        """Bring a conversation back with its code, on this device and no longer on the last.

        Raises:
            NoSuchConversation: no conversation has this code.
        """
        started = await to_thread.run_sync(self._resume, code)
        self._notify.changed(started.conversation_id)
        return started

    # Messages -------------------------------------------------------------------------------------

    async def take_turn(self, message: InboundMessage) -> int:
        """Store a message and answer it. Returns its number in the transcript."""
        seq = await self.receive(message)
        await self.answer(message.conversation_id)
        return seq

    async def receive(self, message: InboundMessage) -> int:
        """Store a message, encrypted, before anything can fail; the same client id twice is one message.

        Raises:
            NoSuchConversation, EmptyMessage, MessageTooLong, UnknownChoice: nothing was stored.
        """
        seq = await to_thread.run_sync(self._store, message)
        self._notify.changed(message.conversation_id)
        return seq

    async def answer(self, conversation_id: str) -> None:
        """Answer what was not answered yet, in order. Safe to call at any time, by anyone."""
        lock = self._locks.setdefault(conversation_id, asyncio.Lock())
        async with lock:
            self._notify.typing(conversation_id, Sender.BOT, True)
            try:
                while turn := await to_thread.run_sync(self._turns.begin, conversation_id):
                    answer = await self._turns.ask(conversation_id, turn) if turn.ask_rasa else Answer()
                    spoken = await to_thread.run_sync(self._turns.end, conversation_id, turn, answer)
                    if spoken and answer and answer.do == "delete":
                        await to_thread.run_sync(self._erase_as_asked, conversation_id)
                    self._notify.changed(conversation_id)
                self._cut_off.discard(conversation_id)
            except SQLAlchemyError:
                self._cut_off.add(conversation_id)
                raise
            finally:
                self._notify.typing(conversation_id, Sender.BOT, False)

    async def answer_leftovers(self, older_than: datetime) -> int:
        """Answer messages that a crash left unanswered, and at once those that a failing database did.

        Returns how many conversations had some.
        """

        def find() -> list[str]:
            ahead = self._core.now() + CLOCK_BACK
            with self._core.store.read() as uow:
                left = [m.conversation_id for m in uow.unanswered(older_than, ahead)]
            return list(dict.fromkeys([*self._cut_off, *left]))

        waiting = await to_thread.run_sync(find)
        for conversation_id in waiting:
            await self.answer(conversation_id)
        return len(waiting)

    async def say(self, conversation_id: str, response: str, /, **values: str) -> None:
        """Put a reviewed response into the outbox."""

        def run() -> None:
            with self._core.uow() as uow:
                transcript.say(uow, self._live(uow, conversation_id), response, self._core.now(), **values)
                uow.commit()

        await to_thread.run_sync(run)
        self._notify.changed(conversation_id)

    # Leaving --------------------------------------------------------------------------------------

    async def erase(self, conversation_id: str) -> bool:
        """Delete a person's words and every way back to them.

        Returns False, and deletes nothing, while a handover is open, since staff are working from it, or
        under a legal hold. Of a case that was closed, ``data/retention.yml`` says whether it goes too.
        """
        done = await to_thread.run_sync(self._erase, conversation_id)
        self._notify.changed(conversation_id)
        return done

    async def why_kept(self, conversation_id: str) -> str:
        """The response that says why :meth:`erase` deleted nothing."""

        def look() -> str:
            with self._core.store.read() as uow:
                return erasing.words_for(erasing.kept_because(uow, conversation_id) or erasing.OPEN)

        return await to_thread.run_sync(look)

    async def unreachable(self, conversation_id: str, reachable: bool = False) -> None:
        """The person blocked the bot in their channel (or ``reachable`` again): noted for staff."""

        def run() -> None:
            now = self._core.now()
            with self._core.uow() as uow:
                conversation = self._live(uow, conversation_id)
                conversation.unreachable_at = None if reachable else now
                uow.audit(
                    now,
                    "person",
                    "reachable" if reachable else "unreachable",
                    handover=uow.open_handover_of(conversation_id),
                    conversation_id=conversation_id,
                )
                uow.commit()

        await to_thread.run_sync(run)

    # Inside: opening ------------------------------------------------------------------------------

    async def _go_through(self, conversation_id: str, channel: Channel, door: About) -> None:
        payload = DOORS[door][0]
        title = next(
            choice["title"]
            for choice in self._core.content.choices("utter_opening_doors")
            if choice["payload"] == payload
        )

        def store() -> None:
            now = self._core.now()
            with self._core.uow() as uow:
                conversation = self._live(uow, conversation_id)
                transcript.append(
                    uow, conversation, Sender.YOU, title, now, kind=Kind.CHOICE.value, payload=payload
                )
                uow.commit()

        await to_thread.run_sync(store)
        await self.answer(conversation_id)

    def _create_web(self, door: About | None) -> Started:
        token = secrets.token_urlsafe(32)
        with self._core.uow() as uow:
            conversation = self._new(uow, Channel.WEB)
            conversation.session_hash = uow.cipher.find_hash("session", token)
            code = give_code(uow, conversation)
            self._greet(uow, conversation, with_doors=door is None)
            uow.commit()
            return Started(conversation.id, token, code)

    def _find_or_create(self, channel: Channel, address: str | None) -> str:
        with self._core.uow() as uow:
            found = _address_hash(uow, channel, address) if address else None
            conversation = uow.conversation_by("address_hash", found) if found else None
            if conversation is None:
                conversation = self._new(uow, channel)
                conversation.address, conversation.address_hash = address, found
                self._greet(uow, conversation, with_doors=True)
                uow.commit()
            return conversation.id

    def _new(self, uow: UnitOfWork, channel: Channel) -> Conversation:
        now = self._core.now()
        conversation = Conversation(
            id=secrets.token_hex(16),
            channel=channel.value,
            owner="bot",
            next_seq=1,
            memory=Memory().to_dict(),
            created_at=now,
            last_at=now,
        )
        uow.add(conversation)
        return conversation

    def _greet(self, uow: UnitOfWork, conversation: Conversation, *, with_doors: bool) -> None:
        now = self._core.now()
        for name in ("utter_opening_hello", "utter_opening_private"):
            transcript.say(uow, conversation, name, now)
        if conversation.channel == Channel.TELEGRAM.value:
            # What Telegram itself can see, before anybody is asked anything.
            transcript.say(uow, conversation, "utter_telegram_start", now)
        if with_doors:
            transcript.say(uow, conversation, "utter_opening_doors", now)

    def _resume(self, code: str) -> Started:
        code = normal_code(code)
        found = self._core.store.cipher.slow_hash("return-code", code)
        token = secrets.token_urlsafe(32)
        with self._core.uow() as uow:
            conversation = uow.conversation_by("code_hash", found)
            if conversation is None or conversation.erased_at:
                raise NoSuchConversation("no conversation has this code")
            conversation.session_hash = uow.cipher.find_hash("session", token)
            self._welcome_back(uow, conversation)
            uow.commit()
            return Started(conversation.id, token, code)

    def _welcome_back(self, uow: UnitOfWork, conversation: Conversation) -> None:
        """What somebody who comes back wants to know first: is it still there, who has read it."""
        now = self._core.now()
        transcript.say(uow, conversation, "utter_back", now)
        if conversation.code and not conversation.returned_at:
            transcript.say(uow, conversation, "utter_back_code", now, code=HIDDEN)
        conversation.returned_at = now
        standing = handover.status(uow, conversation.id, now)
        response, values = handover.status_words(standing)
        transcript.say(uow, conversation, response or "utter_back_none", now, **values)
        check_ins.ask_again(uow, conversation, now)

    # Inside: a turn -------------------------------------------------------------------------------

    def _live(self, uow: UnitOfWork, conversation_id: str) -> Conversation:
        conversation = uow.conversation(conversation_id, lock=True)
        if conversation is None or conversation.erased_at:
            raise NoSuchConversation(conversation_id)
        return conversation

    def _store(self, message: InboundMessage) -> int:
        text = message.text
        if len(text) > MAX_TEXT:
            raise MessageTooLong(str(len(text)))
        with self._core.uow() as uow:
            conversation = self._live(uow, message.conversation_id)
            if before := uow.message_by_client_id(conversation.id, message.client_id):
                return before.seq
            payload = wrong = finding = None
            if message.kind is Kind.CHOICE:
                pressed = late.pressed(uow, conversation.id, message.choice or "")
                if pressed is None:
                    raise UnknownChoice(message.choice)
                text, payload = pressed.title, pressed.payload
                if pressed.asked:
                    finding = self._turns.assessed(
                        text, replace(memory_of(conversation), asked=pressed.asked)
                    )
            elif message.kind is not Kind.UNREADABLE and not text.strip():
                raise EmptyMessage
            if conversation.code and message.kind is not Kind.CHOICE:
                wrong, finding = self._as_code(conversation, text)
                text = without_code(text, conversation.code)
            now = self._core.now()
            stored = transcript.append(
                uow,
                conversation,
                Sender.YOU,
                text if wrong is None else HIDDEN,
                now,
                kind=message.kind.value,
                client_id=message.client_id,
                payload=payload,
            )
            if finding is not None:
                stored.finding, stored.level = finding.to_dict(), finding.level.value
            if wrong is not None:
                stored.answered_at = now
                about = "utter_code_nearly" if wrong else "utter_code_right"
                transcript.say(uow, conversation, about, now, word=str(next(iter(wrong), "")))
            if wrong == () or (wrong is None and conversation.returned_at):
                conversation.code = None  # they have it: we keep no copy that can be read
            conversation.unreachable_at = None  # whoever writes can be reached again
            uow.commit()
            return stored.seq

    def _as_code(
        self, conversation: Conversation, text: str
    ) -> tuple[tuple[int, ...] | None, Finding | None]:
        """Whether a message is an attempt at the code and no more, and what was found in it.

        The words beside those of the code are read for danger first: whoever tells of something while the
        code stands in the same message is answered to that, and the message counts as any other.
        """
        wrong = wrong_words(text, conversation.code)
        if wrong is None:
            return None, None
        finding = self._turns.assessed(without_code(text, conversation.code), memory_of(conversation))
        if finding.level is not Level.NONE or finding.unsure:
            return None, None
        return wrong, finding

    # Inside: leaving ------------------------------------------------------------------------------

    def _erase_as_asked(self, conversation_id: str) -> None:
        if not self._erase(conversation_id):
            now = self._core.now()
            with self._core.uow() as uow:
                reason = erasing.kept_because(uow, conversation_id) or erasing.OPEN
                transcript.say(uow, self._live(uow, conversation_id), erasing.words_for(reason), now)
                uow.commit()

    def _erase(self, conversation_id: str) -> bool:
        now = self._core.now()
        with self._core.uow() as uow:
            conversation = self._live(uow, conversation_id)
            if erasing.kept_because(uow, conversation_id):
                return False
            erasing.erase(uow, conversation, now)
            check_ins.forget(uow, conversation, now)
            uow.audit(now, "person", "erased", conversation_id=conversation_id)
            uow.commit()
        return True


def _address_hash(uow: UnitOfWork, channel: Channel, address: str) -> str:
    return uow.cipher.find_hash(f"address-{channel.value}", address)
