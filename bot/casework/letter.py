"""What one letter about a case says: facts as plain values, the same for the page, the PDF and the export.

Internal notes are not part of it: they are what colleagues said to one another.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.casework import neglect, record
from bot.handover import DO_NOT_TELL
from bot.risk.census import FACTORS, suggest
from bot.risk.taxonomy import Category, Memory
from bot.store.models import Handover
from bot.store.uow import UnitOfWork

#: Changes when a name in :func:`contents` does: programs that read the export look here first.
FORMAT = "earshot-case-1"
#: Details that are for whoever sends the letter, not for whoever reads it.
_OURS = frozenset({DO_NOT_TELL, "council_route", "served_here"})


def contents(uow: UnitOfWork, case: Handover, staff_id: str, now: datetime) -> dict[str, Any]:
    """Everything the letter says, as JSON values. Times are ISO 8601 in UTC; texts are as they were typed."""
    conversation = uow.conversation(case.conversation_id)
    people = uow.rota()
    place = people.place(conversation.place_id)
    details = dict(case.details or {})
    kept = record.current(uow, case.id)
    body = dict(kept.body) if kept else {}
    signs = neglect.named(Memory.from_dict(conversation.memory or {}).signs, details)
    holder = uow.staff_member(case.accepted_by) if case.accepted_by else None
    writer = uow.staff_member(staff_id)
    return {
        "format": FORMAT,
        "made_at": _iso(now),
        "made_by": {"name": writer.name, "role": writer.job_title},
        "from": uow.settings.body_name,
        "reference": case.reference,
        "kind": case.kind,
        "state": case.state,
        "level": case.level,
        "highest_level": case.highest_level or case.level,
        "categories": list(case.categories),
        "about": case.about,
        "area": case.area or (place.area if place else None),
        "place": place.name if place else None,
        "council_route": details.get("council_route", ""),
        "must_not_be_told": details.get(DO_NOT_TELL, "").splitlines(),
        "asked_for": {
            name: words
            for name, words in details.items()
            if name not in _OURS and not name.startswith(neglect.DETAIL)
        },
        "quotes": [{"at": quote["at"], "text": quote["text"]} for quote in body.get("quotes", ())],
        "record": {name: body.get(name, "") for name in record.FIELDS},
        "record_version": kept.number if kept else 0,
        "signs_of_neglect": {
            heading: [{"sign": sign.name, "words": sign.words} for sign in found]
            for heading, found in signs.items()
        },
        "factors": [{"code": code, "meaning": FACTORS[code]} for code in body.get("factors", ())],
        "factors_suggested": list(suggest(map(Category, case.categories))),
        "worker": {"name": holder.name, "role": holder.job_title} if holder else None,
        "chronology": [
            {"what": what, "at": _iso(at)}
            for what, at in (
                ("opened", case.opened_at),
                ("accepted", case.accepted_at),
                ("closed", case.closed_at),
            )
            if at
        ],
        "told_the_person": case.outcome or "",
    }


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
