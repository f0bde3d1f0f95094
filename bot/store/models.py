"""The tables. Words, names and addresses are sealed columns; what is plain is ids, states and times."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import declarative_base, relationship
from sqlalchemy.types import JSON, TypeDecorator

from bot.store.encryption import Encrypted, EncryptedJSON

Base: Any = declarative_base()


class UTCDateTime(TypeDecorator):  # type: ignore[type-arg]
    """An aware time, stored as UTC. SQLite forgets the zone; this puts it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must carry its zone")
        return value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class Conversation(Base):
    """One person's conversation. No name, no account, no address of theirs but a sealed chat id."""

    __tablename__ = "conversation"
    id = Column(String(32), primary_key=True)
    channel = Column(String(16), nullable=False)
    owner = Column(String(8), nullable=False, default="bot")  # bot, or worker while one has accepted
    about = Column(String(16))
    place_id = Column(String(64))
    safe_adult_id = Column(String(64))
    memory = Column(EncryptedJSON)
    session_hash = Column(String(64), unique=True)
    code_hash = Column(String(64), unique=True)
    code = Column(Encrypted)  # the return code, until it was typed back or used once
    returned_at = Column(UTCDateTime)  # came back with the code
    wishes = Column(EncryptedJSON)  # who must not be told; the words they may pass on (bot/own_words.py)
    address_hash = Column(String(64), unique=True)
    address = Column(Encrypted)
    next_seq = Column(Integer, nullable=False, default=1)
    created_at = Column(UTCDateTime, nullable=False)
    last_at = Column(UTCDateTime, nullable=False)
    unreachable_at = Column(UTCDateTime)
    erased_at = Column(UTCDateTime)


class Message(Base):
    """One message of a transcript; outgoing ones are the outbox until ``delivered_at`` is set."""

    __tablename__ = "message"
    id = Column(Integer, primary_key=True, autoincrement=True)
    conversation_id = Column(ForeignKey("conversation.id"), nullable=False)
    seq = Column(Integer, nullable=False)
    client_id = Column(String(64))
    sender = Column(String(8), nullable=False)
    kind = Column(String(12), nullable=False, default="text")
    name = Column(Encrypted)
    text = Column(Encrypted)  # null once erased
    choices = Column(EncryptedJSON)
    cards = Column(EncryptedJSON)
    payload = Column(Encrypted)  # the Rasa payload behind a choice that was pressed
    level = Column(String(12))
    finding = Column(EncryptedJSON)
    created_at = Column(UTCDateTime, nullable=False)
    answered_at = Column(UTCDateTime)  # incoming: the turn is over
    delivered_at = Column(UTCDateTime)  # outgoing: the channel took it
    attempts = Column(Integer, nullable=False, default=0)
    next_try_at = Column(UTCDateTime)
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        UniqueConstraint("conversation_id", "client_id"),
        Index("ix_message_unanswered", "sender", "answered_at"),
        Index("ix_message_undelivered", "sender", "delivered_at"),
    )


class Handover(Base):
    """A person is needed. At most one that is not closed exists for a conversation."""

    __tablename__ = "handover"
    id = Column(Integer, primary_key=True, autoincrement=True)
    reference = Column(String(12), nullable=False, unique=True)
    conversation_id = Column(ForeignKey("conversation.id"), nullable=False)
    kind = Column(String(16), nullable=False)
    state = Column(String(12), nullable=False)
    level = Column(String(12), nullable=False)
    level_rank = Column(Integer, nullable=False)
    categories = Column(JSON, nullable=False, default=list)
    about = Column(String(16), nullable=False)
    area = Column(String(64))
    tier = Column(Integer, nullable=False, default=0)
    routed_to = Column(JSON, nullable=False, default=list)  # staff ids that were asked so far
    evidence = Column(EncryptedJSON)
    details = Column(EncryptedJSON)  # consented words, answers of a form, wishes
    accepted_by = Column(ForeignKey("staff.id"))
    opened_at = Column(UTCDateTime, nullable=False)
    deadline_at = Column(UTCDateTime)
    accepted_at = Column(UTCDateTime)
    last_worker_at = Column(UTCDateTime)
    closed_at = Column(UTCDateTime)
    outcome = Column(Encrypted)
    __table_args__ = (
        Index(
            "uq_handover_open",
            "conversation_id",
            unique=True,
            sqlite_where=text("state != 'closed'"),
            postgresql_where=text("state != 'closed'"),
        ),
        Index("ix_handover_deadline", "state", "deadline_at"),
    )


