"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.bootstrap import Core


@dataclass(frozen=True)
class Finding:
    """Something that is not right, and what to do. Without ``wrong`` it is only worth knowing."""

    what: str
    remedy: str
    wrong: bool = True


Check = Callable[[Core], Iterator[Finding]]


def counted(number: int, one: str, many: str) -> str:
    """``1 lead has`` or ``3 leads have``."""
    return f"{number} {one if number == 1 else many}"
