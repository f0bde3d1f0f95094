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
    counted_at = Column(UTCDateTime)  # stands in case_count from here on (bot/custody/counts.py)
    purged_at = Column(UTCDateTime)  # its time was over (bot/custody/purge.py)
    check_ins = Column(String(8))  # whether they want any: offered, yes or no (bot/check_ins.py)


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
    held = Column(String(8))  # kept back from staff by this measure: slow or pause (bot/conduct.py)
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
    highest_level = Column(String(12))  # that it ever had: a person may have lowered ``level``
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
    feedback = Column(Encrypted)  # what came of it, for the colleagues who were part of it
    held_at = Column(UTCDateTime)  # legal hold: nothing of it is deleted (bot/custody/hold.py)
    held_by = Column(String(64))
    hold_reason = Column(Encrypted)
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
    oidc_hash = Column(String(64))  # who they are in the council's directory (bot/desk/oidc.py)
    place_id = Column(ForeignKey("place.id"))
    shifts = relationship("Shift", cascade="all, delete-orphan", lazy="selectin", order_by="Shift.id")
    leave = relationship("Leave", cascade="all, delete-orphan", lazy="selectin", order_by="Leave.first_day")
    __table_args__ = (Index("uq_staff_oidc", "oidc_hash", unique=True),)


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
    factor_elsewhere = Column(Boolean, nullable=False, default=False)  # the directory asked for the second


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
    claimed_by = Column(String(64))  # the gateway that is sending it
    took = Column(JSON)  # kind of address -> whether it took the alert; never the address
    receipts = Column(JSON)  # ids by which GOV.UK Notify tells what became of it
    check_at = Column(UTCDateTime)  # when that is asked next
    delivered_at = Column(UTCDateTime)  # Notify says that it arrived
    __table_args__ = (UniqueConstraint("handover_id", "staff_id", "tier", "reason"),)


class CheckIn(Base):
    """How somebody is, asked once some time after a close, if they wanted it."""

    __tablename__ = "check_in"
    id = Column(Integer, primary_key=True, autoincrement=True)
    conversation_id = Column(ForeignKey("conversation.id"), nullable=False, index=True)
    handover_id = Column(ForeignKey("handover.id"), nullable=False)
    step = Column(String(8), nullable=False)  # week or month
    due_at = Column(UTCDateTime, nullable=False)
    done_at = Column(UTCDateTime)
    result = Column(String(12))  # asked, stopped or not_needed
    __table_args__ = (UniqueConstraint("handover_id", "step"), Index("ix_check_in_due", "done_at", "due_at"))


class Conduct(Base):
    """What was done about abuse of the service, by whom and why. Leads review it."""

    __tablename__ = "conduct"
    id = Column(Integer, primary_key=True, autoincrement=True)
    conversation_id = Column(ForeignKey("conversation.id"), nullable=False, index=True)
    handover_id = Column(ForeignKey("handover.id"), nullable=False)
    measure = Column(String(8), nullable=False)  # warn, slow or pause
    reason = Column(Encrypted)
    by = Column(String(64), nullable=False)  # a staff id
    at = Column(UTCDateTime, nullable=False)
    minutes = Column(Integer)  # how long it is to last
    until = Column(UTCDateTime)  # null while it waits for a lead
    needs_lead = Column(Boolean, nullable=False, default=False)
    confirmed_by = Column(String(64))
    ended_at = Column(UTCDateTime)
    ended_by = Column(String(64))  # a staff id; disclosure: risk broke through


class DialogueState(Base):
    """Rasa's tracker of a conversation, sealed, so that a restart of Rasa forgets nothing."""

    __tablename__ = "dialogue_state"
    sender_id = Column(String(64), primary_key=True)
    body = Column(Encrypted, nullable=False)
    updated_at = Column(UTCDateTime, nullable=False)
