"""Rasa's channel to the gateway: it answers where Rasa's own does, and nothing a person wrote is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
import structlog
from rasa.core.run import create_http_input_channels

from bot.nlu.rest import WordlessRest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What a handler of Rasa's logger writes; every other handler is as before afterwards."""
    others = [(h, h.formatter) for name in ("", *logging.root.manager.loggerDict)
              for h in logging.getLogger(name).handlers]  # fmt: skip
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("rasa.core.channels.rest")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)
    for other, formatter in others:
        other.setFormatter(formatter)


def test_the_channel_of_the_credentials_is_ours_and_keeps_the_address() -> None:
    (channel,) = create_http_input_channels(None, str(ROOT / "credentials.yml"))
    assert isinstance(channel, WordlessRest)
    assert channel.url_prefix() == "rest"


def test_what_rasa_complains_of_is_logged_without_what_was_written(log: StringIO) -> None:
    async def nobody(message: object) -> None: ...

    WordlessRest().blueprint(nobody)
    events = structlog.wrap_logger(
        logging.getLogger("rasa.core.channels.rest"), processors=[structlog.processors.JSONRenderer()]
    )
    events.error("rest.message.received.timeout", text="my stepdad hits me")
    try:
        raise ValueError("my stepdad hits me")
    except ValueError:
        logging.getLogger("rasa.core.channels.rest").exception("it went wrong: my stepdad hits me")
    written = log.getvalue()
    assert written.startswith("ERROR rasa.core.channels.rest ")
    assert written.splitlines()[-1].endswith("ValueError")
    assert "stepdad" not in written
