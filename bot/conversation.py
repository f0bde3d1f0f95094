"""The one path of a message: store it, assess it, route it, keep the floor, put replies in the outbox.

Rasa up or down, a message that was taken is stored first and answered once, and risk that needs a
person always ends in an open handover and in words from ``data/responses/safety.yml``.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from bot import conduct, handover, late, transcript
from bot.bootstrap import Core
from bot.codes import HIDDEN, new_code, normal_code, without_code, wrong_words
from bot.custody import erasing
from bot.doors import DOORS, door_of
from bot.floor import Answer, keep_floor, read_answer
from bot.handover import check_ins
from bot.messages import MAX_TEXT, Channel, InboundMessage, Kind, Sender
from bot.own_words import names_who_not, read_addition, read_edit
from bot.risk.taxonomy import About, Evidence, Finding, Level, Memory
from bot.rota import UK
from bot.store.models import Conversation, Message
from bot.store.uow import UnitOfWork

log = structlog.get_logger(__name__)


#: A message this far ahead of the clock was stored before the clock was put back; it waits for nothing.
CLOCK_BACK = timedelta(seconds=5)


class ConversationError(Exception):
    """What was asked of a conversation cannot be done."""


class NoSuchConversation(ConversationError):
    """Unknown, erased, or not this person's."""


class EmptyMessage(ConversationError):
    """Nothing in it but space."""


class MessageTooLong(ConversationError):
    """More than :data:`bot.messages.MAX_TEXT` characters."""


class UnknownChoice(ConversationError):
    """A choice that this conversation was never offered."""


class DialogueDown(Exception):
    """Rasa did not answer in time, or answered nonsense."""


class Dialogue(Protocol):
    """Whoever leads the conversation while no person does: Rasa."""

    async def ask(
        self, conversation_id: str, text: str, metadata: Mapping[str, Any], timeout: float
    ) -> list[dict[str, Any]]:
        """The replies to one message.

        Raises:
            DialogueDown: it is down, slow, or answers something that is not a list of replies.
        """


class Assess(Protocol):
    """``bot.risk.detector.assess``."""

    def __call__(self, text: str, memory: Memory) -> Finding: ...


class Notify(Protocol):
    """Tells whoever watches a conversation that something changed, or that the bot is typing."""

    def changed(self, conversation_id: str) -> None: ...

    def typing(self, conversation_id: str, sender: Sender, on: bool) -> None: ...


@dataclass(frozen=True)
class Started:
    """A new web conversation: its id, the cookie's token, and the code to come back with."""

    conversation_id: str
    token: str
    return_code: str


@dataclass(frozen=True)
class _Turn:
    """What the second half of a turn needs to know of the first."""

    seq: int
    text: str
    kind: Kind
    finding: Finding
    memory: Memory
    ask_rasa: bool


