"""The handover: a person is needed. Only this module changes who owns a conversation.

::

    (none) --open--> WAITING --accept--> ACCEPTED --close--> CLOSED
                        |                   |-- release, or silent too long --> WAITING
                        '-- deadline: next step of the chain (stays WAITING)

At most one handover that is not closed exists for a conversation; a database constraint keeps it so,
and :func:`open_handover` may be called twice, by the action and by the floor.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from bot import transcript
from bot.casework import opinions
from bot.handover import closing, deadlines, levels, wishes
from bot.handover.states import (
    ACCEPTED,
    CLOSED,
    DISCLOSURE,
    KINDS,
    WAITING,
    AlreadyTaken,
    NoReason,
    NoSuchHandover,
    NotOnDuty,
    NotYours,
    Opened,
    WrongState,
)
from bot.messages import Sender
from bot.risk.taxonomy import Finding, Level, Memory
from bot.rota import LAST_STEP, LEAD
from bot.store.models import Conversation, Handover, Message
from bot.store.uow import UnitOfWork

__all__ = [
    "accept", "ask_too", "chase", "close", "open_handover", "person_wrote", "release", "reply", "set_level",
    "transfer",
]  # fmt: skip

#: Letters and digits of a reference that cannot be mistaken for one another when read aloud.
_LETTERS, _DIGITS = "ACDEFHJKLMNPRTWXY", "34679"


def open_handover(
    uow: UnitOfWork,
    conversation_id: str,
    *,
    now: datetime,
    kind: str = DISCLOSURE,
    finding: Finding | None = None,
    details: Mapping[str, str] | None = None,
    area: str | None = None,
    actor: str = "bot",
) -> Opened:
    """Open a handover, or add to the one that is open. Never two for a conversation.

    ``area`` is the id of the area that was told; its people are asked from then on.

    A handover that is already open rises to the level of ``finding``, its deadline comes nearer, and
    whoever has it is alerted again; it never goes down here.

    Raises:
        NoSuchHandover: there is no such conversation.
        ValueError: an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of handover: {kind}")
    conversation = uow.conversation(conversation_id, lock=True)
    if conversation is None:
        raise NoSuchHandover(conversation_id)
    memory = Memory.from_dict(conversation.memory or {})
    existing = uow.open_handover_of(conversation_id)
    # What a person lowered rises again by something new, not by what the conversation told before.
    remembered = Level.NONE if existing and levels.lowered(existing) else memory.level
    finding = finding or Finding(level=remembered, categories=memory.categories)
    level = max(finding.level, remembered, key=lambda one: one.rank)
    if existing:
        levels.rise(uow, existing, level, kind, finding, details, now, actor)
        if area and area != existing.area:
            deadlines.move(uow, existing, conversation, area, now)
        return _opened(uow, existing, conversation, now, created=False)
    handover = Handover(
        reference=_new_reference(uow),
        conversation_id=conversation_id,
        kind=kind,
        state=WAITING,
        level=level.value,
        level_rank=level.rank,
        highest_level=level.value,
        categories=[c.value for c in dict.fromkeys((*finding.categories, *memory.categories))],
        about=finding.about.value if finding.evidence else (conversation.about or finding.about.value),
        area=area,
        evidence=[finding.to_dict()] if finding.evidence else [],
        details={**(details or {}), **wishes.of(conversation)},
        opened_at=now,
    )
    uow.add(handover)
    uow.audit(now, actor, "opened", handover=handover, kind=kind, level=level.value)
    deadlines.ask(uow, handover, conversation, 0, now, "opened")
    return _opened(uow, handover, conversation, now, created=True)


def accept(uow: UnitOfWork, handover_id: int, staff_id: str, now: datetime) -> Handover:
    """A member of staff takes a waiting case; from here on the bot is silent in this chat.

    Raises:
        AlreadyTaken: somebody else was first.
        NotOnDuty: the rota, or their own off-duty button, says they are not there.
        WrongState: the case is closed.
        NoSuchHandover: no such case.
    """
    handover, conversation = _locked(uow, handover_id)
    person = uow.rota().person(staff_id)
    if handover.state == ACCEPTED:
        if handover.accepted_by == staff_id:
            return handover
        holder = uow.staff_member(handover.accepted_by)
        raise AlreadyTaken(holder.name if holder else "")
    if handover.state != WAITING:
        raise WrongState("this case is closed")
    if person is None or not person.on_duty(now):
        raise NotOnDuty(staff_id)
    handover.state = ACCEPTED
    handover.accepted_by = staff_id
    handover.accepted_at = now
    handover.deadline_at = now + timedelta(seconds=uow.settings.silence_after_accept)
    conversation.owner = "worker"
    uow.audit(now, staff_id, "accepted", handover=handover)
    transcript.say(uow, conversation, "utter_worker_joined", now, name=person.name, role=person.job_title)
    return handover


