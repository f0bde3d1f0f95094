"""Deletes what has been kept long enough. Never an open case, never one under a legal hold.

One conversation a transaction, each found due anew under its lock: it may be broken off at any moment and
run again, by whoever, and does nothing twice. What was deleted is shown by an audit entry for each (ids,
rule, numbers and a hash, no word) and by a row of ``purge_run``.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, select

from bot.bootstrap import Core
from bot.custody.erasing import HELD, kept_because, remove, rule_of
from bot.custody.keys import empty_log
from bot.custody.retention import retention
from bot.custody.tables import PurgeRun
from bot.rota import UK
from bot.store.models import Conversation, DialogueState, Handover
from bot.store.uow import UnitOfWork

#: How long a run keeps others from starting; it says so anew with each conversation.
CLAIM = timedelta(minutes=10)
_BATCH = 200


@dataclass(frozen=True)
class Due:
    """A conversation whose time is over, with the references of its cases. ``held``: it is kept anyway."""

    conversation_id: str
    references: tuple[str, ...]
    rule: str
    since: datetime
    held: bool


@dataclass
class Report:
    """What a run deleted: by rule and table, the hash of each conversation's bytes, and that of them all."""

    conversations: int = 0
    cases: int = 0
    kept_by_hold: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of all conversations, in the order of their ids."""
        lines = [f"{one}:{self.digests[one]}\n" for one in sorted(self.digests)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for the file that proves a run."""
        return {
            "conversations": self.conversations,
            "cases": self.cases,
            "kept_by_legal_hold": self.kept_by_hold,
            "by_rule": dict(self.by_rule),
            "rows_deleted": dict(self.rows),
            "sha256_of_each": dict(sorted(self.digests.items())),
            "sha256_of_all": self.digest,
        }


def due(core: Core, now: datetime) -> Iterator[Due]:
    """Every conversation whose time is over. Looks only."""
    for conversation_id in _candidates(core, now):
        with core.store.read() as uow:
            if found := _due(uow, conversation_id, now):
                yield found


def purge(
    core: Core, now: datetime, actor: str = "operator", alive: Callable[[], None] | None = None
) -> Report:
    """Delete what is due. ``alive`` is called after each conversation.

    Raises:
        RetentionError: the rules cannot be used; nothing was deleted.
    """
    retention()
    report = Report()
    for conversation_id in list(_candidates(core, now)):
        _purge_one(core, conversation_id, now, actor, report)
        if alive:
            alive()
    with core.uow() as uow:
        report.rows["dialogue_state"] += _forget_orphans(uow)
        uow.commit()
    report.rows += Counter()  # drops zeros
    empty_log(core.store)
    return report


def run_today(core: Core, now: datetime) -> Report | None:
    """The clock's run: once a UK day, whichever gateway comes first. None when it is not for us."""
    run_id = _claim(core, now)
    if run_id is None:
        return None

    def alive() -> None:
        with core.uow() as uow:
            uow.session.get(PurgeRun, run_id).claimed_until = core.now() + CLAIM
            uow.commit()

    report = purge(core, now, "clock", alive)
    _finish(core, run_id, report, core.now())
    return report


def run_by_hand(core: Core, now: datetime) -> Report:
    """An operator's run, whatever the clock did today."""
    with core.uow() as uow:
        row = PurgeRun(actor="operator", began_at=now, claimed_until=now)
        uow.add(row)
        uow.commit()
    report = purge(core, now)
    _finish(core, row.id, report, core.now())
    return report


