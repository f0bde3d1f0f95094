"""The deploying body's look on public pages: a small style sheet and its logo, from our own origin."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.bootstrap import Core
from bot.channels.problems import Problem
from bot.look import look_of

#: A picture opened by itself may do nothing at all.
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def routes(core: Core) -> list[Route]:
    """The generated style sheet and the logo; 404 while there is nothing of the body's own.

    Raises:
        SettingsError: a colour or a logo that must not be used; at the start, not at the first page.
    """
    look = look_of(core.settings)

    async def theme(_request: Request) -> Response:
        if not look.changed:
            raise Problem(404, "problem_not_found")
        return Response(look.style_sheet(), media_type="text/css")

    async def logo(_request: Request) -> Response:
        if look.logo is None:
            raise Problem(404, "problem_not_found")
        headers = {"Content-Security-Policy": PICTURE_POLICY}
        return Response(look.logo.content, media_type=look.logo.media_type, headers=headers)

    return [Route("/theme.css", theme), Route("/logo", logo)]
