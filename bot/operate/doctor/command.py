"""``earshot doctor`` and ``earshot settings``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

out = Console()
err = Console(stderr=True)

# Commands import what they need when they run: `earshot --help` should stay quick.


def register(app: typer.Typer) -> None:
    """Put the commands among the others."""
    app.command("doctor")(doctor)
    app.command("settings")(settings)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="what was found, as a program reads it")] = False,
) -> None:
    """Say what is not right here, and what to do about it; ends with 1 if anything is."""
    from bot.areas.authorities import AreaDataError
    from bot.bootstrap import core
    from bot.content import ContentError
    from bot.operate.doctor.finding import Finding
    from bot.settings import SettingsError

    try:
        house = core()
    except (SettingsError, ContentError, AreaDataError) as error:
        found = [("start", Finding(str(error), "Nothing else can be checked before that."))]
    else:
        found = list(examine(house))
        house.store.engine.dispose()
    wrong = [(name, one) for name, one in found if one.wrong]
    if as_json:
        rows = [{"check": n, "what": f.what, "remedy": f.remedy, "wrong": f.wrong} for n, f in found]
        out.print_json(json.dumps(rows))
    else:
        _print(found)
        told = f"{len(wrong)} not right." if wrong else "Everything that can be checked from here is right."
        out.print(told, highlight=False)
    raise typer.Exit(bool(wrong))


def examine(house: Any, checks: Sequence[Any] | None = None) -> Iterator[tuple[str, Any]]:
    """Run the checks, in order; those of the database only when it can be used.

    Yields ``(check, finding)``. A check that fails is a finding itself, by the kind of its error.
    """
    from bot.operate.doctor import data
    from bot.operate.doctor.finding import Finding

    usable = not [*data.database(house)]
    for name, needs_database, check in checks or all_checks():
        if needs_database and not usable:
            continue
        try:
            yield from ((name, finding) for finding in check(house))
        except Exception as error:  # noqa: BLE001 - one broken part must not hide the others
            yield (
                name,
                Finding(f"This could not be checked ({type(error).__name__}).", "Mend the rest first."),
            )


def all_checks() -> list[tuple[str, bool, Any]]:
    """``(name, whether it needs the database, check)``."""
    from bot.operate.doctor import data, parts, people, settings, way_in

    here = [
        *(settings.names, settings.safe_to_start, settings.fits_together, settings.inner_addresses),
        *(settings.logo, data.database, parts.processes, parts.reachable_from_outside, parts.model),
        *(parts.encoders, parts.postcodes, parts.disk, way_in.public_address, way_in.certificate),
        *(data.backups, data.wording, data.retention),
    ]
    stored = [
        *(data.keys, data.lookup_key, data.clock, data.purge, data.directory, people.duty, people.leads),
        *(people.mail, people.alert_addresses, people.failed_alerts),
    ]
    return [
        (one.__name__.replace("_", " "), needs, one)
        for needs, some in ((False, here), (True, stored))
        for one in some
    ]


def settings(
    as_json: Annotated[bool, typer.Option("--json", help="as a program reads it")] = False,
) -> None:
    """List every setting: its variable, type, default, meaning, and whether it is secret."""
    from bot.settings import described

    rows = described()
    if as_json:
        out.print_json(json.dumps([row._asdict() for row in rows]))
        return
    table = Table(Column("variable", no_wrap=True), "type", "default", "secret", "meaning")
    for row in rows:
        table.add_row(row.variable, row.type, row.default, "secret" if row.secret else "", row.meaning)
    out.print(table)


def _print(found: Sequence[tuple[str, Any]]) -> None:
    for name, one in found:
        mark = "[red]✗[/]" if one.wrong else "[yellow]·[/]"
        out.print(f"{mark} [bold]{name}[/]  ", end="", highlight=False)
        out.print(one.what, markup=False, highlight=False, soft_wrap=True)
        out.print(f"    → {one.remedy}", markup=False, highlight=False, soft_wrap=True)
