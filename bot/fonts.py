"""The letters that PDFs are set in."""

from __future__ import annotations

import unicodedata
from collections.abc import Container
from importlib.util import find_spec
from pathlib import Path

#: Stands for a letter that the font does not have.
MISSING = "\N{REPLACEMENT CHARACTER}"


def font_folder() -> Path:
    """DejaVu, which has the letters of most languages here; it comes with matplotlib, which Rasa needs."""
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


def printable(text: str, known: Container[int]) -> str:
    """``text`` in letters of a font. Pictures are named, as a face may be all that a child wrote.

    Other letters that the font lacks become :data:`MISSING`; what is not to be seen is left out.
    """
    return "".join(_printable(letter, known) for letter in text.expandtabs(4))


def _printable(letter: str, known: Container[int]) -> str:
    if letter == "\n":
        return letter
    kind = unicodedata.category(letter)
    if kind in ("Cc", "Cf", "Cs", "Mn", "Me") and ord(letter) not in known or kind in ("Cc", "Cf", "Cs"):
        return ""
    if ord(letter) in known:
        return letter
    return f"[{unicodedata.name(letter, '?').lower()}]" if kind == "So" else MISSING
