"""Finds a person or a place of the rota in what somebody typed: "can i talk to miss begum"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import spacy
from rapidfuzz.distance import DamerauLevenshtein
from spacy.matcher import PhraseMatcher
from spacy.tokenizer import Tokenizer

#: Children rarely know which of these a teacher uses.
TITLES = ("mr", "mrs", "ms", "miss", "dr", "sir")
#: Words of a place's name that say what kind of place it is; nobody types them.
KINDS = frozenset("school secondary primary academy college youth centre club high junior infant".split())
#: A misspelt word must be so long, and may be so far off; a longer one may be further off.
_LONG, _OFF, _LONGER, _FURTHER_OFF = 6, 1, 8, 2


def find_name(text: str, names: Mapping[str, str], *, misspelt: bool = False) -> str | None:
    """The key of the one name that ``text`` mentions; None when it mentions none, or several.

    Args:
        text: what was typed.
        names: the full names, by key: a staff id or a place id.
        misspelt: also take a long word of a name that is nearly right ("oakfeild"). For places only:
            "really" is not Mr Reilly.
    """
    tokenizer = _tokenizer()
    matcher = PhraseMatcher(tokenizer.vocab, attr="LOWER")
    for key, name in names.items():
        matcher.add(key, [tokenizer(form) for form in _forms(name)])
    document = tokenizer(text)
    longest: dict[str, int] = {}
    for match, start, end in matcher(document):
        key = tokenizer.vocab.strings[match]
        longest[key] = max(longest.get(key, 0), end - start)
    best = [key for key, length in longest.items() if length == max(longest.values())]
    if not best and misspelt:
        typed = [token.lower_ for token in document]
        best = [key for key, name in names.items() if _nearly(name, typed)]
    return best[0] if len(best) == 1 else None


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    return spacy.blank("en").tokenizer


def _nearly(name: str, typed: list[str]) -> bool:
    telling = [word for word in name.lower().split() if word not in KINDS and len(word) >= _LONG]
    return any(
        DamerauLevenshtein.distance(word, other) <= (_FURTHER_OFF if len(word) >= _LONGER else _OFF)
        for word in telling
        for other in typed
        if len(other) >= _LONG
    )


def _forms(name: str) -> Iterator[str]:
    """How a name may be typed: whole, without its kind, with any title, by its last part alone."""
    yield name
    words = name.split()
    telling = [word for word in words if word.lower() not in KINDS]
    if telling and telling != words:
        yield " ".join(telling)
    if words[0].lower().rstrip(".") in TITLES and len(words) > 1:
        rest = " ".join(words[1:])
        yield rest
        yield from (f"{title} {rest}" for title in TITLES)
    elif len(words) == 2 and telling == words:
        yield from words
