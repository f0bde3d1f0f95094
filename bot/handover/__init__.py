"""The handover: a person is needed. Only :mod:`bot.handover.transitions` changes who owns a conversation.

::

    (none) --open--> WAITING --accept--> ACCEPTED --close--> CLOSED
                        |                   |-- release, or silent too long --> WAITING
                        '-- deadline: next step of the chain (stays WAITING)

At most one handover that is not closed exists for a conversation; a database constraint keeps it so,
and :func:`open_handover` may be called twice, by the action and by the floor.
"""

from bot.handover.standing import expected, status, status_words
from bot.handover.states import (
    ACCEPTED,
    CLOSED,
    CONCERN_REPORT,
    DISCLOSURE,
    DO_NOT_TELL,
    EARLY_HELP,
    KINDS,
    MESSAGE,
    WAITING,
    WORDS,
    AlreadyTaken,
    HandoverError,
    NoReason,
    NoSuchHandover,
    NotOnDuty,
    NotYours,
    Opened,
    Status,
    WrongState,
)
from bot.handover.transitions import (
    accept,
    ask_too,
    chase,
    close,
    open_handover,
    person_wrote,
    release,
    reply,
    set_level,
    transfer,
)
from bot.handover.wishes import keep_from

#: The one import for whoever works with handovers: states, errors and standing are told from here too.
__all__ = [
    "ACCEPTED", "CLOSED", "CONCERN_REPORT", "DISCLOSURE", "DO_NOT_TELL", "EARLY_HELP", "KINDS",
    "MESSAGE", "WAITING", "WORDS", "AlreadyTaken", "HandoverError", "NoReason", "NoSuchHandover",
    "NotOnDuty", "NotYours", "Opened", "Status", "WrongState", "accept", "ask_too", "chase", "close",
    "expected", "keep_from", "open_handover", "person_wrote", "release", "reply", "set_level", "status",
    "status_words", "transfer",
]  # fmt: skip
