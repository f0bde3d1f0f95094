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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import transcript
from bot.messages import Sender
from bot.risk.taxonomy import Finding, Level, Memory
from bot.rota import Route, route
from bot.store.models import Alert, Conversation, Handover, Message
from bot.store.uow import UnitOfWork

WAITING, ACCEPTED, CLOSED = "waiting", "accepted", "closed"
DISCLOSURE, MESSAGE, EARLY_HELP, CONCERN_REPORT = "disclosure", "message", "early_help", "concern_report"
KINDS = (DISCLOSURE, MESSAGE, EARLY_HELP, CONCERN_REPORT)

#: Details that this module knows: the person's words, and whom they do not want told.
WORDS, DO_NOT_TELL = "words", "do_not_tell"

#: Letters and digits of a reference that cannot be mistaken for one another when read aloud.
_LETTERS, _DIGITS = "ACDEFHJKLMNPRTWXY", "34679"


class HandoverError(Exception):
    """What was asked of a handover cannot be done."""


class NoSuchHandover(HandoverError):
    """There is no handover with this id."""


class AlreadyTaken(HandoverError):
    """Somebody else accepted first. ``by`` is their name."""

    def __init__(self, by: str) -> None:
        super().__init__("already accepted")
        self.by = by


class NotOnDuty(HandoverError):
    """Nobody off duty holds a case."""


class NotYours(HandoverError):
    """Only the person who accepted a case may do this."""


class WrongState(HandoverError):
    """The handover is not in a state in which this can be done."""


@dataclass(frozen=True)
class Opened:
    """What to tell the person. ``who`` is a name or the duty team; ``by_when`` a time in words."""

    handover_id: int
    who: str
    by_when: str
    created: bool
    on_duty: bool
    level: Level


@dataclass(frozen=True)
class Status:
    """Where a conversation's handover stands, as the person may know it."""

    state: str  # none, waiting, accepted or closed
    who: str | None = None
    by_when: str | None = None
    outcome: str | None = None
    kind: str | None = None


def open_handover(
    uow: UnitOfWork,
    conversation_id: str,
    *,
    now: datetime,
    kind: str = DISCLOSURE,
    finding: Finding | None = None,
    details: Mapping[str, str] | None = None,
    actor: str = "bot",
) -> Opened:
    """Open a handover, or add to the one that is open. Never two for a conversation.

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
    finding = finding or Finding(level=memory.level, categories=memory.categories)
    level = max(finding.level, memory.level, key=lambda one: one.rank)
    existing = uow.open_handover_of(conversation_id)
    if existing:
        _raise_level(uow, existing, level, kind, finding, details, now, actor)
        return _opened(uow, existing, conversation, now, created=False)
    handover = Handover(
        reference=_new_reference(uow),
        conversation_id=conversation_id,
        kind=kind,
        state=WAITING,
        level=level.value,
        level_rank=level.rank,
        categories=[c.value for c in dict.fromkeys((*finding.categories, *memory.categories))],
        about=finding.about.value if finding.evidence else (conversation.about or finding.about.value),
        evidence=[finding.to_dict()] if finding.evidence else [],
        details={**(details or {}), **_wishes(conversation)},
        opened_at=now,
    )
    uow.add(handover)
    uow.audit(now, actor, "opened", handover=handover, kind=kind, level=level.value)
    _ask(uow, handover, conversation, 0, now, "opened")
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
        _raise_level(uow, handover, level, handover.kind, finding, None, now, "bot")
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
    _alert(uow, handover, [to], now, "transferred")
    transcript.say(
        uow, conversation, "utter_worker_joined", now, name=colleague.name, role=colleague.job_title
    )
    return handover


def close(uow: UnitOfWork, handover_id: int, staff_id: str, outcome: str, now: datetime) -> Handover:
    """The worker closes the case with words for the person; the bot takes over again.

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
    name = uow.staff_member(staff_id).name
    transcript.say(uow, conversation, "utter_outcome", now, name=name, outcome=outcome)
    return handover


