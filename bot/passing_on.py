"""The draft: what a person may pass on, as it was last shown to them. What was shown is what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.conversation import NoSuchConversation, typed_messages
from bot.store.uow import UnitOfWork

#: Where the draft stands in a conversation's sealed wishes.
_DRAFT = "draft"


@dataclass(frozen=True)
class Draft:
    """The lines, and how many of the person's typed messages they account for."""

    lines: tuple[str, ...] = ()
    seen: int = 0


def draft_of(uow: UnitOfWork, conversation_id: str) -> Draft:
    """The draft of a conversation, empty if there is none yet."""
    conversation = uow.conversation(conversation_id)
    kept = ((conversation.wishes if conversation else None) or {}).get(_DRAFT) or {}
    return Draft(tuple(kept.get("lines", ())), int(kept.get("seen", 0)))


def keep_draft(uow: UnitOfWork, conversation_id: str, lines: Sequence[str]) -> None:
    """Keep these lines as the draft; everything typed so far counts as seen.

    Raises:
        NoSuchConversation: unknown or erased.
    """
    conversation = uow.conversation(conversation_id, lock=True)
    if conversation is None or conversation.erased_at:
        raise NoSuchConversation(conversation_id)
    seen = len(typed_messages(uow, conversation_id))
    conversation.wishes = {**(conversation.wishes or {}), _DRAFT: {"lines": list(lines), "seen": seen}}
