"""What an action reads from the conversation so far. Nothing here speaks or changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rasa_sdk import Tracker

from bot.risk.taxonomy import Memory

SELF, FRIEND, OWN_CHILD, OTHER_CHILD = "self", "friend", "own_child", "other_child"
ADULT_SPEAKERS = frozenset({OWN_CHILD, OTHER_CHILD})


def intent(tracker: Tracker) -> str:
    """The intent of the last message, or an empty string."""
    return str((tracker.latest_message.get("intent") or {}).get("name") or "")


def pressed(tracker: Tracker) -> bool:
    """Whether the last message was a button rather than something typed."""
    return str(tracker.latest_message.get("text") or "").startswith("/")


def sure(tracker: Tracker) -> bool:
    """Whether the intent is certain enough to change what the whole conversation is about."""
    confidence = (tracker.latest_message.get("intent") or {}).get("confidence")
    return pressed(tracker) or float(confidence or 0) >= 0.8


def risk(tracker: Tracker) -> Mapping[str, Any]:
    """The finding on the last message (see ``bot.risk.taxonomy.Finding.to_dict``), or empty."""
    return tracker.latest_message.get("risk") or {}


def memory(tracker: Tracker) -> Memory:
    """What the conversation had shown before the last message."""
    sent = ((tracker.latest_message.get("metadata") or {}).get("earshot") or {}).get("memory")
    return Memory.from_dict(sent or {})


def about(tracker: Tracker) -> str:
    """Whose safety it is about: self, friend, own_child or other_child.

    What a message says outright counts more than the door, except that an adult who came through an
    adult's door and says "I" is still talking about the child.
    """
    door = tracker.get_slot("about")
    said = risk(tracker).get("about") if risk(tracker).get("evidence") else None
    not_a_friend = said == FRIEND and door == OTHER_CHILD  # "he told me": the child they came about
    if said and not not_a_friend and not (said == SELF and door in ADULT_SPEAKERS):
        return str(said)
    return door or SELF


def adult_speaks(tracker: Tracker) -> bool:
    """Whether a parent, carer or member of the public is typing."""
    return about(tracker) in ADULT_SPEAKERS


def actions_of_last_turn(tracker: Tracker) -> list[str]:
    """The names of the actions that answered the message before the last one, oldest first."""
    return [str(e.get("name")) for e in _last_turn(tracker) if e.get("event") == "action"]


def said_last_turn(tracker: Tracker) -> set[str]:
    """The names of the responses that answered the message before the last one."""
    return {
        str((e.get("metadata") or {}).get("utter_action"))
        for e in _last_turn(tracker)
        if e.get("event") == "bot"
    }


def _last_turn(tracker: Tracker) -> list[Mapping[str, Any]]:
    """What happened between the message before the last one and the last one, oldest first."""
    asked = [i for i, event in enumerate(tracker.events) if event.get("event") == "user"]
    if not asked:
        return []
    return tracker.events[asked[-2] if len(asked) > 1 else 0 : asked[-1]]


def said(tracker: Tracker, response: str) -> bool:
    """Whether a response was said in this session, as far as the tracker goes back."""
    return any(
        e.get("event") == "bot" and (e.get("metadata") or {}).get("utter_action") == response
        for e in tracker.events
    )


def words(tracker: Tracker) -> str:
    """What was typed; an empty string if a button was pressed."""
    return "" if pressed(tracker) else str(tracker.latest_message.get("text") or "").strip()


def times_run(tracker: Tracker, action: str) -> int:
    """How often an action has run in this session."""
    return sum(e.get("event") == "action" and e.get("name") == action for e in tracker.events)
