"""The directory and the look-up of places, opened once, and what a conversation keeps of a search."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rasa_sdk import Tracker

from actions._place import areas, without_postcode
from bot.areas.describe import words
from bot.bootstrap import Core, core
from bot.directory.index import Open, Query
from bot.directory.library import Library
from bot.directory.where import Where, where
from bot.messages import Sender

#: What a question that was skipped is filled with.
ANY = "any"
#: How many services are shown at once.
AT_ONCE = 3
SLOTS = ("find_need", "find_age", "find_area", "find_filters", "find_page")


@lru_cache(maxsize=2)
def _library(house: Core) -> Library:
    return Library(house)


def library() -> Library:
    """The directory of this process."""
    return _library(core())


def wish_of(tracker: Tracker) -> tuple[str, str]:
    """What a button asked for, as name and value: ``need:behaviour`` is ("need", "behaviour")."""
    pressed = next(tracker.get_latest_entity_values("find"), None) or ""
    name, _, value = str(pressed).partition(":")
    return name, value


def query_of(slots: Mapping[str, Any]) -> Query:
    """What the conversation looks for so far."""
    need, age = slots.get("find_need"), slots.get("find_age")
    filters = set(str(slots.get("find_filters") or "").split())
    query = Query(
        needs=() if need in (None, ANY) else (str(need),),
        age=None if age in (None, ANY) else float(age),
        open=Open.WEEKEND if "open:weekend" in filters else None,
        free="free" in filters,
        self_referral="self" in filters,
    )
    return Where.read(str(slots.get("find_area") or "")).of(query)


def place_typed(text: str) -> tuple[str | None, tuple[str, dict[str, str]] | None]:
    """What to keep of a postcode or place somebody typed, or the response that says why it is none."""
    answer = areas().look_up(text)
    found = where(answer)
    return (str(found), None) if found else (None, words(answer))


def forget_postcode(conversation_id: str) -> None:
    """Takes the second half of a postcode out of the message that was just sent, once it has been used."""
    with core().uow() as uow:
        mine = [m for m in uow.messages(conversation_id) if m.sender == Sender.YOU.value and m.text]
        if not mine or mine[-1].answered_at is not None:
            return
        postcode = areas().find(mine[-1].text).postcode
        if " " not in postcode:
            return  # half a postcode is an area already
        rest = without_postcode(mine[-1].text, postcode)
        mine[-1].text = " ".join(part for part in (rest, postcode.split()[0], "…") if part)
        uow.commit()
