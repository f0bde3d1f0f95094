"""Plays the conversations of ``docs/conversations.yml`` through the real bot, and writes them down.

The gateway's core, the trained Rasa model and the real actions run in this process, on a database of their
own with the example rota. The clock and the ids are those of the script, so that the document changes only
when what Earshot says changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import structlog
from cryptography.fernet import Fernet
from rasa.core.agent import Agent
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.utils.endpoints import EndpointConfig
from rasa_sdk.executor import ActionExecutor

from bot import bootstrap, handover
from bot.bootstrap import Core
from bot.changes import Changes
from bot.codes import shown
from bot.conversation import Conversations
from bot.data_files import read_yaml
from bot.messages import Channel, InboundMessage, Kind, Sender
from bot.nlu.wording import FreshWords
from bot.operate.model import train
from bot.operate.setup import prepare_database
from bot.risk import detector
from bot.rota import UK
from bot.settings import ROOT
from bot.store.models import Message

#: What is played, and where it is written.
SCRIPTS, DOCUMENT = ROOT / "docs" / "conversations.yml", ROOT / "docs" / "conversations.md"
#: How long a step takes, as the clock of a conversation goes.
STEP = timedelta(seconds=40)
#: A code for everybody: one that changed with each run would change the document.
_CODE = "candle-otter-maple-drum-lake"
_HEAD = """# Ten conversations

What Earshot says, word for word, to ten invented young people. `earshot transcripts` plays what they do \
(`docs/conversations.yml`) through the running bot and writes this page; do not edit it by hand. What the \
person types stands after **›**, a button they pressed after **▸**, and what they were offered in [ ].
"""


class ScriptError(Exception):
    """A script asks for something that cannot be done; the message names conversation and step."""


class ActionsHere(EndpointConfig):
    """The action server without the server: Rasa's requests are run by rasa-sdk in this process."""

    def __init__(self) -> None:
        super().__init__(url="http://127.0.0.1")
        self._executor = ActionExecutor()
        self._executor.register_package("actions")

    async def request(self, *args: Any, json: Mapping[str, Any], **kwargs: Any) -> Any:
        """Run the action that Rasa asks for."""
        return await self._executor.run(json)