def reply(
    uow: UnitOfWork, handover_id: int, staff_id: str, text: str, now: datetime, client_id: str | None = None
) -> Message:
    """The worker writes to the person. The same ``client_id`` twice is one message.

    Raises:
        NotYours: the case is somebody else's.
        WrongState: it was not accepted.
        NoSuchHandover: no such case.
    """
    handover, conversation = _held(uow, handover_id, staff_id)
    if client_id and (already := uow.message_by_client_id(conversation.id, client_id)):
        return already
    message = transcript.append(
        uow,
        conversation,
        Sender.WORKER,
        text,
        now,
        name=uow.staff_member(staff_id).name,
        client_id=client_id,
    )
    handover.last_worker_at = now
    handover.deadline_at = None  # the clock starts again when the person writes
    uow.audit(now, staff_id, "replied", handover=handover, seq=message.seq)
    return message


def person_wrote(uow: UnitOfWork, handover: Handover, finding: Finding, now: datetime) -> None:
    """The person wrote while the case is open: the worker's clock runs, and a rise in risk is shown."""
    level = finding.level
    if finding.evidence:
        levels.rise(uow, handover, level, handover.kind, finding, None, now, "bot")
    if handover.state == ACCEPTED and handover.deadline_at is None:
        handover.deadline_at = now + timedelta(seconds=uow.settings.silence_after_accept)


def release(uow: UnitOfWork, handover_id: int, staff_id: str, now: datetime) -> Handover:
    """The worker gives the case back to the queue; the bot keeps the person company again.

    Raises:
        NotYours, WrongState, NoSuchHandover: as in :func:`reply`.
    """
    handover, conversation = _held(uow, handover_id, staff_id)
    _back_to_waiting(uow, handover, conversation, now, staff_id, "released")
    return handover


def transfer(uow: UnitOfWork, handover_id: int, staff_id: str, to: str, now: datetime) -> Handover:
    """The worker hands the case to a colleague who is on duty.

    Raises:
        NotOnDuty: the colleague is not there.
        NotYours, WrongState, NoSuchHandover: as in :func:`reply`.
    """
    handover, conversation = _held(uow, handover_id, staff_id)
    colleague = uow.rota().person(to)
    if colleague is None or not colleague.on_duty(now):
        raise NotOnDuty(to)
    handover.accepted_by = to
    handover.accepted_at = now
    handover.last_worker_at = None
    handover.deadline_at = now + timedelta(seconds=uow.settings.silence_after_accept)
    uow.audit(now, staff_id, "transferred", handover=handover, to=to)
    deadlines.alert(uow, handover, [to], now, "transferred")
    transcript.say(
        uow, conversation, "utter_worker_joined", now, name=colleague.name, role=colleague.job_title
    )
    return handover


def close(
    uow: UnitOfWork,
    handover_id: int,
    staff_id: str,
    outcome: str,
    now: datetime,
    *,
    feedback: str = "",
    offer_check_ins: bool = False,
) -> Handover:
    """The worker closes the case with words for the person; the bot takes over again.

    ``feedback`` is for the colleagues who were part of it. ``offer_check_ins``: the person is asked whether
    they want to be asked again, after a week and a month.

    Raises:
        NotYours, WrongState, NoSuchHandover: as in :func:`reply`.
    """
    handover, conversation = _held(uow, handover_id, staff_id)
    handover.state = CLOSED
    handover.outcome = outcome
    handover.closed_at = now
    handover.deadline_at = None
    conversation.owner = "bot"
    uow.audit(now, staff_id, "closed", handover=handover)
    opinions.end_all(uow, handover, now)
    closing.tell(
        uow, handover, conversation, staff_id, now, feedback=feedback, offer_check_ins=offer_check_ins
    )
    return handover


def set_level(
    uow: UnitOfWork, handover_id: int, staff_id: str, level: Level, reason: str, now: datetime
) -> Handover:
    """Somebody of the desk raises or lowers the level of an open case; its deadline follows.

    While it waits, whoever may see it may do so; once it is accepted, its worker or a lead. The highest
    level it had stays with it, the reason becomes an internal note, and a new disclosure raises it again.

    Raises:
        NoReason: the reason is empty.
        NotYours: somebody else has the case, and this is no lead.
        WrongState: the case is closed.
        NoSuchHandover: no such case.
    """
    handover, conversation = _locked(uow, handover_id)
    person = uow.rota().person(staff_id)
    if handover.state == CLOSED:
        raise WrongState("this case is closed")
    if (
        handover.state == ACCEPTED
        and handover.accepted_by != staff_id
        and (person is None or person.role != LEAD)
    ):
        raise NotYours(staff_id)
    if not reason.strip():
        raise NoReason("a level is changed with a reason")
    levels.set_by_person(uow, handover, conversation, staff_id, level, reason.strip(), now)
    return handover


