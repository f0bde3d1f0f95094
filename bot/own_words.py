"""In their own words: the lines a person may pass on, and what they say to change them.

What they typed becomes numbered lines. "change 2 to he pushes me", "leave out the first one" and "add that
it was on monday" are read here; everything stays word for word as it was typed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBERS = {
    **{word: n for n, word in enumerate("one two three four five six seven eight nine ten".split(), 1)},
    **{word: n for n, word in enumerate("first second third fourth fifth sixth seventh".split(), 1)},
}
#: "2", "number 2", "line two", "the first one", "the last bit".
_LINE = (
    r"(?:the\s+)?(?:(?:line|number|no|nr|bit|part|sentence)\b\.?\s*)?#?"
    rf"(?P<line>\d{{1,2}}(?:st|nd|rd|th)?|{'|'.join(_NUMBERS)}|last)\b"
    r"(?:\s+(?:one|line|bit|part|sentence)\b)?"
)
_OPEN, _CLOSE = r"^\W*(?:(?:can|could|pls|please|you|u|i|want|to|wanna|lets|just|actually|ok)\s+)*", r"\W*$"
_CHANGE = re.compile(
    rf"{_OPEN}(?:change|make|swap|replace|edit|fix|put)\s+{_LINE}\s*"
    r"(?:to\s+say|to|into|with|for|say|as|:|=)\s*:?\s*(?P<words>.+)$"
    rf"|{_OPEN}{_LINE.replace('line>', 'line2>')}\s*(?:should\s+(?:say|be)|:|=)\s*(?P<words2>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_DROP = re.compile(
    rf"{_OPEN}(?:(?:take|leave|miss|cut|cross)\s+(?:out\s+|off\s+)?|(?:delete|remove|drop|lose|without|not"
    rf"|dont\s+send|don't\s+send|get\s+rid\s+of)\s+){_LINE}(?:\s+(?:out|off|away))?(?:\s+(?:pls|please))?{_CLOSE}",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"{_OPEN}(?:(?:change|edit|fix|mend|correct)\s+)?{_LINE}(?:\s+is\s+(?:wrong|not\s+right))?{_CLOSE}",
    re.IGNORECASE,
)
_ADD = re.compile(
    r"^\W*(?:(?:can|could|please|pls|you|u|i|want|to|wanna|also|just|ok|and)\s+)*"
    r"(?:add|put\s+in|include|tell\s+(?:them|her|him))\b\s*(?:in\s+)?(?:that\b|this\b)?\s*[:,]?\s*(?P<words>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_SOMEBODY = (
    r"(?:(?:my|our|his|her|their|the)\s+)?(?:(?:step|foster)[\s-]?)?(?:mum|mam|mom|mummy|ma|da|dad|daddy|parents?"
    r"|brother|bro|sister|sis|nan|nana|gran|grandad|uncle|aunt|auntie|cousin|carer|family|folks|teachers?"
    r"|school|head|mates?|friends?|boyfriend|bf|girlfriend|gf|partner|husband|wife|police|neighbours?"
    r"|him|her|them|anyone|anybody|any1|everyone|home|house|miss|sir|mr\s+\w+|mrs\s+\w+|ms\s+\w+)\b"
)
_DO_NOT = r"(?:do\s+not|don't|don\u2019t|dont|dnt|never|u\s+cant|you\s+can't|please\s+no)\s+(?:ever\s+)?"
#: "dont tell my stepdad", "pls dont ring home", "dont let mum know".
_WISH = re.compile(
    rf"\b{_DO_NOT}(?:tell|ring|call|phone|text|contact|message|email|let|involve|speak\s+to|talk\s+to|go\s+to)"
    rf"\s+(?:up\s+)?{_SOMEBODY}",
    re.IGNORECASE,
)
#: "not my mum pls", said when words are about to be sent.
_NOT_THEM = re.compile(
    rf"^\W*(?:(?:ok|yes|but|just|pls|please|and)\s+)*not\s+(?:to\s+)?{_SOMEBODY}", re.IGNORECASE
)
#: Fewer words than this after "add" say what they want to do, not what is to be added ("add something").
_WORDS_OF_CONTENT = 3


@dataclass(frozen=True)
class Edit:
    """What is to happen to a line, counted from 1: ``drop`` it, or put ``words`` there.

    Neither: they only said which line.
    """

    line: int
    words: str | None = None
    drop: bool = False


def numbered(lines: Sequence[str]) -> str:
    """The lines as they are shown, each with its number."""
    return "\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1))


def read_edit(text: str, count: int) -> Edit | None:
    """What a message says about one of ``count`` lines; None if it names none that is there."""
    if found := _CHANGE.match(text):
        line = _number(found["line"] or found["line2"], count)
        return Edit(line, words=_unquoted(found["words"] or found["words2"])) if line else None
    for pattern in (_DROP, _NAMED):
        if found := pattern.match(text):
            line = _number(found["line"], count)
            return Edit(line, drop=pattern is _DROP) if line else None
    return None


def names_who_not(text: str, *, about_to_send: bool = False) -> bool:
    """Whether a message says, and names, who must not be told.

    ``about_to_send``: their words were just shown, so that "not my mum" means her too.
    """
    return bool(_WISH.search(text) or (about_to_send and _NOT_THEM.match(text)))


def apply_edit(lines: Sequence[str], edit: Edit) -> list[str]:
    """The lines after an edit that drops or changes one."""
    new = [] if edit.drop else [edit.words or lines[edit.line - 1]]
    return [*lines[: edit.line - 1], *new, *lines[edit.line :]]


def read_addition(text: str) -> str | None:
    """The words after "add that ..."; None if they only said that they want to add something."""
    found = _ADD.match(text)
    words = _unquoted(found["words"]) if found else ""
    return words if len(words.split()) >= _WORDS_OF_CONTENT else None


def _number(word: str, count: int) -> int | None:
    word = word.lower()
    if word == "last":
        return count or None
    digits = re.match(r"\d+", word)
    line = int(digits[0]) if digits else _NUMBERS[word]
    return line if 1 <= line <= count else None


def _unquoted(words: str) -> str:
    return words.strip().strip("\"'\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}").strip()
