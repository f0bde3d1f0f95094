"""``earshot poster``: a poster or a sheet of cards as PDF."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True)


class Size(str, Enum):
    """What is printed."""

    POSTER = "poster"
    CARDS = "cards"


def poster(
    file: Annotated[Path, typer.Argument(help="where to write the PDF", dir_okay=False)],
    door: Annotated[str, typer.Option(help="whom it is for: me, friend, parent or concern")] = "me",
    size: Annotated[Size, typer.Option(help="an A4 poster, or a sheet of ten cards")] = Size.POSTER,
    telegram: Annotated[
        bool, typer.Option(help="with Telegram's link, where TELEGRAM_BOT_NAME is set")
    ] = True,
) -> None:
    """Make a poster or cards with a QR code to the chat, for schools and surgeries."""
    from bot.bootstrap import core
    from bot.doors import UnknownSpeaker
    from bot.posters.pdf import cards_pdf, poster_pdf
    from bot.posters.poster import make_poster

    try:
        made = make_poster(core(), door, telegram=telegram)
    except UnknownSpeaker as error:
        err.print(f"[red]earshot:[/] --door is one of: {error}", soft_wrap=True, highlight=False)
        raise typer.Exit(1) from None
    file.write_bytes(poster_pdf(made) if size is Size.POSTER else cards_pdf(made))
    out.print(f"Written: {file}. It leads to {made.web.address}", soft_wrap=True, highlight=False)
    if made.drafts:
        err.print(f"A draft: no safeguarding lead has signed {', '.join(made.drafts)}.", soft_wrap=True)
    if made.overdue:
        err.print(f"Check these numbers again before printing: {', '.join(made.overdue)}.", soft_wrap=True)
