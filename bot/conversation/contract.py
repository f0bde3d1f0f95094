"""What the core asks of those around it, and what can go wrong with a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bot.messages import Sender
from bot.risk.taxonomy import Finding, Memory


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
