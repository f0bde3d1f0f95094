"""One house for all journeys, a Bot API beside it, and a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.journeys.house import House
from tests.standins.browser import chromium
from tests.standins.telegram_api import TelegramApi


@pytest.fixture(scope="session")
def telegram() -> Iterator[TelegramApi]:
    """Telegram, as far as the house can tell."""
    with TelegramApi() as api:
        yield api


@pytest.fixture(scope="session")
def house(tmp_path_factory, telegram: TelegramApi) -> Iterator[House]:
    """The running house. Tests that stop a part of it start it again."""
    made = House(tmp_path_factory.mktemp("house"), telegram.token, telegram.base_url)
    try:
        made.open()
        yield made
    finally:
        made.close()


# Not for the session: playwright keeps an event loop running, in which no async test could run later.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    with chromium() as running:
        yield running
