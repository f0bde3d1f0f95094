"""The description of the public interface, for programs: ``GET /openapi.json``, OpenAPI 3.1.

It is written by hand in ``openapi.yml``; ``tests/attacks/test_openapi.py`` holds it against the routes and
against what they really answer.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.data_files import read_yaml

_FILE = Path(__file__).with_name("openapi.yml")


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """The description as it is published."""
    return read_yaml(_FILE)


def routes() -> list[Route]:
    """``/openapi.json``, open to read for every website."""

    async def published(_request: Request) -> Response:
        open_to_all = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
        return JSONResponse(description(), headers=open_to_all)

    return [Route("/openapi.json", published)]
