"""Telephone numbers in what a person reads, as links that open the dialler."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

#: A run of figures is a telephone number when it is a short emergency number, a 116 number, Childline's own
#: eight figures, or ten or eleven figures that begin with 0. The page's scripts use the same rule (words.js).
_RUN = re.compile(r"[0-9]+(?: [0-9]+)*")
_NUMBER = re.compile(r"999|112|111|116[0-9]{3}|0800[0-9]{4}|0[0-9]{9,10}")


def with_links(text: str) -> Markup:
    """``text``, safe to put into a page, each telephone number in it a link."""
    made, at = Markup(), 0
    for found in _RUN.finditer(text):
        figures = found.group().replace(" ", "")
        if _NUMBER.fullmatch(figures):
            made += escape(text[at : found.start()])
            made += Markup('<a href="tel:{}">{}</a>').format(figures, found.group())
            at = found.end()
    return made + escape(text[at:])
