"""What is said about the law, about who reads what and about what happens next can be looked up."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import yaml

from bot.settings import ROOT

FOLDER = ROOT / "data" / "responses"
#: Answers in other files that tell what will, or can, be done.
ALSO = {"utter_ask_delete", "utter_delete_not_open_case", "utter_changed_mind", "utter_changed_mind_open"}


def claims() -> list[Any]:
    found = []
    for file in ("privacy", "next_steps", "stop_delete"):
        responses = yaml.safe_load((FOLDER / f"{file}.yml").read_text(encoding="utf-8"))["responses"]
        for name, variations in responses.items():
            if file != "stop_delete" or name in ALSO:
                found += [pytest.param(one, id=f"{name}-{n}") for n, one in enumerate(variations)]
    return found


@pytest.mark.parametrize("variation", claims())
def test_a_claim_names_its_source_and_when_it_was_checked(variation: dict[str, Any]) -> None:
    metadata = variation["metadata"]
    assert metadata["source"]
    assert date.fromisoformat(metadata["checked_on"]) < date.fromisoformat(metadata["check_by"])
