"""Rasa's memory of a conversation, sealed like everything else, and kept short.

Rasa replays every stored event at each turn, so what is kept is cut to the last turns with the slots
in front: the cost of turn 200 is that of turn 20. Rasa itself has neither encryption nor deletion
here (RasaHQ/rasa issue 10719); rows are erased with their conversation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import structlog
from anyio import to_thread
from rasa.core.tracker_store import SerializedTrackerAsText, TrackerStore
from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME
from rasa.shared.core.events import ActionExecuted, ActiveLoop, Event, SessionStarted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy import select, update

from bot.areas.postcode import without_inward
from bot.bootstrap import core
from bot.store.encryption import CannotDecrypt
from bot.store.models import DialogueState

log = structlog.get_logger(__name__)

#: Turns kept when a conversation is cut, and how long it may grow before it is. More than the
#: ``max_history`` of the policies in config.yml, so no policy misses what was cut.
TURNS_KEPT, TURNS_BEFORE_CUT = 10, 20


class SealedTrackerStore(TrackerStore, SerializedTrackerAsText):
    """A tracker store on Earshot's own database; one sealed row a conversation."""

    def __init__(self, domain: Any, event_broker: Any = None, host: Any = None, **kwargs: Any) -> None:
        self._store = core().store
        super().__init__(domain, event_broker, **kwargs)

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Store the last turns of a conversation."""
        await self.stream_events(tracker)
        body = without_postcodes(self.serialise_tracker(shortened(tracker)))

        def write() -> None:
            # Written over, not merged: that would open what is there, which another key may have sealed.
            now, mine = datetime.now(timezone.utc), DialogueState.sender_id == tracker.sender_id
            with self._store.write() as uow:
                changed = uow.session.execute(
                    update(DialogueState)
                    .where(mine)
                    .values(body=body, updated_at=now)
                    .execution_options(synchronize_session=False)
                )
                if not changed.rowcount:
                    uow.session.add(DialogueState(sender_id=tracker.sender_id, body=body, updated_at=now))
                uow.commit()

        await to_thread.run_sync(write)

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """What is remembered of a conversation, if anything that a key of this process opens."""

        def read() -> str | None:
            with self._store.read() as uow:
                try:
                    row = uow.session.get(DialogueState, sender_id)
                except CannotDecrypt:
                    # Rasa begins anew rather than failing at every message: the transcript is not here.
                    log.warning("dialogue_forgotten", conversation=sender_id)
                    return None
                return row.body if row else None

        body = await to_thread.run_sync(read)
        return self.deserialise_tracker(sender_id, body) if body else None

    async def retrieve_full_tracker(self, conversation_id: str) -> DialogueStateTracker | None:
        """The same as :meth:`retrieve`: older sessions are not kept."""
        return await self.retrieve(conversation_id)

    async def keys(self) -> Iterable[str]:
        """The ids of all conversations that are remembered."""

        def read() -> list[str]:
            with self._store.read() as uow:
                return list(uow.session.scalars(select(DialogueState.sender_id)))

        return await to_thread.run_sync(read)


def without_postcodes(body: str) -> str:
    """A serialised tracker without the second half of any postcode that somebody typed.

    The actions have used it by then. What a slot still holds is what is shown before it is sent, word for
    word, so that stays until it is emptied.
    """
    dialogue = json.loads(body)
    newest = {e["name"]: e.get("value") for e in dialogue["events"] if e["event"] == "slot"}
    for event in dialogue["events"]:
        if event["event"] in ("user", "bot"):
            for key in {"text", "parse_data", "metadata", "data"} & event.keys():
                event[key] = _halved(event[key])
        elif event["event"] == "slot" and newest[event["name"]] != event.get("value"):
            event["value"] = _halved(event["value"])
    return json.dumps(dialogue)


def _halved(value: Any) -> Any:
    if isinstance(value, str):
        return without_inward(value)
    if isinstance(value, list):
        return [_halved(each) for each in value]
    if isinstance(value, dict):
        return {key: _halved(each) for key, each in value.items()}
    return value


def shortened(tracker: DialogueStateTracker) -> DialogueStateTracker:
    """The tracker with its last turns only, slots and open form carried over in front."""
    events = list(tracker.events)
    turns = [i for i, event in enumerate(events) if isinstance(event, UserUttered)]
    if len(turns) <= TURNS_BEFORE_CUT:
        return tracker
    start = turns[-TURNS_KEPT]
    before = DialogueStateTracker.from_events(
        tracker.sender_id, events[:start], slots=list(tracker.slots.values())
    )
    front: list[Event] = [ActionExecuted(ACTION_SESSION_START_NAME), SessionStarted()]
    front += [SlotSet(name, slot.value) for name, slot in before.slots.items() if slot.value is not None]
    if before.active_loop_name:
        front += [ActionExecuted(before.active_loop_name), ActiveLoop(before.active_loop_name)]
    front.append(ActionExecuted(ACTION_LISTEN_NAME))
    for event in front:
        event.timestamp = events[start].timestamp
    return DialogueStateTracker.from_events(
        tracker.sender_id, front + events[start:], slots=list(tracker.slots.values())
    )
