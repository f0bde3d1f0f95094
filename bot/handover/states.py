"""A handover's states and kinds, what is told of it, and what can go wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.risk.taxonomy import Level

WAITING, ACCEPTED, CLOSED = "waiting", "accepted", "closed"
DISCLOSURE, MESSAGE, EARLY_HELP, CONCERN_REPORT = "disclosure", "message", "early_help", "concern_report"
KINDS = (DISCLOSURE, MESSAGE, EARLY_HELP, CONCERN_REPORT)

#: Details that the handover knows: the person's words, and whom they do not want told.
WORDS, DO_NOT_TELL = "words", "do_not_tell"


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


class NoReason(HandoverError):
    """A level is changed by a person only with a reason."""


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
