"""The audit log as a chain: each entry holds the SHA-256 of its content and of the entry before it.

An entry that is changed, removed, moved or slipped in breaks the chain at that place. Entries cut off at
the end leave a chain that is whole, so one row, ``audit_head``, holds how many there are and the last
hash, sealed with a key that is not in the database (``EARSHOT_LOOKUP_KEY``). Against somebody who puts
back an old copy of the database, or empties log and head together, there is only a hash that was noted
down elsewhere: see ``known``.

The head is locked from the first entry of a transaction to its end, and entries are written when the
transaction commits: whoever holds the head waits for nothing else, so two can never wait for each other.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.store.encryption import Cipher
from bot.store.models import AuditEntry, AuditHead

#: What the first entry says went before it.
FIRST = "0" * 64
#: Entries read at once while checking.
_PIECE = 1_000
#: Breaks listed by name; a chain with more is told to have more.
MAX_BREAKS = 50

CHANGED, UNLINKED, CUT_OFF, UNSEALED, UNKNOWN = "changed", "unlinked", "cut_off", "unsealed", "unknown"


@dataclass(frozen=True)
class Break:
    """A place where the log is not what was written.

    ``what``: ``changed`` (this entry's content), ``unlinked`` (an entry before it was removed, moved or
    slipped in), ``cut_off`` (the end is missing, or more is there than was written), ``unsealed`` (the
    head was not made with this key), ``unknown`` (the hash that was noted down is not in the log).
    """

    what: str
    entry: int | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """What a check found. ``hash`` is that of the last entry, worth noting down outside."""

    entries: int
    hash: str
    breaks: tuple[Break, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing was tampered with, as far as the log itself can tell."""
        return not self.breaks


def content_of(entry: AuditEntry | Mapping[str, Any]) -> str:
    """What of an entry is hashed, as canonical JSON. Changing this breaks every chain there is."""
    get = entry.get if isinstance(entry, Mapping) else lambda name: getattr(entry, name)
    at: datetime = get("at")
    return json.dumps(
        {
            "at": at.astimezone(timezone.utc).isoformat(timespec="microseconds"),
            "actor": get("actor"),
            "action": get("action"),
            "handover": get("handover_id"),
            "conversation": get("conversation_id"),
            "subject": get("subject"),
            "detail": get("detail") or {},
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def hash_after(prev: str, content: str) -> str:
    """The hash of an entry with this content that follows the entry with hash ``prev``."""
    return hashlib.sha256(f"{prev}\n{content}".encode()).hexdigest()


def seal_of(cipher: Cipher, entries: int, last: str) -> str:
    """The keyed seal of a head."""
    return cipher.find_hash("audit-head", f"{entries}:{last}")


def append(session: Session, cipher: Cipher, entries: Sequence[AuditEntry]) -> None:
    """Chain entries to the log, in order. The last thing a transaction does before it commits."""
    head = session.scalars(
        select(AuditHead).where(AuditHead.id == 1).with_for_update().execution_options(populate_existing=True)
    ).first()
    if head is None:  # a database whose tables were made without the migrations
        head = AuditHead(id=1, entries=0, hash=FIRST, seal="")
        session.add(head)
    for entry in entries:
        entry.prev_hash = head.hash
        entry.hash = head.hash = hash_after(head.hash, content_of(entry))
        head.entries += 1
        session.add(entry)
        session.flush()  # one by one: ids rise in the order of the chain
    head.seal = seal_of(cipher, head.entries, head.hash)
    session.flush()


def verify(session: Session, cipher: Cipher, known: str | None = None) -> Verdict:
    """Walk the whole log. ``known`` is a hash that was noted down earlier and must still be in it."""
    breaks: list[Break] = []
    prev, count, seen_known = FIRST, 0, known is None
    head = session.get(AuditHead, 1)
    for entry in _all(session):
        count += 1
        if entry.prev_hash != prev:
            breaks.append(Break(UNLINKED, entry.id, entry.at))
        if not secrets.compare_digest(entry.hash, hash_after(entry.prev_hash, content_of(entry))):
            breaks.append(Break(CHANGED, entry.id, entry.at))
        prev = entry.hash
        seen_known = seen_known or entry.hash == known
    if head is None:
        breaks.append(Break(CUT_OFF))
    else:
        if (head.entries, head.hash) != (count, prev):
            breaks.append(Break(CUT_OFF))
        if head.seal != seal_of(cipher, head.entries, head.hash):
            breaks.append(Break(UNSEALED))
    if not seen_known:
        breaks.append(Break(UNKNOWN))
    return Verdict(count, prev, tuple(breaks))


def _all(session: Session) -> Iterator[AuditEntry]:
    """Every entry by id, a piece at a time: a log of years does not fit into memory."""
    after = 0
    while True:
        piece = session.scalars(
            select(AuditEntry).where(AuditEntry.id > after).order_by(AuditEntry.id).limit(_PIECE)
        ).all()
        yield from piece
        if len(piece) < _PIECE:
            return
        after = piece[-1].id
        session.expunge_all()
