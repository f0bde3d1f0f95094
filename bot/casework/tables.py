"""The tables of casework. What staff write about a child is sealed like what the child wrote."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String
from sqlalchemy.types import JSON

from bot.store.encryption import Encrypted, EncryptedJSON
from bot.store.models import Base, UTCDateTime


class CaseNote(Base):
    """An internal note. Written once: nothing here changes or removes one (bot/casework/notes.py)."""

    __tablename__ = "case_note"
    id = Column(Integer, primary_key=True, autoincrement=True)
    handover_id = Column(ForeignKey("handover.id"), nullable=False, index=True)
    staff_id = Column(ForeignKey("staff.id"), nullable=False)
    kind = Column(String(12), nullable=False)  # bot/casework/notes.py
    at = Column(UTCDateTime, nullable=False)
    text = Column(Encrypted, nullable=False)
    detail = Column(JSON, nullable=False, default=dict)  # levels; never words


class SecondOpinion(Base):
    """A colleague who reads a case and writes notes, unseen by the person; until ``ended_at``."""

    __tablename__ = "second_opinion"
    id = Column(Integer, primary_key=True, autoincrement=True)
    handover_id = Column(ForeignKey("handover.id"), nullable=False, index=True)
    staff_id = Column(ForeignKey("staff.id"), nullable=False, index=True)
    invited_by = Column(ForeignKey("staff.id"), nullable=False)
    invited_at = Column(UTCDateTime, nullable=False)
    ended_at = Column(UTCDateTime)


class RecordVersion(Base):
    """One version of a case's safeguarding record, or what was set aside when two people wrote at once."""

    __tablename__ = "record_version"
    id = Column(Integer, primary_key=True, autoincrement=True)
    handover_id = Column(ForeignKey("handover.id"), nullable=False)
    version = Column(Integer, nullable=False)
    kind = Column(String(8), nullable=False)  # bot/casework/record.py: saved or aside
    staff_id = Column(ForeignKey("staff.id"), nullable=False)
    began_at = Column(UTCDateTime, nullable=False)
    at = Column(UTCDateTime, nullable=False)
    body = Column(EncryptedJSON, nullable=False)
    __table_args__ = (Index("ix_record_version_of", "handover_id", "kind", "version"),)


class ReplyTemplate(Base):
    """A reply template as the leads changed or added it; it stands over the reviewed file's."""

    __tablename__ = "reply_template"
    id = Column(String(48), primary_key=True)
    title = Column(Encrypted, nullable=False)
    text = Column(Encrypted, nullable=False)
    reviewed_by = Column(String(120), nullable=False, default="")
    reviewed_on = Column(String(10), nullable=False, default="")  # ISO date
    active = Column(Boolean, nullable=False, default=True)
    changed_by = Column(ForeignKey("staff.id"), nullable=False)
    changed_at = Column(UTCDateTime, nullable=False)
