"""Where a child is: from what was typed to the council, without keeping the postcode."""

from __future__ import annotations

import re
from functools import lru_cache

from actions._services import all_services
from bot.areas.authorities import Authority
from bot.areas.finder import Answer, AnswerKind, Areas
from bot.areas.served import served, serves
from bot.bootstrap import core
from bot.store.uow import UnitOfWork

#: A whole postcode as most people write it.
_POSTCODE = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}\b", re.IGNORECASE)
#: A word of letters and digits together: what else a postcode may look like, or half of one.
_MIXED = re.compile(r"\b(?=\w*\d)(?=\w*[A-Z])\w+\b", re.IGNORECASE)
#: Where a postcode stands among a conversation's sealed wishes until its report is sent or left.
_KEPT = "postcode"
#: What stands right before a place that is meant: nothing, a comma, or one of these words.
_BEFORE = r"(?:^|,\s*|\b(?:in|near|from|outside|around)\s+)"


@lru_cache(maxsize=1)
def areas() -> Areas:
    """The look-up, opened at the first question."""
    return Areas.open()


def sure_of(text: str, found: Answer) -> Authority | None:
    """The council, where neither the answer nor what was typed leaves a doubt.

    "Mill Street" and "in the bath" hold the names of towns: a name counts by itself only where a place
    would stand, as in "Mill Lane, Woking" and "near the park in Woking".
    """
    body = found.settled
    if body is None or found.kind is not AnswerKind.PLACE:
        return body
    known = (*found.names, body.name, *body.known_as)
    # "Edinburgh" is enough for "City of Edinburgh", "Bristol" for "Bristol, City of".
    known += tuple(name.split(" of ")[-1].split(",")[0] for name in known)
    names = "|".join(map(re.escape, known))
    stands = re.search(rf"{_BEFORE}(?:{names})\s*(?:,|\W*$)", text.strip(), re.IGNORECASE)
    return body if stands else None


def authority(code: str | None) -> Authority | None:
    """The authority with this code; None for no code and for one that is not known."""
    return areas().authorities.authority(code) if code else None


def is_served(body: Authority) -> bool:
    """Whether this deployment serves an authority; without the setting it serves all."""
    return serves(served(core().settings.areas_served, areas().authorities), body)


def without_postcode(text: str, postcode: str) -> str:
    """What was typed without the postcode that was found in it; may be empty."""
    if not postcode:
        return text.strip()
    pattern = _POSTCODE if _POSTCODE.search(text) else _MIXED
    return re.sub(r"\s{2,}", " ", pattern.sub("", text)).strip(" ,.;:-\n")


def whole_postcode(text: str) -> str:
    """The whole postcode in a text, as it is written; empty if there is none."""
    found = areas().find(text).postcode if any(letter.isdigit() for letter in text) else ""
    return found if _POSTCODE.fullmatch(found) else ""


def area_of(uow: UnitOfWork, body: Authority) -> str | None:
    """The id of the area of the rota that bears an authority's name or code; None if none does."""
    names = {name.casefold() for name in (body.code, body.name, *body.known_as)}
    areas_here = uow.rota().areas
    return next((a.id for a in areas_here if names & {a.id.casefold(), a.name.casefold()}), None)


def keep_postcode(conversation_id: str, postcode: str) -> None:
    """Keeps a whole postcode, sealed, until they say whether it may be sent; an empty one forgets it."""
    with core().uow() as uow:
        row = uow.conversation(conversation_id, lock=True)
        if row is None or row.erased_at:
            return
        others = {key: value for key, value in (row.wishes or {}).items() if key != _KEPT}
        row.wishes = {**others, _KEPT: postcode} if postcode else others
        uow.commit()


def unsaid_postcode(conversation_id: str) -> None:
    """Forgets the kept postcode that was not sent, also where it was shown before they said no."""
    if not (postcode := kept_postcode(conversation_id)):
        return
    with core().uow() as uow:
        for message in uow.messages(conversation_id):
            if message.text and postcode in message.text:
                message.text = message.text.replace(postcode, f"{postcode.split()[0]} …")
        uow.commit()
    keep_postcode(conversation_id, "")


def kept_postcode(conversation_id: str) -> str:
    """The postcode of :func:`keep_postcode`; empty if there is none."""
    with core().store.read() as uow:
        row = uow.conversation(conversation_id)
        return str(((row.wishes if row else None) or {}).get(_KEPT, ""))


def front_door(body: Authority) -> tuple[str, str]:
    """How anyone reports a concern there: its web page by name, and how to ring. Either may be empty."""
    door = body.front_door
    line = next((s for s in all_services() if s["id"] == door.helpline), None)
    rings = f"{line['name']}: {line['how']}" if line else ""
    return (f"{door.title}: {door.web}" if door.web else "", rings)