class Conversations:
    """The conversations of one gateway. Channels hand messages in and know nothing else."""

    def __init__(self, core: Core, dialogue: Dialogue, assess: Assess, notify: Notify) -> None:
        self._core = core
        self._dialogue = dialogue
        self._assess = assess
        self._notify = notify
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
                while turn := await to_thread.run_sync(self._begin_turn, conversation_id):
                    answer = await self._ask(conversation_id, turn) if turn.ask_rasa else Answer()
                    await to_thread.run_sync(self._end_turn, conversation_id, turn, answer)
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
                    finding = self._assessed(text, replace(_memory(conversation), asked=pressed.asked))
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
        finding = self._assessed(without_code(text, conversation.code), _memory(conversation))
        if finding.level is not Level.NONE or finding.unsure:
            return None, None
        return wrong, finding

    def _begin_turn(self, conversation_id: str) -> _Turn | None:
        """Assess the oldest unanswered message and decide who answers it; None when none is left."""
        now = self._core.now()
        with self._core.uow() as uow:
            conversation = uow.conversation(conversation_id, lock=True)
            if conversation is None or conversation.erased_at:
                return None
            message = uow.next_unanswered(conversation_id)
            if message is None:
                return None
            memory = _memory(conversation)
            left = message.payload == late.LEFT
            if conversation.owner == "worker" or left:
                # They answer the worker, or something else than the bot's last question.
                memory = replace(memory, asked=None)
            # Assessed when it was stored, where it answers a question that was asked earlier.
            known = Finding.from_dict(message.finding) if message.finding else None
            finding = known or self._assessed(message.text or "", memory)
            message.finding, message.level = finding.to_dict(), finding.level.value
            kind = Kind(message.kind)
            if self._answered_here(uow, conversation, message, finding, memory, now):
                conversation.memory = memory.after(finding, _today(now)).to_dict()
                message.answered_at = now
                uow.commit()
                self._notify.changed(conversation_id)
                return self._begin_turn(conversation_id)
            if conversation.owner == "worker":
                conversation.memory = memory.after(finding, _today(now)).to_dict()
                if case := uow.open_handover_of(conversation_id):
                    handover.person_wrote(uow, case, finding, now)
                message.answered_at = now
                uow.commit()
                self._notify.changed(conversation_id)
                return self._begin_turn(conversation_id)
            if left and not finding.level.needs_person:
                self._ask_again(uow, conversation, message, now)
                uow.commit()
                return self._begin_turn(conversation_id)
            text = (None if left else message.payload) or _as_text(message.text)
            if kind is Kind.TEXT:
                text = self._as_meant(uow, conversation, message.text, memory) or text
            uow.commit()
            ask = bool(message.payload or message.text.strip())
            if kind is Kind.EDIT and not finding.level.needs_person:
                ask = False  # they only mended a word; answering it again would be odd
            return _Turn(message.seq, text, kind, finding, memory, ask)

    def _answered_here(
        self,
        uow: UnitOfWork,
        conversation: Conversation,
        message: Message,
        finding: Finding,
        memory: Memory,
        now: datetime,
    ) -> bool:
        """Whether neither bot nor worker need answer: held back, or about check-ins and no more."""
        if conduct.hold(uow, conversation, message, finding, memory, now):
            return True
        if conversation.owner == "worker" or finding.level.needs_person or finding.unsure:
            return False
        return check_ins.answer(uow, conversation, message.text or "", message.payload, now)

    def _ask_again(
        self, uow: UnitOfWork, conversation: Conversation, message: Message, now: datetime
    ) -> None:
        """A late answer is left, gently; what is open is asked once more, as it was asked."""
        said = late.open_now(uow, conversation.id)
        questions = [each for each in said if each.choices] or said[-1:]
        message.answered_at = now
        transcript.say(uow, conversation, "utter_late_choice", now)
        transcript.say_again(uow, conversation, questions[-1:], now)

    def _as_meant(self, uow: UnitOfWork, conversation: Conversation, text: str, memory: Memory) -> str | None:
        """What a message means that holds somebody else's words, as a payload for the dialogue.

        "change 2 to he pushes me" sounds like a worry to an intent classifier. A wish not to tell somebody
        is kept here, so that it is kept whatever the dialogue makes of it.
        """
        sending = memory.asked == "consent"
        if names_who_not(text, about_to_send=sending):
            handover.keep_from(uow, conversation.id, text, self._core.now())
            return f"/do_not_tell{json.dumps({'words': text})}"
        lines = len(((conversation.wishes or {}).get("draft") or {}).get("lines", ()))
        if sending and lines and read_edit(text, lines):
            return f"/change_words{json.dumps({'words': text})}"
        if sending and read_addition(text):
            return f"/add_words{json.dumps({'words': text})}"
        return None

    def _assessed(self, text: str, memory: Memory) -> Finding:
        try:
            return self._assess(text, memory)
        except Exception as error:  # noqa: BLE001 - whatever broke, the child must not be missed
            log.error("assessment_failed", error=type(error).__name__)
            unassessed = Evidence("memory", "could not be assessed", "", 0, 0, Level.HIGH)
            return Finding(Level.HIGH, (), memory.about or About.SELF, (unassessed,))

    async def _ask(self, conversation_id: str, turn: _Turn) -> Answer | None:
        settings = self._core.settings
        at_risk = turn.finding.level.needs_person
        metadata = {"earshot": {"finding": turn.finding.to_dict(), "memory": turn.memory.to_dict()}}
        try:
            items = await self._dialogue.ask(
                conversation_id,
                turn.text,
                metadata,
                settings.rasa_timeout_at_risk if at_risk else settings.rasa_timeout,
            )
            return read_answer(items)
        except DialogueDown as error:
            log.warning("dialogue_down", conversation=conversation_id, reason=str(error))
            return None

    def _end_turn(self, conversation_id: str, turn: _Turn, answer: Answer | None) -> None:
        """Keep the floor, then store the replies and mark the message answered, all at once."""
        now = self._core.now()
        with self._core.uow() as uow:
            conversation = uow.conversation(conversation_id, lock=True)
            message = uow.message(conversation_id, turn.seq)
            if conversation is None or conversation.erased_at or message is None or message.answered_at:
                return
            message.answered_at = now
            # Remembered together with the answer: a turn that a crash cut off is answered as if new.
            # Read anew, since an action may have noted in it whom this is about.
            memory = _memory(conversation)
            conversation.memory = memory.after(turn.finding, _today(now)).to_dict()
            if conversation.owner == "worker":
                # A person accepted while Rasa was thinking: the bot stays silent.
                if case := uow.open_handover_of(conversation_id):
                    handover.person_wrote(uow, case, turn.finding, now)
                uow.commit()
                return
            if turn.kind is Kind.UNREADABLE and not turn.finding.level.needs_person:
                transcript.say(uow, conversation, "utter_unreadable_media", now)
            replies = keep_floor(uow, conversation_id, turn.finding, answer, now, was_asked=turn.ask_rasa)
            for reply in replies:
                transcript.append(
                    uow, conversation, Sender.BOT, reply.text, now, choices=reply.choices, cards=reply.cards
                )
            asked = (answer and answer.asked) if turn.ask_rasa else memory.asked  # still open
            if asked:
                conversation.memory = {**conversation.memory, "asked": asked}
            uow.commit()
        if answer and answer.do == "delete":
            self._erase_as_asked(conversation_id)

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


