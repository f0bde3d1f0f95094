"""``earshot sbom`` and ``earshot held-back``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

out = Console()

# Commands import what they need when they run: `earshot --help` should stay quick.


def register(app: typer.Typer) -> None:
    """Put the commands among the others."""
    app.command("sbom")(sbom)
    app.command("held-back")(held_back)


def sbom(
    file: Annotated[Path | None, typer.Argument(help="where to write it; else it is printed")] = None,
) -> None:
    """Write the bill of materials: every locked package, as CycloneDX JSON."""
    from bot.operate.supply.bill import bill

    text = bill()
    if file is None:
        sys.stdout.write(text)
        return
    file.write_text(text, encoding="utf-8")
    out.print(f"Written: {file}", soft_wrap=True, highlight=False)


def held_back() -> None:
    """List the packages that Rasa's own requirements keep at an old release."""
    from bot.operate.supply.held_back import table

    out.print(table(), markup=False, highlight=False, soft_wrap=True)
