"""A house that people have moved into, and somebody who begins to talk there."""

from __future__ import annotations

import secrets
from datetime import datetime

from bot.bootstrap import Core
from bot.messages import Channel
from bot.risk.taxonomy import Memory
from bot.settings import ROOT
from bot.store.migrate import migrate
from bot.store.models import Conversation
from bot.store.rota_file import load_rota
from bot.store.uow import UnitOfWork


def move_in(house: Core) -> None:
    """Bring the database to the newest schema, and the people of the example rota into it."""
    migrate(house.store)
    with house.uow() as uow:
        load_rota(uow, ROOT / "data" / "rota.example.yml")
        uow.commit()


def has_left(house: Core) -> bool:
    """Whether the only conversation's browser has left it; its word for that is sent in passing."""
    with house.store.read() as uow:
        return uow.session.query(Conversation).one().session_hash is None


def begin_chat(
    uow: UnitOfWork, at: datetime, channel: Channel = Channel.WEB, **columns: object
) -> Conversation:
    """A conversation that began at this time and in which nobody has said anything.

    Args:
        uow: the caller commits.
        at: when it began.
        channel: where.
        columns: of the row, besides or instead of what every new conversation has.
    """
    fresh = {
        "id": secrets.token_hex(16), "owner": "bot", "next_seq": 1, "memory": Memory().to_dict(),
        "created_at": at, "last_at": at,
    }  # fmt: skip
    row = Conversation(channel=channel.value, **{**fresh, **columns})
    uow.add(row)
    uow.session.flush()
    return row
