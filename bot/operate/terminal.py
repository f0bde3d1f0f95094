"""A chat in the terminal, over the public interface, for trying out and for scripts."""

from __future__ import annotations

import json
import threading
import uuid

import httpx
from rich.console import Console


def talk(url: str, console: Console) -> None:
    """Talk to a running Earshot until end of input. A number answers with the choice of that number."""
    with httpx.Client(base_url=url, timeout=httpx.Timeout(10, read=None)) as client:
        try:
            # Where new chats cost work, a terminal waits for a few seconds instead.
            started = client.post("/api/conversations", json={"proof": "wait"})
        except httpx.HTTPError:
            console.print("Nothing answers there. Is Earshot running? Start it with: make run")
            return
        code = started.json()["return_code"]
        offered: list[dict[str, str]] = []
        listener = threading.Thread(target=_listen, args=(client, console, offered), daemon=True)
        listener.start()
        console.print(f"(code to come back: {code})", style="dim")
        while True:
            try:
                line = console.input("> ")
            except (EOFError, KeyboardInterrupt):
                return
            body = {"client_id": uuid.uuid4().hex, "text": line}
            if line.strip().isdigit() and 0 < int(line) <= len(offered):
                body = {"client_id": body["client_id"], "choice": offered[int(line) - 1]["id"]}
            answer = client.post("/api/messages", json=body)
            if answer.is_error:
                console.print(answer.json()["detail"], markup=False)


def _listen(client: httpx.Client, console: Console, offered: list[dict[str, str]]) -> None:
    event = ""
    with client.stream("GET", "/api/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: ") and event == "message":
                message = json.loads(line[6:])
                if message["from"] == "you":
                    continue
                console.print(f"{message.get('name') or 'Earshot'}: {message['text']}", markup=False)
                offered[:] = message.get("choices", [])
                for number, choice in enumerate(offered, 1):
                    console.print(f"  {number}  {choice['title']}", markup=False)
