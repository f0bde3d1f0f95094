"""A child's age in a parent's words: ``8``, ``hes nearly 3``, ``18 months``, ``newborn``, ``a teenager``."""

from __future__ import annotations

import re

OLDEST = 25
_COUNTED = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen"
)
_WORDS = {word: float(years) for years, word in enumerate(_COUNTED.split(), 1)} | {
    "newborn": 0.0,
    "baby": 0.0,
    "babies": 0.0,
    "pregnant": 0.0,
    "bump": 0.0,
    "toddler": 2.0,
    "preschooler": 3.0,
    "teen": 14.0,
    "teenager": 14.0,
    "teenage": 14.0,
}
_MONTHS = re.compile(r"\b(\d{1,2})\s*(?:months?|mths?|mo)\b")
_WEEKS = re.compile(r"\b\d{1,2}\s*(?:weeks?|wks?|days?)\b")
_YEARS = re.compile(r"(?<![\d.£])(\d{1,2})(?!\d)(?!\s*(?:am|pm|times|kids|children|boys|girls|o'?clock|:))")


def age_in(text: str) -> float | None:
    """The age in years that a short answer tells, the youngest of several; None if it tells none."""
    low = text.casefold()
    if month := _MONTHS.search(low):
        return round(int(month[1]) / 12, 1)
    if _WEEKS.search(low):
        return 0
    told = [float(years) for years in _YEARS.findall(low) if int(years) <= OLDEST]
    told += [_WORDS[word] for word in re.findall(r"[a-z]+", low) if word in _WORDS and not told]
    return min(told, default=None)
