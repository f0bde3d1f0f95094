"""What tests of the doors stand on: a browser, Telegram's side, and a core that notes what it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.standins.browser import chromium
from tests.standins.telegram_api import TelegramApi
from tests.standins.telegram_door import RecordingConversations, telegram_words


# Not for the session: playwright keeps an event loop running, in which no async test could run later.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi() as running:
        yield running


@pytest.fixture
def recorder() -> RecordingConversations:
    return RecordingConversations(telegram_words())
