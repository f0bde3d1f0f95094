"""What stands on a poster or a card: words, squares to scan, and the numbers, for one of the doors.

The address of the web chat is the plain one on every poster: what stays in a browser's history tells nobody
whom it was about. Telegram's links lead to the door, as only the person's own chat holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import segno

from bot.bootstrap import Core
from bot.content import Content
from bot.data_files import read_yaml
from bot.doors import DOORS, door_of
from bot.look import PINE, Look, look_of
from bot.risk.taxonomy import About
from bot.settings import ROOT

#: The doors by the name that a link or a command gives them, in the order of the opening.
DOOR_NAMES = tuple(names[0] for _, names in DOORS.values())
#: Whom to ring besides 999: ids in data/responses/numbers.yml.
_LINES = {About.OTHER_CHILD: ("emergency", "nspcc"), About.OWN_CHILD: ("emergency", "family_lives")}
_LINES_OF_CHILDREN = ("emergency", "childline")
_WORDS = ("utter_poster_text", "utter_poster_scan", "utter_poster_telegram", "utter_poster_danger")


@dataclass(frozen=True)
class Square:
    """A QR code: what it opens, and the same as a person types it."""

    address: str
    typed: str

    def rows(self) -> list[list[bool]]:
        """Its modules, row by row, True for black; without the quiet zone."""
        return [[bool(module) for module in row] for row in segno.make_qr(self.address, error="m").matrix]

    def picture(self) -> str:
        """It as an SVG in a ``data:`` address, with its quiet zone."""
        made = segno.make_qr(self.address, error="m")
        return made.svg_data_uri(scale=4, border=4, omitsize=True, light="#fff")


@dataclass(frozen=True)
class Poster:
    """Everything on the paper. ``drafts``: names of words that no safeguarding lead has signed;
    ``overdue``: names of numbers that should have been checked again."""

    door: str
    title: str
    lead: str
    text: str
    scan: str
    web: Square
    telegram_words: str
    telegram: Square | None
    danger: str
    numbers: tuple[str, ...]
    body_name: str
    look: Look
    colour: str
    drafts: tuple[str, ...]
    overdue: tuple[str, ...]


def make_poster(core: Core, door: str, *, telegram: bool = True) -> Poster:
    """The poster for a door, by any of its names (``me``, ``friend``, ``parent``, ``concern``).

    Raises:
        UnknownSpeaker: no door has this name.
    """
    about = door_of(door)
    content, settings, look = core.content, core.settings, look_of(core.settings)
    link = DOORS[about][1][0]
    names = (f"utter_poster_title_{about.value}", f"utter_poster_lead_{about.value}")
    on_telegram = None
    if telegram and settings.telegram_bot_name:
        address = f"t.me/{settings.telegram_bot_name}?start={link}"
        on_telegram = Square(f"https://{address}", f"@{settings.telegram_bot_name}")
    lines = _lines(about)
    return Poster(
        door=link,
        title=content.say(names[0]),
        lead=content.say(names[1]),
        text=content.say("utter_poster_text"),
        scan=content.say("utter_poster_scan"),
        web=Square(f"{settings.url}/", settings.url.partition("://")[2]),
        telegram_words=content.say("utter_poster_telegram"),
        telegram=on_telegram,
        danger=content.say("utter_poster_danger"),
        numbers=tuple(_told(line) for line in lines),
        body_name=settings.body_name,
        look=look,
        colour=look.light or PINE,
        drafts=tuple(name for name in (*names, *_WORDS) if _is_draft(content, name)),
        overdue=tuple(str(line["name"]) for line in lines if _overdue(line, core.now().date())),
    )


def _lines(about: About) -> list[Mapping[str, Any]]:
    path = ROOT / "data" / "responses" / "numbers.yml"
    services = read_yaml(path)["services"]
    by_id = {service["id"]: service for service in services}
    return [by_id[one] for one in _LINES.get(about, _LINES_OF_CHILDREN)]


def _told(line: Mapping[str, Any]) -> str:
    """A number as a sentence. Of 999 the name is the number, and stands in how to ring it."""
    name, how = line["name"], line["how"]
    return f"{how}." if name in line["numbers"] else f"{name}: {how[0].lower()}{how[1:]}."


def _is_draft(content: Content, name: str) -> bool:
    return any(not v.reviewed_by or not v.reviewed_on for v in content.variations(name))


def _overdue(line: Mapping[str, Any], today: date) -> bool:
    return today > date.fromisoformat(str(line["check_by"]))
