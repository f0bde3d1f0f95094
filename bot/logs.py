"""Logs: one JSON object a line, an event name and ids. Never what a person wrote, a name or a number."""

from __future__ import annotations

import logging
import sys

import structlog


class WordlessFormatter(logging.Formatter):
    """Level, logger and kind of error. A library's message or traceback may quote what a person wrote."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without the message."""
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        return f"{record.levelname} {record.name} {record.module}:{record.lineno} {error}".rstrip()


def configure_logs() -> None:
    """Send our events to standard error and keep libraries that quote what they handle quiet."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(WordlessFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
