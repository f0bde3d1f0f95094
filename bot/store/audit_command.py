"""``earshot audit``: checks that nobody tampered with the audit log."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(help="The audit log.", no_args_is_help=True)
out = Console()
err = Console(stderr=True)

#: Breaks named one by one; of more, the number.
_SHOWN = 20
_WORDS = {
    "changed": "entry {entry} ({at}): its content was changed",
    "unlinked": "entry {entry} ({at}): what went before it was removed, moved or slipped in",
    "cut_off": "the end: entries were cut off, or more are there than were written",
    "unsealed": "the seal of the log does not fit. Was EARSHOT_LOOKUP_KEY changed?",
    "unknown": "the hash that was noted down is not in the log",
}


@app.callback()
def _audit() -> None:
    """The audit log. (With one command only, typer would leave its name out.)"""


@app.command()
def verify(
    known: Annotated[
        str | None, typer.Option(help="a hash noted down earlier, which must still be in the log")
    ] = None,
) -> None:
    """Walk the whole audit log and name every place where it is not what was written."""
    from bot.bootstrap import core
    from bot.store.audit import verify as verify_log

    house = core()
    with house.store.read() as uow:
        verdict = verify_log(uow.session, house.store.cipher, known)
    for found in verdict.breaks[:_SHOWN]:
        at = f"{found.at:%Y-%m-%d %H:%M:%S} UTC" if found.at else ""
        err.print(_WORDS[found.what].format(entry=found.entry, at=at), markup=False, soft_wrap=True)
    if not verdict.whole:
        err.print(
            f"The audit log was tampered with: {len(verdict.breaks)} places. Keep a copy of the database."
        )
        raise typer.Exit(1)
    out.print(f"{verdict.entries} entries, none changed, removed or moved.")
    out.print(f"Last hash, worth noting down elsewhere: {verdict.hash}", soft_wrap=True, highlight=False)
