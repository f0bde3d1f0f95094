"""Logs: one JSON object a line, an event name and ids. Never what a person wrote, a name or a number."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs() -> None:
    """Send our events to standard error and keep libraries that quote what they handle quiet."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s")
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
