"""Files of labelled messages: one JSON object a line, as docs/risk_model_card.md describes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bot.risk.taxonomy import About, Category, Level, Memory

__all__ = ["LabelError", "Labelled", "read_labelled"]

T = TypeVar("T", Level, Category, About)


class LabelError(ValueError):
    """A line that cannot be used; the message names file, line and remedy."""


@dataclass(frozen=True)
class Labelled:
    """One message and what a person made of it. ``line`` counts from 1 in its file.

    ``asked`` is the question of the bot that it answers, if any (``asked`` in ``data/responses``),
    ``so_far`` the level its conversation had before, and ``before`` what the same person sent just before:
    the labels are of all of it then.
    """

    text: str
    level: Level
    categories: tuple[Category, ...]
    about: About
    register: str
    scenario: str
    line: int
    asked: str = ""
    so_far: Level = Level.NONE
    before: tuple[str, ...] = ()

    @property
    def memory(self) -> Memory:
        """What its conversation has shown before it."""
        return Memory(level=self.so_far, asked=self.asked or None)


def read_labelled(path: Path) -> list[Labelled]:
    """Every message of a file; empty lines are skipped.

    Raises:
        LabelError: no such file, no text in it, or a line with a missing or unknown value.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(
            f"{path.name}: cannot be read as UTF-8 text ({error}). Remedy: check the path."
        ) from None
    rows = [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise LabelError(f"{path.name}: holds no messages. Remedy: write one JSON object a line.")
    return rows


def _row(path: Path, number: int, line: str) -> Labelled:
    where = f"{path.name}, line {number}"
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise LabelError(f"{where}: not JSON ({error}). Remedy: write one JSON object a line.") from None
    if not isinstance(entry, dict):
        raise LabelError(f'{where}: not a JSON object. Remedy: write {{"text": …, "level": …}}.')
    text = entry.get("text")
    if not isinstance(text, str) or not text.strip():
        raise LabelError(f"{where}: “text” is missing or empty. Remedy: give the message as a string.")
    categories = entry.get("categories", [])
    if not isinstance(categories, list):
        raise LabelError(f"{where}: “categories” is not a list. Remedy: write a list, [] for none.")
    before = entry.get("before", [])
    if not isinstance(before, list) or not all(isinstance(each, str) and each.strip() for each in before):
        raise LabelError(f'{where}: “before” is not a list of messages. Remedy: write ["…", "…"].')
    return Labelled(
        text=text,
        level=_value(where, "level", entry.get("level"), Level),
        categories=tuple(_value(where, "categories", value, Category) for value in categories),
        about=_value(where, "about", entry.get("about", About.SELF.value), About),
        register=_word(where, "register", entry.get("register", "plain")),
        scenario=_word(where, "scenario", entry.get("scenario", "")),
        line=number,
        asked=_word(where, "asked", entry.get("asked", "")),
        so_far=_value(where, "so_far", entry.get("so_far", Level.NONE.value), Level),
        before=tuple(before),
    )


def _value(where: str, key: str, value: Any, kind: type[T]) -> T:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(item.value for item in kind)
        raise LabelError(f"{where}: “{key}” is {value!r}. Remedy: use one of {known}.") from None


def _word(where: str, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise LabelError(f"{where}: “{key}” is {value!r}. Remedy: give it as a string.")
    return value
