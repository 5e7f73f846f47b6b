"""Asks Telegram for the bot's name without listening: for `easel doctor`."""

import asyncio
import os

import msgspec
import telegram
from telegram.error import InvalidToken, TelegramError

from bot.config import Telegram

#: How long to wait for Telegram.
SECONDS = 10.0


class Known(msgspec.Struct, frozen=True):
    """The bot's name, and the link to it; `hears_groups` if it reads all messages in groups, `webhook` if updates are sent to a webhook."""

    name: str
    link: str
    hears_groups: bool
    webhook: str


class Unwelcome(Exception):
    """Telegram does not accept the token."""


class Away(Exception):
    """Telegram is unreachable, or does not answer like Telegram; holds the reason."""


async def who(section: Telegram, seconds: float = SECONDS) -> Known:
    """Return the bot's name; raises `Unwelcome` and `Away`, at the latest after the given seconds."""
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    try:
        async with asyncio.timeout(seconds):
            async with telegram.Bot(section.token, section.api_base, section.file_base) as bot:
                own = bot.bot
                hook = await bot.get_webhook_info()
                return Known(f"@{own.username}", bot.link, bool(own.can_read_all_group_messages), hook.url)
    except InvalidToken:
        raise Unwelcome from None
    except TimeoutError:
        raise Away(f"no answer within {seconds:g} s") from None
    except TelegramError as error:
        raise Away(type(error.__cause__ or error).__name__) from None
    except (AttributeError, LookupError, TypeError, ValueError):
        raise Away("the server there is not Telegram") from None
