"""A house with a finished case in it, and what its tests ask of the database as it lies on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import inspect, select, text
from typer.testing import CliRunner

from bot import handover, transcript
from bot.bootstrap import Core
from bot.cli import app
from bot.codes import new_code
from bot.conversation import give_code
from bot.custody.sealed import sealed_tables
from bot.messages import Channel, Sender
from bot.risk.taxonomy import About, Category, Evidence, Finding, Level
from bot.store.models import Conversation, DialogueState
from tests.standins.houses import begin_chat

#: In everything that a person says or is told in these tests, and nowhere else.
MARKER = "quiet-heron-marker"


@dataclass(frozen=True)
class Talk:
    """A conversation, its case if it has one, and the code to come back with."""

    id: str
    case: int | None
    code: str


def worry(category: Category = Category.PHYSICAL_ABUSE, level: Level = Level.HIGH) -> Finding:
    """What the detector would say."""
    found = Evidence("phrase", "hit_by_adult", f"hits me {MARKER}", 0, 10, level, (category,))
    return Finding(level, (category,), About.SELF, (found,))


@pytest.fixture
def talk(core: Core) -> Callable[..., Talk]:
    """Somebody talked some days ago; with a kind, staff had a case of it and closed it."""

    def make(
        days: float = 0,
        *,
        kind: str | None = None,
        finding: Finding | None = None,
        open_case: bool = False,
        channel: Channel = Channel.WEB,
        place: str | None = None,
        working_code: bool = False,
    ) -> Talk:
        at = core.now() - timedelta(days=days)
        with core.uow() as uow:
            row = begin_chat(
                uow,
                at,
                channel,
                wishes={"do_not_tell": [f"not my dad {MARKER}"]},
                address=f"4711-{MARKER}" if channel is Channel.TELEGRAM else None,
                place_id=place,
            )
            if working_code:
                code = give_code(uow, row)  # argon2id takes its time
            else:
                row.code = code = new_code()
            said = transcript.append(uow, row, Sender.YOU, f"he hits me {MARKER}", at)
            if finding or kind:
                seen = finding or worry()
                said.finding, said.level = seen.to_dict(), seen.level.value
            said.answered_at = at
            uow.add(DialogueState(sender_id=row.id, body=f"slots {MARKER}", updated_at=at))
            case_id = _case(uow, row, kind, finding, at, open_case) if kind else None
            row.last_at = at
            for message in uow.messages(row.id):
                message.delivered_at = at
            uow.commit()
            return Talk(row.id, case_id, code)

    return make


def _case(uow, row: Conversation, kind: str, finding: Finding | None, at: datetime, left_open: bool) -> int:
    given = (finding or worry()) if kind == handover.DISCLOSURE else finding
    opened = handover.open_handover(
        uow, row.id, now=at, kind=kind, finding=given, details={"words": f"please help {MARKER}"}
    )
    case = uow.handover(opened.handover_id)
    if not left_open:
        # As at a desk whose people are on duty; which hours these are is not what is tested here.
        worker = uow.staff()[0].id
        case.state, case.accepted_by, case.accepted_at = "accepted", worker, at
        uow.audit(at, worker, "accepted", handover=case)
        handover.close(uow, case.id, worker, f"we spoke {MARKER}", at)
    return case.id


@pytest.fixture
def raw(core: Core) -> Callable[[], dict[str, list[bytes]]]:
    """Every sealed value as it lies in the database, by ``table.column``."""

    def read() -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        with core.store.engine.connect() as connection:
            for table in sealed_tables():
                for name in table.columns:
                    values = connection.execute(select(table.raw.c[name]).select_from(table.raw)).scalars()
                    found[f"{table.name}.{name}"] = [bytes(value) for value in values if value is not None]
        return found

    return read


@pytest.fixture
def everything(core: Core) -> Callable[[], str]:
    """Every value of every table, sealed ones opened: what somebody with the keys could read."""

    def read() -> str:
        said = []
        with core.store.engine.connect() as connection:
            for name in inspect(connection).get_table_names():
                for row in connection.execute(text(f'SELECT * FROM "{name}"')):
                    for value in row:
                        if isinstance(value, bytes):
                            value = core.store.cipher.open(value)
                        said.append(str(value))
        return "\n".join(said)

    return read


@pytest.fixture
def command(core: Core, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs the earshot command on this house; gives its status and what it printed."""
    monkeypatch.setattr("bot.bootstrap.core", lambda: core)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, arguments)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    return run
