"""The practice case: an invented person, a script, and what a worker does with it. Stores nothing anywhere.

All there is of somebody's practice is the list of what they did, which their own page carries from step to
step. It is played again from the start each time, so there is nothing to keep, to share or to clear away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot.data_files import read_yaml
from bot.handover import ACCEPTED, CLOSED, WAITING
from bot.risk.taxonomy import About, Category, Evidence, Finding, Level
from bot.settings import ROOT

FILE = ROOT / "data" / "practice.yml"

#: What is practised, in this order. The last one only looks back.
STEPS = (
    "queue",
    "accept",
    "evidence",
    "reply",
    "note",
    "level",
    "danger",
    "transfer",
    "record",
    "close",
    "done",
)
#: What has to be filled in at a step, and how the problem is called when it is not.
NEEDED = {
    "reply": {"text": "empty"},
    "note": {"note": "empty_note"},
    "level": {"level": "no_level", "reason": "no_reason"},
    "danger": {"text": "empty"},
    "transfer": {"to": "nobody_chosen"},
    "record": {"what_was_said": "needed"},
    "close": {"outcome": "no_outcome"},
}
#: What may be filled in besides.
OPTIONAL = {"record": ("council_told", "who_knows")}
#: Characters that a field may hold.
MAX_TEXT = 1_000
#: The night it plays in: a winter's, in which local time is UTC.
BEGINS = datetime(2025, 1, 15, 2, 10, tzinfo=timezone.utc)
#: Minutes after :data:`BEGINS` at which each step was done.
_AFTER = dict(zip(STEPS, (1, 3, 4, 5, 7, 9, 11, 380, 400, 410), strict=False))


class BadPractice(Exception):
    """A step cannot be done like this. ``problem`` names the words that say why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True)
class Said:
    """A line of the practice chat. ``response`` names the bot's words; else ``text`` are the words."""

    sender: str
    text: str
    at: datetime
    response: str = ""
    finding: Finding = Finding()


@dataclass(frozen=True)
class Script:
    """The invented case."""

    reference: str
    level: Level
    raised_to: Level
    about: About
    categories: tuple[Category, ...]
    place: str
    colleague: str
    said: tuple[Said, ...]
    answers: Mapping[str, str]
    call: str
    reviewed: bool


@dataclass(frozen=True)
class Practice:
    """Where somebody is. ``did`` holds what they filled in, by step."""

    script: Script
    did: Mapping[str, Mapping[str, str]]
    lines: tuple[Said, ...]

    @property
    def step(self) -> str:
        """What is to be done next."""
        return STEPS[len(self.did)]

    @property
    def state(self) -> str:
        """Where the practice case stands, in the words of a real one."""
        if "close" in self.did:
            return CLOSED
        return ACCEPTED if "accept" in self.did else WAITING

    @property
    def level(self) -> Level:
        """The level now."""
        return self.script.raised_to if "level" in self.did else self.script.level

    @property
    def now(self) -> datetime:
        """The time of the practice night."""
        done = list(self.did)
        return BEGINS + timedelta(minutes=_AFTER[done[-1]] if done else 0)

    @property
    def deadline_at(self) -> datetime | None:
        """Until when somebody must answer, as for a real case of this level."""
        return BEGINS + timedelta(minutes=10) if self.state == WAITING else None

    def kept(self) -> str:
        """What the page carries to the next step."""
        return json.dumps(list(self.did.items()))


def play(script: Script, kept: str) -> Practice:
    """The practice after what was done so far; from the start, if that is no list of such steps."""
    practice = Practice(script, {}, script.said)
    try:
        deeds = json.loads(kept or "[]")
        for step, fields in deeds:
            practice = act(practice, str(step), {str(k): str(v) for k, v in fields.items()})
    except (ValueError, TypeError, AttributeError, RecursionError, BadPractice):
        return Practice(script, {}, script.said)
    return practice


def act(practice: Practice, step: str, fields: Mapping[str, str]) -> Practice:
    """Do the next step.

    Raises:
        BadPractice: another step is next, something is missing or too long, or the level is not the one
            that the call asks for.
    """
    if step != practice.step or step == STEPS[-1]:
        raise BadPractice("practice_step")
    needed = NEEDED.get(step, {})
    given = {name: fields.get(name, "").strip() for name in (*needed, *OPTIONAL.get(step, ()))}
    for name, words in given.items():
        if not words and name in needed:
            raise BadPractice(needed[name])
        if len(words) > MAX_TEXT:
            raise BadPractice("too_long_here")
    if step == "level" and given["level"] != practice.script.raised_to.value:
        raise BadPractice("practice_level")
    done = replace(practice, did={**practice.did, step: given})
    return replace(done, lines=(*done.lines, *_said_at(done, step, given)))


def _said_at(practice: Practice, step: str, given: Mapping[str, str]) -> Sequence[Said]:
    now, answer = practice.now, practice.script.answers.get(step)
    said = [Said("bot", "", now, response="utter_worker_joined")] if step == "accept" else []
    said += [Said("worker", given["text"], now)] if "text" in given else []
    said += [Said("bot", given["outcome"], now, response="utter_outcome")] if "outcome" in given else []
    return [*said, Said("you", answer, now)] if answer else said


@lru_cache(maxsize=2)
def load(path: Path = FILE) -> Script:
    """The script of a file.

    Raises:
        KeyError: an entry is missing.
        ValueError: a level or category nobody knows.
    """
    document = read_yaml(path)
    if unknown := set(document["answers"]) - set(STEPS):
        raise ValueError(f"{path.name}: unknown steps {sorted(unknown)}")
    return Script(
        reference=document["reference"],
        level=Level(document["level"]),
        raised_to=Level(document["raised_to"]),
        about=About(document["about"]),
        categories=tuple(map(Category, document["categories"])),
        place=document["place"],
        colleague=document["colleague"],
        said=tuple(_line(entry) for entry in document["said"]),
        answers=document["answers"],
        call=document["call"],
        reviewed=bool(document["reviewed_by"] and document["reviewed_on"]),
    )


def _line(entry: Mapping[str, Any]) -> Said:
    if "bot" in entry:
        return Said("bot", "", BEGINS, response=entry["bot"])
    evidence = tuple(_evidence(entry["you"], one) for one in entry.get("evidence", ()))
    level = max((one.level for one in evidence), default=Level.NONE)
    return Said("you", entry["you"], BEGINS, finding=Finding(level, (), About.SELF, evidence))


def _evidence(text: str, one: Mapping[str, Any]) -> Evidence:
    start = text.index(one["words"])
    categories = tuple(map(Category, one["categories"]))
    end = start + len(one["words"])
    return Evidence("phrase", one["family"], one["words"], start, end, Level(one["level"]), categories)
