"""What the bot shows of itself in Telegram before anybody writes: its menu and what it is for."""

from __future__ import annotations

import structlog
from telegram import BotCommand, BotCommandScopeAllPrivateChats
from telegram.error import BadRequest, InvalidToken, RetryAfter
from telegram.ext import ExtBot

from bot.channels.telegram_commands import COMMANDS
from bot.channels.telegram_contract import Content

log = structlog.get_logger(__name__)


async def present(bot: ExtBot, content: Content) -> None:
    """Set the menu of commands, and the text that stands in an empty chat above the START button.

    What Telegram refuses is logged: a menu of yesterday is no reason to keep the door shut. The texts are
    set only when they changed, since Telegram takes such changes a few times a day only.

    Raises:
        TelegramError: Telegram cannot be reached.
    """
    commands = [BotCommand(name, content.say(f"utter_telegram_menu_{name}")) for name in COMMANDS]
    about, short = content.say("utter_telegram_about"), content.say("utter_telegram_about_short")
    try:
        await bot.set_my_commands(commands, scope=BotCommandScopeAllPrivateChats())
        await bot.delete_my_commands()  # those for groups too, from before: nothing is answered there
        if (await bot.get_my_description()).description != about:
            await bot.set_my_description(about)
        if (await bot.get_my_short_description()).short_description != short:
            await bot.set_my_short_description(short)
    except (BadRequest, RetryAfter, InvalidToken) as error:
        # InvalidToken, since a Bot API server that does not know a method answers 404, as to a wrong token.
        log.warning("telegram_menu_not_set", error=type(error).__name__)
