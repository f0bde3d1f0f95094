"""Several chats side by side: up to three of one's own cases, each a column that can be written in."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response

from bot.casework import replies
from bot.desk.case import columns, placeholders
from bot.desk.case_view import CaseView, Line, case_view, lines
from bot.desk.queries import unanswered
from bot.desk.queue import board
from bot.messages import MAX_TEXT

#: Columns that a wide screen has room for.
COLUMNS = 3


def side_page(request: Request) -> Response:
    """``?cases=3,5`` names the columns; without it they are the first of one's own."""
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    with desk.core.store.read() as uow:
        current = board(uow, me, now)
    own = {row.id: row for row in current.mine}
    shown = [one for one in columns(request) if one in own][:COLUMNS] or list(own)[:COLUMNS]
    arrived = [one for one in shown if desk.presence.seen(one, me.staff_id)]
    with desk.core.uow() as uow:
        for case_id in shown:
            uow.audit(now, me.staff_id, "read", handover=uow.handover(case_id))
        uow.commit()
    with desk.core.store.read() as uow:
        panes: list[tuple[CaseView, list[Line], str]] = []
        for case_id in shown:
            view = case_view(uow, uow.handover(case_id), me, current.rota)
            panes.append((view, lines(uow, view.conversation), secrets.token_urlsafe(12)))
        waiting_for_me = unanswered(uow, (row.conversation_id for row in current.mine))
        myself = uow.staff_member(me.staff_id)
        values = placeholders(desk.core.settings.body_name, myself.name, myself.job_title)
        ready = [(reply, reply.filled(values)) for reply in replies.replies(uow)]
    response = desk.render(
        request,
        "side.html",
        board=current,
        panes=panes,
        shown=shown,
        columns=COLUMNS,
        unanswered=waiting_for_me,
        replies=ready,
        draft={},
        problem="",
        by="",
        looking=[],
        max_text=MAX_TEXT,
    )
    for case_id in arrived:
        desk.changes.changed(own[case_id].conversation_id)
    return response
