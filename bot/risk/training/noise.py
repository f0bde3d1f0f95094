"""Writes a message as somebody else might have typed it, so that the encoder does not learn spelling."""

from __future__ import annotations

import random
import re

__all__ = ["dress", "noisy"]

_SHORT = {
    "you": "u", "are": "r", "your": "ur", "because": "cos", "please": "plz", "people": "ppl", "and": "n",
    "tonight": "2nite", "tomorrow": "2moro", "what": "wot", "about": "bout", "before": "b4", "to": "2",
    "for": "4", "something": "sumthing", "someone": "some1", "with": "wiv", "the": "da", "don't": "dont",
    "can't": "cant", "i'm": "im", "it's": "its", "he's": "hes", "she's": "shes", "want to": "wanna",
    "going to": "gonna", "got to": "gotta", "know": "kno", "really": "rly", "school": "skool", "that": "dat",
    "them": "em", "have": "av", "night": "nite", "right": "rite", "though": "tho", "boyfriend": "bf",
    "girlfriend": "gf", "brother": "bro", "sister": "sis", "this": "dis", "talk": "tlk", "text": "txt",
}  # fmt: skip
_LONGEST_FIRST = "|".join(sorted(map(re.escape, _SHORT), key=len, reverse=True))
_SHORTEN = re.compile(rf"\b({_LONGEST_FIRST})\b", re.I)
_KEYS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo",
    "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "wa", "r": "et", "s": "ad",
    "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip
_BEFORE = [
    "hi ", "hello, ", "hey ", "hiya ", "ok so ", "umm ", "idk if this is the right place but ",
    "just wondering, ",
    "we had pasta for tea. ", "i watched tv after school. ", "i was on my xbox and ", "it rained all day. ",
    "sorry to bother you. ", "can i ask something. ", "hey how are you. ", "had maths today. ", "random but ",
]  # fmt: skip
_AFTER = [
    " lol", " haha", " jk", " lmao", " x", " 😂", "...", "!!!", " anyway i like cats", " thanks", " idk",
    " anyway what time is it", ". my dog is asleep", " tbh", " i guess", ". anyway bye", " fr",
]  # fmt: skip


def noisy(text: str, rng: random.Random) -> str:
    """The message with typos, text-speak, or without capitals and punctuation."""
    if rng.random() < 0.3:
        text = _SHORTEN.sub(lambda m: _SHORT[m[0].lower()] if rng.random() < 0.6 else m[0], text)
    if rng.random() < 0.4:
        text = _with_typos(text, rng)
    if rng.random() < 0.35:
        text = re.sub(r"[^\w\s'£]", "", text)
    if rng.random() < 0.2:
        text = text.replace("'", "")
    return text.upper() if rng.random() < 0.04 else text.lower() if rng.random() < 0.4 else text


def dress(text: str, other: str, rng: random.Random) -> str:
    """The message with small talk before or after it; ``other`` is a harmless message of the data."""
    if rng.random() < 0.2:
        text = rng.choice(_BEFORE) + text
    if rng.random() < 0.2:
        text = text + rng.choice(_AFTER)
    if rng.random() < 0.1 and len(text) + len(other) < 320:
        text = f"{other.rstrip('.!? ')}{rng.choice(['. ', ' ', '! '])}{text}"
    elif rng.random() < 0.08 and len(text) + len(other) < 320:
        text = f"{text.rstrip('. ')}{rng.choice(['. ', ' ', '. also '])}{other}"
    return text


def _with_typos(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
    for i in rng.sample(long, min(len(long), 1 + len(long) // 8)):
        word = words[i]
        at = rng.randrange(1, len(word) - 1)
        kind = rng.randrange(4)
        if kind == 0:
            words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        elif kind == 1:
            words[i] = word[:at] + word[at + 1 :]
        elif kind == 2:
            words[i] = word[:at] + word[at] + word[at:]
        else:
            words[i] = word[:at] + rng.choice(_KEYS.get(word[at].lower(), word[at])) + word[at + 1 :]
    return " ".join(words)
