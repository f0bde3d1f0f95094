"""What no safeguarding lead has signed yet: sentences, numbers, and the phrases that risk is read by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.casework import practice
from bot.casework.replies import load
from bot.content import Content
from bot.data_files import read_yaml

#: Files of data/responses on whose words a child's safety hangs.
SAFETY_FILES = ("safety", "opening", "privacy", "waiting")


def unsigned(content: Content, data_dir: Path, *, safety_only: bool = False) -> list[tuple[str, str]]:
    """``(file, entry)`` of everything without ``reviewed_by`` and ``reviewed_on``, in order.

    With ``safety_only`` just what production refuses to start without: the words of
    :data:`SAFETY_FILES`, the numbers and the risk phrases.
    """
    words = [
        (f"data/responses/{file}.yml", name)
        for file, name in content.drafts()
        if not safety_only or file in SAFETY_FILES
    ]
    desk = [] if safety_only else [*_replies(data_dir), *_practice(data_dir)]
    return sorted([*words, *desk, *_numbers(data_dir), *_phrases(data_dir)])


def _replies(data_dir: Path) -> Iterator[tuple[str, str]]:
    for reply in load(data_dir / "reply_templates.yml"):
        if not reply.reviewed:
            yield "data/reply_templates.yml", reply.id


def _practice(data_dir: Path) -> Iterator[tuple[str, str]]:
    script = practice.load(data_dir / "practice.yml")
    if not script.reviewed:
        yield "data/practice.yml", script.reference


def _numbers(data_dir: Path) -> Iterator[tuple[str, str]]:
    document = read_yaml(data_dir / "responses" / "numbers.yml")
    if not _signed(document):
        yield from (("data/responses/numbers.yml", service["id"]) for service in document["services"])


def _phrases(data_dir: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((data_dir / "risk").glob("*.yml")):
        document = read_yaml(path)
        # Guards, word sets and answers are signed by the file: one makes no sense without the others.
        if "reviewed_by" in document and not _signed(document):
            yield f"data/risk/{path.name}", "(the file)"
        for entries in document.values():
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict) and "reviewed_by" in entry and not _signed(entry):
                    yield f"data/risk/{path.name}", entry["name"]


def _signed(what: Mapping[str, Any]) -> bool:
    return bool(what.get("reviewed_by") and what.get("reviewed_on"))
