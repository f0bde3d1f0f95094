"""What was said so far and what was chosen, for actions and pages to ask and to keep."""

from __future__ import annotations

from datetime import timedelta

import structlog

from bot.codes import HIDDEN, new_code, normal_code
from bot.conversation.contract import NoSuchConversation
from bot.messages import Kind, Sender
from bot.risk.taxonomy import About, Finding, Level
from bot.store.encryption import CannotDecrypt
from bot.store.models import Conversation, Message
from bot.store.uow import UnitOfWork

#: Messages with no longer a pause between them are read together. Slow thumbs need a while for four words.
PAUSE = timedelta(minutes=2)
#: They are looked for among so many last messages of both sides.
LOOKED_AT = 40

log = structlog.get_logger(__name__)


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


def just_before(uow: UnitOfWork, message: Message) -> list[tuple[str, Level]]:
    """What the person typed just before a message, oldest first, each with the level found in it.

    What was read as the answer to a question of the bot's belongs to that question, and a button that was
    pressed begins something new. Nothing, where it cannot be read: the message itself still is.
    """
    found: list[tuple[str, Level]] = []
    if message.kind != Kind.TEXT.value:
        return found
    try:
        last = message
        for earlier in reversed(uow.messages(message.conversation_id, after=message.seq - LOOKED_AT)):
            if earlier.seq >= message.seq or earlier.sender != Sender.YOU.value:
                continue
            finding = Finding.from_dict(earlier.finding) if earlier.finding else None
            typed = earlier.kind == Kind.TEXT.value and earlier.text and earlier.text != HIDDEN
            paused = last.created_at - earlier.created_at > PAUSE
            if not typed or paused or finding is None or finding.asked:
                break
            found.insert(0, (earlier.text, finding.level))
            last = earlier
    except (CannotDecrypt, KeyError, TypeError, ValueError) as error:
        log.warning(
            "messages_before_unread", conversation=message.conversation_id, error=type(error).__name__
        )
        return []
    return found


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
