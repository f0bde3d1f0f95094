"""Commands of custody: keys, purge, export, statistics, backup and restore."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

out = Console()
err = Console(stderr=True)

# Commands import what they need when they run: `earshot --help` should stay quick.

PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="a file whose first line is the passphrase; else EARSHOT_KEYS"),
]


def register(app: typer.Typer) -> None:
    """Put the commands of custody among the others."""
    app.command("rotate-keys")(rotate_keys)
    app.command("purge")(purge)
    app.command("subject-export")(subject_export)
    app.command("statistics")(statistics)
    app.command("backup")(backup)
    app.command("restore")(restore)


def rotate_keys(
    check: Annotated[bool, typer.Option(help="only count what is still sealed with an older key")] = False,
) -> None:
    """Seal everything with the newest of EARSHOT_KEYS, while Earshot runs."""
    from bot.bootstrap import core
    from bot.custody import keys

    house = core()
    with err.status("Looking") as status:

        def progress(table: str, rows: int) -> None:
            status.update(f"{table}: {rows} rows")

        found = (
            keys.survey(house.store, progress) if check else keys.rotate(house.store, house.now(), progress)
        )
    table = Table("column", "newest key", "older key", "no key", *(() if check else ("moved now",)))
    for name, tally in sorted(found.columns.items()):
        numbers = [tally.newest, tally.older, tally.unreadable, *(() if check else (tally.moved,))]
        table.add_row(name, *map(str, numbers))
    out.print(table)
    if unreadable := found.total("unreadable"):
        out.print(f"{unreadable} values open with none of EARSHOT_KEYS. Put the missing key back.")
    if older := found.total("older"):
        told = "Run earshot rotate-keys." if check else "A process wrote with it meanwhile. Run this again."
        out.print(f"{older} values are sealed with an older key; it is still needed. {told}")
    if unreadable or older:
        raise typer.Exit(1)
    out.print("Everything is sealed with the newest key. The older ones can be taken out of EARSHOT_KEYS.")


def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="list what is due and delete nothing")] = False,
    report: Annotated[Path | None, typer.Option(help="write the report here, as JSON")] = None,
) -> None:
    """Delete what data/retention.yml says has been kept long enough. The clock does it every night."""
    from bot.bootstrap import core
    from bot.custody import purge as purging
    from bot.custody.retention import RetentionError

    house = core()
    try:
        if dry_run:
            found = list(purging.due(house, house.now()))
            table = Table("conversation", "cases", "rule", "due since", "")
            for one in found:
                told = "kept: legal hold" if one.held else ""
                table.add_row(
                    one.conversation_id, ", ".join(one.references), one.rule, f"{one.since:%Y-%m-%d}", told
                )
            out.print(table)
            held = sum(one.held for one in found)
            out.print(
                f"{len(found) - held} would be deleted, {held} kept by a legal hold. Nothing was deleted."
            )
            return
        done = purging.run_by_hand(house, house.now())
    except RetentionError as error:
        _stop(str(error))
    if report:
        _write(report, json.dumps(done.to_dict(), indent=1) + "\n")
    rows = ", ".join(f"{number} {name}" for name, number in sorted(done.rows.items())) or "none"
    out.print(f"Deleted {done.conversations} conversations with {done.cases} cases. Rows: {rows}.")
    out.print(f"Kept by a legal hold: {done.kept_by_hold}.")
    out.print(f"SHA-256 over what was deleted: {done.digest}", soft_wrap=True, highlight=False)


def subject_export(
    named: Annotated[
        str, typer.Argument(metavar="CODE|REFERENCE", help="ABC-123, or the words of a return code")
    ],
    into: Annotated[Path, typer.Option(help="folder for the two files")] = Path("."),
) -> None:
    """Everything held on one conversation, as JSON and as a page to read."""
    from bot.bootstrap import core
    from bot.custody import subject

    house = core()
    with house.uow() as uow:
        try:
            conversation = subject.find(uow, named)
        except subject.NothingHeld:
            _stop("Nothing is held under this code or reference.")
        export = subject.export_of(uow, conversation, house.now(), "operator")
        uow.commit()
    stem = into / f"earshot-{(export.references or (export.conversation_id[:8],))[0]}"
    for ending, text in (("json", export.to_json()), ("html", export.to_html())):
        path = stem.with_suffix(f".{ending}")
        _write(path, text)
        out.print(f"Written: {path}", soft_wrap=True, highlight=False)
    out.print("Check who asks, whether it is safe for them to hold it, and that it gives away nobody else.")


def statistics(
    csv: Annotated[Path | None, typer.Option("--csv", help="write the table here instead")] = None,
) -> None:
    """Counts of cases by month and area, also of those whose words are gone. None below five is shown."""
    from bot.bootstrap import core
    from bot.custody import figures

    house = core()
    with house.store.read() as uow:
        rows = figures.rows(uow)
    if csv:
        _write(csv, "".join(figures.as_csv(rows)))
        out.print(f"Written: {csv}", soft_wrap=True, highlight=False)
        return
    table = Table(*figures.COLUMNS)
    for row in rows:
        table.add_row(*(str(cell) for cell in row.told()))
    out.print(table)


def backup(
    file: Annotated[Path, typer.Argument(help="to write; it must not exist")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Back the whole database up into one sealed file, while Earshot runs."""
    from bot.bootstrap import core
    from bot.custody.archive import ArchiveError
    from bot.custody.backup import back_up

    house = core()
    try:
        manifest = back_up(house.store, file, house.now(), _passphrase(passphrase_file))
    except ArchiveError as error:
        _stop(str(error))
    size = file.stat().st_size
    out.print(
        f"{sum(manifest.rows.values())} rows, {size:,} bytes, schema {manifest.revision}.", highlight=False
    )
    if passphrase_file:
        out.print("It opens with the passphrase; what is in it needs EARSHOT_KEYS as well.")
    else:
        out.print("It opens with EARSHOT_KEYS. Keep those elsewhere: without them it is worth nothing.")


