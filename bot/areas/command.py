"""``earshot areas``: build the list of postcodes, and look one up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(help="Postcodes and who runs children's services where.", no_args_is_help=True)

# Commands import what they need when they run: `earshot --help` should stay quick.


@app.command()
def build() -> None:
    """Make the list of the UK's postcodes, if it is not there."""
    from bot.areas.table import TableError

    console = Console(stderr=True)
    try:
        build_with_bar(console)
    except (TableError, OSError) as error:
        console.print(f"[red]earshot:[/] {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(1) from None
    console.print("[green]✓[/] postcodes")


@app.command()
def find(
    place: Annotated[list[str], typer.Argument(help="a postcode, half of one, or the name of a place")],
    as_json: Annotated[bool, typer.Option("--json", help="the answer as a program reads it")] = False,
) -> None:
    """Say who runs children's services at a postcode or place."""
    from bot.areas.authorities import AreaDataError
    from bot.areas.describe import describe, words
    from bot.areas.finder import Areas
    from bot.areas.table import TableError
    from bot.content import Content, ContentError
    from bot.settings import ROOT

    out, err = Console(), Console(stderr=True)
    try:
        areas = Areas.open()
        if areas.problem:
            err.print(areas.problem, markup=False, soft_wrap=True, highlight=False)
        answer = areas.look_up(" ".join(place))
        if as_json:
            out.print_json(json.dumps(describe(answer)))
            return
        name, values = words(answer)
        out.print(Content.load(ROOT / "data").say(name, **values), markup=False, highlight=False)
    except (AreaDataError, ContentError, TableError) as error:
        err.print(f"[red]earshot:[/] {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(1) from None
    for area in answer.areas[:10]:
        district = f"{area.district.name} ({area.district.code})" if area.district else "several districts"
        out.print(
            f"{district} · {area.authority.name} ({area.authority.code}) · {area.nation}",
            markup=False,
            highlight=False,
        )


def set_up(console: Console) -> bool:
    """The step of ``earshot setup``: build the list of postcodes, or say why not and go on without it.

    Returns:
        Whether postcodes can be looked up from now on.
    """
    from bot.areas.table import TableError

    try:
        build_with_bar(console)
    except (TableError, OSError) as error:
        console.print(
            f"[yellow]![/] Postcode look-up is not set up; names of places still work. {error} "
            "Later: earshot areas build",
            soft_wrap=True,
            highlight=False,
        )
        return False
    console.print("[green]✓[/] postcodes")
    return True


def build_with_bar(console: Console) -> Path:
    """Build the list of postcodes behind a progress bar; returns where it is.

    Raises:
        TableError: it could not be fetched, or a file is not what it should be.
        OSError: the cache cannot be written.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from bot.areas.build import ensure_table

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(step: str, done: int, total: int) -> None:
            # A step of one part has nothing to count: the bar moves instead of standing at zero.
            bar.update(task, description=step, completed=done, total=total if total > 1 else None)

        return ensure_table(progress=show)
