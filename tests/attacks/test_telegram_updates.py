"""Updates as Telegram would never send them: whatever comes, it is taken and the door stays open."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from bot.bootstrap import Core
from bot.messages import Channel
from tests.attacks.driver import fuzz
from tests.attacks.nasty import EVERYTHING, values

EXAMPLES = 250
RECORDED = Path(__file__).parents[1] / "channels" / "updates"


def recorded() -> list[dict[str, Any]]:
    """One update of each kind that the door was built on."""
    found: list[dict[str, Any]] = []

    def look(value: Any) -> None:
        if isinstance(value, dict) and "update_id" in value:
            found.append(value)
        elif isinstance(value, (dict, list)):
            for inner in value.values() if isinstance(value, dict) else value:
                look(inner)

    for file in sorted(RECORDED.glob("*.json")):
        look(json.loads(file.read_text(encoding="utf-8")))
    return found


def paths_of(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [
        *([here] if here else []),
        *(path for key, below in inner for path in paths_of(below, (*here, key))),
    ]


@st.composite
def updates(draw: st.DrawFn) -> dict[str, Any]:
    """A recorded update in which a few things are something else, missing, or more."""
    update = copy.deepcopy(draw(st.sampled_from(recorded())))
    for _ in range(draw(st.integers(1, 3))):
        open_paths = [p for p in paths_of(update) if p != ("update_id",)]
        if not open_paths:
            break
        path = draw(st.sampled_from(open_paths))
        place = update
        for key in path[:-1]:
            place = place[key]
        if isinstance(place, dict) and draw(st.integers(0, 3)) == 0:
            del place[path[-1]]
        else:
            place[path[-1]] = draw(values)
    update["update_id"] = draw(st.integers(1, 2**53))
    return update


def test_no_update_whatever_its_shape_holds_up_the_door(door: Any) -> None:
    fuzz(updates(), door, EXAMPLES)


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_whatever_somebody_writes_on_telegram_is_stored(door: Any, core: Core, name: str) -> None:
    text = EVERYTHING[name]
    chat = {"id": 600_100_300, "type": "private", "first_name": text}
    message = {"message_id": 5, "date": 1_760_000_000, "chat": chat, "text": text,
               "from": {"id": 600_100_300, "is_bot": False, "first_name": text}}  # fmt: skip
    door({"update_id": 71, "message": message})
    with core.store.read() as uow:
        address = uow.cipher.find_hash(f"address-{Channel.TELEGRAM.value}", "600100300")
        talk = uow.conversation_by("address_hash", address)
        own = [m.text for m in uow.messages(talk.id) if m.sender == "you"] if talk else []
    assert own == [text.strip()] or not text.strip() or text.startswith("/")
