"""The one vocabulary for risk: levels, categories, and whom a message is about.

Code, data, tests, the desk and the statistics use these words and no others. A level is about
the child, whoever types: a friend, a parent or a neighbour reporting the same harm gets the same
level. A level never goes down inside a conversation by itself; only a person at the desk lowers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any


class Level(str, Enum):
    """How much danger a message tells of, in order."""

    NONE = "none"
    CONCERN = "concern"
    HIGH = "high"
    IMMEDIATE = "immediate"

    @property
    def rank(self) -> int:
        """0 for none up to 3 for immediate."""
        return _ORDER.index(self)

    @property
    def needs_person(self) -> bool:
        """Whether a handover opens at once, without asking: high and immediate."""
        return self.rank >= Level.HIGH.rank

    # str defines the comparisons alphabetically; levels compare by danger.
    def __lt__(self, other: object) -> bool:
        return self.rank < Level(other).rank

    def __le__(self, other: object) -> bool:
        return self.rank <= Level(other).rank

    def __gt__(self, other: object) -> bool:
        return self.rank > Level(other).rank

    def __ge__(self, other: object) -> bool:
        return self.rank >= Level(other).rank


_ORDER = [Level.NONE, Level.CONCERN, Level.HIGH, Level.IMMEDIATE]


class Category(str, Enum):
    """What kind of harm or worry a message tells of."""

    SUICIDE = "suicide"
    SELF_HARM = "self_harm"
    MEDICAL_EMERGENCY = "medical_emergency"
    PHYSICAL_ABUSE = "physical_abuse"
    SEXUAL_ABUSE = "sexual_abuse"
    SEXUAL_EXPLOITATION = "sexual_exploitation"  # grooming, sextortion, nudes, online adults
    EMOTIONAL_ABUSE = "emotional_abuse"
    NEGLECT = "neglect"
    DOMESTIC_ABUSE = "domestic_abuse"
    CRIMINAL_EXPLOITATION = "criminal_exploitation"  # gangs, county lines, trafficking, debt, weapons
    HONOUR_BASED_ABUSE = "honour_based_abuse"  # forced marriage, FGM, so-called honour
    MISSING = "missing"  # running away, thrown out, locked out, sleeping rough
    HARM_TO_OTHERS = "harm_to_others"
    BULLYING = "bullying"
    MENTAL_HEALTH = "mental_health"
    EATING = "eating"
    SUBSTANCE_MISUSE = "substance_misuse"
    YOUNG_CARER = "young_carer"
    BEREAVEMENT = "bereavement"
    FAMILY_CONFLICT = "family_conflict"
    MONEY_HOUSING = "money_housing"
    SCHOOL = "school"
    RELATIONSHIPS = "relationships"
    IDENTITY = "identity"


class About(str, Enum):
    """Whose safety a message is about."""

    SELF = "self"
    FRIEND = "friend"
    OWN_CHILD = "own_child"  # a parent or carer speaks
    OTHER_CHILD = "other_child"  # a neighbour, relative or member of the public speaks


@dataclass(frozen=True)
class Evidence:
    """Why a level was given, for staff to read.

    ``layer`` is ``phrase`` (a reviewed family in ``data/risk``), ``model`` (the tuned encoder) or
    ``memory`` (what this conversation has shown so far). ``start`` and ``end`` are character
    offsets into the message as it was typed; ``words`` may begin in the messages sent just before
    (:mod:`bot.risk.pieces`).
    """

    layer: str
    family: str
    words: str
    start: int
    end: int
    level: Level
    categories: tuple[Category, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What one message tells about the safety of a child.

    ``signs`` names the signs of neglect in it (``data/risk/signs.yml``). ``unsure`` is set where the message
    may tell of significant harm and may not: the bot then asks one plain question instead of guessing.
    ``asked`` is the question of the bot's that it was read together with, if any.
    """

    level: Level = Level.NONE
    categories: tuple[Category, ...] = ()
    about: About = About.SELF
    evidence: tuple[Evidence, ...] = ()
    signs: tuple[str, ...] = ()
    unsure: bool = False
    asked: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain JSON values; :meth:`from_dict` reads it back."""
        return {
            "level": self.level.value,
            "categories": [category.value for category in self.categories],
            "about": self.about.value,
            "evidence": [
                {
                    "layer": e.layer,
                    "family": e.family,
                    "words": e.words,
                    "start": e.start,
                    "end": e.end,
                    "level": e.level.value,
                    "categories": [category.value for category in e.categories],
                }
                for e in self.evidence
            ],
            "signs": list(self.signs),
            "unsure": self.unsure,
            "asked": self.asked,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        """Read a finding written by :meth:`to_dict`.

        Raises:
            ValueError: a level, category or speaker that this vocabulary does not have.
        """
        return cls(
            level=Level(data["level"]),
            categories=tuple(Category(c) for c in data.get("categories", ())),
            about=About(data.get("about", About.SELF.value)),
            evidence=tuple(
                Evidence(
                    layer=e["layer"],
                    family=e["family"],
                    words=e["words"],
                    start=e["start"],
                    end=e["end"],
                    level=Level(e["level"]),
                    categories=tuple(Category(c) for c in e.get("categories", ())),
                )
                for e in data.get("evidence", ())
            ),
            signs=tuple(data.get("signs", ())),
            unsure=bool(data.get("unsure", False)),
            asked=data.get("asked"),
        )


#: From so many different signs of neglect, or days with the same worry, on a worry is rising.
SIGNS_THAT_ADD_UP = DAYS_THAT_ADD_UP = 3


@dataclass(frozen=True)
class Memory:
    """What a conversation has shown so far, as far as the next assessment needs it.

    ``level`` only rises. ``about`` is the last speaker's relation that was told outright (or chosen
    at the door). ``asked`` names the question the bot asked last (for instance ``danger_now``), so
    that "yes" can be read in its place. ``signs`` are the signs of neglect named so far; ``days`` holds,
    for each kind of worry, the days (ISO dates) on which it came up. ``just_said`` is what the person sent
    just before the message that is assessed, and ``just_told`` the level it was found to have: neither is
    kept (:mod:`bot.risk.pieces`).
    """

    level: Level = Level.NONE
    categories: tuple[Category, ...] = ()
    about: About | None = None
    asked: str | None = None
    signs: frozenset[str] = field(default_factory=frozenset)
    days: Mapping[Category, tuple[str, ...]] = field(default_factory=dict)
    just_said: str = ""
    just_told: Level = Level.NONE

    @property
    def rising(self) -> bool:
        """Whether worries have added up: three signs of neglect, or the same worry on three days."""
        longest = max(map(len, self.days.values()), default=0)
        return len(self.signs) >= SIGNS_THAT_ADD_UP or longest >= DAYS_THAT_ADD_UP

    def after(self, finding: Finding, today: date) -> Memory:
        """This memory with one more finding, of ``today``, in it; the level never goes down."""
        days = dict(self.days)
        for category in finding.categories[:1]:  # the likeliest: the others are guesses beside it
            known = days.get(category, ())
            if today.isoformat() not in known:
                days[category] = (*known, today.isoformat())[-DAYS_THAT_ADD_UP:]
        return Memory(
            level=max(self.level, finding.level, key=lambda level: level.rank),
            categories=tuple(dict.fromkeys((*self.categories, *finding.categories))),
            about=self.about,
            asked=None,
            signs=self.signs | frozenset(finding.signs),
            days=days,
        )

    def to_dict(self) -> dict[str, Any]:
        """The memory as plain JSON values; :meth:`from_dict` reads it back."""
        return {
            "level": self.level.value,
            "categories": [category.value for category in self.categories],
            "about": self.about.value if self.about else None,
            "asked": self.asked,
            "signs": sorted(self.signs),
            "days": {category.value: list(dates) for category, dates in self.days.items()},
            "just_said": self.just_said,
            "just_told": self.just_told.value,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Memory:
        """Read a memory written by :meth:`to_dict`.

        Raises:
            ValueError: a level, category or speaker that this vocabulary does not have.
        """
        return cls(
            level=Level(data.get("level", "none")),
            categories=tuple(Category(c) for c in data.get("categories", ())),
            about=About(data["about"]) if data.get("about") else None,
            asked=data.get("asked"),
            signs=frozenset(data.get("signs", ())),
            days={Category(c): tuple(dates) for c, dates in (data.get("days") or {}).items()},
            just_said=str(data.get("just_said") or ""),
            just_told=Level(data.get("just_told", "none")),
        )
