"""The directory's tables. A feed's records are documents: kept whole, with what is asked for beside them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.types import JSON

from bot.store.models import Base, UTCDateTime


class DirectorySource(Base):
    """A feed or file that services come from, and how far its import is.

    Rows of :class:`DirectoryRecord` belong to a generation. ``generation`` is the one people see;
    an import fills the next one page by page and makes it the seen one in its last transaction.
    """

    __tablename__ = "directory_source"
    id = Column(Integer, primary_key=True, autoincrement=True)
    address = Column(String(500), nullable=False, unique=True)  # of the feed, or the name of the file
    generation = Column(Integer, nullable=False, default=0)
    #: The next page of an import that was cut off; null when none is under way.
    next_page = Column(Integer)
    #: What the feed said of itself on page one; when that changes, an import starts over.
    stamp = Column(String(120))
    began_at = Column(UTCDateTime)
    finished_at = Column(UTCDateTime)


class DirectoryRecord(Base):
    """One service as its feed tells of it: a cleaned Open Referral UK record."""

    __tablename__ = "directory_record"
    id = Column(Integer, primary_key=True, autoincrement=True)
    source_id = Column(ForeignKey("directory_source.id"), nullable=False)
    generation = Column(Integer, nullable=False)
    service_id = Column(String(36), nullable=False)
    status = Column(String(20), nullable=False)
    record = Column(JSON, nullable=False)
    __table_args__ = (
        UniqueConstraint("source_id", "generation", "service_id"),
        Index("ix_directory_record_service", "service_id"),
    )


class DirectoryProblem(Base):
    """A record that could not be taken, and why. Quotes nothing of it but its id or place in the feed."""

    __tablename__ = "directory_problem"
    id = Column(Integer, primary_key=True, autoincrement=True)
    source_id = Column(ForeignKey("directory_source.id"), nullable=False)
    generation = Column(Integer, nullable=False)
    label = Column(String(200), nullable=False)
    reason = Column(String(300), nullable=False)
