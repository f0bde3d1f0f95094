"""The public web interface, as outside programs use it, over real HTTP on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from bot import handover
from bot.bootstrap import Core
from bot.gateway.app import create_app
from tests.conftest import ScriptedDialogue
from tests.standins.served import served

DISCLOSURE = "my stepdad hits me when hes had a drink"


@pytest.fixture
def url(core: Core, dialogue: ScriptedDialogue) -> Iterator[str]:
    with served(create_app(core, dialogue)) as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=10) as one:
        yield one


@pytest.fixture
def chat(client: httpx.Client) -> str:
    answer = client.post("/api/conversations", json={})
    assert answer.status_code == 201
    return answer.json()["id"]


class Listener:
    """Reads ``/api/events`` as a browser does."""

    def __init__(self, url: str, cookies: httpx.Cookies, after: str | None = None) -> None:
        self.events: list[tuple[str, dict, str | None]] = []
        self._stop = threading.Event()
        headers = {"Last-Event-ID": after} if after else {}
        args = (url, dict(cookies), headers)
        threading.Thread(target=self._read, args=args, daemon=True).start()

    def _read(self, url: str, cookies: dict, headers: dict) -> None:
        name, event_id = "", None
        timeout = httpx.Timeout(10, read=None)
        try:
            with httpx.stream(
                "GET", f"{url}/api/events", cookies=cookies, headers=headers, timeout=timeout
            ) as s:
                for line in s.iter_lines():
                    if self._stop.is_set():
                        return
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("id: "):
                        event_id = line[4:]
                    elif line.startswith("data: "):
                        self.events.append((name, json.loads(line[6:]), event_id))
                        event_id = None
        except httpx.HTTPError:
            return

    def messages(self) -> list[dict]:
        return [data for name, data, _ in self.events if name == "message"]

    def states(self) -> list[dict]:
        return [data for name, data, _ in self.events if name == "state"]

    def waits_for(self, found, seconds: float = 8) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found():
                return
            time.sleep(0.02)
        raise AssertionError(f"did not come within {seconds} s: {self.events}")


def send(client: httpx.Client, text: str, client_id: str = "m1") -> httpx.Response:
    return client.post("/api/messages", json={"client_id": client_id, "text": text})


def test_opening_the_page_sets_no_cookie_and_asks_nobody_else(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "set-cookie" not in page.headers
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_conversation_starts_with_a_code_and_a_cookie_that_scripts_cannot_read(client) -> None:
    answer = client.post("/api/conversations", json={"speaker": "friend", "channel_hint": "school"})
    assert answer.status_code == 201
    assert len(answer.json()["return_code"].split("-")) == 5
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Max-Age" not in cookie


def test_replies_arrive_as_events_with_ids(url, client, chat) -> None:
    listener = Listener(url, client.cookies)
    listener.waits_for(lambda: len(listener.messages()) == 3)
    assert send(client, "hello there").status_code == 202
    listener.waits_for(lambda: len(listener.messages()) == 5)
    assert [m["from"] for m in listener.messages()[-2:]] == ["you", "bot"]
    assert listener.messages()[-2]["client_id"] == "m1"
    ids = [int(event_id) for name, _, event_id in listener.events if name == "message"]
    assert ids == sorted(set(ids))


def test_events_resume_after_a_cut(url, client, chat) -> None:
    send(client, "hello there")
    whole = Listener(url, client.cookies)
    whole.waits_for(lambda: len(whole.messages()) == 5)
    rest = Listener(url, client.cookies, after="4")
    rest.waits_for(lambda: rest.messages())
    assert [m["id"] for m in rest.messages()] == [5]


def test_the_same_client_id_is_one_message(client, chat) -> None:
    first, second = send(client, "hello"), send(client, "hello")
    assert first.json() == second.json()
    transcript = client.get("/api/transcript").json()
    assert [m["text"] for m in transcript["messages"] if m["from"] == "you"] == ["hello"]


def test_a_disclosure_shows_a_waiting_handover_and_then_the_person(url, client, chat, core) -> None:
    listener = Listener(url, client.cookies)
    send(client, DISCLOSURE)
    listener.waits_for(lambda: any("handover" in state for state in listener.states()))
    waiting = listener.states()[-1]
    assert waiting["handover"]["state"] == "waiting" and waiting["handover"]["expected_by"]
    with core.uow() as uow:
        worker = uow.rota().duty_line(core.now())[0]
        handover.accept(uow, uow.open_handover_of(chat).id, worker.id, core.now())
        uow.commit()
    listener.waits_for(lambda: listener.states()[-1]["owner"] == "worker")
    assert listener.states()[-1]["handover"] == {"state": "accepted", "with": worker.name}


def test_a_choice_is_answered_by_its_id(url, client, chat, dialogue) -> None:
    doors = client.get("/api/transcript").json()["messages"][-1]["choices"]
    sent = client.post("/api/messages", json={"client_id": "c1", "choice": doors[0]["id"]})
    assert sent.status_code == 202
    listener = Listener(url, client.cookies)
    listener.waits_for(
        lambda: listener.messages()[-1:] and listener.messages()[-1]["text"] == "Tell me more."
    )
    assert dialogue.asked == ["/door_me"]


def test_the_code_brings_the_chat_to_another_device(url, client) -> None:
    code = client.post("/api/conversations").json()["return_code"]
    send(client, "hello from the phone")
    with httpx.Client(base_url=url) as laptop:
        assert laptop.post("/api/resume", json={"code": code.upper()}).status_code == 200
        texts = [m["text"] for m in laptop.get("/api/transcript").json()["messages"]]
    assert "hello from the phone" in texts
    assert client.get("/api/transcript").status_code == 401  # the phone was left behind


def test_the_code_is_shown_to_whoever_has_it_and_stands_in_no_stored_message(url, client, core) -> None:
    started = client.post("/api/conversations").json()
    words = started["return_code"].replace("-", " ")
    with httpx.Client(base_url=url) as laptop:
        laptop.post("/api/resume", json={"code": words})
        texts = [m["text"] for m in laptop.get("/api/transcript").json()["messages"]]
        assert any(words in text for text in texts)
    with core.store.read() as uow:
        assert not any(words in (m.text or "") for m in uow.messages(started["id"]))


def test_guessing_codes_is_slowed(client) -> None:
    answers = [client.post("/api/resume", json={"code": "a-b-c-d-e"}).status_code for _ in range(7)]
    assert answers[:5] == [404] * 5 and set(answers[5:]) == {429}


def test_deleting_takes_the_words_and_the_cookie(url, client, chat) -> None:
    send(client, "hello")
    assert client.delete("/api/conversation").status_code == 204
    assert client.get("/api/transcript").status_code == 401


def test_an_open_handover_says_why_it_is_kept(url, client, chat) -> None:
    listener = Listener(url, client.cookies)
    send(client, DISCLOSURE)
    listener.waits_for(lambda: any("handover" in state for state in listener.states()))
    kept = client.delete("/api/conversation")
    assert kept.status_code == 200 and kept.json()["detail"]


def test_leaving_forgets_the_chat_on_this_device(client, chat) -> None:
    assert client.post("/api/leave").status_code == 204
    assert client.get("/api/transcript").status_code == 401


BAD = [
    ("POST", "/api/messages", {"content": b"{not json"}, 400),
    ("POST", "/api/messages", {"content": b"[1, 2]"}, 400),
    ("POST", "/api/messages", {"content": b"[" * 20_000}, 400),
    ("POST", "/api/messages", {"content": b"\xff\xfe\x00"}, 400),
    ("POST", "/api/messages", {"json": {"text": "no id"}}, 422),
    ("POST", "/api/messages", {"json": {"client_id": 7, "text": "x"}}, 422),
    ("POST", "/api/messages", {"json": {"client_id": "x" * 65, "text": "x"}}, 422),
    ("POST", "/api/messages", {"json": {"client_id": "m", "text": ""}}, 422),
    ("POST", "/api/messages", {"json": {"client_id": "m", "text": "   "}}, 422),
    ("POST", "/api/messages", {"json": {"client_id": "m", "text": ["x"]}}, 422),
    ("POST", "/api/messages", {"json": {"client_id": "m", "choice": "/restart"}}, 422),
    ("POST", "/api/messages", {"json": {"client_id": "m", "text": "x" * 50_000}}, 413),
    ("POST", "/api/messages", {"json": {"client_id": "m", "text": "x" * 5_000}}, 413),
    ("POST", "/api/conversations", {"json": {"speaker": "wizard"}}, 422),
    ("POST", "/api/conversations", {"json": {"speaker": 4}}, 422),
    ("POST", "/api/resume", {"json": {}}, 422),
    ("POST", "/api/resume", {"json": {"code": "no such code"}}, 404),
    ("GET", "/api/events?after=minus", {}, 422),
    ("GET", "/api/nothing", {}, 404),
    ("PUT", "/api/messages", {}, 405),
    ("POST", "/api/messages", {"json": {}, "headers": {"Origin": "https://elsewhere.example"}}, 403),
]


@pytest.mark.parametrize(("method", "path", "sent", "status"), BAD)
def test_bad_input_gets_a_problem_that_a_person_can_read(client, chat, method, path, sent, status) -> None:
    answer = client.request(method, path, **sent)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["detail"].strip() and "999" in problem["emergency"]


@pytest.mark.parametrize("path", ["/api/transcript", "/api/events"])
@pytest.mark.parametrize("cookie", [None, "", "wrong", "x" * 3000])
def test_nobody_reads_without_the_right_cookie(url, path, cookie) -> None:
    cookies = {} if cookie is None else {"earshot": cookie}
    answer = httpx.get(url + path, cookies=cookies)
    assert answer.status_code == 401 and "999" in answer.json()["emergency"]


def test_too_many_messages_are_slowed_kindly(client, chat) -> None:
    codes = [send(client, f"m {n}", f"m{n}").status_code for n in range(45)]
    assert codes[0] == 202 and codes[-1] == 429


def test_health_names_each_part(client) -> None:
    assert client.get("/healthz").json() == {"alive": True}
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {
        "ready": False, "database": True, "rasa": False, "actions": False, "model": False
    }  # fmt: skip


def test_a_database_that_is_gone_gives_words_not_a_traceback(core, dialogue, tmp_path) -> None:
    with served(create_app(core, dialogue)) as url, httpx.Client(base_url=url) as client:
        client.post("/api/conversations", json={})
        for file in tmp_path.glob("earshot.db*"):
            file.unlink()
        core.store.engine.dispose()
        answer = send(client, DISCLOSURE)
    assert answer.status_code in (401, 503)
    assert "999" in answer.json()["emergency"]
