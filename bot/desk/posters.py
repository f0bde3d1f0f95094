"""Posters and cards with a QR code to the chat: looked at, printed or saved, by leads and administrators."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bot.doors import UnknownSpeaker
from bot.posters.pdf import SHEET, cards_pdf, poster_pdf
from bot.posters.poster import DOOR_NAMES, Poster, make_poster

#: What can be printed.
SIZES = ("poster", "cards")


def posters_page(request: Request) -> Response:
    """``?door=&size=&telegram=``: the paper as it will be printed, and the choice."""
    desk = request.app.state.desk
    made, size = _asked(request)
    return desk.render(
        request,
        "posters.html",
        poster=made,
        size=size,
        doors=DOOR_NAMES,
        cards=SHEET[0] * SHEET[1],
        telegram_set=bool(desk.core.settings.telegram_bot_name),
    )


def poster_file(request: Request) -> Response:
    """The same as PDF."""
    made, size = _asked(request)
    content = poster_pdf(made) if size == "poster" else cards_pdf(made)
    name = f'inline; filename="{size}-{made.door}.pdf"'
    return Response(content, media_type="application/pdf", headers={"Content-Disposition": name})


def _asked(request: Request) -> tuple[Poster, str]:
    desk, query = request.app.state.desk, request.query_params
    size = query.get("size", "")
    with_telegram = query.get("telegram", "1") != "0"
    try:
        made = make_poster(desk.core, query.get("door", DOOR_NAMES[0]), telegram=with_telegram)
    except UnknownSpeaker:
        made = make_poster(desk.core, DOOR_NAMES[0], telegram=with_telegram)
    return made, size if size in SIZES else SIZES[0]
