"""Puts texts through a trained Rasa model, without a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

__all__ = ["intents_of"]


def intents_of(model: Path, texts: Sequence[str]) -> list[str]:
    """The intent the model gives each text; ``nlu_fallback`` where it is not sure enough."""
    # Seconds of imports that only measuring needs.
    import structlog
    from rasa.core.agent import Agent

    # Rasa's own log would print every text.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    agent = Agent.load(str(model))

    async def parse() -> list[str]:
        parsed = [await agent.parse_message(text) for text in texts]
        return [str((found.get("intent") or {}).get("name")) for found in parsed]

    return asyncio.run(parse())