class AuditEntry(Base):
    """Who did or read what, when. Append-only: the database itself refuses to change a row."""

    __tablename__ = "audit"
    id = Column(Integer, primary_key=True, autoincrement=True)
    at = Column(UTCDateTime, nullable=False)
    actor = Column(String(64), nullable=False)  # a staff id, or person, bot, floor, clock
    action = Column(String(48), nullable=False)
    handover_id = Column(Integer, index=True)
    conversation_id = Column(String(32), index=True)
    subject = Column(String(64), index=True)  # the member of staff it was done to, where there is one
    detail = Column(JSON, nullable=False, default=dict)  # ids, states, levels; never words
    # The chain (bot/store/audit.py): unique, so that two entries can never follow the same one.
    prev_hash = Column(String(64), nullable=False, unique=True)
    hash = Column(String(64), nullable=False)
    __table_args__ = (Index("ix_audit_actor_at", "actor", "at"), Index("ix_audit_at", "at"))


class AuditHead(Base):
    """The end of the audit chain, one row. Whoever appends locks it; it shows when entries are cut off."""

    __tablename__ = "audit_head"
    id = Column(Integer, primary_key=True, autoincrement=False)
    entries = Column(Integer, nullable=False)
    hash = Column(String(64), nullable=False)
    seal = Column(String(64), nullable=False)  # keyed: whoever has only the database cannot make it


class Area(Base):
    """A part of the country that is served on its own, with the nation whose holidays it keeps."""

    __tablename__ = "area"
    id = Column(String(64), primary_key=True)
    name = Column(String(120), nullable=False)
    nation = Column(String(3), nullable=False)  # bot.rota.NATIONS


class Place(Base):
    """A school, youth centre or other place that safe adults belong to."""

    __tablename__ = "place"
    id = Column(String(64), primary_key=True)
    name = Column(String(120), nullable=False)
    kind = Column(String(32), nullable=False)
    area = Column(String(64), nullable=False)
    active = Column(Boolean, nullable=False, default=True)


class Staff(Base):
    """A member of staff: duty worker, safe adult, lead or administrator."""

    __tablename__ = "staff"
    id = Column(String(64), primary_key=True)
    name = Column(Encrypted, nullable=False)
    role = Column(String(16), nullable=False)
    job_title = Column(String(120), nullable=False)
    sign_in_hash = Column(String(64), unique=True)  # keyed hash of the e-mail address
    email = Column(Encrypted)
    phone = Column(Encrypted)
    password_hash = Column(String(200))
    totp_secret = Column(Encrypted)  # the second factor; null until it is set up
    totp_step = Column(Integer)  # the newest time step used: no code works twice
    areas = Column(JSON, nullable=False, default=list)  # area ids they serve; none means every area
    nation = Column(String(3))  # whose holidays they keep, where area and place do not tell
    trained_for = Column(JSON, nullable=False, default=list)
    answers_by = Column(JSON, nullable=False, default=list)
    alert_urls = Column(EncryptedJSON)  # Apprise URLs
    off_duty = Column(Boolean, nullable=False, default=False)  # pressed "off duty" although the rota says on
    off_duty_at = Column(UTCDateTime)  # when they pressed it: the next shift starts afresh
    active = Column(Boolean, nullable=False, default=True)
    place_id = Column(ForeignKey("place.id"))
    shifts = relationship("Shift", cascade="all, delete-orphan", lazy="selectin", order_by="Shift.id")
    leave = relationship("Leave", cascade="all, delete-orphan", lazy="selectin", order_by="Leave.first_day")


