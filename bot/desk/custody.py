"""For leads: legal holds, everything held on one conversation, and figures that outlive what they count."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bot.custody import figures, subject
from bot.custody.counts import counts
from bot.custody.hold import BadReason, NothingToHold, hold, lift
from bot.custody.purge import last_runs
from bot.custody.retention import retention
from bot.desk.case import BadForm, act_on, visible_case
from bot.rota import UK
from bot.store.uow import UnitOfWork


def put_on_hold(request: Request) -> Response:
    """Keep a case whatever the rules say."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        now = request.app.state.desk.core.now()
        try:
            hold(uow, uow.handover(case_id), staff_id, form.get("hold_reason", ""), now)
        except BadReason as error:
            raise BadForm(error.problem) from None
        except NothingToHold:
            raise BadForm("nothing_held") from None

    return act_on(request, act, then="#custody")


def lift_hold(request: Request) -> Response:
    """Let the rules count again."""

    def act(uow: UnitOfWork, case_id: int, staff_id: str, form: dict[str, str]) -> None:
        lift(uow, uow.handover(case_id), staff_id, request.app.state.desk.core.now())

    return act_on(request, act, then="#custody")


def export_subject(request: Request) -> Response:
    """Everything held on the conversation of a case, as a file to read or as JSON."""
    desk, me = request.app.state.desk, request.state.me
    with desk.core.uow() as uow:
        case = visible_case(uow, request)
        conversation = uow.conversation(case.conversation_id)
        if conversation is None or conversation.purged_at:
            return desk.render(request, "problem.html", 409, problem="nothing_held")
        export = subject.export_of(uow, conversation, desk.core.now(), me.staff_id)
        uow.commit()
    as_json = request.state.form.get("form") == "json"
    return Response(
        export.to_json() if as_json else export.to_html(),
        media_type="application/json" if as_json else "text/html",
        headers=_as_file(f"earshot-{case.reference}.{'json' if as_json else 'html'}"),
    )


def statistics_page(request: Request) -> Response:
    """Counts by month, kind, level and the like; of one area or year if asked."""
    desk, me = request.app.state.desk, request.state.me
    area, year = request.query_params.get("area", "")[:64], request.query_params.get("year", "")[:4]
    with desk.core.store.read() as uow:
        found = counts(uow, me.areas)
        names = {one.id: one.name for one in uow.rota().areas}
        runs = last_runs(uow)
    chosen = figures.narrowed(found, area, year)
    return desk.render(
        request,
        "statistics.html",
        tables=figures.tables(chosen),
        months=figures.by_month(chosen),
        area=area,
        year=year,
        areas=sorted({cell[1] for cell in found} - {""}),
        years=sorted({cell[0][:4] for cell in found}, reverse=True),
        area_names=names,
        runs=runs,
        retention=retention(),
    )


def statistics_csv(request: Request) -> Response:
    """The same for a spreadsheet, for every month and area. Who took it is noted."""
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    with desk.core.uow() as uow:
        rows = figures.rows(uow, me.areas)
        uow.audit(now, me.staff_id, "statistics_exported", rows=len(rows))
        uow.commit()
    name = f"earshot-figures-{now.astimezone(UK):%Y-%m-%d}.csv"
    return StreamingResponse(figures.as_csv(rows), media_type="text/csv", headers=_as_file(name))


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
