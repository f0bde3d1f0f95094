"""Logs: one JSON object a line, an event name and ids. Never what a person wrote, a name or a number."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog


class WordlessFormatter(logging.Formatter):
    """Level, logger and kind of error. A library's message or traceback may quote what a person wrote."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without the message."""
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        return f"{record.levelname} {record.name} {record.module}:{record.lineno} {error}".rstrip()


class Unfailing:
    """Where lines go. On a full disk a line is lost, and whoever writes it goes on: the loops that send
    alarms write one about each failure, and an error there would end them for good.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or lose it."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):  # ValueError: the stream is closed
            return

    def flush(self) -> None:
        """Flush, or leave it."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


def configure_logs() -> None:
    """Send our events to standard error and keep libraries that quote what they handle quiet."""
    stream = Unfailing(sys.stderr)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(WordlessFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


def silence_words() -> None:
    """Let whatever logs in this process write without messages, for a server that is not ours (Rasa)."""
    for name in ("", *logging.root.manager.loggerDict):
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(WordlessFormatter())
