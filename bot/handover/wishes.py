"""What the person wishes: whom they do not want told. Kept with the conversation and with its handover."""

from __future__ import annotations

from datetime import datetime

from bot.handover.standing import status
from bot.handover.states import DO_NOT_TELL, NoSuchHandover, Status
from bot.store.models import Conversation
from bot.store.uow import UnitOfWork


def of(conversation: Conversation) -> dict[str, str]:
    """The wishes that go with a handover, as text."""
    unwanted = (conversation.wishes or {}).get(DO_NOT_TELL)
    return {DO_NOT_TELL: "\n".join(unwanted)} if unwanted else {}


def keep_from(uow: UnitOfWork, conversation_id: str, words: str, now: datetime) -> Status:
    """Keep, in their own words, whom the person does not want told; staff see it before all else.

    Kept with the conversation, and with the handover that is open or opens later.

    Raises:
        NoSuchHandover: there is no such conversation.
    """
    conversation = uow.conversation(conversation_id, lock=True)
    if conversation is None:
        raise NoSuchHandover(conversation_id)
    kept = dict(conversation.wishes or {})
    kept[DO_NOT_TELL] = list(dict.fromkeys([*kept.get(DO_NOT_TELL, ()), words]))
    conversation.wishes = kept
    if handover := uow.open_handover_of(conversation_id):
        handover.details = {**(handover.details or {}), **of(conversation)}
        uow.audit(now, "person", "said_who_must_not_be_told", handover=handover)
    return status(uow, conversation_id, now)
