"""The page of reply templates: everybody with casework reads them, leads change them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.casework import replies
from bot.casework.replies import BadTemplate, Reply
from bot.rota import LEAD


def replies_page(request: Request) -> Response:
    """All of them."""
    return _show(request)


def save_reply(request: Request) -> Response:
    """Change a template, add one, take one out of use, or bring it back."""
    desk, me, form = request.app.state.desk, request.state.me, request.state.form
    reply = Reply(
        id=form.get("id", ""),
        title=form.get("title", "").strip(),
        text=form.get("text", "").strip(),
        reviewed_by=form.get("reviewed_by", "").strip(),
        reviewed_on=form.get("reviewed_on", "").strip(),
        active=form.get("remove") != "1",
    )
    with desk.core.uow() as uow:
        try:
            replies.save(uow, reply, me.staff_id, desk.core.now())
        except BadTemplate as error:
            return _show(request, 422, problem=error.problem, typed=reply)
        uow.commit()
    return RedirectResponse("/desk/replies?saved=1", 303)


def _show(request: Request, status: int = 200, problem: str = "", typed: Reply | None = None) -> Response:
    desk, me = request.app.state.desk, request.state.me
    with desk.core.store.read() as uow:
        found = replies.replies(uow, removed=True)
    return desk.render(
        request,
        "replies.html",
        status,
        replies=[typed if typed and typed.id == one.id else one for one in found],
        problem=problem,
        typed=typed,
        may_change=me.role == LEAD,
        placeholders=replies.PLACEHOLDERS,
        saved=request.query_params.get("saved") == "1",
        max_title=replies.MAX_TITLE,
        max_text=replies.MAX_TEXT,
    )
