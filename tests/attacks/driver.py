"""What the attacks are driven with: an ASGI client that hides nothing, and how long to go on.

One round of each attack runs in CI, always the same one. ``EARSHOT_FUZZ_MINUTES=30 pytest tests/attacks``
goes on with new seeds for so many minutes in all.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

#: How many attacks share the minutes of a long run.
SHARES = 9
#: Seconds after which an answer counts as never coming. Generous: machines that test are busy.
PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back. ``fault`` is what the application raised, however it answered."""

    status: int
    headers: dict[str, str]
    set_cookies: tuple[str, ...]
    body: bytes
    fault: BaseException | None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Driver:
    """Calls an ASGI application on a loop of its own. An endless answer is left after its first piece."""

    def __init__(self, app: Any, host: str = "127.0.0.1:8080") -> None:
        self._app = app
        self._host = host
        self.loop = asyncio.new_event_loop()
        self.cookies: dict[str, str] = {}
        self.address = "203.0.113.7"

    def close(self) -> None:
        """End what still runs, and the loop."""
        finish(self.loop)

    def __call__(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str | bytes] | None = None,
        body: bytes = b"",
        **more: Any,
    ) -> Answer:
        """Send one request and wait for its answer.

        Raises:
            TimeoutError: none came.
        """
        return self.loop.run_until_complete(
            asyncio.wait_for(self.request(method, target, headers or {}, body, **more), PATIENCE)
        )

    def form(self, target: str, headers: Mapping[str, str] | None = None, **fields: str) -> Answer:
        """Send a form."""
        kind = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return self("POST", target, kind, urlencode(fields, errors="surrogatepass").encode())

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str | bytes],
        body: bytes = b"",
        whole: bool = False,
    ) -> Answer:
        """One request. ``whole``: read an endless answer too, until it ends by itself."""
        parts = urlsplit(target)
        raw = [(b"host", self._host.encode())] if "host" not in {n.lower() for n in headers} else []
        raw += [(n.lower().encode("latin-1", "replace"), _bytes(v)) for n, v in headers.items()]
        if self.cookies and not any(name == b"cookie" for name, _ in raw):
            raw.append((b"cookie", "; ".join(f"{n}={v}" for n, v in self.cookies.items()).encode()))
        if body and not any(name in (b"content-length", b"transfer-encoding") for name, _ in raw):
            raw.append((b"content-length", str(len(body)).encode()))
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": method, "scheme": "http", "path": unquote(parts.path) or "/", "root_path": "",
            "raw_path": parts.path.encode("ascii", "replace"),
            "query_string": parts.query.encode("ascii", "replace"),
            "headers": raw, "client": (self.address, 4711), "server": ("127.0.0.1", 8080), "state": {},
        }  # fmt: skip
        left, sent = asyncio.Event(), False
        status, got, pieces, fault = 0, [], [], None

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Mapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                got.extend((n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in message["headers"])
            elif message["type"] == "http.response.body":
                pieces.append(message.get("body", b""))
                if not whole and dict(got).get("content-type", "").startswith("text/event-stream"):
                    left.set()

        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - what the server would have logged
            fault = error
        cookies = tuple(value for name, value in got if name == "set-cookie")
        return Answer(status, dict(got), cookies, b"".join(pieces), fault)


def finish(loop: asyncio.AbstractEventLoop) -> None:
    """End what still runs on a loop, and the loop: worker threads wait for their tasks."""
    while tasks := asyncio.all_tasks(loop):
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks, timeout=5))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace")


#: What no answer may ever hold: the inside of the house.
INSIDE = (b"Traceback (most", b'File "/', b"sqlalchemy", b"sqlite3.", b"site-packages", b"jinja2.")


def no_fault(answer: Answer, may_be: tuple[int, ...] = ()) -> None:
    """No 500, nothing raised, nothing told of the inside, and the headers every answer has."""
    if answer.fault:
        raise AssertionError(f"status {answer.status}") from answer.fault
    assert 200 <= answer.status < 500 or answer.status in may_be, (answer.status, answer.text[:500])
    assert not [inside for inside in INSIDE if inside in answer.body]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def fuzz(strategy: SearchStrategy[Any], act: Callable[[Any], None], examples: int) -> None:
    """Let ``act`` meet so many examples; in a long run, rounds of them until the time is up."""
    for number in rounds():

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        @given(strategy)
        def once(example: Any) -> None:
            act(example)

        once()


def rounds() -> Iterator[int]:
    """The seeds of this run: 0, and in a long run as many more as there is time for."""
    yield 0
    end = time.monotonic() + 60 * float(os.environ.get("EARSHOT_FUZZ_MINUTES", "0")) / SHARES
    number = 0
    while time.monotonic() < end:
        number += 1
        yield number


def resident() -> int:
    """Bytes of memory this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
