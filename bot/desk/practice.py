"""The first shift: a walk through an invented case. Reads the words in use and writes nothing anywhere."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bot.casework import practice, replies
from bot.casework.practice import BadPractice, Practice, Said
from bot.content import Content
from bot.desk.case import placeholders
from bot.desk.case_view import Line, Segment, marked, reasons
from bot.messages import Kind


def practice_page(request: Request) -> Response:
    """The first step."""
    return _show(request, practice.play(practice.load(), ""))


def do_step(request: Request) -> Response:
    """Do one step; the page that answers carries everything that was done, as nothing is stored."""
    form = request.state.form
    if form.get("again") == "1":
        return practice_page(request)
    current = practice.play(practice.load(), form.get("kept", ""))
    if reply := form.get("use"):  # puts a reply into the box, without any script
        return _show(request, current, use=reply)
    try:
        return _show(request, practice.act(current, form.get("step", ""), form))
    except BadPractice as error:
        return _show(request, current, 422, problem=error.problem, typed=form)


def _show(
    request: Request,
    current: Practice,
    status: int = 200,
    problem: str = "",
    typed: dict[str, str] | None = None,
    use: str = "",
) -> Response:
    desk, me = request.app.state.desk, request.state.me
    with desk.core.store.read() as uow:
        ready = replies.replies(uow)
        title = uow.staff_member(me.staff_id).job_title
    values = placeholders(desk.core.settings.body_name, me.name, title)
    words = {reply.id: reply.filled(values) for reply in ready}
    return desk.render(
        request,
        "practice.html",
        status,
        practice=current,
        script=current.script,
        step=current.step,
        number=practice.STEPS.index(current.step) + 1,
        steps=practice.STEPS,
        did=current.did,
        lines=[_line(n, said, values, desk.core.content) for n, said in enumerate(current.lines, 1)],
        reasons=reasons([said.finding.to_dict() for said in current.lines]),
        replies=[(reply, words[reply.id]) for reply in ready],
        then=current.now,
        silence=desk.core.settings.silence_after_accept,
        problem=problem,
        typed={"text": words.get(use, "")} if use else typed or {},
        max_text=practice.MAX_TEXT,
    )


def _line(number: int, said: Said, values: dict[str, str], content: Content) -> Line:
    """As the case page shows one."""
    text = said.text
    if said.response:
        text = content.say(said.response, **values, outcome=said.text)
    return Line(
        seq=number,
        sender=said.sender,
        kind=Kind.TEXT.value,
        name=values["name"] if said.sender == "worker" else None,
        at=said.at,
        segments=marked(text, said.finding) if said.finding.evidence else (Segment(text, False),),
        erased=False,
        level=said.finding.level.value if said.finding.evidence else None,
        reasons=reasons([said.finding.to_dict()]),
        offered=(),
        delivery="",
    )
