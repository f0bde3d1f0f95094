"""The methods of the Bot API that Earshot calls, with the refusals that the real one gives."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from typing import Any

from starlette.requests import Request

from tests.standins import telegram_shapes as shapes
from tests.standins.telegram_people import Chat

Json = dict[str, Any]

#: What getUpdates brings when the bot never said what it wants.
_NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})

_ACTIONS = frozenset(
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document "
    "choose_sticker find_location record_video_note upload_video_note".split()
)


class ApiError(Exception):
    """An answer with ``ok: false``."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


class BotMethods:
    """What Telegram knows, and the methods by which a bot asks and changes it."""

    def __init__(self) -> None:
        self.commands: list[Json] = []
        self.profile: Json = {"description": "", "short_description": ""}
        self.webhook: Json = {}
        self.popups: dict[str, Json] = {}
        self.down = False
        self._lock = threading.RLock()
        self._chats: dict[int, Chat] = {}
        self._queries: dict[str, int] = {}
        self._updates: list[Json] = []
        self._allowed: list[str] | None = None
        self._poll = 0
        self.push_failed_at = 0.0  # when the webhook last answered something else than 200

    def wants(self, kind: str) -> bool:
        """Whether the bot asked for this kind of update."""
        return kind in self._allowed if self._allowed else kind not in _NOT_BY_DEFAULT

    def _do_getme(self, _: Json) -> Json:
        return shapes.BOT

    async def _do_getupdates(self, params: Json) -> list[Json]:
        if self.webhook.get("url"):
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        offset, limit = int(params.get("offset") or 0), int(params.get("limit") or 100)
        with self._lock:
            self._poll += 1
            mine = self._poll
            if params.get("allowed_updates") is not None:
                self._allowed = params["allowed_updates"]
            if offset < 0:
                self._updates = self._updates[offset:]
            elif offset:
                self._updates = [u for u in self._updates if u["update_id"] >= offset]
        until = time.monotonic() + min(int(params.get("timeout") or 0), 50)
        while True:
            with self._lock:
                if self._updates:
                    return self._updates[: max(1, min(limit, 100))]
            if time.monotonic() >= until:
                return []
            await asyncio.sleep(0.01)
            if self.down:
                raise ApiError(502, "Bad Gateway")
            if mine != self._poll:
                raise ApiError(
                    409,
                    "Conflict: terminated by other getUpdates request; "
                    "make sure that only one bot instance is running",
                )

    def _do_sendmessage(self, params: Json) -> Json:
        chat = self._reachable(params)
        text = str(params.get("text") or "")
        if not text.strip():
            raise ApiError(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            raise ApiError(400, "Bad Request: message is too long")
        if params.get("parse_mode") not in (None, "HTML", "Markdown", "MarkdownV2"):
            raise ApiError(400, "Bad Request: unsupported parse_mode")
        return chat.add(shapes.BOT, text=text, **_markup(params))

    def _do_editmessagereplymarkup(self, params: Json) -> Json:
        chat = self._reachable(params)
        message = chat.messages.get(int(params.get("message_id") or 0))
        if message is None or not message["from"]["is_bot"]:
            raise ApiError(400, "Bad Request: message to edit not found")
        new = _markup(params)
        if new.get("reply_markup") == message.get("reply_markup"):
            raise ApiError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup "
                "are exactly the same as a current content and reply markup of the message",
            )
        message.pop("reply_markup", None)
        message.update(new)
        return message

    def _do_answercallbackquery(self, params: Json) -> bool:
        query_id = str(params.get("callback_query_id"))
        if self._queries.pop(query_id, None) is None:
            raise ApiError(
                400, "Bad Request: query is too old and response timeout expired or query ID is invalid"
            )
        if len(params.get("text") or "") > 200:
            raise ApiError(400, "Bad Request: MESSAGE_TOO_LONG")
        self.popups[query_id] = {"text": params.get("text"), "alert": bool(params.get("show_alert"))}
        return True

    def _do_sendchataction(self, params: Json) -> bool:
        chat = self._reachable(params)
        if params.get("action") not in _ACTIONS:
            raise ApiError(400, "Bad Request: wrong parameter action in request")
        chat.actions.append(params["action"])
        return True

    def _do_setmycommands(self, params: Json) -> bool:
        commands = params.get("commands") or []
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command.get("command", "")):
                raise ApiError(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(command.get("description", "")) <= 256:
                raise ApiError(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands = commands
        return True

    def _do_deletemycommands(self, params: Json) -> bool:
        if params.get("scope"):
            self.commands = []
        return True

    def _do_getmydescription(self, _: Json) -> Json:
        return {"description": self.profile["description"]}

    def _do_setmydescription(self, params: Json) -> bool:
        return self._describe("description", params, 512)

    def _do_getmyshortdescription(self, _: Json) -> Json:
        return {"short_description": self.profile["short_description"]}

    def _do_setmyshortdescription(self, params: Json) -> bool:
        return self._describe("short_description", params, 120)

    def _describe(self, key: str, params: Json, longest: int) -> bool:
        if len(text := str(params.get(key) or "")) > longest:
            raise ApiError(400, "Bad Request: description is too long")
        self.profile[key] = text
        return True

    def _do_leavechat(self, params: Json) -> bool:
        chat = self._reachable(params)
        if chat.shape["type"] == "private":
            raise ApiError(400, "Bad Request: chat member status can't be changed in private chats")
        chat.member = False
        return True

    def _do_setwebhook(self, params: Json) -> bool:
        url, secret = str(params.get("url") or ""), params.get("secret_token")
        if url and not url.startswith("https://"):
            raise ApiError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if secret is not None and not re.fullmatch(r"[\w-]{1,256}", str(secret)):
            raise ApiError(400, "Bad Request: secret token contains unallowed characters")
        self.webhook = {"url": url, "secret_token": secret}
        if params.get("allowed_updates") is not None:
            self._allowed = params["allowed_updates"]
        return True

    def _do_getwebhookinfo(self, _: Json) -> Json:
        info: Json = {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates),
        }
        if self._allowed:
            info["allowed_updates"] = self._allowed
        if self.push_failed_at:
            info["last_error_date"] = int(self.push_failed_at)
            info["last_error_message"] = "Wrong response from the webhook"
        return info

    def _do_deletewebhook(self, params: Json) -> bool:
        self.webhook = {}
        if params.get("drop_pending_updates"):
            self._updates = []
        return True

    def _reachable(self, params: Json) -> Chat:
        if params.get("chat_id") in (None, ""):
            raise ApiError(400, "Bad Request: chat_id is empty")
        chat = self._chats.get(int(params["chat_id"]))
        if chat is None:
            raise ApiError(400, "Bad Request: chat not found")
        kind = chat.shape["type"]
        if chat.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        if chat.deactivated:
            raise ApiError(403, "Forbidden: user is deactivated")
        if kind == "private" and not chat.talked:
            raise ApiError(403, "Forbidden: bot can't initiate conversation with a user")
        if not chat.member:
            raise ApiError(403, f"Forbidden: bot is not a member of the {kind} chat")
        return chat


async def params_of(request: Request) -> Json:
    """Parameters as the Bot API takes them: query, form or JSON; structured ones may be JSON in a string."""
    given: Json = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        given.update(await request.json())
    else:
        given.update(await request.form())
    for key in ("reply_markup", "commands", "allowed_updates", "link_preview_options", "scope"):
        if isinstance(given.get(key), str):
            try:
                given[key] = json.loads(given[key])
            except ValueError:
                raise ApiError(400, f"Bad Request: can't parse {key}") from None
    for key in ("drop_pending_updates", "show_alert"):
        if isinstance(given.get(key), str):
            given[key] = given[key].lower() == "true"
    return given


def _markup(params: Json) -> Json:
    markup = params.get("reply_markup") or {}
    rows = markup.get("inline_keyboard") or []
    for button in (button for row in rows for button in row):
        if not button.get("text"):
            raise ApiError(400, "Bad Request: can't parse inline keyboard button: text must be non-empty")
        if not 1 <= len(str(button.get("callback_data", "")).encode()) <= 64:
            raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
    return {"reply_markup": {"inline_keyboard": rows}} if rows else {}
