"""The one path of a message: store it, assess it, route it, keep the floor, put replies in the outbox.

Rasa up or down, a message that was taken is stored first and answered once, and risk that needs a
person always ends in an open handover and in words from ``data/responses/safety.yml``.
"""

from bot.conversation.contract import (
    Assess,
    ConversationError,
    Dialogue,
    DialogueDown,
    EmptyMessage,
    MessageTooLong,
    NoSuchConversation,
    Notify,
    Started,
    UnknownChoice,
)
from bot.conversation.conversations import Conversations
from bot.conversation.said import give_code, note_choice, own_words, typed_messages

__all__ = [
    "Assess", "ConversationError", "Conversations", "Dialogue", "DialogueDown", "EmptyMessage",
    "MessageTooLong", "NoSuchConversation", "Notify", "Started", "UnknownChoice", "give_code", "note_choice",
    "own_words", "typed_messages",
]  # fmt: skip
