"""Updates as the Bot API sends them (shapes of Bot API 7 to 9), with invented people and ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]

#: Names that must turn up nowhere in Earshot: tests search for them.
FIRST_NAME, LAST_NAME, USERNAME = "Zebedee", "Quillfeather", "zeb_quillfeather"

BOT: Json = {
    "id": 700100200,
    "is_bot": True,
    "first_name": "Earshot test bot",
    "username": "earshot_test_bot",
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_inline_queries": False,
    "can_connect_to_business": False,
    "has_main_web_app": False,
}

_FILE = {"file_id": "AgACAgQAAxkBAAIBY2inventedfile", "file_unique_id": "AQADinvented"}
_SIZE = {"file_size": 20480}
_THUMB = {"thumbnail": {**_FILE, "width": 90, "height": 90, **_SIZE}}
_GIF = {
    **_FILE,
    "file_name": "wave.mp4",
    "mime_type": "video/mp4",
    "duration": 2,
    "width": 320,
    "height": 240,
    **_SIZE,
}
_PLACE = {"latitude": 53.48, "longitude": -2.24}
_OTHER_BOT = {"id": 700100999, "is_bot": True, "first_name": "Some other bot", "username": "some_other_bot"}

#: What a message can hold beside text, by kind, as it stands in the message object.
CONTENT: Mapping[str, Json] = {
    "photo": {
        "photo": [
            {**_FILE, "width": 90, "height": 67, **_SIZE},
            {**_FILE, "width": 1280, "height": 960, **_SIZE},
        ]
    },
    "voice": {"voice": {**_FILE, "duration": 4, "mime_type": "audio/ogg", **_SIZE}},
    "audio": {"audio": {**_FILE, "duration": 180, "title": "Song", "mime_type": "audio/mpeg", **_SIZE}},
    "video": {
        "video": {**_FILE, "width": 640, "height": 360, "duration": 9, "mime_type": "video/mp4", **_SIZE}
    },
    "video_note": {"video_note": {**_FILE, "length": 240, "duration": 3, **_THUMB, **_SIZE}},
    "animation": {"animation": _GIF, "document": _GIF},
    "document": {"document": {**_FILE, "file_name": "diary.pdf", "mime_type": "application/pdf", **_SIZE}},
    "sticker": {
        "sticker": {
            **_FILE,
            "type": "regular",
            "width": 512,
            "height": 512,
            "is_animated": False,
            "is_video": False,
            "emoji": "😢",
            "set_name": "Invented",
            **_SIZE,
        }
    },
    "location": {"location": _PLACE},
    "live_location": {"location": {**_PLACE, "live_period": 900, "horizontal_accuracy": 12.0}},
    "venue": {"location": _PLACE, "venue": {"location": _PLACE, "title": "A park", "address": "1 Some Road"}},
    "contact": {"contact": {"phone_number": "+447700900123", "first_name": FIRST_NAME, "user_id": 600100300}},
    "poll": {
        "poll": {
            "id": "5361000000000000001",
            "question": "Should I tell someone?",
            "options": [
                {"persistent_id": "1", "text": "Yes", "voter_count": 0},
                {"persistent_id": "2", "text": "No", "voter_count": 0},
            ],
            "total_voter_count": 0,
            "is_closed": False,
            "is_anonymous": True,
            "type": "regular",
            "allows_multiple_answers": False,
            "allows_revoting": True,
            "members_only": False,
        }
    },
    "dice": {"dice": {"emoji": "🎲", "value": 4}},
    "game": {
        "game": {"title": "A game", "description": "Play", "photo": [{**_FILE, "width": 9, "height": 9}]}
    },
    "story": {"story": {"chat": {"id": 600100300, "type": "private", "first_name": "Sam"}, "id": 7}},
    "paid_media": {
        "paid_media": {
            "star_count": 1,
            "paid_media": [{"type": "preview", "width": 9, "height": 9, "duration": 0}],
        }
    },
    "something_new": {"hologram": {**_FILE, "depth": 3}},  # a kind that no library knows yet
}

#: Messages that Telegram writes itself, not the person.
SERVICE: Mapping[str, Json] = {
    "pinned_message": {
        "pinned_message": {
            "message_id": 1,
            "date": 1_700_000_000,
            "chat": {"id": 1, "type": "private", "first_name": "Sam"},
            "text": "x",
        }
    },
    "auto_delete_timer": {"message_auto_delete_timer_changed": {"message_auto_delete_time": 86_400}},
    "write_access_allowed": {"write_access_allowed": {"from_request": False, "web_app_name": "x"}},
    "chat_background_set": {"chat_background_set": {"type": {"type": "chat_theme", "theme_name": "🏠"}}},
}


def user(chat_id: int) -> Json:
    """The person of a private chat."""
    return {
        "id": chat_id,
        "is_bot": False,
        "first_name": FIRST_NAME,
        "last_name": LAST_NAME,
        "username": USERNAME,
        "language_code": "en",
    }


def private_chat(chat_id: int) -> Json:
    """A private chat with a person."""
    return {
        "id": chat_id,
        "first_name": FIRST_NAME,
        "last_name": LAST_NAME,
        "username": USERNAME,
        "type": "private",
    }


def group_chat(chat_id: int, kind: str) -> Json:
    """A group, supergroup or channel."""
    return {"id": chat_id, "title": "Year 9 group", "type": kind}


def message(chat: Json, message_id: int, sender: Json | None, **content: Any) -> Json:
    """A message with this content; commands in the text get their entity, as Telegram gives it."""
    made: Json = {"message_id": message_id, "date": int(time.time()), "chat": chat}
    if sender:
        made["from"] = sender
    else:
        made["sender_chat"] = chat
    made.update(content)
    text = content.get("text", "")
    if text.startswith("/") and len(text) > 1:
        made["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
    return made


def member(sender: Json, status: str) -> Json:
    """A ChatMember of this status."""
    rights = {"kicked": {"until_date": 0}, "restricted": {"is_member": True, "until_date": 0}}
    if status == "administrator":
        may = (
            "can_be_edited is_anonymous can_manage_chat can_delete_messages can_manage_video_chats "
            "can_restrict_members can_promote_members can_change_info can_invite_users can_post_stories "
            "can_edit_stories can_delete_stories can_post_messages"
        )
        return {"user": sender, "status": status, **dict.fromkeys(may.split(), False)}
    return {"user": sender, "status": status, **rights.get(status, {})}


def membership(chat: Json, by: Json, old: str, new: str) -> Json:
    """The bot's own standing in a chat changed."""
    bot = {key: BOT[key] for key in ("id", "is_bot", "first_name", "username")}
    return {
        "my_chat_member": {
            "chat": chat,
            "from": by,
            "date": int(time.time()),
            "old_chat_member": member(bot, old),
            "new_chat_member": member(bot, new),
        }
    }