def typed_messages(uow: UnitOfWork, conversation_id: str) -> list[Message]:
    """What the person typed so far, oldest first; answers by button and return codes are left out."""
    return [
        message
        for message in uow.messages(conversation_id)
        if message.sender == Sender.YOU.value
        and message.kind != Kind.CHOICE.value
        and message.text
        and message.text != HIDDEN
    ]


def own_words(uow: UnitOfWork, conversation_id: str) -> list[str]:
    """The words of :func:`typed_messages`."""
    return [message.text for message in typed_messages(uow, conversation_id)]


def give_code(uow: UnitOfWork, conversation: Conversation) -> str:
    """Give a conversation a new return code; one that it had before stops working."""
    code = new_code()
    conversation.code_hash = uow.cipher.slow_hash("return-code", normal_code(code))
    conversation.code, conversation.returned_at = code, None
    return code


def note_choice(
    uow: UnitOfWork,
    conversation_id: str,
    *,
    safe_adult_id: str | None = None,
    place_id: str | None = None,
    about: str | None = None,
) -> None:
    """Keep what the person chose: a safe adult, their place, or whom they talk about.

    Raises:
        NoSuchConversation: unknown or erased.
        ValueError: an unknown ``about``.
    """
    conversation = uow.conversation(conversation_id, lock=True)
    if conversation is None or conversation.erased_at:
        raise NoSuchConversation(conversation_id)
    if safe_adult_id:
        conversation.safe_adult_id = safe_adult_id
    if place_id:
        conversation.place_id = place_id
    if about:
        conversation.about = About(about).value
        conversation.memory = {**(conversation.memory or {}), "about": conversation.about}


def _address_hash(uow: UnitOfWork, channel: Channel, address: str) -> str:
    return uow.cipher.find_hash(f"address-{channel.value}", address)


def _memory(conversation: Conversation) -> Memory:
    return Memory.from_dict(conversation.memory or {})


def _today(now: datetime) -> date:
    """The day it is for the person: worries that return are counted in their days."""
    return now.astimezone(UK).date()


def _as_text(text: str) -> str:
    """Typed text as Rasa may see it: a leading slash would be read as a command to the dialogue."""
    return re.sub(r"^[\s/]+", "", text) or "?"
