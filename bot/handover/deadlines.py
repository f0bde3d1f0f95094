"""Who is asked for a waiting case, until when somebody should answer, and the alerts that go out for it.

Nothing here changes a state or an owner: that is :mod:`bot.handover`'s alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.handover.states import DISCLOSURE, MESSAGE, WAITING
from bot.risk.taxonomy import Level
from bot.rota import LAST_STEP, Route, route
from bot.store.aftercare import last_worker_of
from bot.store.models import Alert, Conversation, Handover
from bot.store.uow import UnitOfWork


def ask(
    uow: UnitOfWork, handover: Handover, conversation: Conversation, tier: int, now: datetime, reason: str
) -> Route:
    """Ask whoever is next from step ``tier`` on: alerts go out and the deadline runs."""
    everyone = handover.level == Level.IMMEDIATE.value
    area = area_of(uow, handover, conversation)
    last = last_worker_of(uow, conversation.id)
    asked = route(uow.rota(), tier, conversation.safe_adult_id, everyone, now, area, last)
    # The step counts on past the last one, so that each repeat of the last step alerts anew.
    handover.tier = max(tier, asked.tier)
    handover.routed_to = sorted({*handover.routed_to, *asked.staff_ids} if tier else asked.staff_ids)
    _run_from(uow, handover, asked, now)
    again = _not_reached(uow, handover, area, now) if tier > LAST_STEP else ()
    alert(uow, handover, sorted({*asked.staff_ids, *again}), now, reason)
    return asked


def _not_reached(uow: UnitOfWork, handover: Handover, area: str | None, now: datetime) -> list[str]:
    """People on duty whom no alert reached, as while the mail server was down: asked again with the leads."""
    alerts = uow.alerts_of(handover.id)
    tried = {one.staff_id for one in alerts} - {one.staff_id for one in alerts if one.failed_at is None}
    return sorted(tried & set(route(uow.rota(), LAST_STEP - 1, None, False, now, area, None).staff_ids))


def start(uow: UnitOfWork, handover: Handover, conversation: Conversation, now: datetime) -> None:
    """Count the deadline anew for the level that the case has now; nobody else is asked."""
    _run_from(uow, handover, current_route(uow, handover, conversation, now), now)


def move(uow: UnitOfWork, handover: Handover, conversation: Conversation, area: str, now: datetime) -> None:
    """The area became known: its people are asked too. Nobody who was asked loses the case, and the time
    by which somebody should answer does not move away."""
    asked_before, promised = handover.routed_to, handover.deadline_at
    handover.area = area
    if handover.state != WAITING:
        return
    ask(uow, handover, conversation, handover.tier, now, "area_told")
    handover.routed_to = sorted({*asked_before, *handover.routed_to})
    if promised:
        handover.deadline_at = min(promised, handover.deadline_at)


def _run_from(uow: UnitOfWork, handover: Handover, asked: Route, now: datetime) -> None:
    begins = now
    if asked.back_at and handover.level != Level.IMMEDIATE.value:
        begins = max(now, asked.back_at)  # nobody is there before that: promise nothing earlier
    handover.deadline_at = begins + timedelta(seconds=seconds_to_accept(uow, handover))


def alert(uow: UnitOfWork, handover: Handover, staff_ids: Iterable[str], now: datetime, reason: str) -> None:
    """Alert these people, each once for a step and a reason."""
    known = {(one.staff_id, one.tier, one.reason) for one in uow.alerts_of(handover.id)}
    for staff_id in staff_ids:
        if (staff_id, handover.tier, reason) not in known:
            uow.add(
                Alert(
                    handover_id=handover.id,
                    staff_id=staff_id,
                    tier=handover.tier,
                    reason=reason,
                    created_at=now,
                )
            )


def seconds_to_accept(uow: UnitOfWork, handover: Handover) -> int:
    """Seconds in which somebody should accept: by level, then by kind."""
    settings = uow.settings
    if handover.level == Level.IMMEDIATE.value:
        return settings.deadline_immediate
    if Level(handover.level).needs_person:
        return settings.deadline_high
    if handover.kind == DISCLOSURE:  # below high only where a person lowered it: then as long as a message
        lowered = Level(handover.level) < Level(handover.highest_level or handover.level)
        return settings.deadline_message if lowered else settings.deadline_high
    return settings.deadline_message if handover.kind == MESSAGE else settings.deadline_request


def current_route(uow: UnitOfWork, handover: Handover, conversation: Conversation, now: datetime) -> Route:
    """Who is asked at the step where the case is."""
    area = area_of(uow, handover, conversation)
    last = last_worker_of(uow, conversation.id)
    return route(uow.rota(), handover.tier, conversation.safe_adult_id, False, now, area, last)


def area_of(uow: UnitOfWork, handover: Handover, conversation: Conversation) -> str | None:
    """The area whose people are asked: what the person told, else that of the place they chose."""
    return handover.area or uow.rota().area_at(conversation.place_id)


def who(uow: UnitOfWork, asked: Route) -> str:
    """A name, or the duty team in words."""
    return asked.named.name if asked.named else uow.content.say("utter_who_duty_line")


def by_when(uow: UnitOfWork, handover: Handover, asked: Route, now: datetime) -> str:
    """Until when somebody should answer, from the rota; no time when the rota knows of nobody."""
    if handover.state == WAITING and not asked.on_duty and asked.back_at is None:
        return uow.content.say("utter_time_unknown")
    return uow.content.clock_words(handover.deadline_at or now, now)
