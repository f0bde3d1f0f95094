"""What a search was asked for, read from the fields of a form or an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from bot.areas.finder import Answer, Areas
from bot.directory.ages import age_in
from bot.directory.index import Open, Query
from bot.directory.needs import Needs
from bot.directory.where import where

#: Longest text of one field that is read.
MAX_FIELD = 200
YES = frozenset({"1", "true", "yes", "on"})
FLAGS = ("online", "free", "self_referral", "step_free")


_POSTCODE = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}\b", re.IGNORECASE)


class BadField(Exception):
    """A field cannot be read; the message is its name."""


@dataclass(frozen=True)
class Asked:
    """A search as it was asked."""

    query: Query
    fields: Mapping[str, str]
    #: What the look-up says of the place; None when none was given.
    answer: Answer | None = field(default=None, repr=False)

    @property
    def anything(self) -> bool:
        """Whether there is something to search for."""
        return bool(self.fields) or self.answer is not None

    @property
    def shareable(self) -> str:
        """The search as the end of an address, without the postcode."""
        return urlencode(self.fields)


def read(given: Mapping[str, str], needs: Needs, areas: Areas, *, lenient: bool = False) -> Asked:
    """A search from its fields, those of the form on ``/find``.

    Args:
        given: the fields as they came.
        needs: what may be looked for; another word in ``need`` is searched as text.
        areas: the look-up.
        lenient: leave out what cannot be read, for a page that a person filled in.

    Raises:
        BadField: a field cannot be read.
    """
    kept: dict[str, str] = {}

    def take(name: str) -> str:
        value = " ".join(str(given.get(name) or "").split())
        if len(value) > MAX_FIELD:
            if not lenient:
                raise BadField(name)
            value = value[:MAX_FIELD]
        return value

    named = [word for word in take("need").split(",") if word]
    known = tuple(word for word in named if word in needs)
    text = " ".join([take("q"), *(word.replace("_", " ") for word in named if word not in needs)]).strip()
    # A postcode among the words is where they live, and must not stand in the address to share.
    within = _POSTCODE.search(text)
    text = " ".join(_POSTCODE.sub(" ", text).split())
    age, open_when = _age(take("age"), lenient), _open(take("open"), lenient)
    flags = {name: take(name).lower() in YES for name in FLAGS}
    language = take("language")
    for name, value in (
        ("need", ",".join(known)),
        ("q", text),
        ("age", "" if age is None else f"{age:g}"),
        ("open", open_when.value if open_when else ""),
        *((name, "1" if on else "") for name, on in flags.items()),
        ("language", language),
    ):
        if value:
            kept[name] = value
    query = Query(needs=known, text=text, age=age, open=open_when, language=language, **flags)
    place = take("postcode") or (within[0] if within else "")
    answer = areas.look_up(place) if place else None
    found = where(answer) if answer else None
    return Asked(found.of(query) if found else query, kept, answer)


def _age(told: str, lenient: bool) -> float | None:
    age = age_in(told) if told else None
    if told and age is None and not lenient:
        raise BadField("age")
    return age


def _open(told: str, lenient: bool) -> Open | None:
    try:
        return Open(told.lower()) if told else None
    except ValueError:
        if lenient:
            return None
        raise BadField("open") from None
