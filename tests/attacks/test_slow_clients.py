"""Lines that are held open: real sockets against the gateway's own server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from bot.gateway import server as server_module
from bot.gateway.app import create_app
from bot.gateway.server import MAX_HEAD, server_options


@pytest.fixture
def line(core, dialogue, monkeypatch) -> Iterator[tuple[str, int]]:
    """The address of a gateway whose patience is short."""
    monkeypatch.setattr(server_module, "HEAD_WITHIN", 1.0)
    monkeypatch.setattr(server_module, "BODY_WITHIN", 1.0)
    monkeypatch.setattr(server_module, "READ_WITHIN", 1.0)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(core, dialogue), **server_options(core.settings)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield listening.getsockname()
    server.should_exit = True
    thread.join(15)
    listening.close()


def is_closed(client: socket.socket, within: float = 15.0) -> bool:
    """Whether the other side ends the line; what it says before is read away."""
    client.settimeout(within)
    try:
        while client.recv(65536):
            continue
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def slow_heads(line: tuple[str, int], number: int) -> list[socket.socket]:
    held = []
    for _ in range(number):
        client = socket.create_connection(line)
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-a: ")
        held.append(client)
    return held


def test_lines_on_which_a_request_never_ends_are_closed_and_others_are_served_meanwhile(line):
    held = slow_heads(line, 150)
    silent = socket.create_connection(line)
    assert httpx.get(f"http://127.0.0.1:{line[1]}/healthz", timeout=20).status_code == 200
    assert all(is_closed(client) for client in [*held, silent])
    for client in [*held, silent]:
        client.close()


def test_a_byte_now_and_then_buys_no_time(line):
    (client,) = slow_heads(line, 1)
    begun, ended = time.monotonic(), False
    while not ended and time.monotonic() - begun < 20:
        try:
            client.sendall(b"a")
            time.sleep(0.2)
        except OSError:
            ended = True
    client.close()
    assert ended


def test_a_body_that_trickles_is_not_waited_for(line):
    client = socket.create_connection(line)
    client.sendall(b"POST /api/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n{")
    assert is_closed(client)
    client.close()


def test_an_answer_that_nobody_reads_is_not_kept(line):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(line)
    client.settimeout(30)
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    ended = False
    begun = time.monotonic()
    while not ended and time.monotonic() - begun < 25:
        try:
            client.sendall(asked)
            time.sleep(0.01)
        except OSError:
            ended = True
    client.close()
    assert ended


def test_a_line_between_two_requests_lives_on_for_a_while(line):
    with httpx.Client(base_url=f"http://127.0.0.1:{line[1]}") as client:
        first = client.get("/healthz").extensions["network_stream"].get_extra_info("client_addr")
        time.sleep(2.0)  # longer than a head may take
        assert client.get("/healthz").extensions["network_stream"].get_extra_info("client_addr") == first


def test_a_head_as_long_as_a_book_is_refused(line):
    client = socket.create_connection(line)
    client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-a: " + b"a" * (MAX_HEAD * 4))
    client.settimeout(15)
    try:
        answer = client.recv(65536)
    except OSError:
        answer = b""
    client.close()
    assert not answer or b" 400 " in answer.split(b"\r\n")[0] + b" "
    assert httpx.get(f"http://127.0.0.1:{line[1]}/healthz", timeout=20).status_code == 200
