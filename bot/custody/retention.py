"""How long a conversation is kept: the rules of ``data/retention.yml``, read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bot.data_files import DataFileError, read_yaml
from bot.handover.states import KINDS
from bot.risk.taxonomy import Category, Level
from bot.settings import ROOT

#: A conversation for which no person was asked.
CONVERSATION = "conversation"
ALL_KINDS = (CONVERSATION, *KINDS)
#: What goes when the person deletes: the chat and the case, or the chat alone.
EVERYTHING, CHAT = "everything", "chat"
#: Nothing is deleted on the day it was said: somebody may just be away from the screen.
SHORTEST = 1
_FIELDS = {"name", "kinds", "levels", "categories", "days", "when_the_person_deletes"}
_TOLD = {"why", "source", "checked_on", "check_by"}


class RetentionError(Exception):
    """The rules cannot be used; the message names rule and remedy. Nothing may be deleted by such rules."""


@dataclass(frozen=True)
class Rule:
    """One rule. ``days`` count from the last message or close; empty ``categories`` fit every case."""

    name: str
    kinds: tuple[str, ...]
    levels: tuple[str, ...]
    categories: tuple[str, ...]
    days: int
    when_the_person_deletes: str
    why: str

    def fits(self, kind: str, level: str, categories: Iterable[str]) -> bool:
        """Whether it speaks of such a case."""
        about = not self.categories or bool(set(self.categories) & set(categories))
        return kind in self.kinds and level in self.levels and about


@dataclass(frozen=True)
class Retention:
    """All rules. ``signed`` when a named person reviewed them."""

    rules: tuple[Rule, ...]
    signed: bool

    def rule_for(self, kind: str, level: str, categories: Sequence[str] = ()) -> Rule:
        """The longest of the rules that fit; there is one for every kind and level."""
        fitting = [rule for rule in self.rules if rule.fits(kind, level, categories)]
        return max(fitting, key=lambda rule: rule.days)

    @property
    def shortest(self) -> int:
        """Days before which nothing is due."""
        return min(rule.days for rule in self.rules)


def load_retention(path: Path | None = None) -> Retention:
    """Read and check the rules.

    Raises:
        RetentionError: malformed, or a kind and level without a rule.
    """
    path = path or ROOT / "data" / "retention.yml"
    try:
        document = read_yaml(path)
    except DataFileError as error:
        raise RetentionError(str(error)) from None
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise RetentionError(f"{path.name}: holds no 'rules:'.")
    rules = tuple(_rule(entry, path.name) for entry in document["rules"])
    missing = [
        f"{kind} at {level.value}"
        for kind in ALL_KINDS
        for level in Level
        if not any(rule.fits(kind, level.value, ()) for rule in rules)
    ]
    if missing:
        raise RetentionError(f"{path.name}: no rule without categories for {', '.join(missing)}. Add one.")
    return Retention(rules, bool(document.get("reviewed_by") and document.get("reviewed_on")))


@lru_cache(maxsize=1)
def retention() -> Retention:
    """The rules of this process.

    Raises:
        RetentionError: as in :func:`load_retention`.
    """
    return load_retention()


def _rule(entry: Any, file: str) -> Rule:
    name = entry.get("name") if isinstance(entry, dict) else None
    where = f"{file}, rule {name or 'without a name'}"
    if not isinstance(entry, dict) or not name:
        raise RetentionError(f"{where}: write name, kinds, days, when_the_person_deletes, why and source.")
    if unknown := sorted(set(entry) - _FIELDS - _TOLD):
        raise RetentionError(f"{where}: nobody knows {', '.join(unknown)}.")
    if absent := sorted(one for one in _TOLD if not entry.get(one)):
        raise RetentionError(f"{where}: has no {', '.join(absent)}.")
    days = entry.get("days")
    if type(days) is not int or days < SHORTEST:
        raise RetentionError(f"{where}: days is a whole number of at least {SHORTEST}.")
    if entry.get("when_the_person_deletes") not in (EVERYTHING, CHAT):
        raise RetentionError(f"{where}: when_the_person_deletes is '{EVERYTHING}' or '{CHAT}'.")
    return Rule(
        name=str(name),
        kinds=_choices(entry.get("kinds"), ALL_KINDS, f"{where}: kinds"),
        levels=_choices(entry.get("levels", [one.value for one in Level]), [one.value for one in Level],
                        f"{where}: levels"),
        categories=_choices(entry.get("categories", []), [one.value for one in Category],
                            f"{where}: categories", may_be_empty=True),
        days=days,
        when_the_person_deletes=entry["when_the_person_deletes"],
        why=str(entry["why"]),
    )  # fmt: skip


def _choices(given: Any, known: Sequence[str], where: str, may_be_empty: bool = False) -> tuple[str, ...]:
    if not isinstance(given, list) or not (given or may_be_empty) or set(given) - set(known):
        raise RetentionError(f"{where} is a list of some of: {', '.join(known)}.")
    return tuple(given)