def _purge_one(core: Core, conversation_id: str, now: datetime, actor: str, report: Report) -> None:
    with core.uow() as uow:
        conversation = uow.conversation(conversation_id, lock=True)
        found = _due(uow, conversation_id, now) if conversation else None
        if conversation is None or found is None:
            return
        if found.held:
            report.kept_by_hold += 1
            return
        ids = uow.session.scalars(
            select(Handover.id).where(Handover.conversation_id == conversation_id)
        ).all()
        removed = remove(uow, conversation, now)
        about = {"rule": found.rule, "rows": removed.rows, "sha256": removed.digest}
        if not ids:
            uow.audit(now, actor, "purged", conversation_id=conversation_id, **about)
        for handover_id in ids:
            uow.audit(now, actor, "purged", handover=uow.handover(handover_id), **about)
        uow.commit()
    report.conversations += 1
    report.cases += len(ids)
    report.by_rule[found.rule] += 1
    report.rows.update(removed.rows)
    report.digests[conversation_id] = removed.digest


def _due(uow: UnitOfWork, conversation_id: str, now: datetime) -> Due | None:
    row = uow.session.execute(
        select(Conversation.last_at, Conversation.purged_at).where(Conversation.id == conversation_id)
    ).first()
    reason = kept_because(uow, conversation_id)
    if row is None or row.purged_at or (reason and reason != HELD):
        return None
    cases = uow.session.execute(
        select(Handover.reference, Handover.closed_at)
        .where(Handover.conversation_id == conversation_id)
        .order_by(Handover.id)
    ).all()
    last = max([row.last_at, *(case.closed_at for case in cases if case.closed_at)])
    rule = rule_of(uow, conversation_id)
    since = last + timedelta(days=rule.days)
    if since > now:
        return None
    return Due(conversation_id, tuple(case.reference for case in cases), rule.name, since, reason == HELD)


def _candidates(core: Core, now: datetime) -> Iterator[str]:
    """Ids of conversations that are old enough for the shortest rule, a batch at a time."""
    before, after = now - timedelta(days=retention().shortest), ""
    is_open = exists().where(Handover.conversation_id == Conversation.id, Handover.state != "closed")
    while True:
        with core.store.read() as uow:
            piece = uow.session.scalars(
                select(Conversation.id)
                .where(
                    Conversation.last_at <= before,
                    Conversation.purged_at.is_(None),
                    Conversation.id > after,
                    ~is_open,
                )
                .order_by(Conversation.id)
                .limit(_BATCH)
            ).all()
        yield from piece
        if len(piece) < _BATCH:
            return
        after = piece[-1]


def _forget_orphans(uow: UnitOfWork) -> int:
    """Drop what Rasa wrote down of a conversation after that was gone: an answer that came too late."""
    alive = exists().where(Conversation.id == DialogueState.sender_id, Conversation.erased_at.is_(None))
    gone = delete(DialogueState).where(~alive).execution_options(synchronize_session=False)
    return uow.session.execute(gone).rowcount


def _claim(core: Core, now: datetime) -> int | None:
    day = now.astimezone(UK).date()
    with core.uow() as uow:
        query = select(PurgeRun).where(PurgeRun.day == day).with_for_update()
        row = uow.session.scalars(query).first()
        if row and (row.finished_at or row.claimed_until > now):
            return None
        if row is None:
            row = PurgeRun(day=day, actor="clock", began_at=now)
            uow.session.add(row)
        row.claimed_until = now + CLAIM
        uow.session.flush()  # the day is unique: of two gateways one fails here, and the other purges
        run_id = row.id
        uow.commit()
        return run_id


def _finish(core: Core, run_id: int, report: Report, now: datetime) -> None:
    with core.uow() as uow:
        row = uow.session.get(PurgeRun, run_id)
        row.finished_at = now
        row.conversations, row.cases = report.conversations, report.cases
        row.kept_by_hold, row.rows, row.digest = report.kept_by_hold, dict(report.rows), report.digest
        uow.audit(now, row.actor, "purge_run", run=run_id, conversations=report.conversations,
                  kept_by_hold=report.kept_by_hold, sha256=report.digest)  # fmt: skip
        uow.commit()


def last_runs(uow: UnitOfWork, number: int = 10) -> list[PurgeRun]:
    """The newest runs."""
    return list(uow.session.scalars(select(PurgeRun).order_by(PurgeRun.id.desc()).limit(number)).all())