class RasaHere:
    """The dialogue, asked as over REST."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def ask(
        self, conversation_id: str, text: str, metadata: Mapping[str, Any], timeout: float
    ) -> list[dict[str, Any]]:
        """The replies to one message."""
        channel = CollectingOutputChannel()
        await self._agent.handle_message(
            UserMessage(text, channel, conversation_id, input_channel="rest", metadata=dict(metadata))
        )
        return channel.messages


class Player:
    """Plays one conversation and keeps what it looked like."""

    def __init__(self, core: Core, dialogue: RasaHere, script: Mapping[str, Any], chat: str) -> None:
        self._core = core
        self._script = script
        self._conversations = Conversations(core, dialogue, detector.assess, Changes(core.store))
        self._now = datetime.strptime(script["at"], "%Y-%m-%d %H:%M").replace(tzinfo=UK)
        self._chat = chat
        self._written = 0
        self.lines: list[str] = []

    async def play(self) -> None:
        """Plays every step.

        Raises:
            ScriptError: a step cannot be done.
        """
        with patch.object(Core, "now", lambda _core: self._now):
            # The id decides which of several wordings is said first.
            with (
                patch("secrets.token_hex", lambda _size: self._chat),
                patch("bot.conversation.said.new_code", lambda: _CODE),
            ):
                await self._conversations.start_web()
            self._write_down()
            for number, step in enumerate(self._script["steps"], 1):
                self._now += STEP
                ((verb, what),) = step.items()
                try:
                    await getattr(self, f"_{verb}")(what, f"m{number}")
                except (LookupError, AttributeError, handover.HandoverError) as error:
                    raise ScriptError(f"{self._script['title']}, step {number}: {error}") from error
                self._write_down()

    async def _says(self, text: str, client_id: str) -> None:
        await self._conversations.take_turn(InboundMessage(self._chat, Channel.WEB, client_id, text=text))

    async def _presses(self, title: str, client_id: str) -> None:
        for message in reversed(self._transcript()):
            for choice in message.choices or ():
                if choice["title"] == title:
                    await self._conversations.take_turn(
                        InboundMessage(
                            self._chat, Channel.WEB, client_id, kind=Kind.CHOICE, choice=choice["id"]
                        )
                    )
                    return
        raise LookupError(f"was not offered: {title}")

    async def _comes_back(self, _: Any, client_id: str) -> None:
        self.lines.append("*(leaves, and comes back with the code)*")
        self._now += timedelta(days=1)
        await self._conversations.resume(_CODE)

    async def _worker(self, deed: Mapping[str, str], client_id: str) -> None:
        ((verb, what),) = deed.items()
        with self._core.uow() as uow:
            case = uow.open_handover_of(self._chat)
            if case is None:
                raise LookupError("no handover is open")
            if verb == "accepts":
                handover.accept(uow, case.id, what, self._now)
            elif verb == "writes":
                handover.reply(uow, case.id, case.accepted_by, what, self._now, client_id)
            else:
                handover.close(uow, case.id, case.accepted_by, what, self._now)
            uow.commit()

    def _transcript(self) -> list[Message]:
        with self._core.store.read() as uow:
            return list(uow.messages(self._chat))

    def _write_down(self) -> None:
        for message in self._transcript()[self._written :]:
            self._written += 1
            self.lines.append(_as_text(message))


def scripts(path: Path = SCRIPTS) -> list[dict[str, Any]]:
    """The conversations of a file: ``title``, ``who``, ``at`` and ``steps`` each."""
    return list(read_yaml(path)["conversations"])


def written() -> str:
    """Play every conversation; gives what was said as Markdown.

    Raises:
        ScriptError: a step of a script cannot be done.
        TrainingFailed: there is no model and Rasa could not train one.
    """
    # Rasa would print every word and every state of the dialogue.
    logging.getLogger("rasa").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    parts = [_HEAD]
    agent = Agent.load(str(train()), generator=FreshWords(), action_endpoint=ActionsHere())
    for number, script in enumerate(scripts(), 1):
        with _house() as core:
            player = Player(core, RasaHere(agent), script, f"conversation-{number}")
            asyncio.run(player.play())
        said = "\n\n".join(player.lines)
        parts.append(f"## {number}. {script['title']}\n\n*{script['who']}*\n\n{said}\n")
    return "\n".join(parts)


@contextlib.contextmanager
def _house() -> Iterator[Core]:
    """A core of its own for this process, which the actions find as they always do."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "EARSHOT_MODE": "demo",
            "EARSHOT_DATABASE_URL": f"sqlite:///{folder}/earshot.db",
            "EARSHOT_KEYS": Fernet.generate_key().decode(),
            "EARSHOT_LOOKUP_KEY": Fernet.generate_key().decode(),
        }
        bootstrap.core.cache_clear()
        with patch.dict(os.environ, settings):
            core = bootstrap.core()
        try:
            prepare_database(core)
            yield core
        finally:
            core.store.engine.dispose()
            bootstrap.core.cache_clear()


def _as_text(message: Message) -> str:
    text = shown(message.text or "", _CODE).replace("\n", "  \n")
    if message.sender == Sender.YOU.value:
        return f"**{'▸' if message.kind == Kind.CHOICE.value else '›'}** {text}"
    name = message.name or "Earshot"
    lines = [f"**{name}:** {text}" if text else f"**{name}:**"]
    for card in message.cards or ():
        lines.append(f"- **{card['title']}** · {' · '.join(card['lines'])}")
    offered = [f"[{choice['title']}]" for choice in message.choices or ()]
    return "\n".join(lines) + ("\n\n" + " ".join(offered) if offered else "")
