"""The commands of the menu, and deep links to the doors.

Some are answered here; some press a button in the person's place, the same that the web page has. Words
typed after a command are words of theirs, and are read for risk as any others.
"""

from __future__ import annotations

import re

from bot.channels.telegram_chats import Chats, client_id
from bot.doors import DOORS, UnknownSpeaker, door_of

#: Commands of the menu, in order; each has ``utter_telegram_menu_<name>`` beside it.
COMMANDS = ("help", "person", "code", "language", "leaflet", "stop", "delete", "start")

#: Commands that press a button for them. What the transcript shows: ``utter_telegram_words_<name>``.
PRESSES = {
    "person": "/talk_to_person",
    "stop": "/stop",
    "code": "/return_code",
    "leaflet": '/find_help{"find": "leaflet"}',
}

#: Commands that are answered here.
SAYS = {"help": "utter_telegram_help", "language": "utter_telegram_language"}

_COMMAND = re.compile(r"/(\w{1,32})(?:@\w+)?(?:\s+(?P<words>.*))?$", re.DOTALL)

#: A link's payload may not hold a space, and those of posters hold digits or dashes: this was typed.
_TYPED = re.compile(r"[^\W\d_]+")


class CommandHandler:
    """Obeys commands, each update once."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats
        self._content = chats.content

    async def handle(self, update_id: int, chat_id: int, text: str) -> bool:
        """Obey a text that is a command; False when it is none."""
        found = _COMMAND.match(text)
        if not found:
            return False
        name, words = found[1].lower(), (found["words"] or "").strip()
        if name == "start":
            await self._start(update_id, chat_id, words)
        elif name in PRESSES and not words:
            await self._press(update_id, chat_id, name)
        else:
            # Of "/person now please" the words say it better than the button.
            if words or name not in COMMANDS:
                await self._chats.take(update_id, chat_id, text)
            if name == "delete":
                await self._ask_delete(update_id, chat_id)
            elif name not in PRESSES:
                says = SAYS.get(name, "utter_telegram_unknown_command")
                # An unknown name may be words of theirs: those went in as such, and were assessed.
                await self._note(update_id, chat_id, f"/{name}" if name in SAYS else "/?", says)
        return True

    async def _start(self, update_id: int, chat_id: int, words: str) -> None:
        conversation_id = await self._chats.open(chat_id)
        has_spoken = await self._chats.record.has_spoken(conversation_id)
        title, payload = self._door(words)
        await self._chats.record.note(
            conversation_id,
            client_id(update_id),
            title,
            payload=payload,
            # A new conversation has just shown them, before its doors.
            says=("utter_telegram_start",) if has_spoken else (),
            offers=("utter_opening_doors",) if has_spoken and payload is None else (),
        )
        if payload:
            self._chats.answer(conversation_id)
        elif _TYPED.fullmatch(words) or len(words.split()) > 1:
            await self._chats.take(update_id, chat_id, words)

    def _door(self, words: str) -> tuple[str, str | None]:
        """What the transcript shows for a start, and the payload of the door that the link leads to."""
        try:
            payload = DOORS[door_of(words)][0]
        except UnknownSpeaker:
            return "/start", None
        doors = self._content.choices("utter_opening_doors")
        return next(choice["title"] for choice in doors if choice["payload"] == payload), payload

    async def _press(self, update_id: int, chat_id: int, name: str) -> None:
        conversation_id = await self._chats.open(chat_id)
        title = self._content.say(f"utter_telegram_words_{name}")
        await self._chats.record.note(conversation_id, client_id(update_id), title, payload=PRESSES[name])
        self._chats.answer(conversation_id)

    async def _ask_delete(self, update_id: int, chat_id: int) -> None:
        conversation_id = await self._chats.find(chat_id)
        noted = f"{client_id(update_id)}-command"
        if conversation_id and await self._chats.record.seen(conversation_id, noted):
            return
        # Asked outside the transcript, which may be gone when they press; so first asked, then noted.
        await self._chats.tell(chat_id, "utter_telegram_delete_ask")
        if conversation_id:
            await self._chats.record.note(conversation_id, noted, "/delete")

    async def _note(self, update_id: int, chat_id: int, title: str, response: str) -> None:
        conversation_id = await self._chats.open(chat_id)
        noted = f"{client_id(update_id)}-command"
        await self._chats.record.note(conversation_id, noted, title, says=(response,))