def restore(
    file: Annotated[Path, typer.Argument(help="made by earshot backup")],
    into: Annotated[str, typer.Option(help="URL of an empty database; that of the settings by default")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="read and check the whole file; write nothing")
    ] = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Put a backup into an empty database. It is read to the end and checked before anything is written."""
    from bot.bootstrap import core
    from bot.custody import restore as restoring
    from bot.custody.archive import ArchiveError
    from bot.store.uow import open_store

    house = core()
    store = house.store
    if into:
        store = open_store(house.settings.copy(update={"database_url": into}), house.content)
    try:
        if check:
            manifest = restoring.check(file, store, _passphrase(passphrase_file))
            out.print(f"Whole. Made {manifest.made_at}, schema {manifest.revision}.", highlight=False)
            return
        manifest = restoring.restore(file, store, _passphrase(passphrase_file))
        with store.write() as uow:
            uow.audit(house.now(), "operator", "restored", made_at=manifest.made_at, schema=manifest.revision)
            uow.commit()
    except ArchiveError as error:
        _stop(str(error))
    finally:
        store.engine.dispose()
    out.print(f"{sum(manifest.rows.values())} rows are back, of {manifest.made_at}.", highlight=False)
    out.print("What was deleted after that is back as well: earshot purge deletes what is due.")


def _passphrase(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        first = file.read_text(encoding="utf-8").splitlines()[:1]
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"{file} cannot be read ({type(error).__name__}).")
    if not first or len(first[0]) < 12:
        _stop(f"The first line of {file} must be a passphrase of at least 12 characters.")
    return first[0]


def _write(path: Path, text: str) -> None:
    """Readable by this user only; overwrites nothing."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _stop(f"{path} exists. Choose another name.")
    except OSError as error:
        _stop(f"{path} could not be written: {error.strerror}.")


def _stop(message: str) -> NoReturn:
    err.print(f"[red]earshot:[/] {message}", soft_wrap=True, highlight=False)
    sys.exit(1)
