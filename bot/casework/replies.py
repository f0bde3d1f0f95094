"""Reply templates: words that a worker can put into the composer, change and send. Never sent by themselves.

The file ``data/reply_templates.yml`` holds the ones that come with Earshot; what the leads change or add
at the desk lies in the database and stands over it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from sqlalchemy import select

from bot.casework.tables import ReplyTemplate
from bot.data_files import read_yaml
from bot.settings import ROOT
from bot.store.uow import UnitOfWork

FILE = ROOT / "data" / "reply_templates.yml"
#: What may stand in brackets: the first name, the name and the job title of whoever writes; who runs this.
PLACEHOLDERS = ("first_name", "name", "role", "body")
MAX_TITLE, MAX_TEXT = 60, 1_000

_BRACKETS = re.compile(r"\{(\w*)\}")
_NAME = re.compile(r"[a-z0-9_]{1,48}")


class BadTemplate(Exception):
    """It cannot be kept. ``problem`` names the words that say why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class RepliesError(Exception):
    """The file is malformed; the message names file, entry and remedy."""


@dataclass(frozen=True)
class Reply:
    """One template. ``own`` when the leads changed or added it here; ``shipped`` when the file has it."""

    id: str
    title: str
    text: str
    reviewed_by: str = ""
    reviewed_on: str = ""
    own: bool = False
    shipped: bool = True
    active: bool = True

    @property
    def reviewed(self) -> bool:
        """Whether a safeguarding lead signed it."""
        return bool(self.reviewed_by and self.reviewed_on)

    def filled(self, values: Mapping[str, str]) -> str:
        """The words with their brackets filled; brackets that nobody knows stay as they are."""
        return _BRACKETS.sub(lambda found: values.get(found[1], found[0]), self.text)


def replies(uow: UnitOfWork, *, removed: bool = False) -> list[Reply]:
    """The templates in use, those of the file first and in its order; with ``removed`` all of them."""
    found = {reply.id: reply for reply in load(FILE)}
    rows = uow.session.scalars(select(ReplyTemplate).order_by(ReplyTemplate.changed_at)).all()
    for row in rows:
        found[row.id] = Reply(
            row.id,
            row.title,
            row.text,
            row.reviewed_by,
            row.reviewed_on,
            own=True,
            shipped=row.id in found and found[row.id].shipped,
            active=row.active,
        )
    return [reply for reply in found.values() if removed or reply.active]


def save(uow: UnitOfWork, reply: Reply, staff_id: str, now: datetime) -> None:
    """Change a template, or add one: an empty ``id`` makes a new one.

    Words that changed are signed no longer, unless a signature came with them.

    Raises:
        BadTemplate: without title or words, too long, an unknown placeholder, half a signature.
    """
    if not reply.title or not reply.text:
        raise BadTemplate("needed")
    if len(reply.title) > MAX_TITLE or len(reply.text) > MAX_TEXT:
        raise BadTemplate("too_long_here")
    if set(_BRACKETS.findall(reply.text)) - set(PLACEHOLDERS):
        raise BadTemplate("unknown_placeholder")
    if bool(reply.reviewed_by) != bool(reply.reviewed_on):
        raise BadTemplate("half_signed")
    if reply.reviewed_on and not _is_day(reply.reviewed_on):
        raise BadTemplate("bad_day")
    known = {one.id: one for one in replies(uow, removed=True)}
    before = known.get(reply.id)
    if reply.id and before is None:
        raise BadTemplate("bad_choice")
    signature = (reply.reviewed_by, reply.reviewed_on)
    if before and before.text != reply.text and signature == (before.reviewed_by, before.reviewed_on):
        reply = replace(reply, reviewed_by="", reviewed_on="")
    name = reply.id or _new_name(reply.title, known)
    row = uow.session.get(ReplyTemplate, name) or ReplyTemplate(id=name)
    row.title, row.text, row.active = reply.title, reply.text, reply.active
    row.reviewed_by, row.reviewed_on = reply.reviewed_by[:120], reply.reviewed_on
    row.changed_by, row.changed_at = staff_id, now
    uow.add(row)
    action = "reply_template_saved" if reply.active else "reply_template_removed"
    uow.audit(now, staff_id, action, template=name, signed=reply.reviewed)


@lru_cache(maxsize=4)
def load(path: Path) -> tuple[Reply, ...]:
    """The templates of a file.

    Raises:
        RepliesError: an entry without name, title or words, a name twice, or an unknown placeholder.
    """
    document = read_yaml(path) or {}
    found: dict[str, Reply] = {}
    for entry in document.get("templates") or ():
        name = str(entry.get("name", ""))
        if not _NAME.fullmatch(name) or name in found:
            raise RepliesError(f"{path.name}: {name!r}: give each entry a name of its own, like_this")
        missing = [key for key in ("title", "text", "reviewed_by", "reviewed_on") if key not in entry]
        if missing:
            raise RepliesError(f"{path.name}: {name}: add {', '.join(missing)}")
        if unknown := set(_BRACKETS.findall(entry["text"])) - set(PLACEHOLDERS):
            raise RepliesError(
                f"{path.name}: {name}: unknown {sorted(unknown)}; use {', '.join(PLACEHOLDERS)}"
            )
        found[name] = Reply(
            name,
            str(entry["title"]),
            str(entry["text"]).strip(),
            str(entry["reviewed_by"]),
            str(entry["reviewed_on"]),
        )
    return tuple(found.values())


def _new_name(title: str, known: Mapping[str, Reply]) -> str:
    base = re.sub(r"[^a-z0-9]+", "_", title.casefold()).strip("_")[:40] or "reply"
    name, count = base, 1
    while name in known:
        count += 1
        name = f"{base}_{count}"
    return name


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text) is not None
    except ValueError:
        return False