def chase(uow: UnitOfWork, handover_id: int, now: datetime) -> bool:
    """The deadline passed: ask the next in the chain, or give a silent worker's case back.

    Returns whether anything was due; a second gateway that comes later finds nothing to do.
    """
    handover, conversation = _locked(uow, handover_id)
    if handover.state == CLOSED or handover.deadline_at is None or handover.deadline_at > now:
        return False
    if handover.state == ACCEPTED:
        leads = [p.id for p in uow.rota().leads(_area(uow, handover, conversation))]
        _back_to_waiting(uow, handover, conversation, now, "clock", "silent")
        _alert(uow, handover, leads, now, "worker_silent")
        return True
    was_last = not handover.routed_to or handover.tier >= 3
    asked = _ask(uow, handover, conversation, handover.tier + 1, now, "unanswered")
    uow.audit(now, "clock", "escalated", handover=handover, tier=handover.tier)
    if not was_last:  # told at each new step, not at every repeat
        words = "utter_waiting_longer" if asked.on_duty else "utter_nobody_yet"
        who, by_when = _who(uow, asked), _by_when(uow, handover, asked, now)
        transcript.say(uow, conversation, words, now, who=who, by_when=by_when)
    return True


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
    asked = _current_route(uow, handover, conversation, now)
    by_when = _by_when(uow, handover, asked, now)
    return Status(WAITING, who=_who(uow, asked), by_when=by_when, kind=handover.kind)


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
    asked = route(people, 0, chosen, False, now, area)
    if not asked.on_duty and asked.back_at is None:
        return _who(uow, asked), uow.content.say("utter_time_unknown"), False
    start = now if asked.on_duty else asked.back_at
    deadline = start + timedelta(seconds=uow.settings.deadline_message)
    return _who(uow, asked), uow.content.clock_words(deadline, now), asked.on_duty


def keep_from(uow: UnitOfWork, conversation_id: str, words: str, now: datetime) -> Status:
    """Keep, in their own words, whom the person does not want told; staff see it before all else.

    Kept with the conversation, and with the handover that is open or opens later.

    Raises:
        NoSuchHandover: there is no such conversation.
    """
    conversation = uow.conversation(conversation_id, lock=True)
    if conversation is None:
        raise NoSuchHandover(conversation_id)
    wishes = dict(conversation.wishes or {})
    wishes[DO_NOT_TELL] = list(dict.fromkeys([*wishes.get(DO_NOT_TELL, ()), words]))
    conversation.wishes = wishes
    if handover := uow.open_handover_of(conversation_id):
        handover.details = {**(handover.details or {}), **_wishes(conversation)}
        uow.audit(now, "person", "said_who_must_not_be_told", handover=handover)
    return status(uow, conversation_id, now)


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
        _alert(uow, handover, [staff_id], now, "chosen")
    return True


# Inside ------------------------------------------------------------------------------------------


def _wishes(conversation: Conversation) -> dict[str, str]:
    """The wishes that go with a handover, as text."""
    unwanted = (conversation.wishes or {}).get(DO_NOT_TELL)
    return {DO_NOT_TELL: "\n".join(unwanted)} if unwanted else {}


