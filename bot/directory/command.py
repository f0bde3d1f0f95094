"""``earshot directory``: import feeds, export the directory, list what has to be looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(help="The directory of services.", no_args_is_help=True)

# Commands import what they need when they run: `earshot --help` should stay quick.

#: Broken records named on the screen; all of them are kept for `check`.
_NAMED = 20


@app.command("import")
def import_(
    feed: Annotated[
        str, typer.Argument(help="address of an Open Referral UK feed (v3 or v1), or a file of one")
    ],
) -> None:
    """Take in a feed. Run it again if it was cut off: it goes on from there."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from bot.bootstrap import core
    from bot.directory.feed import FeedError, open_feed
    from bot.directory.importer import import_feed
    from bot.store.migrate import migrate

    out, err = Console(), Console(stderr=True)
    house = core()
    migrate(house.store)
    columns = (TextColumn("pages"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task("", total=None)
            done = import_feed(
                house.store,
                open_feed(feed),
                house.now,
                lambda pages, total: bar.update(task, completed=pages, total=total),
            )
    except FeedError as error:
        err.print(f"[red]earshot:[/] {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(1) from None
    out.print(f"{done.services} services{' (taken up where it was cut off)' if done.resumed else ''}.")
    if done.announced and done.announced > done.services + len(done.problems):
        out.print(f"The feed announced {done.announced}; it did not send them all.")
    if done.problems:
        out.print(f"{len(done.problems)} records could not be taken:")
        for label, reason in done.problems[:_NAMED]:
            out.print(f"  {label}: {reason}", markup=False, highlight=False)
        if len(done.problems) > _NAMED:
            out.print("  … earshot directory check lists them all.")


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="where to write it, as JSON")],
) -> None:
    """Write the directory as one page of an Open Referral UK feed, which import reads again."""
    from bot.bootstrap import core
    from bot.directory.library import Library

    records = Library(core()).records()
    page = {
        "total_items": len(records),
        "total_pages": 1,
        "page_number": 1,
        "size": len(records),
        "first_page": True,
        "last_page": True,
        "empty": not records,
        "contents": records,
    }
    file.write_text(json.dumps(page, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    Console().print(f"{len(records)} services in {file}.")


@app.command()
def check() -> None:
    """List services overdue for checking and records not taken; ends with 1 if there are any."""
    from bot.bootstrap import core
    from bot.directory.library import Library

    out = Console()
    library = Library(core())
    today = core().now().date()
    overdue = [service for service in library.directory() if service.overdue(today)]
    if overdue:
        table = Table("service", "last checked", "check by", "where it stands")
        for service in sorted(overdue, key=lambda s: (str(s.check_by or ""), s.name)):
            table.add_row(service.name, _day(service.checked_on), _day(service.check_by), service.source)
        out.print(table)
    problems = library.problems()
    for address, label, reason in problems:
        out.print(f"{address}: {label}: {reason}", markup=False, highlight=False, soft_wrap=True)
    out.print(
        f"{len(library.directory())} services, {len(overdue)} overdue, {len(problems)} records not taken.",
        highlight=False,
    )
    raise typer.Exit(bool(overdue or problems))


def _day(value: object) -> str:
    return str(value or "never")
