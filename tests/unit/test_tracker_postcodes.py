"""What Rasa's tracker keeps of a postcode: the district, and no more."""

from __future__ import annotations

import json

from bot.store.tracker import without_postcodes


def test_no_typed_or_shown_postcode_is_kept_except_in_a_slot_that_waits_for_a_yes() -> None:
    shown = {"event": "bot", "text": "5. Postcode: GU1 1AA", "metadata": {"lines": "Postcode: GU1 1AA"}}
    typed = {
        "event": "user",
        "text": "12 Mill Lane, gu1 1aa",
        "parse_data": {"entities": [{"entity": "postcode", "value": "gu1 1aa"}]},
    }
    emptied = [
        {"event": "slot", "name": "concern_where", "value": "12 Mill Lane, gu1 1aa"},
        {"event": "slot", "name": "concern_where", "value": "12 Mill Lane"},
    ]
    waiting = {"event": "slot", "name": "early_help_contact", "value": "post to S1 2HH"}
    kept = without_postcodes(json.dumps({"name": "c", "events": [typed, *emptied, shown, waiting]}))
    assert "1aa" not in kept.lower()
    assert "S1 2HH" in kept  # shown before it goes, word for word
