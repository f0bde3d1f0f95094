"""That the person types is shown to a worker who has the chat: never what, and to nobody else."""

from __future__ import annotations

import time

import pytest

from bot import handover
from bot.changes import Changes
from bot.messages import Sender
from tests.channels.test_web import Listener, chat, client, url  # noqa: F401 - fixtures


@pytest.fixture
def told(monkeypatch) -> list[tuple[str, Sender, bool]]:
    """Every sign that reached those who watch, while it still does."""
    found: list[tuple[str, Sender, bool]] = []
    real = Changes.typing

    def note(self, conversation_id: str, sender: Sender, on: bool) -> None:
        found.append((conversation_id, sender, on))
        real(self, conversation_id, sender, on)

    monkeypatch.setattr(Changes, "typing", note)
    return found


def worker_takes(core, conversation_id: str) -> None:
    with core.uow() as uow:
        opened = handover.open_handover(uow, conversation_id, now=core.now(), kind="message")
        worker = uow.rota().everyone_on_duty(core.now())
        case = uow.handover(opened.handover_id)
        # Whoever is there at this hour; the rule about duty is tested elsewhere.
        case.state, case.accepted_by = "accepted", (worker or uow.rota().people)[0].id
        uow.conversation(conversation_id).owner = "worker"
        uow.commit()


def signs_of_the_person(told):
    return [(talk, on) for talk, sender, on in told if sender is Sender.YOU]


def test_a_worker_who_has_the_chat_is_told_and_the_persons_own_page_is_not(url, client, chat, core, told):  # noqa: F811
    worker_takes(core, chat)
    page = Listener(url, client.cookies)
    page.waits_for(lambda: page.states())
    for on in (True, False):
        assert client.post("/api/typing", json={"on": on, "text": "purple walrus"}).status_code == 204
    assert signs_of_the_person(told) == [(chat, True), (chat, False)]
    time.sleep(0.5)
    assert not [data for name, data, _ in page.events if name == "typing" and data["from"] == "you"]
    with core.store.read() as uow:
        assert "walrus" not in repr([m.text for m in uow.messages(chat)])


def test_the_bot_is_not_told(client, chat, told):  # noqa: F811
    assert client.post("/api/typing", json={"on": True}).status_code == 204
    assert signs_of_the_person(told) == []


def test_only_ones_own_conversation_and_only_yes_or_no(client, chat, told):  # noqa: F811
    for body, status in (({"on": "yes"}, 422), ([], 422), ({}, 422)):
        assert client.post("/api/typing", json=body).status_code == status
    assert client.post("/api/typing", content=b"{").status_code == 400
    assert client.post("/api/typing", content=b" " * 300).status_code == 413
    assert (
        client.post("/api/typing", json={"on": True}, headers={"origin": "https://evil.example"}).status_code
        == 403
    )
    client.cookies.clear()
    assert client.post("/api/typing", json={"on": True}).status_code == 401
    assert signs_of_the_person(told) == []


def test_too_many_signs_are_dropped_without_a_word(client, chat, core, told):  # noqa: F811
    worker_takes(core, chat)
    assert {client.post("/api/typing", json={"on": True}).status_code for _ in range(70)} == {204}
    assert len(signs_of_the_person(told)) == 60
