"""What the Telegram door writes into a transcript by itself: commands, reactions, places.

A command and what the house says to it are stored in one transaction under the update's client id. So an
update that comes twice, before or after a restart, is obeyed once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from anyio import to_thread

from bot import transcript
from bot.bootstrap import Core
from bot.changes import Changes
from bot.conversation import NoSuchConversation
from bot.custody.erasing import case_stays
from bot.messages import Kind, Sender

#: Seconds after which a watch without news looks again.
_WATCH = 60.0


class Record:
    """The transcripts of the Telegram conversations, as far as the door itself writes them."""

    def __init__(self, core: Core, changes: Changes) -> None:
        self._core = core
        self._changes = changes

    async def note(
        self,
        conversation_id: str,
        client_id: str,
        title: str,
        *,
        kind: Kind = Kind.CHOICE,
        payload: str | None = None,
        says: Sequence[str] = (),
        offers: Sequence[str] = (),
    ) -> bool:
        """Store that the person did something which has no words to assess, and what is said to it.

        Args:
            title: what stands in the transcript for it. Nothing that a person was free to write:
                words go through ``Conversations.receive``, where risk is read on them.
            payload: what it sends to the dialogue; call ``Conversations.answer`` afterwards.
            says: responses said in any case.
            offers: responses said only while no worker has the conversation.

        Returns:
            False when this client id was stored before; then nothing is done.

        Raises:
            NoSuchConversation: unknown or erased.
        """

        def run() -> bool:
            now = self._core.now()
            with self._core.uow() as uow:
                conversation = uow.conversation(conversation_id, lock=True)
                if conversation is None or conversation.erased_at:
                    raise NoSuchConversation(conversation_id)
                if uow.message_by_client_id(conversation_id, client_id):
                    return False
                stored = transcript.append(
                    uow,
                    conversation,
                    Sender.YOU,
                    title,
                    now,
                    kind=kind.value,
                    client_id=client_id,
                    payload=payload,
                )
                with_worker = conversation.owner == "worker"
                # A picture of where they are is news to a worker, whose clock it starts.
                if payload is None and not (with_worker and kind is Kind.UNREADABLE):
                    stored.answered_at = now
                for response in (*says, *(() if with_worker else offers)):
                    transcript.say(uow, conversation, response, now)
                conversation.unreachable_at = None  # whoever does something can be reached again
                uow.commit()
                return True

        stored = await to_thread.run_sync(run)
        self._changes.changed(conversation_id)
        return stored

    async def seen(self, conversation_id: str, client_id: str) -> bool:
        """Whether a client id was stored already."""

        def look() -> bool:
            with self._core.store.read() as uow:
                return uow.message_by_client_id(conversation_id, client_id) is not None

        return await to_thread.run_sync(look)

    async def has_spoken(self, conversation_id: str) -> bool:
        """Whether the person has done anything yet, after the opening words."""

        def look() -> bool:
            with self._core.store.read() as uow:
                return any(m.sender == Sender.YOU.value for m in uow.messages(conversation_id))

        return await to_thread.run_sync(look)

    async def had_case(self, conversation_id: str) -> bool:
        """Whether staff keep a case of this conversation for a while although the chat is erased."""

        def look() -> bool:
            with self._core.store.read() as uow:
                return case_stays(uow, conversation_id)

        return await to_thread.run_sync(look)

    async def workers_typing(self) -> AsyncIterator[str]:
        """The conversation, each time that a worker begins to type. Never ends."""
        async with self._changes.watch() as watch:
            while True:
                await watch.wait(_WATCH)
                typing, watch.typing = watch.typing, {}
                for conversation_id, senders in typing.items():
                    if senders.get(Sender.WORKER.value):
                        yield conversation_id
