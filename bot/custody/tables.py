"""The tables of custody: counts that survive what they counted, and each run of the purge. No words."""

from __future__ import annotations

from sqlalchemy import Column, Date, Integer, String, UniqueConstraint
from sqlalchemy.types import JSON

from bot.store.models import Base, UTCDateTime


class CaseCount(Base):
    """How many cases of a month were of a kind, at a level, in an area (see :mod:`bot.custody.counts`).

    ``measure`` says what ``value`` is: a category, a time until somebody accepted, or just "case".
    """

    __tablename__ = "case_count"
    id = Column(Integer, primary_key=True, autoincrement=True)
    month = Column(String(7), nullable=False)  # of opening, UK time: 2026-11
    area = Column(String(64), nullable=False)  # empty: nobody told
    kind = Column(String(16), nullable=False)  # of handover, or "conversation" where there was none
    level = Column(String(12), nullable=False)
    measure = Column(String(16), nullable=False)
    value = Column(String(40), nullable=False)
    count = Column(Integer, nullable=False)
    __table_args__ = (UniqueConstraint("month", "area", "kind", "level", "measure", "value"),)


class PurgeRun(Base):
    """One run of the purge. ``day`` is unique: of several gateways, one runs it that day."""

    __tablename__ = "purge_run"
    id = Column(Integer, primary_key=True, autoincrement=True)
    day = Column(Date, unique=True)  # UK day; none when an operator ran it
    actor = Column(String(64), nullable=False)  # clock or operator
    began_at = Column(UTCDateTime, nullable=False)
    claimed_until = Column(UTCDateTime, nullable=False)  # then another may take it up: this one died
    finished_at = Column(UTCDateTime)
    conversations = Column(Integer, nullable=False, default=0)
    cases = Column(Integer, nullable=False, default=0)
    kept_by_hold = Column(Integer, nullable=False, default=0)
    rows = Column(JSON, nullable=False, default=dict)  # table name: rows deleted
    digest = Column(String(64), nullable=False, default="")  # SHA-256 of the digests in the audit log
