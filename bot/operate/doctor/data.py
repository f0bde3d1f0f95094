"""Checks of what is stored: schema, keys, clock, purge, backups, wording, directory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from bot.bootstrap import Core
from bot.custody.archive import MAGIC
from bot.custody.keys import there
from bot.custody.retention import RetentionError, load_retention
from bot.custody.tables import PurgeRun
from bot.data_files import read_yaml
from bot.directory.library import Library
from bot.operate.doctor.finding import Finding, counted
from bot.rota import UK
from bot.settings import ROOT
from bot.signoff import unsigned
from bot.store.audit import seal_of
from bot.store.migrate import is_current
from bot.store.models import AuditEntry, AuditHead, Conversation

#: Rows of each table, oldest and newest, whose seals are tried.
SAMPLE = 50
#: Sealed by Rasa alone, which may have a key of its own: no newest key to compare with.
_OF_RASA = "dialogue_state"
#: How far two clocks may be apart. Codes of a second factor change every 30 seconds.
CLOCK = timedelta(seconds=30)
#: Daily, and somewhat late.
BACKUP_AGE, PURGE_AGE = timedelta(hours=26), timedelta(hours=50)


def database(house: Core) -> Iterator[Finding]:
    """The database answers and has the newest schema."""
    try:
        if not is_current(house.store):
            yield Finding(
                "The database has not the newest schema.", "earshot migrate, then start everything again."
            )
    except SQLAlchemyError as error:
        yield Finding(
            f"The database cannot be used ({type(error).__name__}).",
            "Is it running, is EARSHOT_DATABASE_URL right, and may this user use it?",
        )


def keys(house: Core) -> Iterator[Finding]:
    """What is stored opens with the keys of the settings. A sample; rotate-keys --check looks at all."""
    closed = older = 0
    with house.store.engine.connect() as connection:
        for table in there(connection):
            columns = [table.raw.c[name] for name in table.columns]
            for newest_first in (False, True):
                order = [column.desc() if newest_first else column for column in table.key_columns]
                for row in connection.execute(select(*columns).order_by(*order).limit(SAMPLE)):
                    used = [house.store.cipher.sealed_with(value) for value in row if value is not None]
                    closed += None in used
                    older += table.name != _OF_RASA and any(used)
    if closed:
        yield Finding(
            "Something that is stored opens with none of EARSHOT_KEYS.",
            "Put the missing key back at the end of EARSHOT_KEYS. earshot rotate-keys --check counts.",
        )
    if older:
        yield Finding(
            "Something is still sealed with an older key.",
            "earshot rotate-keys, then take the old one out.",
            False,
        )


def lookup_key(house: Core) -> Iterator[Finding]:
    """The look-up key is the one the database was made with: the end of the audit log bears its seal."""
    with house.store.read() as uow:
        head = uow.session.get(AuditHead, 1)
        if head and head.entries and head.seal != seal_of(uow.cipher, head.entries, head.hash):
            yield Finding(
                "EARSHOT_LOOKUP_KEY is not the one this database knows, or the audit log was changed.",
                "Put the old value back: return codes, Telegram chats and sign-ins are found by it. "
                "Then earshot audit verify.",
            )


def clock(house: Core) -> Iterator[Finding]:
    """This machine's time is not behind what is stored, and agrees with the database's."""
    with house.store.read() as uow:
        stored = [
            uow.session.scalar(select(func.max(column)))
            for column in (AuditEntry.at, Conversation.last_at, Conversation.created_at)
        ]
        times = [aware(one) for one in stored if one is not None]
        if house.store.engine.dialect.name == "postgresql":
            told = aware(uow.session.scalar(text("SELECT clock_timestamp()")))
            if abs(told - house.now()) > CLOCK:
                yield Finding("The clocks of this machine and of the database differ.", "Set both by NTP.")
    if times and max(times) > house.now() + CLOCK:
        yield Finding(
            "Something is stored with a time that is yet to come.", "Set this machine's clock by NTP."
        )


def purge(house: Core) -> Iterator[Finding]:
    """The nightly purge runs."""
    with house.store.read() as uow:
        last = uow.session.scalar(select(func.max(PurgeRun.finished_at)))
        first = uow.session.scalar(select(func.min(Conversation.created_at)))
    since = last or first
    if since and house.now() - aware(since) > PURGE_AGE:
        yield Finding(
            "What is due was not deleted for more than two days.",
            "The gateway does it at night: keep it running. Now: earshot purge.",
        )


def retention(house: Core) -> Iterator[Finding]:
    """Somebody signed how long things are kept."""
    try:
        signed = load_retention().signed
    except RetentionError as error:
        yield Finding(f"The rules of retention cannot be used. {error}", "Correct data/retention.yml.")
        return
    if not signed:
        yield Finding(
            "Nobody has signed how long things are kept.",
            "Whoever answers for data protection signs data/retention.yml.",
            house.settings.mode == "production",
        )


def backups(house: Core) -> Iterator[Finding]:
    """The newest backup is young."""
    folder = house.settings.backup_folder
    if not folder:
        if house.settings.mode == "production":
            yield Finding(
                "Nobody knows here how old the newest backup is.", "Set EARSHOT_BACKUP_FOLDER.", False
            )
        return
    try:
        made = [
            path.stat().st_mtime for path in Path(folder).iterdir() if path.is_file() and _is_backup(path)
        ]
    except OSError as error:
        yield Finding(
            f"The folder of backups cannot be read ({error.strerror}).", "Correct EARSHOT_BACKUP_FOLDER."
        )
        return
    age = house.now() - datetime.fromtimestamp(max(made, default=0), timezone.utc)
    if age > BACKUP_AGE:
        told = "There is no backup." if not made else f"The newest backup is {age.days} days old."
        yield Finding(told, "earshot backup FILE; deploy/systemd/earshot-backup.timer does it at night.")


def wording(house: Core) -> Iterator[Finding]:
    """Somebody signed what a child's safety hangs on."""
    drafts = len(unsigned(house.content, ROOT / "data", safety_only=True))
    if drafts:
        yield Finding(
            f"Of the wordings, numbers and phrases that safety hangs on, {drafts} are unsigned.",
            "The safeguarding lead reads and signs them: earshot drafts --safety, data/README.md.",
            house.settings.mode == "production",
        )


def directory(house: Core) -> Iterator[Finding]:
    """Services and numbers were checked lately."""
    today = house.now().astimezone(UK).date()
    library = Library(house)
    overdue = sum(service.overdue(today) for service in library.directory())
    if overdue:
        yield Finding(
            f"{counted(overdue, 'service is', 'services are')} overdue for checking.",
            "earshot directory check lists them.",
            house.settings.mode == "production",  # a demonstration has one, to show how that looks
        )
    if problems := len(library.problems()):
        yield Finding(
            f"{counted(problems, 'record', 'records')} of a feed could not be taken.",
            "earshot directory check names the reasons; tell whoever keeps the feed.",
        )
    if numbers := overdue_numbers(ROOT / "data" / "responses" / "numbers.yml", today):
        yield Finding(
            f"{counted(numbers, 'helpline is', 'helplines are')} overdue for checking.",
            "Ring each, then put the date into data/responses/numbers.yml.",
        )


def overdue_numbers(file: Path, today: date) -> int:
    """How many helplines of a file should have been checked before today."""
    services = read_yaml(file)["services"]
    return sum(date.fromisoformat(str(one["check_by"])) < today for one in services)


def aware(at: datetime) -> datetime:
    """A stored time with its zone; SQLite forgets it."""
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


def _is_backup(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