def _joined(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Details with more details; words that were passed on before stay, the new ones come after them."""
    both = {**old, **new}
    if old.get(WORDS) and new.get(WORDS):
        both[WORDS] = f"{old[WORDS]}\n{new[WORDS]}"
    return both


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
    asked = _ask(uow, handover, conversation, handover.tier + 1, now, why)
    transcript.say(
        uow,
        conversation,
        "utter_worker_left",
        now,
        name=holder.name if holder else "",
        who=_who(uow, asked),
        by_when=_by_when(uow, handover, asked, now),
    )


def _ask(
    uow: UnitOfWork, handover: Handover, conversation: Conversation, tier: int, now: datetime, reason: str
) -> Route:
    everyone = handover.level == Level.IMMEDIATE.value
    area = _area(uow, handover, conversation)
    asked = route(uow.rota(), tier, conversation.safe_adult_id, everyone, now, area)
    # The step counts on past the last one, so that each repeat of the last step alerts anew.
    handover.tier = max(tier, asked.tier)
    handover.routed_to = sorted({*handover.routed_to, *asked.staff_ids} if tier else asked.staff_ids)
    start = now
    if asked.back_at and not everyone:
        start = max(now, asked.back_at)  # nobody is there before that: promise nothing earlier
    handover.deadline_at = start + timedelta(seconds=_seconds_to_accept(uow, handover))
    _alert(uow, handover, asked.staff_ids, now, reason)
    return asked


def _alert(uow: UnitOfWork, handover: Handover, staff_ids: Iterable[str], now: datetime, reason: str) -> None:
    known = {(alert.staff_id, alert.tier, alert.reason) for alert in uow.alerts_of(handover.id)}
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


def _raise_level(
    uow: UnitOfWork,
    handover: Handover,
    level: Level,
    kind: str,
    finding: Finding,
    details: Mapping[str, str] | None,
    now: datetime,
    actor: str,
) -> None:
    if finding.evidence:
        handover.evidence = [*(handover.evidence or []), finding.to_dict()]
        categories = [c.value for c in finding.categories]
        handover.categories = list(dict.fromkeys([*handover.categories, *categories]))
    if details:
        handover.details = _joined(handover.details or {}, details)
    if level.needs_person and handover.kind != DISCLOSURE:
        handover.kind = DISCLOSURE
    if level.rank <= handover.level_rank:
        return
    was = handover.level
    handover.level, handover.level_rank = level.value, level.rank
    uow.audit(now, actor, "level_raised", handover=handover, was=was, level=level.value)
    conversation = uow.conversation(handover.conversation_id)
    if handover.state == WAITING:
        _ask(uow, handover, conversation, handover.tier, now, f"raised_{level.value}")
    else:
        area = _area(uow, handover, conversation)
        on_duty = uow.rota().everyone_on_duty(now, area) if level is Level.IMMEDIATE else []
        everyone = [p.id for p in on_duty]
        _alert(uow, handover, {handover.accepted_by, *everyone}, now, f"raised_{level.value}")


def _seconds_to_accept(uow: UnitOfWork, handover: Handover) -> int:
    settings = uow.settings
    if handover.level == Level.IMMEDIATE.value:
        return settings.deadline_immediate
    if handover.kind == DISCLOSURE or Level(handover.level).needs_person:
        return settings.deadline_high
    return settings.deadline_message if handover.kind == MESSAGE else settings.deadline_request


def _current_route(uow: UnitOfWork, handover: Handover, conversation: Conversation, now: datetime) -> Route:
    area = _area(uow, handover, conversation)
    return route(uow.rota(), handover.tier, conversation.safe_adult_id, False, now, area)


def _area(uow: UnitOfWork, handover: Handover, conversation: Conversation) -> str | None:
    """The area whose people are asked: what the person told, else that of the place they chose."""
    return handover.area or uow.rota().area_at(conversation.place_id)


def _opened(
    uow: UnitOfWork, handover: Handover, conversation: Conversation, now: datetime, *, created: bool
) -> Opened:
    level = Level(handover.level)
    asked = _current_route(uow, handover, conversation, now)
    by_when = _by_when(uow, handover, asked, now)
    if handover.state == ACCEPTED:
        holder = uow.staff_member(handover.accepted_by)
        return Opened(handover.id, holder.name, by_when, created, True, level)
    return Opened(handover.id, _who(uow, asked), by_when, created, asked.on_duty, level)


def _who(uow: UnitOfWork, asked: Route) -> str:
    return asked.named.name if asked.named else uow.content.say("utter_who_duty_line")


def _by_when(uow: UnitOfWork, handover: Handover, asked: Route, now: datetime) -> str:
    """Until when somebody should answer, from the rota; no time when the rota knows of nobody."""
    if handover.state == WAITING and not asked.on_duty and asked.back_at is None:
        return uow.content.say("utter_time_unknown")
    return uow.content.clock_words(handover.deadline_at or now, now)


def _new_reference(uow: UnitOfWork) -> str:
    while True:
        letters = "".join(secrets.choice(_LETTERS) for _ in range(3))
        digits = "".join(secrets.choice(_DIGITS) for _ in range(3))
        if not uow.reference_taken(f"{letters}-{digits}"):
            return f"{letters}-{digits}"
