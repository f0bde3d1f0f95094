"""Parts of the house are killed with -9; the child notices as little as can be."""

from __future__ import annotations

import signal

import pytest

from tests.journeys.house import Chat, House, wait_for

pytestmark = pytest.mark.journey

DISCLOSURE = "my stepdad hits me when hes had a drink"
OVERDOSE = "ive taken loads of paracetamol"


@pytest.fixture(params=["rasa", "actions"])
def dead_part(request, house: House):
    house.kill(request.param)
    yield request.param
    house.start(request.param)
    house.wait_until_ready()


def test_with_a_part_dead_disclosures_still_reach_a_person(house: House, dead_part: str) -> None:
    told = Chat(house.url)
    words = "\n".join(told.says(DISCLOSURE))
    assert "believe" in words and "0800 1111" in words
    assert house.handover_of(told.id).level == "high"
    urgent = Chat(house.url)
    assert urgent.says(OVERDOSE)[0].splitlines()[0] == "Call 999 now."
    assert house.handover_of(urgent.id).level == "immediate"
    harmless = Chat(house.url)
    assert harmless.says("who won the world cup")
    assert house.handover_of(harmless.id) is None


def test_after_rasa_comes_back_the_conversation_goes_on(house: House) -> None:
    chat = Chat(house.url, "self")
    chat.says("hiya")
    house.kill("rasa")
    down = chat.says("is this private")
    assert down == [house.core.content.say("utter_machine_down")]
    house.start("rasa")
    house.wait_until_ready()
    back = chat.says("is this private")
    assert back and back != down


def test_a_gateway_that_dies_loses_no_message_and_no_handover(house: House) -> None:
    chat = Chat(house.url, "self")
    sent = chat.client.post("/api/messages", json={"client_id": "before-the-crash", "text": DISCLOSURE})
    assert sent.status_code == 202
    house.kill("gateway")
    house.start("gateway")
    house.wait_until_ready()
    answered = wait_for(lambda: chat.answers_after(sent.json()["id"]), 20, lambda: "never answered")
    assert any("believe" in text for text in answered)
    assert house.handover_of(chat.id).level == "high"
    assert [m["text"] for m in chat.transcript()].count(DISCLOSURE) == 1


def test_no_log_of_any_process_holds_what_was_written(house: House) -> None:
    marker = "zebra-crossing-quartz"
    chat = Chat(house.url, "self")
    chat.says(f"hello {marker}")
    chat.says(f"my stepdad hits me {marker}")
    house.kill("actions")
    chat.says(f"is this private {marker}")
    house.start("actions")
    house.wait_until_ready()
    # Frozen: Rasa's own channel would log what it could not answer in time (tests/unit/test_rasa_rest.py).
    house.send_signal("actions", signal.SIGSTOP)
    chat.says(f"is this private {marker}")
    house.send_signal("actions", signal.SIGCONT)
    house.wait_until_ready()
    logs = house.logs()
    assert logs.strip(), "there were logs to look at"
    for secret in (marker, chat.code, "Sam Okafor", "stepdad"):
        assert secret not in logs


def test_the_database_file_holds_no_word_in_clear(house: House) -> None:
    marker = "violet-umbrella-tango"
    chat = Chat(house.url, "self")
    chat.says(f"my stepdad hits me {marker}")
    raw = b"".join(path.read_bytes() for path in house.folder.glob("earshot.db*"))
    assert chat.id.encode() in raw  # it is the right file
    for secret in (marker, "stepdad", "Okafor"):
        assert secret.encode() not in raw
