"""The house breaks while somebody tells of harm: a part of what ``make faults`` does, small enough for CI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.chaos.__main__ import BEGIN, END, opened, table
from tests.journeys.chaos.faults import FAULTS, Fault
from tests.journeys.chaos.house import ChaosHouse
from tests.journeys.chaos.person import PROMISE, Row

pytestmark = pytest.mark.journey

#: One of each kind.
HERE = (
    "gateway-killed-answered",
    "actions-killed-opened",
    "rasa-killed-asked",
    "locked-before",
    "disk-full-stored",
    "telegram-down-answered",
    "two-gateways-same-message",
    "clock-back-stored",
)


@pytest.fixture(scope="module")
def chaos(tmp_path_factory) -> Iterator[ChaosHouse]:
    with opened(tmp_path_factory.mktemp("chaos")) as house:
        yield house


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.key in HERE], ids=lambda fault: fault.key)
def test_whatever_breaks_nothing_is_lost_and_nothing_doubled(chaos: ChaosHouse, fault: Fault) -> None:
    row = fault.run(chaos)
    assert row.words != "none" and row.seconds <= PROMISE, row
    assert (row.stored, row.answered, row.handovers) == (1, 1, 1), row
    assert row.kept, row


def test_every_fault_asked_for_here_exists_and_no_key_stands_for_two() -> None:
    keys = [fault.key for fault in FAULTS]
    assert set(HERE) <= set(keys) and len(keys) == len(set(keys))


def test_a_lost_or_doubled_cell_is_told_in_the_table() -> None:
    good = Row("something breaks", "before the message", "reply", 1.0, 1, 1, 1, "1 asked", kept=True)
    bad = Row("something breaks", "before the message", "none", 5.0, 1, 2, 1, "1 asked", kept=False)
    text = table([good, bad], 90)
    assert "1 of 2 faults" in text and text.count("**not kept**") == 1
    assert BEGIN not in text and END not in text
