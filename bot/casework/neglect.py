"""The signs of neglect that a case names, under the four headings of the research.

Nothing is counted or scored here, and no level of need is worked out: a professional weighs what was said
(docs/architecture.md, "Working a case").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bot.data_files import read_yaml
from bot.settings import ROOT

#: The headings under which practitioners group the signs.
HEADINGS = ("physical", "emotional", "educational", "parental")
#: How answers about a sign are named among the details of a handover (actions/neglect.py).
DETAIL = "sign_"
#: The detail that stands for "all is well", pressed on a button.
ALL_WELL = "ok"


@dataclass(frozen=True)
class Sign:
    """A sign that was named. ``words`` are the person's own, where they were asked about it."""

    name: str
    heading: str
    words: str


def named(signs: Iterable[str], details: Mapping[str, str]) -> dict[str, tuple[Sign, ...]]:
    """The signs that were named, by heading: noticed in what was written, or told when asked.

    A sign of which the person said that all is well is left out.
    """
    told = {name.removeprefix(DETAIL): words for name, words in details.items() if name.startswith(DETAIL)}
    found: dict[str, tuple[Sign, ...]] = {heading: () for heading in HEADINGS}
    for name, heading in _headings().items():
        words = told.get(name, "")
        if words == ALL_WELL or (not words and name not in set(signs)):
            continue
        found[heading] = (*found[heading], Sign(name, heading, words))
    return found


@lru_cache(maxsize=1)
def _headings() -> Mapping[str, str]:
    document = read_yaml(ROOT / "data" / "risk" / "signs.yml")
    return {sign["name"]: sign["heading"] for sign in document["signs"]}
