"""The channel through which the gateway talks to Rasa: Rasa's own, in a process whose logs hold no words.

Rasa's REST channel logs the text of a message that it could not answer in time, or at all. That is what a
person wrote, at the worst moment; a log is no place for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import UserMessage
from rasa.core.channels.rest import RestInput

from bot.logs import silence_words

__all__ = ["WordlessRest"]


class WordlessRest(RestInput):
    """Rasa's REST channel under its own name, so that its address stays the same."""

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[None]]) -> Any:
        """The routes of the channel. The server asks for them once, before the first message."""
        silence_words()
        return super().blueprint(on_new_message)
