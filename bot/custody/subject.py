"""Everything that is held on one conversation, for the person it is about: UK GDPR article 15.

Read off the models like all of custody: a column that is added is in the next export. Left out is what
opens doors (the return code, keyed hashes), and named as left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import jinja2
from sqlalchemy import func, or_, select

from bot.codes import normal_code
from bot.custody.erasing import rule_of
from bot.custody.sealed import belongings, is_hash, rows_of
from bot.rota import UK
from bot.store.models import AuditEntry, Conversation, Handover, Staff
from bot.store.uow import UnitOfWork

#: Columns that would let whoever holds the export into the chat.
_SECRET = frozenset({"code"})
#: How the work is done, not what is known about somebody.
_WORKINGS = frozenset({"next_seq", "attempts", "next_try_at", "claimed_until", "claimed_by", "counted_at"})


class NothingHeld(Exception):
    """No conversation has this code or reference, or nothing of it is left."""


@dataclass(frozen=True)
class Export:
    """What is held, as plain values. ``tables`` by name, rows as they are stored, opened."""

    conversation_id: str
    references: tuple[str, ...]
    made_at: datetime
    body_name: str
    rule: str
    days: int
    tables: Mapping[str, list[dict[str, Any]]]
    log: tuple[dict[str, Any], ...]
    names: Mapping[str, str]

    def to_json(self) -> str:
        """As JSON, every field."""
        document = {
            "what": "Everything held on one conversation",
            "body": self.body_name,
            "made_at": self.made_at.isoformat(),
            "conversation": self.conversation_id,
            "cases": list(self.references),
            "kept": {"rule": self.rule, "days_after_the_last_message_or_close": self.days},
            "left_out": ["return code and keyed hashes: they would let a reader of this file in"],
            "held": self.tables,
            "who_did_what": self.log,
        }
        return json.dumps(document, indent=1, ensure_ascii=False, default=_plain) + "\n"

    def to_html(self) -> str:
        """To read and print: the conversation, then each case, then everything else."""
        env = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        env.filters["moment"] = _moment
        env.filters["spoken"] = lambda name: str(name).replace("_", " ").capitalize()
        return env.get_template("subject.html").render(export=self, messages=self.tables.get("message", []))


def find(uow: UnitOfWork, named: str) -> Conversation:
    """The conversation of a case's reference or of a return code.

    Raises:
        NothingHeld: there is none, or it was purged.
    """
    reference = named.strip().upper()
    conversation = uow.session.scalars(
        select(Conversation)
        .join(Handover, Handover.conversation_id == Conversation.id)
        .where(func.upper(Handover.reference) == reference)
    ).first()
    if conversation is None:
        code = uow.cipher.slow_hash("return-code", normal_code(named))
        conversation = uow.conversation_by("code_hash", code)
    if conversation is None or conversation.purged_at:
        raise NothingHeld(named)
    return conversation


def export_of(uow: UnitOfWork, conversation: Conversation, now: datetime, actor: str) -> Export:
    """Gather everything held on a conversation, and note in the audit log who had it gathered.

    The caller commits, before it hands anything out.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    linked = belongings()
    for table in linked:
        inside = rows_of(conversation.id, table, among=linked)
        columns = [column for column in table.columns if _told(column)]
        found = uow.session.execute(
            select(*columns).select_from(table).where(inside).order_by(*table.primary_key.columns)
        )
        if rows := [dict(row._mapping) for row in found]:
            tables[table.name] = rows
    cases = tables.get("handover", [])
    for case in cases or [None]:
        known = uow.handover(case["id"]) if case else None
        uow.audit(now, actor, "subject_exported", handover=known, conversation_id=conversation.id)
    rule = rule_of(uow, conversation.id)
    return Export(
        conversation_id=conversation.id,
        references=tuple(case["reference"] for case in cases),
        made_at=now,
        body_name=uow.settings.body_name,
        rule=rule.name,
        days=rule.days,
        tables=tables,
        log=_log(uow, conversation.id, [case["id"] for case in cases]),
        names=dict(uow.session.execute(select(Staff.id, Staff.name)).all()),
    )


def _told(column: Any) -> bool:
    return not is_hash(column) and column.name not in _SECRET | _WORKINGS


def _log(uow: UnitOfWork, conversation_id: str, cases: list[int]) -> tuple[dict[str, Any], ...]:
    entries = uow.session.scalars(
        select(AuditEntry)
        .where(or_(AuditEntry.conversation_id == conversation_id, AuditEntry.handover_id.in_(cases)))
        .order_by(AuditEntry.id)
    )
    return tuple({"at": one.at, "who": one.actor, "what": one.action} for one in entries)


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _moment(at: datetime | None) -> str:
    return f"{at.astimezone(UK):%-d %B %Y, %H:%M}" if at else ""
