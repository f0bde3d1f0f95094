"""How the level of a case rises and falls: by what is told, and by a person who gives a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.casework import notes
from bot.handover import deadlines
from bot.handover.states import DISCLOSURE, WAITING, WORDS
from bot.risk.taxonomy import Finding, Level
from bot.store.models import Conversation, Handover
from bot.store.uow import UnitOfWork


def lowered(handover: Handover) -> bool:
    """Whether a person lowered the level below what it was."""
    return Level(handover.level) < Level(handover.highest_level or handover.level)


def rise(
    uow: UnitOfWork,
    handover: Handover,
    level: Level,
    kind: str,
    finding: Finding,
    details: Mapping[str, str] | None,
    now: datetime,
    actor: str,
) -> None:
    """Something was told: the level rises to ``level``, or stays; evidence and details are added."""
    if finding.evidence:
        handover.evidence = [*(handover.evidence or []), finding.to_dict()]
        categories = [c.value for c in finding.categories]
        handover.categories = list(dict.fromkeys([*handover.categories, *categories]))
    if details:
        handover.details = joined(handover.details or {}, details)
    if level.needs_person and handover.kind != DISCLOSURE:
        handover.kind = DISCLOSURE
    if level.rank <= handover.level_rank:
        return
    was = _change(handover, level)
    uow.audit(now, actor, "level_raised", handover=handover, was=was, level=level.value)
    _ask_for_more(uow, handover, uow.conversation(handover.conversation_id), level, now)


def set_by_person(
    uow: UnitOfWork,
    handover: Handover,
    conversation: Conversation,
    staff_id: str,
    level: Level,
    reason: str,
    now: datetime,
) -> None:
    """Give a case another level; the reason is kept, sealed, among its internal notes."""
    if level is Level(handover.level):
        return
    raised = level.rank > handover.level_rank
    was = _change(handover, level)
    action = "level_raised" if raised else "level_lowered"
    uow.audit(now, staff_id, action, handover=handover, was=was, level=level.value)
    notes.add(uow, handover, staff_id, reason, now, kind=notes.LEVEL, was=was, level=level.value)
    if raised:
        _ask_for_more(uow, handover, conversation, level, now)
    elif handover.state == WAITING:
        deadlines.start(uow, handover, conversation, now)


def _change(handover: Handover, level: Level) -> str:
    was = handover.level
    highest = Level(handover.highest_level or was)
    handover.level, handover.level_rank = level.value, level.rank
    handover.highest_level = max(highest, level, key=lambda one: one.rank).value
    return was


def _ask_for_more(
    uow: UnitOfWork, handover: Handover, conversation: Conversation, level: Level, now: datetime
) -> None:
    """A level rose: the deadline comes nearer, or whoever has the case (and more) is alerted."""
    reason = f"raised_{level.value}"
    if handover.state == WAITING:
        deadlines.ask(uow, handover, conversation, handover.tier, now, reason)
        return
    area = deadlines.area_of(uow, handover, conversation)
    on_duty = uow.rota().everyone_on_duty(now, area) if level is Level.IMMEDIATE else []
    deadlines.alert(uow, handover, {handover.accepted_by, *(p.id for p in on_duty)}, now, reason)


def joined(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Details with more details; words that were passed on before stay, the new ones come after them."""
    both = {**old, **new}
    if old.get(WORDS) and new.get(WORDS):
        both[WORDS] = f"{old[WORDS]}\n{new[WORDS]}"
    return both
