"""What the fuzzing found, each mended: one named test for each, so that none comes back."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bot.directory.shapes import identifier
from bot.spreadsheet import csv_row
from tests.attacks.driver import Driver, no_fault
from tests.attacks.seats import Staffed

PRIVATE = {"id": 600_100_300, "type": "private"}


@pytest.mark.parametrize("name", ["\ud83d", "a\x00b", "a\nb", "x" * 65, ""], ids=ascii)
def test_a_client_id_that_no_database_takes_is_refused(chat: Driver, name: str) -> None:
    body = json.dumps({"client_id": name, "text": "hello there"}).encode()
    answer = chat("POST", "/api/messages", {}, body)
    no_fault(answer)
    assert answer.status == 422


@pytest.mark.parametrize("number", ["2147483648", "9223372036854775808", "9" * 40])
@pytest.mark.parametrize(
    "path", ["/cases/{}", "/cases/{}/letter.json", "/cases/{}/news", "/cases/1/record/versions/{}"]
)
def test_a_number_beyond_what_a_database_counts_is_nobodys_case(
    desk: Staffed, path: str, number: str
) -> None:
    desk.seat("lead")
    answer = desk.driver("GET", "/desk" + path.format(number), {"accept": "text/html"})
    no_fault(answer)
    assert answer.status == 404


@pytest.mark.parametrize("field", ["text", "caption"])
@pytest.mark.parametrize("odd", [{"a": 1}, 7, ["x"], True], ids=repr)
def test_a_telegram_update_with_words_of_the_wrong_type_is_taken_as_unreadable(
    door, core, field, odd
) -> None:
    message = {"message_id": 5, "date": 1_760_000_000, "chat": PRIVATE, "from": {**PRIVATE, "is_bot": False}}
    door({"update_id": 71, "message": {**message, field: odd}})
    with core.store.read() as uow:
        talk = uow.conversation_by("address_hash", uow.cipher.find_hash("address-telegram", "600100300"))
        assert [m.kind for m in uow.messages(talk.id) if m.sender == "you"] == ["unreadable"]


@pytest.mark.parametrize("chat_id", [None, "x", {}, []], ids=repr)
def test_a_telegram_update_of_nobody_does_not_hold_up_the_door(door, chat_id) -> None:
    door({"update_id": 71, "message": {"chat": {"type": "private", "id": chat_id}, "text": "hello"}})


@pytest.mark.parametrize(
    "cell", [" =1+1", "\u200b=1", "\x00=1", "\uff1d1+1", "\uff0b1", "\n=1", "\ufeff@x"], ids=ascii
)
def test_a_formula_behind_what_nobody_sees_is_still_no_formula(cell: str) -> None:
    (read,) = csv.reader(io.StringIO(csv_row([cell]), newline=""), strict=True)
    assert read[0].startswith("'")


def test_an_export_with_a_nul_or_half_a_surrogate_is_a_file_that_programs_read() -> None:
    row = csv_row(["a\x00b", "sad \ud83d"])
    assert row.encode() == b'"ab","sad ?"\r\n'


@pytest.mark.parametrize("odd", ["\ud800", " \x00 ", "\udfff\x07"], ids=ascii)
def test_an_id_in_a_feed_of_nothing_but_halves_and_controls_is_no_id(odd: str) -> None:
    assert identifier(odd, "service.id") is None
    assert identifier(f"{odd}a-7", "service.id") == identifier("a-7", "service.id")
