"""The helplines of data/responses/numbers.yml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rasa_sdk.executor import CollectingDispatcher

from bot.data_files import read_yaml
from bot.settings import ROOT

ANY = "*"


@lru_cache(maxsize=1)
def all_services() -> tuple[Mapping[str, Any], ...]:
    """Every service, in the order of the file."""
    document = read_yaml(ROOT / "data" / "responses" / "numbers.yml")
    return tuple(document["services"])


def services_for(audience: str, topic: str | None, limit: int = 3) -> list[Mapping[str, Any]]:
    """Services for ``child`` or ``adult``: those for the topic first, then those for anything."""
    mine = [service for service in all_services() if audience in service["audience"]]
    fitting = [s for s in mine if topic and topic in s["topics"]]
    general = [s for s in mine if ANY in s["topics"]]
    # One general line is always among them: a person whose topic was misread must find it useful too.
    return [*fitting[: limit - 1], *general][:limit]


def say_numbers(dispatcher: CollectingDispatcher, audience: str, topic: str | None, limit: int = 3) -> None:
    """One card for each of :func:`services_for`: what it is, how to reach it, and when."""
    for service in services_for(audience, topic, limit):
        dispatcher.utter_message(
            response="utter_number_card",
            service=service["name"],
            about=service["about"],
            how=service["how"],
            hours=service["hours"],
        )
