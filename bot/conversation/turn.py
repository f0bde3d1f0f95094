"""One turn: the oldest message that nobody answered is assessed, routed and answered, and the floor is kept.

Rasa is asked between :meth:`Turns.begin` and :meth:`Turns.end`, outside of any transaction.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import date, datetime

import structlog

from bot import conduct, handover, transcript
from bot.bootstrap import Core
from bot.conversation import late
from bot.conversation.contract import Assess, Dialogue, DialogueDown, Notify
from bot.conversation.said import just_before
from bot.floor import Answer, keep_floor, read_answer
from bot.handover import check_ins
from bot.messages import Kind, Sender
from bot.own_words import names_who_not, read_addition, read_edit
from bot.risk.pieces import in_the_light_of
from bot.risk.taxonomy import About, Evidence, Finding, Level, Memory
from bot.rota import UK
from bot.store.models import Conversation, Message
from bot.store.uow import UnitOfWork

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Turn:
    """What the second half of a turn needs to know of the first."""

    seq: int
    text: str
    kind: Kind
    finding: Finding
    memory: Memory
    ask_rasa: bool


class Turns:
    """Reads and answers messages that are stored. Safe to call from several threads."""

    def __init__(self, core: Core, dialogue: Dialogue, assess: Assess, notify: Notify) -> None:
        self._core = core
        self._dialogue = dialogue
        self._assess = assess
        self._notify = notify

    def begin(self, conversation_id: str) -> Turn | None:
        """Assess the oldest unanswered message and decide who answers it; None when none is left."""
        now = self._core.now()
        with self._core.uow() as uow:
            conversation = uow.conversation(conversation_id, lock=True)
            if conversation is None or conversation.erased_at:
                return None
            message = uow.next_unanswered(conversation_id)
            if message is None:
                return None
            memory = memory_of(conversation)
            left = message.payload == late.LEFT
            if conversation.owner == "worker" or left:
                # They answer the worker, or something else than the bot's last question.
                memory = replace(memory, asked=None)
            # Assessed when it was stored, where it answers a question that was asked earlier.
            known = Finding.from_dict(message.finding) if message.finding else None
            memory = in_the_light_of(memory, just_before(uow, message), message.text or "")
            finding = known or self.assessed(message.text or "", memory)
            message.finding, message.level = finding.to_dict(), finding.level.value
            kind = Kind(message.kind)
            if self._answered_here(uow, conversation, message, finding, memory, now):
                conversation.memory = memory.after(finding, _today(now)).to_dict()
                message.answered_at = now
                uow.commit()
                self._notify.changed(conversation_id)
                return self.begin(conversation_id)
            if conversation.owner == "worker":
                conversation.memory = memory.after(finding, _today(now)).to_dict()
                if case := uow.open_handover_of(conversation_id):
                    handover.person_wrote(uow, case, finding, now)
                message.answered_at = now
                uow.commit()
                self._notify.changed(conversation_id)
                return self.begin(conversation_id)
            if left and not finding.level.needs_person:
                self._ask_again(uow, conversation, message, now)
                uow.commit()
                return self.begin(conversation_id)
            text = (None if left else message.payload) or _as_text(message.text)
            if kind is Kind.TEXT:
                text = self._as_meant(uow, conversation, message.text, memory) or text
            uow.commit()
            ask = bool(message.payload or message.text.strip())
            if kind is Kind.EDIT and not finding.level.needs_person:
                ask = False  # they only mended a word; answering it again would be odd
            return Turn(message.seq, text, kind, finding, memory, ask)

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

    def assessed(self, text: str, memory: Memory) -> Finding:
        try:
            return self._assess(text, memory)
        except Exception as error:  # noqa: BLE001 - whatever broke, the child must not be missed
            log.error("assessment_failed", error=type(error).__name__)
            unassessed = Evidence("memory", "could not be assessed", "", 0, 0, Level.HIGH)
            return Finding(Level.HIGH, (), memory.about or About.SELF, (unassessed,))

    async def ask(self, conversation_id: str, turn: Turn) -> Answer | None:
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

    def end(self, conversation_id: str, turn: Turn, answer: Answer | None) -> bool:
        """Keep the floor, then store the replies and mark the message answered, all at once.

        Returns whether the bot has spoken: not when somebody else answered meanwhile.
        """
        now = self._core.now()
        with self._core.uow() as uow:
            conversation = uow.conversation(conversation_id, lock=True)
            message = uow.message(conversation_id, turn.seq)
            if conversation is None or conversation.erased_at or message is None or message.answered_at:
                return False
            message.answered_at = now
            # Remembered together with the answer: a turn that a crash cut off is answered as if new.
            # Read anew, since an action may have noted in it whom this is about.
            memory = memory_of(conversation)
            conversation.memory = memory.after(turn.finding, _today(now)).to_dict()
            if conversation.owner == "worker":
                # A person accepted while Rasa was thinking: the bot stays silent.
                if case := uow.open_handover_of(conversation_id):
                    handover.person_wrote(uow, case, turn.finding, now)
                uow.commit()
                return False
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
        return True


def memory_of(conversation: Conversation) -> Memory:
    """What a conversation remembers of risk."""
    return Memory.from_dict(conversation.memory or {})


def _today(now: datetime) -> date:
    """The day it is for the person: worries that return are counted in their days."""
    return now.astimezone(UK).date()


def _as_text(text: str) -> str:
    """Typed text as Rasa may see it: a leading slash would be read as a command to the dialogue."""
    return re.sub(r"^[\s/]+", "", text) or "?"
