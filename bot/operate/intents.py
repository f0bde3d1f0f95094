"""Measures the trained Rasa model on messages whose intent a person has named."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.nlu.parse import intents_of
from bot.operate.model import train

__all__ = ["IntentFileError", "IntentReport", "evaluate_file", "print_report", "read_file"]

#: Names under which a file may list messages that no intent is for; Rasa's own answer is the first.
OUT_OF_SCOPE = ("nlu_fallback", "out_of_scope")


class IntentFileError(ValueError):
    """A line that cannot be used; the message names file, line and remedy."""


@dataclass(frozen=True)
class IntentReport:
    """``rows`` of text, the intent a person named, and the intent the model gave."""

    rows: tuple[tuple[str, str, str], ...]

    @property
    def in_scope(self) -> tuple[int, int]:
        """How many messages with an intent got it, and how many there are."""
        return self._hits(False)

    @property
    def out_of_scope(self) -> tuple[int, int]:
        """How many messages that no intent is for came out as such, and how many there are."""
        return self._hits(True)

    def confusions(self) -> list[tuple[str, str, int]]:
        """``(named, given, how often)`` of what went wrong, the commonest first."""
        wrong = Counter((named, given) for _, named, given in self.rows if not _same(named, given))
        return [(named, given, count) for (named, given), count in wrong.most_common()]

    def _hits(self, outside: bool) -> tuple[int, int]:
        chosen = [(named, given) for _, named, given in self.rows if (named in OUT_OF_SCOPE) is outside]
        return sum(_same(named, given) for named, given in chosen), len(chosen)


def evaluate_file(path: Path) -> IntentReport:
    """Parse every message of a file with the trained model; trains it first if its inputs changed.

    Raises:
        IntentFileError: a line that cannot be used.
        TrainingFailed: Rasa could not train a model.
    """
    rows = read_file(path)
    given = intents_of(train(), [text for text, _ in rows])
    return IntentReport(tuple((text, named, g) for (text, named), g in zip(rows, given, strict=True)))


def read_file(path: Path) -> list[tuple[str, str]]:
    """``(text, intent)`` of every line.

    Raises:
        IntentFileError: no such file, nothing in it, or a line without a text and an intent.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise IntentFileError(f"{path.name}: cannot be read ({error}). Remedy: check the path.") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            text, intent = entry["text"], entry["intent"]
        except (ValueError, KeyError, TypeError):
            text = intent = None
        if not (isinstance(text, str) and text.strip() and isinstance(intent, str) and intent):
            raise IntentFileError(
                f"{path.name}, line {number}: no text and intent. "
                'Remedy: write {"text": "…", "intent": "…"}, both strings.'
            )
        rows.append((text, intent))
    if not rows:
        raise IntentFileError(f"{path.name}: holds no messages. Remedy: write one JSON object a line.")
    return rows


def print_report(report: IntentReport, out: Console) -> None:
    """The shares, and what was taken for what."""
    for name, (hits, total) in (("top-1", report.in_scope), ("out-of-scope recall", report.out_of_scope)):
        out.print(f"{name}: {f'{hits / total:.1%} ({hits}/{total})' if total else 'no such messages'}")
    table = Table("intent", "taken for", "times")
    for named, given, count in report.confusions():
        table.add_row(named, given, str(count))
    out.print(table)


def _same(named: str, given: str) -> bool:
    return named == given or (named in OUT_OF_SCOPE and given in OUT_OF_SCOPE)
