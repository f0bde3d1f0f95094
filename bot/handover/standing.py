"""Where a conversation's handover stands, as the person may know it."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.handover import deadlines
from bot.handover.states import ACCEPTED, CLOSED, WAITING, Status
from bot.rota import route
from bot.store.aftercare import last_worker_of
from bot.store.uow import UnitOfWork


def status(uow: UnitOfWork, conversation_id: str, now: datetime) -> Status:
    """Where the newest handover of a conversation stands, as the person may know it."""
    handover = uow.last_handover_of(conversation_id)
    if handover is None:
        return Status("none")
    if handover.state == ACCEPTED:
        holder = uow.staff_member(handover.accepted_by)
        return Status(ACCEPTED, who=holder.name if holder else None, kind=handover.kind)
    if handover.state == CLOSED:
        return Status(CLOSED, outcome=handover.outcome, kind=handover.kind)
    conversation = uow.conversation(conversation_id)
    asked = deadlines.current_route(uow, handover, conversation, now)
    by_when = deadlines.by_when(uow, handover, asked, now)
    return Status(WAITING, who=deadlines.who(uow, asked), by_when=by_when, kind=handover.kind)


def status_words(standing: Status) -> tuple[str | None, dict[str, str]]:
    """The response that tells a person where things stand, and its values; no response for ``none``."""
    if standing.state == WAITING:
        return "utter_status_waiting", {"who": standing.who or "", "by_when": standing.by_when or ""}
    if standing.state == ACCEPTED:
        return "utter_status_accepted", {"who": standing.who or ""}
    if standing.state == CLOSED and standing.outcome:
        return "utter_status_closed", {"outcome": standing.outcome}
    return ("utter_status_closed_plain" if standing.state == CLOSED else None), {}


def expected(uow: UnitOfWork, conversation_id: str, now: datetime) -> tuple[str, str, bool]:
    """Who would read a message passed on now, by when, and whether anybody is there: told, not promised."""
    conversation = uow.conversation(conversation_id)
    people, chosen = uow.rota(), conversation.safe_adult_id if conversation else None
    area = people.area_at(conversation.place_id) if conversation else None
    asked = route(people, 0, chosen, False, now, area, last_worker_of(uow, conversation_id))
    if not asked.on_duty and asked.back_at is None:
        return deadlines.who(uow, asked), uow.content.say("utter_time_unknown"), False
    start = now if asked.on_duty else asked.back_at
    deadline = start + timedelta(seconds=uow.settings.deadline_message)
    return deadlines.who(uow, asked), uow.content.clock_words(deadline, now), asked.on_duty
