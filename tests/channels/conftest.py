"""What tests of the Telegram door stand on: Telegram's side, and a core that notes what it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_door import RecordingConversations, telegram_words


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi() as running:
        yield running


@pytest.fixture
def recorder() -> RecordingConversations:
    return RecordingConversations(telegram_words())
