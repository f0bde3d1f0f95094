"""Writing into a conversation's transcript, in order. What is written for the person is the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.messages import Choice, OutboundMessage, Sender
from bot.store.models import Conversation, Message
from bot.store.uow import UnitOfWork


def append(
    uow: UnitOfWork,
    conversation: Conversation,
    sender: Sender,
    text: str,
    now: datetime,
    *,
    name: str | None = None,
    kind: str = "text",
    client_id: str | None = None,
    payload: str | None = None,
    choices: Sequence[Mapping[str, str]] = (),
    cards: Sequence[Mapping[str, Any]] = (),
) -> Message:
    """Add one message. The conversation must be locked: its next number is taken here.

    ``choices`` and the ``choice`` of a card are given as ``title`` and ``payload``, and ``asks`` where the
    question has a name; they get the ids by which the person's answer is recognised.
    """
    seq = conversation.next_seq
    conversation.next_seq = seq + 1
    conversation.last_at = now
    offered: list[dict[str, str]] = []

    def offer(choice: Mapping[str, str]) -> dict[str, str]:
        known = {key: choice[key] for key in ("title", "payload", "asks") if choice.get(key)}
        offered.append({"id": f"{seq}.{len(offered)}", **known})
        return {"id": offered[-1]["id"], "title": choice["title"]}

    shown = [
        {**card, "choice": offer(card["choice"])} if card.get("choice") else dict(card) for card in cards
    ]
    in_cards = len(offered)
    for choice in choices:
        offer(choice)
    message = Message(
        conversation_id=conversation.id,
        seq=seq,
        client_id=client_id,
        sender=sender.value,
        kind=kind,
        name=name,
        text=text,
        payload=payload,
        choices=[{**choice, "in_card": i < in_cards} for i, choice in enumerate(offered)] or None,
        cards=shown or None,
        created_at=now,
    )
    uow.add(message)
    return message


def say(
    uow: UnitOfWork, conversation: Conversation, response: str, now: datetime, /, **values: str
) -> Message:
    """Say a reviewed response to the person, with its buttons."""
    return append(
        uow,
        conversation,
        Sender.BOT,
        uow.content.say(response, variant=conversation.next_seq, **values),
        now,
        choices=uow.content.choices(response),
    )


def last_said(uow: UnitOfWork, conversation_id: str) -> list[Message]:
    """What the person was told since their message before the last one, oldest first."""
    said: list[Message] = []
    own = 0
    for message in reversed(uow.messages(conversation_id)):
        if message.sender == Sender.YOU.value:
            own += 1
            if own == 2:
                break
        elif message.text is not None:
            said.append(message)
    return said[::-1]


def outbound(message: Message) -> OutboundMessage:
    """A stored message as a channel delivers it; an erased one has empty text."""
    return OutboundMessage(
        id=message.seq,
        conversation_id=message.conversation_id,
        sender=Sender(message.sender),
        text=message.text or "",
        at=message.created_at,
        name=message.name,
        choices=tuple(
            Choice(choice["id"], choice["title"])
            for choice in message.choices or ()
            if not choice.get("in_card")
        ),
        cards=tuple(message.cards or ()),
    )


def wipe(message: Message) -> None:
    """Take every word out of a stored message; that there was one remains."""
    message.text = message.choices = message.cards = message.finding = None
    message.name = message.payload = None


def choice_of(uow: UnitOfWork, conversation_id: str, choice_id: str) -> tuple[Message, dict[str, str]] | None:
    """A choice that was offered in this conversation and the message it came with, or None.

    A choice has ``id``, ``title`` and ``payload``, and ``asks`` where its question has a name.
    """
    seq, _, _ = choice_id.partition(".")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 10):
        return None
    message = uow.message(conversation_id, int(seq))
    for choice in (message.choices if message else None) or ():
        if choice["id"] == choice_id:
            return message, choice
    return None


def say_again(
    uow: UnitOfWork, conversation: Conversation, messages: Sequence[Message], now: datetime
) -> None:
    """Say what was said before once more, with the same choices, which get new ids."""
    for message in messages:
        append(
            uow,
            conversation,
            Sender.BOT,
            message.text or "",
            now,
            choices=[choice for choice in message.choices or () if not choice.get("in_card")],
        )
