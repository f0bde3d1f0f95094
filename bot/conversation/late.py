"""A choice that is pressed after its question: a press belongs to the message it came with.

"Yes" and "no" mean nothing without their question. Pressed later, they would answer whatever was asked last.
So a late yes to a safety question is that yes; a late yes to an offer makes the offer again; any other late
answer is left, and what is open now is asked once more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot import transcript
from bot.codes import HIDDEN
from bot.messages import Kind, Sender
from bot.store.models import Message
from bot.store.uow import UnitOfWork

#: The payload under which a late answer is stored that answers nothing any more. No button has it.
LEFT = "late"
#: What only its question gives a meaning.
_ANSWERS = re.compile(r"/(affirm|deny|unsure|skip|im_ok|contact_wish)\b")
_YES = "/affirm"
#: Questions about danger: a yes counts whenever it comes.
_SAFETY = frozenset(
    {
        "danger_now",
        "harm",
        "suicide_thoughts",
        "suicide_wish",
        "suicide_plan",
        "suicide_means",
        "suicide_tonight",
    }
)
#: Offers, and what asks for the same thing. Each of these shows or asks before anything is done.
_AGAIN = {
    "consent": "/pass_on_words",
    "pass_on": "/pass_on_words",
    "offer_adult": "/choose_safe_adult",
    "offer_help": "/early_help_request",
    "offer_find": "/find_help",
    "offer_report": "/report_concern",
    "delete": "/delete",
}


@dataclass(frozen=True)
class Pressed:
    """What was pressed and what it means now.

    ``payload`` is for the dialogue, or :data:`LEFT`. ``asked`` is the safety question that it answers
    although other things were said since.
    """

    title: str
    payload: str
    asked: str | None = None


def pressed(uow: UnitOfWork, conversation_id: str, choice_id: str) -> Pressed | None:
    """What pressing a choice means; None if this conversation was never offered it.

    A person may only press what they were offered: payloads speak to Rasa directly.
    """
    found = transcript.choice_of(uow, conversation_id, choice_id)
    if found is None:
        return None
    message, choice = found
    title, payload, asks = choice["title"], choice["payload"], choice.get("asks")
    now_open = open_now(uow, conversation_id)
    if not _ANSWERS.match(payload) or _is_open(message, choice["payload"], asks, now_open):
        return Pressed(title, payload)
    if payload == _YES and asks in _SAFETY:
        return Pressed(title, payload, asks)
    return Pressed(title, _AGAIN.get(asks or "", LEFT) if payload == _YES else LEFT)


def open_now(uow: UnitOfWork, conversation_id: str) -> list[Message]:
    """What was said to the person since they last said something that is answered, oldest first."""
    said: list[Message] = []
    for message in reversed(uow.messages(conversation_id)):
        if message.sender != Sender.YOU.value:
            said.append(message)
        elif not _leaves_open(message):
            break
    return said[::-1]


def _leaves_open(message: Message) -> bool:
    """Whether a message of the person leaves open what was asked: a picture, a mended word, the code."""
    mended = message.kind in (Kind.UNREADABLE.value, Kind.EDIT.value)
    return mended or message.payload == LEFT or message.text == HIDDEN


def _is_open(message: Message, payload: str, asks: str | None, now_open: list[Message]) -> bool:
    """Whether the question of a choice is open: it was asked last, or asked again since."""
    for said in now_open:
        if said.seq == message.seq:
            return True
        offered = {(c["payload"], c.get("asks")) for c in said.choices or ()}
        if (payload, asks) in offered and (asks or said.text == message.text):
            return True
    return False
