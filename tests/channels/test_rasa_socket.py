"""Rasa's socket.io protocol, spoken by a real client over real HTTP; only Rasa itself is scripted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
import socketio
from limits import parse

from bot import handover, transcript
from bot.bootstrap import Core, build_core
from bot.changes import Changes
from bot.channels import rasa_socket
from bot.channels.rasa_socket import as_rasa
from bot.conversation import Conversations
from bot.gateway.app import create_app
from bot.gateway.limits import RATES, Limits
from bot.messages import Choice, OutboundMessage, Sender
from bot.risk import detector
from bot.store.models import Conversation
from tests.standins.served import served

DISCLOSURE = "my stepdad hits me when hes had a drink"
WIDGETS = "https://www.school.example"
HELLO = "EIO=4&transport=polling"


class Widget:
    """A web widget made for Rasa, as far as the server can tell."""

    def __init__(self, url: str) -> None:
        self.session = ""
        self.said: list[dict[str, Any]] = []
        self.client = socketio.Client(reconnection=False)
        self.client.on("bot_uttered", self.said.append)
        self.client.on("session_confirm", self._confirmed)
        self.client.connect(url, transports=["polling"], wait_timeout=10)

    def _confirmed(self, session: str) -> None:
        self.session = session

    def goes(self) -> None:
        """Say goodbye; the client would wait for its last poll to end, which takes up to 25 seconds."""
        threading.Thread(target=self.client.disconnect, daemon=True).start()

    def asks_for_session(self, session: str | None = None) -> str:
        self.session = ""
        self.client.emit("session_request", {"session_id": session})
        wait_for(lambda: self.session)
        return self.session

    def says(self, text: str, **more: Any) -> None:
        self.client.emit("user_uttered", {"message": text, "session_id": self.session, **more})

    def texts(self) -> list[str]:
        return [each["text"] for each in self.said]

    def hears(self, words: str) -> dict[str, Any]:
        wait_for(lambda: any(words in text for text in self.texts()))
        return next(each for each in self.said if words in each["text"])

    def presses(self, title: str) -> None:
        offered = {r["title"]: r["payload"] for each in self.said for r in each.get("quick_replies", ())}
        self.says(offered[title])


def wait_for(found: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
    return result


@pytest.fixture
def house(core: Core) -> Core:
    return build_core(core.settings.copy(update={"socketio": True, "socketio_origins": WIDGETS}))


@pytest.fixture
def url(house: Core, dialogue: Any) -> Iterator[str]:
    with served(create_app(house, dialogue)) as address:
        yield address


@pytest.fixture
def widgets(url: str) -> Iterator[Callable[[], Widget]]:
    opened: list[Widget] = []

    def one_more() -> Widget:
        opened.append(Widget(url))
        return opened[-1]

    yield one_more
    for each in opened:
        each.goes()


def conversations(house: Core) -> list[str]:
    with house.store.read() as uow:
        return [row.id for row in uow.session.query(Conversation).order_by(Conversation.created_at)]


def typed(house: Core, conversation_id: str) -> list[str]:
    with house.store.read() as uow:
        return [m.text for m in uow.messages(conversation_id) if m.sender == Sender.YOU.value]


def test_a_conversation_with_a_disclosure_reaches_a_worker_and_their_words_come_back(
    widgets: Callable[[], Widget], house: Core, dialogue: Any
) -> None:
    widget, say = widgets(), house.content.say
    assert len(widget.asks_for_session()) >= 43
    wait_for(lambda: len(widget.said) >= 3)
    doors = widget.hears(say("utter_opening_doors"))
    # The shape of Rasa's own channel: nothing but text, and buttons as quick replies with the last.
    assert widget.said[0]["text"] == say("utter_opening_hello") and "quick_replies" not in widget.said[0]
    assert [set(each) for each in doors["quick_replies"]] == [{"content_type", "title", "payload"}] * 4
    assert widget.texts()[1:3] == [say("utter_opening_private"), say("utter_opening_doors")]

    widget.presses("Me")
    widget.hears("Tell me more")
    assert dialogue.asked == ["/door_me"]
    dialogue.down = True  # the floor holds whether Rasa is there or not
    widget.says(DISCLOSURE, message_id="m1")
    widget.says(DISCLOSURE, message_id="m1")
    widget.hears("believe")
    (conversation_id,) = conversations(house)
    assert typed(house, conversation_id) == ["Me", DISCLOSURE]
    with house.uow() as uow:
        case = uow.open_handover_of(conversation_id)
        assert (case.kind, case.level, case.state) == ("disclosure", "high", "waiting")
        worker = uow.rota().duty_line(house.now())[0]
        handover.accept(uow, case.id, worker.id, house.now())
        row = uow.conversation(conversation_id, lock=True)
        transcript.append(
            uow, row, Sender.WORKER, "I have read this. Where are you now?", house.now(), name=worker.name
        )
        uow.commit()
    told = widget.hears("Where are you now?")
    assert told["text"] == f"{worker.name}: I have read this. Where are you now?"
    assert told["earshot"]["from"] == "worker" and told["earshot"]["name"] == worker.name
    asked = len(dialogue.asked)
    widget.says("at my nans")
    wait_for(lambda: typed(house, conversation_id)[-1] == "at my nans")
    assert len(dialogue.asked) == asked
    numbers = [each["earshot"]["id"] for each in widget.said]
    assert numbers == sorted(numbers) and len(set(widget.texts())) == len(widget.texts())


def test_a_session_goes_on_where_it_was_and_nobody_gets_in_by_guessing(
    widgets: Callable[[], Widget], house: Core
) -> None:
    first = widgets()
    session = first.asks_for_session()
    first.hears(house.content.say("utter_opening_doors"))
    first.goes()
    time.sleep(1)
    (conversation_id,) = conversations(house)
    with house.uow() as uow:
        row = uow.conversation(conversation_id, lock=True)
        transcript.append(uow, row, Sender.BOT, "Said while you were away.", house.now())
        uow.commit()
    again = widgets()
    assert again.asks_for_session(session) == session
    again.hears("while you were away")
    assert again.texts() == ["Said while you were away."], "what was shown before is not said again"
    # Another tab of the same widget sees what comes from now on, too.
    tab = widgets()
    assert tab.asks_for_session(session) == session
    again.says("hello there")
    again.hears("Tell me more")
    tab.hears("Tell me more")
    for guess in (conversation_id, "1", "../../etc", session[:-1]):
        assert tab.asks_for_session(guess) not in (guess, session)
    assert len(conversations(house)) == 5


async def test_what_was_sent_just_before_a_connection_broke_is_sent_again(house: Core, dialogue: Any) -> None:
    changes = Changes(house.store)
    conversations = Conversations(house, dialogue, detector.assess, changes)
    socket = rasa_socket.RasaSocket(house, conversations, changes, Limits(house))
    started = await conversations.start_web()
    session = rasa_socket.Session(started.conversation_id, started.token)
    socket._sessions["one"] = session
    assert len(socket._take(session)) == 3 and socket._take(session) == []
    await socket._disconnect("one", "ping timeout")
    assert len(socket._take(session)) == 3
    socket._sessions["two"] = session
    await socket._disconnect("two", "client disconnect")
    assert socket._take(session) == []


def test_what_cannot_be_taken_is_answered_and_never_silently_dropped(
    widgets: Callable[[], Widget], house: Core, dialogue: Any, monkeypatch: Any
) -> None:
    monkeypatch.setitem(RATES, "messages", parse("6/minute"))
    widget, say = widgets(), house.content.say
    widget.client.emit("user_uttered", {"message": "/get_started"})
    widget.client.emit("user_uttered", "no object")
    widget.hears(say("problem_bad_field", field="message"))
    widget.hears(say("utter_emergency_line"))  # a message of its own, which may come a moment later
    assert conversations(house) == []
    widget.client.emit("user_uttered", {"message": "hello there"})  # Rasa takes this without a session, too
    widget.hears("Tell me more")
    assert widget.session and dialogue.asked == ["hello there"]
    widget.says("x" * 4_001)
    widget.hears(say("utter_too_long"))
    widget.says("   ")
    widget.hears(say("utter_empty"))
    widget.says("/pick_999.9")
    widget.hears(say("problem_unknown_choice"))
    widget.says("/door_friend")  # typed, not pressed: words, never a command to the dialogue
    wait_for(lambda: dialogue.asked[-1] == "door_friend")
    (conversation_id,) = conversations(house)
    assert typed(house, conversation_id) == ["hello there", "/door_friend"]
    widget.says("one more")
    widget.says("and one too many")
    widget.hears(say("utter_slow_down"))


def test_a_deleted_chat_says_so_and_the_next_words_begin_another(
    widgets: Callable[[], Widget], house: Core, dialogue: Any
) -> None:
    widget = widgets()
    session = widget.asks_for_session()
    widget.hears(house.content.say("utter_opening_doors"))
    dialogue.replies = [{"text": "OK.", "custom": {"earshot": {"do": "delete"}}}]
    widget.says("delete it all")
    widget.hears(house.content.say("utter_deleted"))
    (conversation_id,) = conversations(house)
    with house.store.read() as uow:
        assert all(m.text is None for m in uow.messages(conversation_id))
    dialogue.replies = [{"text": "Tell me more."}]
    widget.says("hello again")
    widget.hears("Tell me more")
    assert widget.session != session and len(conversations(house)) == 2


def test_other_websites_larger_bodies_and_other_transports_are_refused(url: str, monkeypatch: Any) -> None:
    at = f"{url}/socket.io/"
    allowed = httpx.get(f"{at}?{HELLO}", headers={"origin": WIDGETS})
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == WIDGETS
    assert "access-control-allow-credentials" not in allowed.headers
    refused = httpx.get(f"{at}?{HELLO}", headers={"origin": "https://evil.example"})
    assert refused.status_code == 400 and "access-control-allow-origin" not in refused.headers
    assert httpx.get(f"{at}?EIO=4&transport=websocket").status_code == 400
    sid = allowed.json() if allowed.text[:1] == "{" else allowed.text.split('"sid":"')[1].split('"')[0]
    assert httpx.post(f"{at}?{HELLO}&sid={sid}", content="4" * 40_000).status_code == 413
    pieces = (piece for piece in [b"4" * 1000])
    assert httpx.post(f"{at}?{HELLO}&sid={sid}", content=pieces).status_code == 411
    monkeypatch.setattr(rasa_socket, "AT_ONCE", 0)
    assert httpx.get(f"{at}?{HELLO}").status_code == 503
    monkeypatch.setattr(rasa_socket, "AT_ONCE", 1_000)
    statuses = [httpx.get(f"{at}?{HELLO}").status_code for _ in range(70)]
    assert statuses[0] == 200 and statuses[-1] == 429


def test_it_is_off_unless_switched_on(core: Core, dialogue: Any) -> None:
    with served(create_app(core, dialogue)) as url:
        assert httpx.get(f"{url}/socket.io/?{HELLO}").status_code == 404


def test_a_text_is_cut_at_its_paragraphs_and_cards_become_words() -> None:
    message = OutboundMessage(
        id=7,
        conversation_id="c",
        sender=Sender.BOT,
        text="One.\n\nTwo.",
        at=datetime.now(timezone.utc),
        choices=(Choice("7.1", "Go on"),),
        cards=(
            {"title": "Childline", "lines": ["Call 0800 1111"], "choice": {"id": "7.0", "title": "Keep"}},
        ),
    )
    parts = as_rasa(message)
    assert [part["text"] for part in parts] == ["One.", "Two.", "Childline\nCall 0800 1111"]
    assert "quick_replies" not in parts[0]
    assert [r["payload"] for r in parts[-1]["quick_replies"]] == ["/pick_7.0", "/pick_7.1"]