def reaction(chat: Json, by: Json, old: str, new: str) -> Json:
    """A sign under a message was put, changed or taken away (an empty one)."""
    return {
        "message_reaction": {
            "chat": chat,
            "message_id": 1,
            "user": by,
            "date": int(time.time()),
            "old_reaction": [{"type": "emoji", "emoji": old}] if old else [],
            "new_reaction": [{"type": "emoji", "emoji": new}] if new else [],
        }
    }


def odd_updates(chat_id: int) -> dict[str, Callable[[], Json]]:
    """Updates that are no message of this person to us: none may be answered, none may break anything."""
    who, chat = user(chat_id), private_chat(chat_id)
    text_from_bot = message(chat, 9_001, _OTHER_BOT, text="I am a bot too")
    return {
        "other_bot": lambda: {"message": text_from_bot},
        "reaction_taken_back": lambda: reaction(chat, who, "❤", ""),
        "reaction_count": lambda: {
            "message_reaction_count": {
                "chat": group_chat(-100200301, "channel"),
                "message_id": 1,
                "date": int(time.time()),
                "reactions": [{"type": {"type": "emoji", "emoji": "❤"}, "total_count": 1}],
            }
        },
        "inline_query": lambda: {"inline_query": {"id": "1", "from": who, "query": "hi", "offset": ""}},
        "poll_closed": lambda: {"poll": {**CONTENT["poll"]["poll"], "is_closed": True}},
        "poll_answer": lambda: {
            "poll_answer": {
                "poll_id": "5361",
                "user": who,
                "option_ids": [0],
                "option_persistent_ids": ["1"],
            }
        },
        "join_request": lambda: {
            "chat_join_request": {
                "chat": group_chat(-100200300, "supergroup"),
                "from": who,
                "user_chat_id": chat_id,
                "date": int(time.time()),
            }
        },
        "business_message": lambda: {
            "business_message": {**message(chat, 9_002, who, text="hi"), "business_connection_id": "b1"}
        },
        "deleted_business_messages": lambda: {
            "deleted_business_messages": {"business_connection_id": "b1", "chat": chat, "message_ids": [1]}
        },
        "pre_checkout_query": lambda: {
            "pre_checkout_query": {
                "id": "1",
                "from": who,
                "currency": "XTR",
                "total_amount": 1,
                "invoice_payload": "x",
            }
        },
        "inline_button": lambda: {
            "callback_query": {
                "id": "77",
                "from": who,
                "inline_message_id": "abc",
                "chat_instance": "1",
                "data": "x",
            }
        },
        "kind_of_tomorrow": lambda: {"telepathy": {"from": who, "thought": "hm"}},
        "live_location_moved": lambda: {
            "edited_message": {
                **message(chat, 9_003, who, **CONTENT["live_location"]),
                "edit_date": int(time.time()),
            }
        },
        **{
            f"service_{name}": lambda content=content: {"message": message(chat, 9_004, who, **content)}
            for name, content in SERVICE.items()
        },
    }
