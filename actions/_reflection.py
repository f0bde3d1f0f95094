"""Saying back a little of what was said: a feeling, how often, how long. Never a whole sentence."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from bot.data_files import read_yaml
from bot.nlu.normaliser import Normaliser
from bot.settings import ROOT

#: "i feel so scared", "im really tired", "makes me sad": the feeling is their own and not denied.
_OWN = (
    r"\b(?:i|me|im|myself|feel|feels|feeling|felt)\b"
    r"(?: (?!not\b|never\b|you\b|he\b|she\b|they\b)\w+){0,3}? "
)
_SINCE = re.compile(r"\bsince (?:i was \w+|year \w+|primary(?: school)?|christmas|summer|last year)\b")
_AGE = re.compile(
    r"\b(?:i am|im|aged?|age is) (1?\d)\b(?! (?:minutes?|hours?|days?|weeks?|months?|pounds?|stone))"
)
_YEAR = re.compile(r"\b(?:in year|year) (1?\d)\b")
_MEANT = re.compile(r"\b(?:my|the) ([a-z]+(?: carer)?)")


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    return read_yaml(ROOT / "data" / "feelings.yml")


@lru_cache(maxsize=1)
def _normaliser() -> Normaliser:
    return Normaliser.load(ROOT / "data")


@lru_cache(maxsize=1)
def _feeling() -> re.Pattern[str]:
    return re.compile(_OWN + "(" + "|".join(map(re.escape, _data()["feelings"])) + r")\b")


def plain(text: str) -> str:
    """Text as plain words: lower case, text-speak and typos read."""
    return " ".join(_normaliser().norms(text))


def reflection(text: str) -> tuple[str, dict[str, str]] | None:
    """The response that says back the most telling bit of a message, and its values; None if there is none.

    >>> reflection("i feel so scared at night")
    ('utter_reflect_feeling', {'feeling': 'scared'})
    """
    words = plain(text)
    found = _feeling().search(words)
    # "i do not feel sad": the guard inside the pattern sees what follows "feel", not what stands before it.
    if found and not re.search(r"\b(?:not|never)(?: \w+)?\s*$", words[: found.start()]):
        return "utter_reflect_feeling", {"feeling": found[1]}
    for response, key in (("utter_reflect_often", "often"), ("utter_reflect_long", "long")):
        if how := next((phrase for phrase in _data()[key] if phrase in words), None):
            return response, {"how": how}
    if found := _SINCE.search(words):
        return "utter_reflect_long", {"how": found[0].replace("i was", "you were")}
    return None


def person_meant(text: str) -> str | None:
    """Whom a correction names ("no i meant my brother"): a word of ``people``; None if none or two."""
    named = {word for word in _MEANT.findall(plain(text)) if word in _data()["people"]}
    return named.pop() if len(named) == 1 else None


def face(text: str) -> str | None:
    """The face (good, ok, sad, scared, angry) that a message of pictures alone shows; None for any other."""
    if any(letter.isalnum() for letter in text):
        return None
    faces = _data()["emoji"].items()
    return next((name for letter in text for name, pictures in faces if letter in pictures), None)


def laughs(text: str) -> bool:
    """Whether a message is laughter and nothing else.

    >>> laughs("hahaha lol 😂"), laughs("lol my mum hit me")
    (True, False)
    """
    words, known = re.findall(r"\w+", text.lower()), _data()["laughs"]
    if not words:
        return any(picture in text for picture in known["pictures"])
    return all(any(re.fullmatch(pattern, word) for pattern in known["words"]) for word in words)


def in_other_letters(text: str) -> bool:
    """Whether a message is mostly written in letters that English does not have: Arabic, Cyrillic, Tamil."""
    letters = [letter for letter in text if letter.isalpha()]
    foreign = sum(not unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    return foreign * 2 > len(letters)


def age(text: str) -> int | None:
    """The age in years that a child tells of themselves, outright or by school year; None if untold."""
    words = plain(text)
    if found := _AGE.search(words):
        years = int(found[1])
    elif found := _YEAR.search(words):
        years = int(found[1]) + 5  # year 4 of school: eight or nine years old
    else:
        return None
    return years if 4 <= years <= 18 else None
