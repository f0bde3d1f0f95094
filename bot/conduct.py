"""Abuse of the service: a worker warns, slows or pauses, with a reason, and a lead can see and lift it all.

Whatever was done, every message is stored and assessed. One that tells of harm breaks through: it goes to
the bot or the worker as ever, and ends what holds messages back. In a conversation that was ever ``high`` or
worse nothing is slowed or paused before a second person, a lead, has confirmed it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot import transcript
from bot.handover.states import NoReason
from bot.risk.taxonomy import Finding, Memory
from bot.rota import UK
from bot.store import aftercare
from bot.store.models import Conduct, Conversation, Message
from bot.store.uow import UnitOfWork

WARN, SLOW, PAUSE = "warn", "slow", "pause"
MEASURES = (WARN, SLOW, PAUSE)
#: What holds messages back may last so many minutes; the last is a week.
MINUTES = (15, 60, 240, 1_440, 10_080)
#: While a conversation is slowed, seconds between two messages that staff get.
SLOW_EVERY = 60
#: While messages are held back, seconds between two times that the person is told so.
TELL_EVERY = 30
#: Ended a measure by itself: risk broke through.
BY_DISCLOSURE = "disclosure"


class ConductError(Exception):
    """What was asked cannot be done."""


class NeedsAnotherLead(ConductError):
    """The second yes must come from a lead other than whoever asked."""


class NoSuchMeasure(ConductError):
    """There is no such measure, or it has ended."""


def take(
    uow: UnitOfWork,
    handover_id: int,
    staff_id: str,
    measure: str,
    reason: str,
    now: datetime,
    minutes: int | None = None,
) -> Conduct:
    """Warn, slow or pause the person of a case. What needs a lead's yes begins when that was given.

    Raises:
        ValueError: no such measure or length.
        NoReason: a measure needs a reason, in words for whoever reviews it.
    """
    if measure not in MEASURES or (measure != WARN and minutes not in MINUTES):
        raise ValueError("no such measure")
    if not reason.strip():
        raise NoReason(measure)
    case = uow.handover(handover_id)
    conversation = uow.conversation(case.conversation_id, lock=True)
    held = measure != WARN
    needs_lead = held and aftercare.ever_at_risk(uow, conversation.id)
    row = Conduct(
        conversation_id=conversation.id,
        handover_id=case.id,
        measure=measure,
        reason=reason.strip(),
        by=staff_id,
        at=now,
        minutes=minutes if held else None,
        needs_lead=needs_lead,
    )
    uow.add(row)
    uow.audit(now, staff_id, f"conduct_{measure}", handover=case, measure=row.id, needs_lead=needs_lead)
    if not needs_lead:
        _begin(uow, conversation, row, now)
    return row


def confirm(uow: UnitOfWork, conduct_id: int, lead_id: str, now: datetime) -> Conduct:
    """A lead says yes to a measure in a conversation that was at risk; it begins now.

    Raises:
        NeedsAnotherLead: nobody confirms what they asked for themselves.
        NoSuchMeasure: none, or it waits for nobody (any more).
    """
    row, conversation = _locked(uow, conduct_id)
    if not row.needs_lead or row.confirmed_by or row.ended_at:
        raise NoSuchMeasure(str(conduct_id))
    if row.by == lead_id:
        raise NeedsAnotherLead(lead_id)
    row.confirmed_by = lead_id
    uow.audit(now, lead_id, "conduct_confirmed", handover=uow.handover(row.handover_id), measure=row.id)
    _begin(uow, conversation, row, now)
    return row


def lift(uow: UnitOfWork, conduct_id: int, staff_id: str, now: datetime) -> Conduct:
    """End a measure before its time, or refuse one that waits for a lead. The person is told.

    Raises:
        NoSuchMeasure: none, or it has ended.
    """
    row, conversation = _locked(uow, conduct_id)
    if row.ended_at or row.measure == WARN:
        raise NoSuchMeasure(str(conduct_id))
    was_on = _is_on(row, now)
    row.ended_at, row.ended_by = now, staff_id
    uow.audit(now, staff_id, "conduct_lifted", handover=uow.handover(row.handover_id), measure=row.id)
    if was_on and not conversation.erased_at:
        transcript.say(uow, conversation, "utter_conduct_lifted", now)
    return row


def in_force(uow: UnitOfWork, conversation_id: str, now: datetime) -> Conduct | None:
    """What holds messages of this conversation back now: a pause before a slowing, the longest of them."""
    on = [row for row in aftercare.conduct_of(uow, conversation_id) if _is_on(row, now)]
    return max(on, key=lambda row: (row.measure == PAUSE, row.until), default=None)


def hold(
    uow: UnitOfWork,
    conversation: Conversation,
    message: Message,
    finding: Finding,
    memory: Memory,
    now: datetime,
) -> bool:
    """Hold a message back from staff and bot, if it is to be; the person is told. False: let it through.

    What may tell of harm is never held: a finding that needs a person, one the detector is not sure of, or
    worries that add up. The first and the last end the measure.
    """
    row = in_force(uow, conversation.id, now)
    if row is None:
        return False
    adds_up = memory.after(finding, now.astimezone(UK).date()).rising and not memory.rising
    if finding.level.needs_person or adds_up:
        for one in aftercare.conduct_of(uow, conversation.id):
            if _is_on(one, now):
                one.ended_at, one.ended_by = now, BY_DISCLOSURE
        case = uow.handover(row.handover_id)
        uow.audit(now, "bot", "conduct_broken_through", handover=case, measure=row.id)
        return False
    if finding.unsure:
        return False
    if row.measure == SLOW:
        if conversation.owner != "worker":
            return False  # the bot minds no pace
        before = aftercare.last_let_through(uow, conversation.id, message.seq)
        if before is None or (message.created_at - before).total_seconds() >= SLOW_EVERY:
            return False
    message.held = row.measure
    if not _told_lately(uow, conversation.id, row, now):
        _tell(uow, conversation, row, now)
    return True


def _begin(uow: UnitOfWork, conversation: Conversation, row: Conduct, now: datetime) -> None:
    if row.minutes:
        row.until = now + timedelta(minutes=row.minutes)
    _tell(uow, conversation, row, now)


def _tell(uow: UnitOfWork, conversation: Conversation, row: Conduct, now: datetime) -> None:
    if conversation.erased_at:
        return
    words = {WARN: "utter_conduct_warned", SLOW: "utter_conduct_slowed", PAUSE: "utter_conduct_paused"}
    until = uow.content.clock_words(row.until, now) if row.until else ""
    transcript.say(uow, conversation, words[row.measure], now, by_when=until)


def _told_lately(uow: UnitOfWork, conversation_id: str, row: Conduct, now: datetime) -> bool:
    """Whether the person was told in the last moments: a flood of messages gets one answer."""
    since = now - timedelta(seconds=TELL_EVERY)
    said = [m for m in uow.messages(conversation_id) if m.created_at > max(since, row.at)]
    return any(m.sender == "bot" for m in said)


def _is_on(row: Conduct, now: datetime) -> bool:
    return row.measure != WARN and row.ended_at is None and row.until is not None and row.until > now


def _locked(uow: UnitOfWork, conduct_id: int) -> tuple[Conduct, Conversation]:
    row = aftercare.measure(uow, conduct_id)
    if row is None:
        raise NoSuchMeasure(str(conduct_id))
    conversation = uow.conversation(row.conversation_id, lock=True)
    return aftercare.measure(uow, conduct_id, lock=True), conversation


def is_open(row: Conduct, now: datetime) -> bool:
    """Whether a measure is in force, or waits for a lead."""
    waits = row.needs_lead and row.confirmed_by is None and row.ended_at is None
    return waits or _is_on(row, now)
