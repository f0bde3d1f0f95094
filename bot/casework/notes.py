"""Internal notes: what staff say to one another about a case. Sealed, and only ever added to.

The audit log holds a keyed hash of each note, and the log is a chain that shows tampering; so a note
that was changed in the database is found out when it is read.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from bot.casework.tables import CaseNote
from bot.store.models import Handover
from bot.store.uow import UnitOfWork

#: What a note is: written by somebody, or the reason for another level.
NOTE, LEVEL = "note", "level"
#: Characters that one note may have.
MAX_NOTE = 4_000


class EmptyNote(Exception):
    """There is nothing in it."""


class LongNote(Exception):
    """It is longer than :data:`MAX_NOTE`."""


@dataclass(frozen=True)
class Note:
    """A note as it is read. ``whole`` is false when it is not what was written."""

    id: int
    kind: str
    staff_id: str
    author: str
    at: datetime
    text: str
    detail: dict[str, Any]
    whole: bool


def add(
    uow: UnitOfWork,
    handover: Handover,
    staff_id: str,
    text: str,
    now: datetime,
    kind: str = NOTE,
    **detail: Any,
) -> CaseNote:
    """Write a note. ``detail`` holds levels, never words.

    Raises:
        EmptyNote, LongNote: it cannot be kept as it is.
    """
    text = text.strip()
    if not text:
        raise EmptyNote
    if len(text) > MAX_NOTE:
        raise LongNote
    note = CaseNote(handover_id=handover.id, staff_id=staff_id, kind=kind, at=now, text=text, detail=detail)
    uow.add(note)
    uow.audit(now, staff_id, "noted", handover=handover, note=note.id, seal=_seal(uow, note))
    return note


def of(uow: UnitOfWork, handover_id: int) -> list[Note]:
    """The notes of a case, oldest first, each checked against the audit log."""
    seals = {
        entry.detail.get("note"): entry.detail.get("seal", "")
        for entry in uow.audit_of(handover_id)
        if entry.action == "noted"
    }
    rows = uow.session.scalars(
        select(CaseNote).where(CaseNote.handover_id == handover_id).order_by(CaseNote.id)
    ).all()
    found = []
    for row in rows:
        author = uow.staff_member(row.staff_id)
        whole = hmac.compare_digest(_seal(uow, row), seals.get(row.id, ""))
        found.append(
            Note(
                row.id,
                row.kind,
                row.staff_id,
                author.name if author else "",
                row.at,
                row.text,
                dict(row.detail or {}),
                whole,
            )
        )
    return found


def _seal(uow: UnitOfWork, note: CaseNote) -> str:
    at = note.at.isoformat(timespec="seconds")
    return uow.cipher.find_hash("case-note", f"{note.id}\0{note.staff_id}\0{at}\0{note.text}")
