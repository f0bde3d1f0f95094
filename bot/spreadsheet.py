"""Rows for a spreadsheet, none of whose cells can be a formula."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Any

#: What makes a spreadsheet take a cell for a formula: a sign, also a full-width one, also after what cannot
#: be seen and some programs trim; or a tab or a line's end in front (OWASP, CSV injection).
_FORMULA = re.compile(
    r"[\s\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]"
)


def csv_row(values: Iterable[Any]) -> str:
    """One line of CSV, every cell quoted."""
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow([_plain(value) for value in values])
    return line.getvalue()


def _plain(value: Any) -> str:
    text = "" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)
    # A NUL ends the file for some programs; half a pair of surrogates is no UTF-8.
    text = text.replace("\x00", "").encode("utf-8", "replace").decode()
    return f"'{text}" if _FORMULA.match(text) else text
