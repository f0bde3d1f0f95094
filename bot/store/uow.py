"""The unit of work: one transaction and the few questions the core asks of the database.

``with store.write() as uow: ... uow.commit()``; leaving without a commit rolls back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from typing import Any

from sqlalchemy import create_engine, delete, event, func, or_, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from bot import rota
from bot.content import Content
from bot.rota import Hours, Person, Rota
from bot.settings import Settings
from bot.store import audit as audit_log
from bot.store.encryption import Cipher
from bot.store.models import (
    Alert,
    Area,
    AuditEntry,
    Conversation,
    DialogueState,
    Handover,
    Message,
    Place,
    Staff,
    StaffSession,
)

#: Seconds a writer waits for another before it gives up (the person then gets the floor's words).
BUSY_TIMEOUT = 5.0


class Store:
    """The database, opened. Make one per process with :func:`open_store`."""

    def __init__(self, engine: Engine, cipher: Cipher, settings: Settings, content: Content) -> None:
        self.engine = engine
        self.cipher = cipher
        self.settings = settings
        self.content = content
        self._writer = engine.execution_options(earshot_write=True)

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        """A transaction that may change things. Rolled back unless committed."""
        with Session(self._writer, future=True, expire_on_commit=False) as session:
            yield UnitOfWork(session, self)

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """A transaction that only looks."""
        with Session(self.engine, future=True, expire_on_commit=False) as session:
            yield UnitOfWork(session, self)


def open_store(settings: Settings, content: Content) -> Store:
    """Open the database of the settings. Connects on first use, not here."""
    cipher = Cipher(settings.fernet_keys, settings.lookup_key.get_secret_value())
    database_url = settings.database_url
    if database_url.startswith("sqlite"):
        engine = create_engine(
            database_url,
            future=True,
            hide_parameters=True,
            connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
        )
        _prepare_sqlite(engine)
    else:
        engine = create_engine(
            database_url,
            future=True,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"connect_timeout": int(BUSY_TIMEOUT)},
        )
    engine.dialect.cipher = cipher
    return Store(engine, cipher, settings, content)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # an erased message leaves no bytes behind

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        # A transaction that reads first and writes later fails at once with "database is locked" when
        # another wrote in between; taking the write lock at the start waits instead.
        write = connection.get_execution_options().get("earshot_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _locked(query: Any) -> Any:
    """Wait for the row, then read it anew: what this transaction read before may be out of date."""
    return query.with_for_update().execution_options(populate_existing=True)


class UnitOfWork:
    """One transaction, with the settings and the words that what is done in it goes by."""

    def __init__(self, session: Session, store: Store) -> None:
        self.session = session
        self.cipher = store.cipher
        self.settings = store.settings
        self.content = store.content
        self._unwritten: list[AuditEntry] = []

    def commit(self) -> None:
        """Make everything done in this transaction lasting."""
        self._write_audit()
        self.session.commit()

    def _write_audit(self) -> None:
        # As late as can be: the end of the chain is locked from here on (see bot/store/audit.py).
        if self._unwritten:
            self.session.flush()
            unwritten, self._unwritten = self._unwritten, []
            audit_log.append(self.session, self.cipher, unwritten)

    def add(self, row: Any) -> None:
        """Add a row and give it its id."""
        self.session.add(row)
        self.session.flush()

    def audit(
        self,
        at: datetime,
        actor: str,
        action: str,
        *,
        handover: Handover | None = None,
        conversation_id: str | None = None,
        subject: str | None = None,
        **detail: Any,
    ) -> None:
        """Append to the audit log, when this transaction commits.

        ``subject`` is the member of staff it was done to; ``detail`` holds ids, states and levels, never
        words.
        """
        self._unwritten.append(
            AuditEntry(
                at=at,
                actor=actor,
                action=action,
                handover_id=handover.id if handover else None,
                conversation_id=handover.conversation_id if handover else conversation_id,
                subject=subject,
                detail=json.loads(json.dumps(detail)),  # as it will be read back: it is hashed
            )
        )

    # Conversations ------------------------------------------------------------------------------

    def conversation(self, conversation_id: str, *, lock: bool = False) -> Conversation | None:
        """A conversation by id; ``lock`` keeps other writers of it out until the end."""
        query = select(Conversation).where(Conversation.id == conversation_id)
        return self.session.scalars(_locked(query) if lock else query).first()

    def conversation_by(self, column: str, value: str) -> Conversation | None:
        """A conversation by ``session_hash``, ``code_hash`` or ``address_hash``."""
        return self.session.scalars(
            select(Conversation).where(getattr(Conversation, column) == value)
        ).first()

    def message_by_client_id(self, conversation_id: str, client_id: str) -> Message | None:
        """The message that a channel gave this id, if it came before."""
        return self.session.scalars(
            select(Message).where(Message.conversation_id == conversation_id, Message.client_id == client_id)
        ).first()

    def messages(self, conversation_id: str, after: int = 0) -> Sequence[Message]:
        """The transcript after a sequence number, in order."""
        return self.session.scalars(
            select(Message)
            .where(Message.conversation_id == conversation_id, Message.seq > after)
            .order_by(Message.seq)
        ).all()

    def message(self, conversation_id: str, seq: int) -> Message | None:
        """One message of a transcript."""
        return self.session.scalars(
            select(Message).where(Message.conversation_id == conversation_id, Message.seq == seq)
        ).first()

    def unanswered(self, before: datetime, ahead: datetime) -> Sequence[Message]:
        """What people sent before a time, or after ``ahead``, and nobody has answered yet, oldest first."""
        left_behind = or_(Message.created_at < before, Message.created_at > ahead)
        return self.session.scalars(
            select(Message)
            .where(Message.sender == "you", Message.answered_at.is_(None), left_behind)
            .order_by(Message.id)
        ).all()

    def next_unanswered(self, conversation_id: str) -> Message | None:
        """The oldest message of a conversation that nobody has answered yet."""
        return self.session.scalars(
            select(Message)
            .where(
                Message.conversation_id == conversation_id,
                Message.sender == "you",
                Message.answered_at.is_(None),
            )
            .order_by(Message.seq)
        ).first()

    def forget_dialogue(self, conversation_id: str) -> None:
        """Drop what Rasa remembers of a conversation."""
        self.session.execute(delete(DialogueState).where(DialogueState.sender_id == conversation_id))

    def undelivered(self, channel: str) -> Sequence[tuple[Message, Conversation]]:
        """Outgoing messages that a channel has not taken yet, in order, with their conversations."""
        return self.session.execute(
            select(Message, Conversation)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(
                Conversation.channel == channel,
                Conversation.unreachable_at.is_(None),
                Conversation.address.is_not(None),
                Message.sender != "you",
                Message.delivered_at.is_(None),
            )
            .order_by(Message.conversation_id, Message.seq)
        ).all()

    def undelivered_of(self, conversation_id: str) -> int:
        """How many outgoing messages of a conversation no channel has taken yet."""
        return self.session.scalar(
            select(func.count(Message.id)).where(
                Message.conversation_id == conversation_id,
                Message.sender != "you",
                Message.delivered_at.is_(None),
            )
        )

    def messages_by_id(self, message_ids: Sequence[int]) -> Sequence[Message]:
        """Messages by their ids in the database."""
        return self.session.scalars(select(Message).where(Message.id.in_(message_ids))).all()

    # Handovers ----------------------------------------------------------------------------------

    def open_handover_of(self, conversation_id: str) -> Handover | None:
        """The handover of this conversation that is not closed."""
        return self.session.scalars(
            select(Handover).where(Handover.conversation_id == conversation_id, Handover.state != "closed")
        ).first()

    def last_handover_of(self, conversation_id: str) -> Handover | None:
        """The newest handover of this conversation, whatever its state."""
        return self.session.scalars(
            select(Handover).where(Handover.conversation_id == conversation_id).order_by(Handover.id.desc())
        ).first()

    def handover(self, handover_id: int, *, lock: bool = False) -> Handover | None:
        """A handover by id; ``lock`` keeps other writers of it out until the end."""
        query = select(Handover).where(Handover.id == handover_id)
        return self.session.scalars(_locked(query) if lock else query).first()

    def queue(self, *, closed: bool = False) -> Sequence[Handover]:
        """Handovers that are not closed (or are), by level, then by waiting time."""
        query = select(Handover).where(Handover.state == "closed" if closed else Handover.state != "closed")
        if closed:
            return self.session.scalars(query.order_by(Handover.closed_at.desc()).limit(100)).all()
        return self.session.scalars(query.order_by(Handover.level_rank.desc(), Handover.opened_at)).all()

    def overdue(self, now: datetime) -> Sequence[Handover]:
        """Handovers whose deadline has passed."""
        return self.session.scalars(
            select(Handover)
            .where(Handover.state != "closed", Handover.deadline_at <= now)
            .order_by(Handover.level_rank.desc(), Handover.deadline_at)
        ).all()

    def reference_taken(self, reference: str) -> bool:
        """Whether a handover has this reference."""
        return bool(
            self.session.scalar(select(func.count(Handover.id)).where(Handover.reference == reference))
        )

    def accepted_by(self, staff_id: str) -> Sequence[Handover]:
        """The cases a member of staff holds."""
        return self.session.scalars(
            select(Handover).where(Handover.state == "accepted", Handover.accepted_by == staff_id)
        ).all()

    def audit_of(self, handover_id: int) -> Sequence[AuditEntry]:
        """The audit log of a handover, oldest first, with what this transaction adds."""
        self._write_audit()
        return self.session.scalars(
            select(AuditEntry).where(AuditEntry.handover_id == handover_id).order_by(AuditEntry.id)
        ).all()

    # Staff --------------------------------------------------------------------------------------

    def staff(self) -> Sequence[Staff]:
        """Everyone who works here and has not left."""
        return self.session.scalars(select(Staff).where(Staff.active.is_(True)).order_by(Staff.id)).all()

    def staff_member(self, staff_id: str) -> Staff | None:
        """One member of staff."""
        return self.session.get(Staff, staff_id)

    def staff_by_sign_in(self, email: str) -> Staff | None:
        """One member of staff by e-mail address."""
        found = self.cipher.find_hash("staff", email.strip().casefold())
        return self.session.scalars(
            select(Staff).where(Staff.sign_in_hash == found, Staff.active.is_(True))
        ).first()

    def places(self) -> Sequence[Place]:
        """Schools and other places, by name."""
        return self.session.scalars(select(Place).order_by(Place.name)).all()

    def rota(self) -> Rota:
        """Areas, places, people and hours as plain values; of those who left and what closed, nothing."""
        areas = tuple(
            rota.Area(a.id, a.name, a.nation) for a in self.session.scalars(select(Area).order_by(Area.name))
        )
        places = [place for place in self.places() if place.active]
        area_at = {place.id: place.area for place in places}
        return Rota(
            areas=areas,
            people=tuple(
                Person(
                    id=s.id,
                    name=s.name,
                    role=s.role,
                    job_title=s.job_title,
                    place_id=s.place_id,
                    hours=tuple(
                        Hours(
                            tuple(h.days),
                            time.fromisoformat(h.starts),
                            time.fromisoformat(h.ends),
                            h.bank_holidays,
                            h.first_day,
                            h.last_day,
                        )
                        for h in s.shifts
                    ),
                    off_duty=s.off_duty,
                    off_duty_at=s.off_duty_at,
                    areas=tuple(s.areas or ()),
                    nation=rota.nation_of(s.nation, area_at.get(s.place_id), s.areas or (), areas),
                    leave=tuple(rota.Leave(one.first_day, one.last_day) for one in s.leave),
                    trained_for=tuple(s.trained_for),
                    answers_by=tuple(s.answers_by),
                )
                for s in self.staff()
            ),
            places=tuple(rota.Place(p.id, p.name, p.kind, p.area) for p in places),
        )

    def staff_session(self, token: str, kind: str, now: datetime) -> StaffSession | None:
        """A sign-in that is still good."""
        found = self.session.get(StaffSession, self.cipher.find_hash("staff-session", token))
        return found if found and found.kind == kind and found.expires_at > now else None

    def alerts_due(self, now: datetime) -> Sequence[Alert]:
        """Alerts that were neither sent nor given up, and that no other process is sending."""
        return self.session.scalars(
            select(Alert)
            .where(
                Alert.sent_at.is_(None),
                Alert.failed_at.is_(None),
                or_(Alert.claimed_until.is_(None), Alert.claimed_until <= now),
            )
            .order_by(Alert.id)
        ).all()

    def alerts_of(self, handover_id: int) -> Sequence[Alert]:
        """Every alert that a handover caused."""
        return self.session.scalars(
            select(Alert).where(Alert.handover_id == handover_id).order_by(Alert.id)
        ).all()

    # Changes ------------------------------------------------------------------------------------

    def changes_after(self, message_id: int, audit_id: int) -> tuple[Sequence[Any], Sequence[Any]]:
        """``(id, conversation_id)`` of messages and audit entries newer than these ids."""
        messages = self.session.execute(
            select(Message.id, Message.conversation_id).where(Message.id > message_id).order_by(Message.id)
        ).all()
        audits = self.session.execute(
            select(AuditEntry.id, AuditEntry.conversation_id)
            .where(AuditEntry.id > audit_id)
            .order_by(AuditEntry.id)
        ).all()
        return messages, audits

    def newest_ids(self) -> tuple[int, int]:
        """The highest message id and audit id."""
        return (
            self.session.scalar(select(func.max(Message.id))) or 0,
            self.session.scalar(select(func.max(AuditEntry.id))) or 0,
        )
