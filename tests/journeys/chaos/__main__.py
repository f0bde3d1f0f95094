"""Run every fault and write the table into ``docs/safety_case.md``: ``make faults``.

``--only KEY …`` runs some of them and prints, without writing. Ends with 1 when anything was lost or doubled.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from bot.settings import ROOT
from tests.journeys.chaos import faults_server
from tests.journeys.chaos.faults import FAULTS, Fault
from tests.journeys.chaos.house import ChaosHouse
from tests.journeys.chaos.person import Row
from tests.standins import postgres
from tests.standins.mailbox import Mailbox
from tests.standins.slow_line import SlowLine
from tests.standins.telegram_api import TelegramApi

DOCUMENT = ROOT / "docs" / "safety_case.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
#: How the words came to the person.
WAYS = {"reply": "reply", "error": "error answer", "page": "the open page", "chat": "the chat so far"}


@contextmanager
def opened(folder: Path, database_url: str = "") -> Iterator[ChaosHouse]:
    """A running house with mail and Telegram beside it."""
    mailbox = Mailbox()
    mailbox.open()
    with TelegramApi() as telegram:
        house = ChaosHouse(folder, telegram, mailbox, database_url)
        try:
            house.open()
            yield house
        finally:
            house.close()
            mailbox.close()


def rows_of(house: ChaosHouse, faults: Iterable[Fault], tell: Callable[[str], object]) -> Iterator[Row]:
    """Break one thing after the other."""
    for fault in faults:
        began = time.monotonic()
        try:
            row = fault.run(house)
        except AssertionError as error:
            row = Row(fault.key, "", "none", 0.0, 0, 0, 0, str(error)[:200], kept=False)
        tell(f"{'kept' if row.kept else 'LOST'} {fault.key} {row} ({time.monotonic() - began:.0f} s)\n")
        yield row


def table(rows: list[Row], seconds: float) -> str:
    """The rows in Markdown, with date and duration."""
    kept = sum(row.kept for row in rows)
    lines = [
        f"Run on {date.today():%d %B %Y} in {seconds / 60:.0f} minutes by `make faults`: "
        f"{kept} of {len(rows)} faults with nothing lost and nothing doubled.",
        "",
        "| fault | when | words and numbers by | stored | answered | cases | alarm | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        way = WAYS.get(row.words, "nothing")
        by = f"{way}, {row.seconds:.1f} s" if row.seconds else way
        result = "kept" if row.kept else "**not kept**"
        counts = f"{row.stored} | {row.answered} | {row.handovers} | {row.alarms}"
        lines.append(f"| {row.fault} | {row.when} | {by} | {counts} | {result} |")
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the table into the safety case, between its two marks."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.chaos", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY")
    only = parser.parse_args(arguments).only
    wanted = [fault for fault in FAULTS if not only or fault.key in only]
    began, rows, tell = time.monotonic(), [], sys.stderr.write
    folder = Path(tempfile.mkdtemp(prefix="earshot-chaos-"))
    try:
        if wanted:
            (folder / "file").mkdir()
            with opened(folder / "file") as house:
                rows += rows_of(house, wanted, tell)
        rows += _on_a_server(folder / "server", only, tell)
        text = table(rows, time.monotonic() - began)
        sys.stdout.write(f"{text}\n")
        if not only:
            write(text)
        elif not all(row.kept for row in rows):
            tell(f"logs: {folder}\n")
            return 1
    finally:
        if all(row.kept for row in rows):
            shutil.rmtree(folder, ignore_errors=True)
    return int(not all(row.kept for row in rows))


def _on_a_server(folder: Path, only: list[str], tell: Callable[[str], object]) -> list[Row]:
    """The faults that need PostgreSQL.

    Raises:
        SystemExit: it is not installed.
    """
    keys = {"gone", "read-only", "slow"}
    if only and not any(key.rpartition("-")[0] in keys for key in only):
        return []
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    folder.mkdir()
    with postgres.running() as server:
        line = SlowLine(server.port)
        line.open()
        faults = faults_server.faults(server, line)
        wanted = [fault for fault in faults if not only or fault.key in only]
        url = f"postgresql://earshot@127.0.0.1:{line.port}/postgres"
        try:
            with opened(folder, url) as house:
                return list(rows_of(house, wanted, tell))
        finally:
            line.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
