"""A conversation as the web shows it: as JSON for the interface, and as plain values for the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot import handover, transcript
from bot.bootstrap import Core
from bot.channels.numbers import with_links
from bot.codes import shown
from bot.messages import Sender
from bot.rota import UK
from bot.store.models import Conversation, Message
from bot.store.uow import UnitOfWork


def as_json(message: Message, code: str | None) -> dict[str, Any]:
    """A message as the interface shows it; ``code`` is the return code while we can still open it."""
    out = transcript.outbound(message)
    text = shown(out.text, code) if out.sender is Sender.BOT else out.text
    return {
        "id": out.id,
        "from": out.sender.value,
        # A lone surrogate, which some keyboards send, is not JSON that every browser reads.
        "text": text.encode("utf-8", "replace").decode(),
        "at": out.at.isoformat(),
        **({"name": out.name} if out.name else {}),
        **({"client_id": message.client_id} if message.client_id and out.sender.value == "you" else {}),
        **({"choices": [{"id": c.id, "title": c.title} for c in out.choices]} if out.choices else {}),
        **({"cards": list(out.cards)} if out.cards else {}),
    }


def state_of(uow: UnitOfWork, conversation: Conversation, now: datetime) -> dict[str, Any]:
    """Who speaks, and how the handover stands, as the person may know it."""
    state: dict[str, Any] = {"owner": conversation.owner}
    status = handover.status(uow, conversation.id, now)
    if status.state != "none":
        state["handover"] = {
            "state": status.state,
            **({"with": status.who} if status.who else {}),
            **({"expected_by": status.by_when} if status.by_when else {}),
        }
    return state


def transcript_of(core: Core, conversation_id: str) -> dict[str, Any]:
    """Everything said so far, and the state. Reads the database."""
    with core.store.read() as uow:
        conversation = uow.conversation(conversation_id)
        return {
            "messages": [as_json(each, conversation.code) for each in uow.messages(conversation_id)],
            "state": state_of(uow, conversation, core.now()),
        }


def on_page(messages: Sequence[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Messages as the page's template wants them.

    A question that was answered since has lost its buttons, as it has where scripts run; the first message
    after the person's last one is marked, since that is where they go on reading.
    """
    own = max((i for i, each in enumerate(messages) if each["from"] == "you"), default=-1)
    rows: list[dict[str, Any]] = []
    for i, each in enumerate(messages):
        open_now = i > own
        before = messages[i - 1] if i else {}
        link = with_links if each["from"] == "bot" else str
        rows.append(
            {
                **each,
                "text": link(each["text"]),
                "time": _moment(each["at"], now),
                "again": bool(i) and all(before.get(key) == each.get(key) for key in ("from", "name")),
                "newest": i == own + 1,
                "choices": each.get("choices", []) if open_now else [],
                "cards": [_card(card, open_now) for card in each.get("cards", [])],
            }
        )
    return rows


def _card(card: dict[str, Any], open_now: bool) -> dict[str, Any]:
    link = card.get("link") or {}
    # Only to pages of this house: a card must not lead away from it.
    own = str(link.get("href", "")).startswith("/") and not str(link.get("href", "")).startswith("//")
    return {
        "title": card.get("title", ""),
        "lines": [with_links(line) for line in card.get("lines", [])],
        "link": link if own else None,
        "choice": card.get("choice") if open_now else None,
    }


def _moment(at: str, now: datetime) -> dict[str, str]:
    """The time as a person in the UK says it: hour and minute, and the day when it is not today."""
    when = datetime.fromisoformat(at).astimezone(UK)
    day = "" if when.date() == now.astimezone(UK).date() else f"{when:%A} {when.day} {when:%B}"
    return {"day": day, "hour": f"{when:%H:%M}"}
