"""Check-ins: how somebody is, asked a week and a month after a close, if they said that they want it.

Nobody is asked without a yes, in the chat, to :data:`OFFER`; "stop" ends it at any time. The clock asks, once
each, by the channel of the conversation: Telegram pushes it, the web shows it to whoever comes back with
their code. What they answer is a message like any other: assessed, and brought to a person if it needs one.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from bot import transcript
from bot.handover.states import CLOSED
from bot.messages import Sender
from bot.store import aftercare
from bot.store.models import CheckIn, Conversation, Handover
from bot.store.uow import UnitOfWork

#: The steps of the taper. Cases that are closed too soon bring families back: the first weeks tell.
STEPS = {"week": timedelta(days=7), "month": timedelta(days=30)}
OFFER = "utter_check_in_offer"
OFFERED, YES, NO = "offered", "yes", "no"
#: What the buttons of the offer and of the question stand for. Answered here, Rasa up or down.
WANT, DECLINE, STOP, FINE = "/check_in_yes", "/check_in_no", "/check_in_stop", "/check_in_fine"
ANSWERS = frozenset({WANT, DECLINE, STOP, FINE})

_YES = re.compile(r"^\W*(?:yes|yeah|yep|yh|ye|ok|okay|sure|please|go on)\b[\s\w]{0,20}\W*$", re.IGNORECASE)
_NO = re.compile(r"^\W*(?:no|nah|nope|no thanks|no thank you|not really|rather not)\W*$", re.IGNORECASE)
#: "stop asking me", "dont message me again", "stop checking in".
_STOP = re.compile(
    r"\b(?:stop|don'?t|don\u2019t|do not|quit|no more)\s+(?:\w+\s+){0,2}?"
    r"(?:ask(?:ing)?|check(?:ing)?(?:\s|-)?(?:in|up)s?|messag(?:e|es|ing)|text(?:s|ing)?)\b",
    re.IGNORECASE,
)


def offer(uow: UnitOfWork, handover: Handover, conversation: Conversation, now: datetime) -> None:
    """Ask the person whether they want check-ins. Whoever said yes or no before is not asked again for it.

    A yes of an earlier case counts for this one too, until they say stop.
    """
    if conversation.check_ins == YES:
        _plan(uow, handover, now)
    elif conversation.check_ins != NO:
        conversation.check_ins = OFFERED
        transcript.say(uow, conversation, OFFER, now)
        uow.audit(now, "bot", "check_ins_offered", handover=handover)


def answer(
    uow: UnitOfWork, conversation: Conversation, text: str, payload: str | None, now: datetime
) -> bool:
    """Answer what is said about check-ins; False when the message is about something else.

    Typed words count only where they can mean nothing else: a bare yes or no right after the offer, a plain
    "stop asking" while there are check-ins.
    """
    asked = _meaning(uow, conversation, text, payload)
    if asked is None:
        return False
    newest = uow.last_handover_of(conversation.id)
    if asked == WANT and newest is not None:
        conversation.check_ins = YES
        _plan(uow, newest, now)
        words = "utter_check_in_agreed"
    elif asked == FINE:
        words = "utter_check_in_fine"
    else:
        _stop(uow, conversation, now)
        words = "utter_check_in_stopped" if asked == STOP else "utter_check_in_declined"
    if asked != FINE:
        uow.audit(now, "person", words.removeprefix("utter_"), handover=newest)
    transcript.say(uow, conversation, words, now)
    return True


def ask(uow: UnitOfWork, check_in_id: int, now: datetime) -> str | None:
    """Ask how the person is, if this check-in is still due. Returns the conversation that was asked.

    Nobody is asked who is in touch with a person anyway, who wrote in the last day, or who deleted all.
    """
    due = aftercare.check_in(uow, check_in_id)
    conversation = uow.conversation(due.conversation_id, lock=True)
    due = aftercare.check_in(uow, check_in_id, lock=True)
    if due.done_at is not None or due.due_at > now:
        return None
    due.done_at = now
    if conversation.erased_at or conversation.check_ins != YES:
        due.result = "stopped"
        return None
    if uow.open_handover_of(conversation.id) or _wrote_lately(uow, conversation.id, now):
        due.result = "not_needed"
        return None
    due.result = "asked"
    transcript.say(uow, conversation, f"utter_check_in_{due.step}", now)
    uow.audit(now, "clock", "checked_in", handover=uow.handover(due.handover_id), step=due.step)
    return conversation.id


def ask_again(uow: UnitOfWork, conversation: Conversation, now: datetime) -> None:
    """Whoever comes back to a check-in that they have not answered is asked it now, where they look."""
    asked = [one for one in aftercare.check_ins_of(uow, conversation.id) if one.result == "asked"]
    if not asked or conversation.check_ins != YES or uow.open_handover_of(conversation.id):
        return
    own = [m for m in uow.messages(conversation.id) if m.sender == Sender.YOU.value]
    if not own or own[-1].created_at < asked[-1].done_at:
        transcript.say(uow, conversation, f"utter_check_in_{asked[-1].step}", now)


def forget(uow: UnitOfWork, conversation: Conversation, now: datetime) -> None:
    """The person deletes everything: nobody asks them any more."""
    _stop(uow, conversation, now)


def _meaning(uow: UnitOfWork, conversation: Conversation, text: str, payload: str | None) -> str | None:
    if payload is not None:
        return payload if payload in ANSWERS else None
    if conversation.check_ins == OFFERED and _just_offered(uow, conversation):
        if _YES.match(text):
            return WANT
        if _NO.match(text):
            return DECLINE
    if conversation.check_ins == YES and _STOP.search(text):
        return STOP
    return None


def _just_offered(uow: UnitOfWork, conversation: Conversation) -> bool:
    """Whether the offer is the last thing that was said to them."""
    said = [m for m in uow.messages(conversation.id) if m.sender != Sender.YOU.value]
    words = {one.text for one in uow.content.variations(OFFER)}
    return bool(said) and said[-1].text in words


def _plan(uow: UnitOfWork, handover: Handover, now: datetime) -> None:
    begins = handover.closed_at or now
    known = {(one.handover_id, one.step) for one in aftercare.check_ins_of(uow, handover.conversation_id)}
    for step, after in STEPS.items():
        if handover.state == CLOSED and (handover.id, step) not in known:
            uow.add(
                CheckIn(
                    conversation_id=handover.conversation_id,
                    handover_id=handover.id,
                    step=step,
                    due_at=max(now, begins) + after,
                )
            )


def _stop(uow: UnitOfWork, conversation: Conversation, now: datetime) -> None:
    conversation.check_ins = NO
    for one in aftercare.check_ins_of(uow, conversation.id):
        if one.done_at is None:
            one.done_at, one.result = now, "stopped"


def _wrote_lately(uow: UnitOfWork, conversation_id: str, now: datetime) -> bool:
    own = [m for m in uow.messages(conversation_id) if m.sender == Sender.YOU.value]
    return bool(own) and now - own[-1].created_at < timedelta(days=1)
