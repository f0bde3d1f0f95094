"""Measuring the intents: what counts as right, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.operate.intents import IntentFileError, IntentReport, read_file


def test_an_out_of_scope_message_is_right_when_the_model_falls_back() -> None:
    report = IntentReport(
        (("hi", "greet", "greet"), ("bye", "bye", "greet"), ("2+2", "out_of_scope", "nlu_fallback"))
    )
    assert report.in_scope == (1, 2)
    assert report.out_of_scope == (1, 1)
    assert report.confusions() == [("bye", "greet", 1)]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"text": "hi"}', '{"text": " ", "intent": "greet"}', '{"text": "hi", "intent": 3}']
)
def test_a_malformed_line_is_named_with_a_remedy(tmp_path: Path, line: str) -> None:
    path = tmp_path / "intents.jsonl"
    path.write_text('{"text": "hi", "intent": "greet"}\n' + line + "\n")
    with pytest.raises(IntentFileError, match=r"intents.jsonl, line 2: .* Remedy: write"):
        read_file(path)


def test_a_file_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntentFileError, match="cannot be read"):
        read_file(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(IntentFileError, match="holds no messages"):
        read_file(tmp_path / "empty.jsonl")
