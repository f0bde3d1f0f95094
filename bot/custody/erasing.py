"""Taking every word out of the database: what the person asked for, and what the purge does.

Which tables and columns that is, the models say (:mod:`bot.custody.sealed`). The caller holds the lock of
the conversation and commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select

from bot import transcript
from bot.custody.counts import count_in, level_of
from bot.custody.retention import CHAT, CONVERSATION, Rule, retention
from bot.custody.sealed import belongings, is_hash, is_sealed, of_handover, rows_of, sealed_tables
from bot.messages import Sender
from bot.store.models import Base, Conversation, Handover
from bot.store.uow import UnitOfWork

#: Why nothing may be deleted: a case is open, or a lead has put a legal hold on one.
OPEN, HELD = "open", "held"
#: These rows are kept without their words: references and audit entries lead to them.
_SKELETONS = ("conversation", "handover")


@dataclass
class Removed:
    """What was taken out. ``digest`` is the SHA-256 over the sealed bytes, in order: it shows nothing of
    them, and with a backup it proves that it was these."""

    rows: dict[str, int] = field(default_factory=dict)
    digest: str = ""


def kept_because(uow: UnitOfWork, conversation_id: str) -> str | None:
    """Why nothing of a conversation may be deleted; None when it may."""
    cases = uow.session.execute(
        select(Handover.state, Handover.held_at).where(Handover.conversation_id == conversation_id)
    ).all()
    if any(case.state != "closed" for case in cases):
        return OPEN
    return HELD if any(case.held_at for case in cases) else None


def words_for(reason: str) -> str:
    """The response that tells a person why nothing is deleted."""
    return "utter_delete_not_open_case" if reason == OPEN else "utter_delete_not_held"


def rule_of(uow: UnitOfWork, conversation_id: str) -> Rule:
    """The retention rule of a conversation: the longest of those of its cases."""
    of_cases = _rules_of_cases(uow, conversation_id)
    if not of_cases:
        return retention().rule_for(CONVERSATION, level_of(uow, conversation_id))
    return max(of_cases, key=lambda rule: rule.days)


def case_stays(uow: UnitOfWork, conversation_id: str) -> bool:
    """Whether staff keep their case for a while although the person deletes the chat."""
    return any(rule.when_the_person_deletes == CHAT for rule in _rules_of_cases(uow, conversation_id))


def _rules_of_cases(uow: UnitOfWork, conversation_id: str) -> list[Rule]:
    cases = uow.session.scalars(select(Handover).where(Handover.conversation_id == conversation_id)).all()
    rules = retention()
    # By the highest level it ever had: who lowers a level says how urgent it is, not how long it matters.
    return [
        rules.rule_for(case.kind, case.highest_level or case.level, case.categories or ()) for case in cases
    ]


def erase(uow: UnitOfWork, conversation: Conversation, now: datetime) -> None:
    """What the person asked for: every word of the chat and every way back, and the case unless it stays.

    That messages were there remains, without their words, so that a page that is open can show it. In
    Telegram, what is still to be said ("it is deleted") and the way to say it stay until it was said.
    """
    count_in(uow, conversation, now)
    goodbyes = 0
    for message in uow.messages(conversation.id):
        if conversation.address and message.sender != Sender.YOU.value and not message.delivered_at:
            goodbyes += 1
            continue
        transcript.wipe(message)
        message.answered_at = message.answered_at or now
    kept = {"message", *(of_handover() if case_stays(uow, conversation.id) else ())}
    uow.session.flush()
    for _table, delete in _deletes(conversation.id, kept):
        uow.session.execute(delete)
    if "handover" not in kept:
        for case in _cases(uow, conversation.id):
            _empty(case)
    _empty(conversation, keep=("address",) if goodbyes else ())
    conversation.erased_at = now


def remove(uow: UnitOfWork, conversation: Conversation, now: datetime) -> Removed:
    """What the purge does: delete every row. Where there was a case, an empty row of it and of the
    conversation stay, so that whoever asks for its reference is told that its time was over."""
    count_in(uow, conversation, now)
    done = Removed(digest=_digest(uow, conversation.id))
    cases = _cases(uow, conversation.id)
    uow.session.flush()
    for table, delete in _deletes(conversation.id, ()):
        if number := uow.session.execute(delete).rowcount:
            done.rows[table] = number
    if cases:
        _leave_empty(uow, conversation, cases, now)
    else:
        uow.session.delete(conversation)
    done.rows |= {"conversation": 1, **({"handover": len(cases)} if cases else {})}
    uow.session.flush()
    return done


def _leave_empty(
    uow: UnitOfWork, conversation: Conversation, cases: Iterable[Handover], now: datetime
) -> None:
    area = uow.rota().area_at(conversation.place_id)
    for case in cases:
        case.area = case.area or area  # whose leads may see what was done to it
        case.categories = []
        case.routed_to = []
        _empty(case)
    _empty(conversation)
    conversation.place_id = conversation.safe_adult_id = conversation.about = None
    conversation.erased_at = conversation.erased_at or now
    conversation.purged_at = now


def _cases(uow: UnitOfWork, conversation_id: str) -> list[Handover]:
    return list(
        uow.session.scalars(select(Handover).where(Handover.conversation_id == conversation_id)).all()
    )


def _empty(row: Any, keep: Iterable[str] = ()) -> None:
    """Take what is sealed, and what it is found by, out of a row that stays."""
    for column in row.__table__.columns:
        if (is_sealed(column) or is_hash(column)) and column.name not in keep:
            setattr(row, column.name, None)


def _deletes(conversation_id: str, kept: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """``(table name, DELETE)`` of what belongs to a conversation, children first."""
    linked = belongings()
    for table in reversed(list(linked)):
        if table.name not in (*_SKELETONS, *kept):
            inside = rows_of(conversation_id, table, among=linked)
            yield table.name, sa.delete(table).where(inside).execution_options(synchronize_session=False)


def _digest(uow: UnitOfWork, conversation_id: str) -> str:
    hashed = hashlib.sha256()
    linked = {table.name: table for table in belongings()}
    for table in sealed_tables():
        if table.name not in linked:
            continue
        inside = rows_of(conversation_id, Base.metadata.tables[table.name])
        real = linked[table.name]
        values = [sa.type_coerce(real.c[name], sa.LargeBinary) for name in table.columns]
        keys = [real.c[name] for name in table.key]
        for row in uow.session.execute(select(*keys, *values).where(inside).order_by(*keys)):
            hashed.update(repr((table.name, *row[: len(keys)])).encode())
            for value in row[len(keys) :]:
                hashed.update(b"\0" if value is None else bytes(value))
    return hashed.hexdigest()
