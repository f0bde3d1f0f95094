"""Whether somebody is on the way: what an action needs to know of the handover before it speaks."""

from __future__ import annotations

from dataclasses import dataclass

from rasa_sdk import Tracker

from bot import handover
from bot.bootstrap import core
from bot.handover import deadlines


@dataclass(frozen=True)
class Standing:
    """Where the handover of a conversation stands.

    ``waiting``: it is open and nobody has it yet. ``who`` will read it, ``by_when`` in words.
    ``on_duty``: whoever is asked is there now, so a person is coming.
    """

    waiting: bool = False
    who: str = ""
    by_when: str = ""
    on_duty: bool = False


def standing(tracker: Tracker) -> Standing:
    """The handover of this conversation as it stands now."""
    with core().store.read() as uow:
        now = core().now()
        status = handover.status(uow, tracker.sender_id, now)
        if status.state != handover.WAITING:
            return Standing()
        case = uow.open_handover_of(tracker.sender_id)
        asked = deadlines.current_route(uow, case, uow.conversation(tracker.sender_id), now)
        return Standing(True, status.who or "", status.by_when or "", asked.on_duty)
