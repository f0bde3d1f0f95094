"""One letter about a case: a page to print, a PDF, and an export for other programs. Each is audited."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bot.casework.letter import contents
from bot.casework.letter_pdf import Block, Row, letter_pdf
from bot.casework.record import NEGLECT, TOLD
from bot.desk.case import visible_case
from bot.rota import UK

#: The note that belongs to each answer about who was told.
_WHY = {"council_told": "council_note", "police_told": "police_note", "parents_told": "parents_why"}


def letter_page(request: Request) -> Response:
    """The letter as a page that prints."""
    facts = _facts(request, "letter_read")
    desk = request.app.state.desk
    words = _words(request)
    return desk.render(
        request, "letter.html", case_id=request.path_params["id"], facts=facts, letter=_laid_out(facts, words)
    )


def letter_as_pdf(request: Request) -> Response:
    """The same as a PDF."""
    facts = _facts(request, "letter_pdf")
    words = _words(request)
    laid_out = _laid_out(facts, words)
    made = letter_pdf(
        laid_out["title"],
        laid_out["head"],
        laid_out["blocks"],
        foot=laid_out["foot"],
        page=words.LETTER["page"],
    )
    return Response(made, media_type="application/pdf", headers=_attachment(facts, "pdf"))


def letter_as_json(request: Request) -> Response:
    """The same facts for other programs."""
    facts = _facts(request, "case_exported")
    made = json.dumps(facts, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    return Response(made, media_type="application/json", headers=_attachment(facts, "json"))


# Inside ------------------------------------------------------------------------------------------


def _facts(request: Request, action: str) -> dict[str, Any]:
    """What the letter says; that it was asked for is in the audit log before it leaves the house."""
    desk, me = request.app.state.desk, request.state.me
    now = desk.core.now()
    with desk.core.uow() as uow:
        case = visible_case(uow, request)
        facts = contents(uow, case, me.staff_id, now)
        uow.audit(now, me.staff_id, action, handover=case, version=facts["record_version"])
        uow.commit()
    return facts


def _words(request: Request) -> Any:
    return request.app.state.desk.templates.env.get_template("_words.html").module


def _attachment(facts: dict[str, Any], ending: str) -> dict[str, str]:
    # A reference is letters, digits and a hyphen of our own making: safe in a file's name.
    return {"Content-Disposition": f'attachment; filename="earshot-{facts["reference"]}.{ending}"'}


def _laid_out(facts: dict[str, Any], w: Any) -> dict[str, Any]:
    return {
        "title": w.LETTER["title"].format(reference=facts["reference"]),
        "head": [
            w.LETTER["from"].format(**facts["made_by"], body=facts["from"]),
            w.LETTER["made"].format(at=_told(facts["made_at"])),
        ],
        "blocks": tuple(block for block in _blocks(facts, w) if block.rows),
        "foot": w.LETTER["foot"].format(reference=facts["reference"]),
    }


def _blocks(facts: dict[str, Any], w: Any) -> Iterator[Block]:
    words, kept = w.LETTER, facts["record"]

    def said(name: str) -> Iterator[Row]:
        if kept[name]:
            yield Row(kept[name], w.RECORD[name])

    unwanted = tuple(Row(one, quoted=True) for one in facts["must_not_be_told"])
    yield Block(words["must_not_be_told"], unwanted, warn=True)
    yield Block(words["to"], tuple(Row(line) for line in facts["council_route"].splitlines()))
    yield Block(words["about"], tuple(_about(facts, w)))
    asked_for = facts["asked_for"].items()
    yield Block(
        words["asked_for"], tuple(Row(v, w.DETAILS.get(n) or str(w.sentence(n)), True) for n, v in asked_for)
    )
    quotes = (Row(quote["text"], _told(quote["at"]), True) for quote in facts["quotes"])
    context = ("spoken_by", "about_whom", "what_was_said", "child_wish")
    yield Block(words["said"], (*quotes, *(row for name in context for row in said(name))))
    yield Block(words["neglect"], tuple(_neglect(facts, w)))
    weighed = (row for name in ("protective", "who_knows") for row in said(name))
    yield Block(words["weighed"], tuple(weighed))
    yield Block(words["done"], tuple(_done(kept, w)))
    factors = (Row(f"{factor['code']} {factor['meaning']}") for factor in facts["factors"])
    yield Block(words["factors"], tuple(factors))
    after = (row for name in ("outcome", "follow_up") for row in said(name))
    day = (Row(_day(kept["follow_up_on"]), w.RECORD["follow_up_on"]),) if kept["follow_up_on"] else ()
    told = (
        (Row(facts["told_the_person"], words["told_the_person"], True),) if facts["told_the_person"] else ()
    )
    yield Block(words["after"], (*after, *day, *told))
    times = (Row(_told(one["at"]), words[one["what"]]) for one in facts["chronology"])
    yield Block(words["chronology"], tuple(times))


def _about(facts: dict[str, Any], w: Any) -> Iterator[Row]:
    words = w.LETTER
    level = w.LEVELS[facts["level"]]
    if facts["highest_level"] != facts["level"]:
        level = words["lowered"].format(now=level, was=w.LEVELS[facts["highest_level"]])
    yield Row(w.ABOUT.get(facts["about"], facts["about"]), words["who"])
    yield Row(w.KINDS.get(facts["kind"], facts["kind"]), words["kind"])
    yield Row(level, words["level"])
    if facts["categories"]:
        yield Row(", ".join(w.CATEGORIES.get(c, c) for c in facts["categories"]), words["what"])
    where = ", ".join(filter(None, (facts["place"], facts["area"])))
    yield Row(where or words["not_told"], words["where"])
    if facts["worker"]:
        yield Row("{name}, {role}".format(**facts["worker"]), words["worker"])


def _neglect(facts: dict[str, Any], w: Any) -> Iterator[Row]:
    for name in NEGLECT:
        heading = name.removeprefix("neglect_")
        for sign in facts["signs_of_neglect"][heading]:
            label = f"{w.HEADINGS[heading]}: {w.SIGNS.get(sign['sign'], sign['sign'])}"
            yield Row(sign["words"] or w.LETTER["sign_named"], label, bool(sign["words"]))
        if facts["record"][name]:
            yield Row(facts["record"][name], w.RECORD[name])


def _done(kept: dict[str, str], w: Any) -> Iterator[Row]:
    for name in TOLD:
        why = kept[_WHY[name]]
        if kept[name] or why:
            told = w.TOLD.get(kept[name], w.LETTER["not_said"])
            yield Row(f"{told}. {why}" if why else told, w.RECORD[name])


def _told(iso: str) -> str:
    return f"{datetime.fromisoformat(iso).astimezone(UK):%d %B %Y, %H:%M}".lstrip("0")


def _day(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%d %B %Y}".lstrip("0")