class Shift(Base):
    """Weekly hours of one person. ``ends`` before ``starts`` runs over midnight. Local UK time."""

    __tablename__ = "shift"
    id = Column(Integer, primary_key=True, autoincrement=True)
    staff_id = Column(ForeignKey("staff.id"), nullable=False)
    days = Column(JSON, nullable=False)  # ISO weekdays on which the shift starts, 1 = Monday
    starts = Column(String(5), nullable=False)
    ends = Column(String(5), nullable=False)
    bank_holidays = Column(Boolean, nullable=False, default=False)
    first_day = Column(Date)  # the shift counts from this day on, and
    last_day = Column(Date)  # to this day; a shift on one day only has both


class Leave(Base):
    """Days on which none of a person's shifts starts. Why they are away is nobody's business here."""

    __tablename__ = "leave"
    id = Column(Integer, primary_key=True, autoincrement=True)
    staff_id = Column(ForeignKey("staff.id"), nullable=False, index=True)
    first_day = Column(Date, nullable=False)
    last_day = Column(Date, nullable=False)  # included


class StaffSession(Base):
    """A signed-in browser at the desk, one on its way in, or a one-time link that was not used yet."""

    __tablename__ = "staff_session"
    token_hash = Column(String(64), primary_key=True)
    staff_id = Column(ForeignKey("staff.id"), nullable=False)
    kind = Column(String(8), nullable=False)  # bot/desk/sessions.py: session, pending, link or invite
    csrf = Column(String(64))
    expires_at = Column(UTCDateTime, nullable=False)
    created_at = Column(UTCDateTime, nullable=False)
    seen_at = Column(UTCDateTime)  # when somebody last did something in it
    secret = Column(Encrypted)  # a second factor that is being set up in this session
    resets_factor = Column(Boolean, nullable=False, default=False)  # of an invitation: theirs is lost


class RecoveryCode(Base):
    """A code that stands in for the second factor, once. Gone when used."""

    __tablename__ = "recovery_code"
    code_hash = Column(String(64), primary_key=True)
    staff_id = Column(ForeignKey("staff.id"), nullable=False, index=True)


class SignInAttempt(Base):
    """A try to sign in that did not succeed so far. Kept for minutes, so that a restart forgets none."""

    __tablename__ = "sign_in_attempt"
    id = Column(Integer, primary_key=True, autoincrement=True)
    account = Column(String(64), nullable=False, index=True)  # a keyed hash: of nobody's, too
    at = Column(UTCDateTime, nullable=False, index=True)


class Alert(Base):
    """One alert to one person: due, sent or failed. Holds no word of the child."""

    __tablename__ = "alert"
    id = Column(Integer, primary_key=True, autoincrement=True)
    handover_id = Column(ForeignKey("handover.id"), nullable=False)
    staff_id = Column(ForeignKey("staff.id"), nullable=False)
    tier = Column(Integer, nullable=False)
    reason = Column(String(24), nullable=False)
    created_at = Column(UTCDateTime, nullable=False)
    sent_at = Column(UTCDateTime)
    failed_at = Column(UTCDateTime)
    attempts = Column(Integer, nullable=False, default=0)
    claimed_until = Column(UTCDateTime)
    __table_args__ = (UniqueConstraint("handover_id", "staff_id", "tier", "reason"),)


class DialogueState(Base):
    """Rasa's tracker of a conversation, sealed, so that a restart of Rasa forgets nothing."""

    __tablename__ = "dialogue_state"
    sender_id = Column(String(64), primary_key=True)
    body = Column(Encrypted, nullable=False)
    updated_at = Column(UTCDateTime, nullable=False)
