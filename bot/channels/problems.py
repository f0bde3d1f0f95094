"""Errors as RFC 9457 problem JSON whose ``detail`` a person can read, and always the emergency line."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.content import Content
from bot.conversation import (
    EmptyMessage,
    MessageTooLong,
    NoSuchConversation,
    UnknownChoice,
)
from bot.doors import DOORS, UnknownSpeaker

log = structlog.get_logger(__name__)


class Problem(Exception):
    """A request that cannot be served. ``words`` names a response in ``data/responses``.

    ``extra`` are members of the problem that a program reads.
    """

    def __init__(
        self, status: int, words: str, *, extra: Mapping[str, Any] | None = None, **values: str
    ) -> None:
        super().__init__(words)
        self.extra = dict(extra or {})
        self.status = status
        self.words = words
        self.values = values


#: Errors of the core and what they are at the edge. The only place where they meet HTTP.
_FROM_CORE: dict[type[Exception], tuple[int, str]] = {
    NoSuchConversation: (401, "problem_no_session"),
    EmptyMessage: (422, "utter_empty"),
    MessageTooLong: (413, "utter_too_long"),
    UnknownChoice: (422, "problem_unknown_choice"),
    UnknownSpeaker: (422, "problem_unknown_speaker"),
}
_FROM_STATUS = {404: "problem_not_found", 405: "problem_wrong_method"}


def problem_of(error: Exception) -> Problem:
    """What an error is at the edge: a status, and words that a person can read."""
    if isinstance(error, Problem):
        return error
    if type(error) in _FROM_CORE:
        status, words = _FROM_CORE[type(error)]
        return Problem(status, words, speakers=", ".join(names[0] for _, names in DOORS.values()))
    return Problem(503 if isinstance(error, SQLAlchemyError) else 500, "problem_down")


def problem_response(content: Content, problem: Problem) -> JSONResponse:
    """A problem as JSON, with the emergency line."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": content.say(problem.words, **problem.values),
        "emergency": content.say("utter_emergency_line"),
        **problem.extra,
    }
    headers = {"Cache-Control": "no-store"}
    return JSONResponse(body, problem.status, headers, media_type="application/problem+json")


def handlers(content: Content) -> dict[object, object]:
    """Exception handlers for a Starlette application."""

    async def on_problem(_request: Request, error: Problem) -> Response:
        return problem_response(content, error)

    async def on_core(_request: Request, error: Exception) -> Response:
        return problem_response(content, problem_of(error))

    async def on_http(_request: Request, error: HTTPException) -> Response:
        words = _FROM_STATUS.get(error.status_code, "problem_not_json")
        return problem_response(content, Problem(error.status_code, words))

    async def on_database(_request: Request, error: SQLAlchemyError) -> Response:
        log.error("database_unavailable", error=type(error).__name__)
        return problem_response(content, problem_of(error))

    async def on_anything(_request: Request, error: Exception) -> Response:
        # The type only: the message of an unforeseen error may quote what a person wrote.
        log.error("unforeseen_error", error=type(error).__name__)
        return problem_response(content, problem_of(error))

    return {
        Problem: on_problem,
        HTTPException: on_http,
        SQLAlchemyError: on_database,
        Exception: on_anything,
        **{kind: on_core for kind in _FROM_CORE},
    }
