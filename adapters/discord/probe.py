"""Asks Discord for the bot's name without connecting: for `easel doctor`."""

import asyncio
import re

import discord
import msgspec

from adapters.discord.adapter import invitation
from adapters.discord.api import SILENCE
from adapters.discord.client import lead
from bot.config import Discord

#: How long to wait for Discord, including the library's retries.
SECONDS = 10.0

#: The characters of a token. Any other text is no token, and no header could carry it.
_TOKEN = re.compile(r"\s*[!-~]+\s*")


class Known(msgspec.Struct, frozen=True):
    """The bot's name, the link that invites it, and whether interactions are sent to a web address and not to Easel."""

    name: str
    invitation: str
    is_elsewhere: bool


class Unwelcome(Exception):
    """Discord does not accept the token."""


class Away(Exception):
    """Discord is unreachable, or does not answer like Discord; holds the reason."""


async def who(section: Discord, seconds: float = SECONDS) -> Known:
    """Return the bot's name; raises `Unwelcome` and `Away`, at the latest after the given seconds."""
    if not _TOKEN.fullmatch(section.token):
        raise Unwelcome
    try:
        async with asyncio.timeout(seconds):
            return await _asked(section)
    except discord.LoginFailure:
        raise Unwelcome from None
    except discord.HTTPException as error:
        raise Away(f"HTTP {error.status}") from None
    except TimeoutError:
        raise Away(f"no answer within {seconds:g} s") from None
    except SILENCE as error:
        # What the library for HTTP raises tells of the connection's own error in its words.
        raise Away(str(getattr(error, "os_error", error)) or type(error).__name__) from None
    except (AttributeError, LookupError, TypeError, ValueError):
        raise Away("the server there is not Discord") from None


async def _asked(section: Discord) -> Known:
    lead(section.api_base)
    # It says whenever it is made that it cannot speak; nobody asked it to.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    async with discord.Client(intents=discord.Intents.none()) as client:
        await client.login(section.token)
        app = client.application
        assert app is not None  # whoever has logged in has been told
        return Known(str(client.user), invitation(app.id), bool(app.interactions_endpoint_url))