def chase(uow: UnitOfWork, handover_id: int, now: datetime, *, unreached: bool = False) -> bool:
    """The deadline passed: ask the next in the chain, or give a silent worker's case back.

    Returns whether anything was due; a second gateway that comes later finds nothing to do. ``unreached``:
    no alert of this step arrived, so that nobody was asked yet.
    """
    handover, conversation = _locked(uow, handover_id)
    if handover.state == CLOSED or handover.deadline_at is None or handover.deadline_at > now:
        return False
    if handover.state == ACCEPTED:
        leads = [p.id for p in uow.rota().leads(deadlines.area_of(uow, handover, conversation))]
        _back_to_waiting(uow, handover, conversation, now, "clock", "silent")
        deadlines.alert(uow, handover, leads, now, "worker_silent")
        return True
    was_last = not handover.routed_to or handover.tier >= LAST_STEP
    asked = deadlines.ask(uow, handover, conversation, handover.tier + 1, now, "unanswered")
    uow.audit(now, "clock", "escalated", handover=handover, tier=handover.tier)
    if not was_last:  # told at each new step, not at every repeat
        words = "utter_not_reached" if unreached else "utter_waiting_longer"
        words = words if asked.on_duty else "utter_nobody_yet"
        who, by_when = deadlines.who(uow, asked), deadlines.by_when(uow, handover, asked, now)
        transcript.say(uow, conversation, words, now, who=who, by_when=by_when)
    return True


def ask_too(uow: UnitOfWork, conversation_id: str, staff_id: str, now: datetime) -> bool:
    """The person chose a safe adult while their case waits: that adult is asked as well, if there now.

    Returns whether they were. Who else was asked, and the deadline, stay as they are.
    """
    uow.conversation(conversation_id, lock=True)
    handover = uow.open_handover_of(conversation_id)
    person = uow.rota().person(staff_id)
    if handover is None or handover.state != WAITING or person is None or not person.on_duty(now):
        return False
    if staff_id not in handover.routed_to:
        handover.routed_to = sorted({*handover.routed_to, staff_id})
        uow.audit(now, "person", "chose_safe_adult", handover=handover, to=staff_id)
        deadlines.alert(uow, handover, [staff_id], now, "chosen")
    return True


# Inside ------------------------------------------------------------------------------------------


def _locked(uow: UnitOfWork, handover_id: int) -> tuple[Handover, Conversation]:
    handover = uow.handover(handover_id)
    if handover is None:
        raise NoSuchHandover(str(handover_id))
    # The conversation first, then the handover: the same order everywhere, so that two never wait
    # for each other.
    conversation = uow.conversation(handover.conversation_id, lock=True)
    handover = uow.handover(handover_id, lock=True)
    return handover, conversation


def _held(uow: UnitOfWork, handover_id: int, staff_id: str) -> tuple[Handover, Conversation]:
    handover, conversation = _locked(uow, handover_id)
    if handover.state != ACCEPTED:
        raise WrongState("this case is not accepted")
    if handover.accepted_by != staff_id:
        raise NotYours(staff_id)
    return handover, conversation


def _back_to_waiting(
    uow: UnitOfWork, handover: Handover, conversation: Conversation, now: datetime, actor: str, why: str
) -> None:
    holder = uow.staff_member(handover.accepted_by)
    handover.state = WAITING
    handover.accepted_by = None
    conversation.owner = "bot"
    uow.audit(now, actor, why, handover=handover)
    # The next step, not the first: whoever was silent or gave it back is not asked alone again.
    asked = deadlines.ask(uow, handover, conversation, handover.tier + 1, now, why)
    transcript.say(
        uow,
        conversation,
        "utter_worker_left",
        now,
        name=holder.name if holder else "",
        who=deadlines.who(uow, asked),
        by_when=deadlines.by_when(uow, handover, asked, now),
    )


def _opened(
    uow: UnitOfWork, handover: Handover, conversation: Conversation, now: datetime, *, created: bool
) -> Opened:
    level = Level(handover.level)
    asked = deadlines.current_route(uow, handover, conversation, now)
    by_when = deadlines.by_when(uow, handover, asked, now)
    if handover.state == ACCEPTED:
        holder = uow.staff_member(handover.accepted_by)
        return Opened(handover.id, holder.name, by_when, created, True, level)
    return Opened(handover.id, deadlines.who(uow, asked), by_when, created, asked.on_duty, level)


def _new_reference(uow: UnitOfWork) -> str:
    while True:
        letters = "".join(secrets.choice(_LETTERS) for _ in range(3))
        digits = "".join(secrets.choice(_DIGITS) for _ in range(3))
        if not uow.reference_taken(f"{letters}-{digits}"):
            return f"{letters}-{digits}"
