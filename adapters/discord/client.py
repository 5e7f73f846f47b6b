"""The Discord client, which passes events to the handlers, and the connection that keeps it connected.

Each event has its own task, which uses the language of its user. A connection that ends is made again, with growing pauses, and
never so often that Discord resets the token.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any, Self

import discord
import yarl
from discord import app_commands, ui
from discord.gateway import DiscordWebSocket

from adapters.discord import commands
from adapters.discord.interactions import InteractionHandler
from adapters.discord.messages import MessageHandler
from adapters.discord.render import PICK
from adapters.discord.replies import Interaction
from adapters.discord.translator import Translations
from bot.config import Discord
from bot.i18n.translate import speak

log = logging.getLogger("easel.discord")

#: The events received: servers, channels and messages; only messages to the bot carry their text. No intent needs approval by Discord.
_INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)


class Client(discord.AutoShardedClient):
    """Easel's Discord client. `stands` is called whenever the connection is established."""

    def __init__(self, section: Discord, desk: InteractionHandler, stands: Callable[[], None]) -> None:
        # Suppress the warnings that voice is unavailable: Easel does not use voice.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=_INTENTS,
            shard_count=section.shards or None,
            allowed_mentions=discord.AllowedMentions.none(),
            activity=discord.CustomActivity(section.presence) if section.presence else None,
            # No cache is needed: every interaction and message carries its own data.
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            # Do not wait for the servers to arrive before the commands are registered.
            guild_ready_timeout=0.2,
        )
        self.desk = desk
        self.tree = commands.tree_of(self, desk)
        self.tree.error(self._broke)
        self._talking = MessageHandler(desk)
        self._stands = stands

    async def setup_hook(self) -> None:
        """Register buttons and menus, also of messages sent by earlier processes; register the commands in every language."""
        await self.tree.set_translator(Translations())
        self.add_dynamic_items(Press, Pick)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait until another identification is allowed: the library identifies itself again when a session breaks."""
        await super().before_identify_hook(shard_id, initial=initial)
        if not initial:
            await may_identify(self)

    async def on_ready(self) -> None:
        """Report that the connection is established."""
        self._stands()

    async def on_resumed(self) -> None:
        """Report that the connection is established again."""
        self._stands()

    async def on_message(self, message: discord.Message) -> None:
        """Handle a message of another user."""
        if message.author != self.user:
            await self._talking.heard(self, message)

    async def on_interaction(self, interaction: Interaction) -> None:
        """Handle a submitted form: the library itself only knows forms that it showed since it was started."""
        if interaction.type is discord.InteractionType.modal_submit and interaction.data is not None:
            speak(str(interaction.locale))
            await self.desk.sent_in(interaction, dict(interaction.data))

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Log the error; the user does not see its text."""
        del args, kwargs
        log.exception("discord.broke event=%s", event_method)

    async def _broke(self, interaction: Interaction, error: app_commands.AppCommandError) -> None:
        log.error("discord.broke interaction=%s", interaction.id, exc_info=error)


class Press(ui.DynamicItem[ui.Button[Any]], template=re.compile(r"(?!" + PICK + r":\d)(?P<wire>[a-z][a-z0-9_]*(?::.*)?)", re.DOTALL)):
    """A button; its custom id holds its whole command."""

    def __init__(self, item: ui.Button[Any], wire: str) -> None:
        super().__init__(item)
        self._wire = wire

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Self:
        """Return the button that was pressed."""
        del interaction
        assert isinstance(item, ui.Button)
        return cls(item, match["wire"])

    async def callback(self, interaction: Interaction) -> None:
        """Run the command of the button."""
        speak(str(interaction.locale))
        await interaction.client.desk.pressed(interaction, self._wire)


class Pick(ui.DynamicItem[ui.Select[Any]], template=re.compile(PICK + r":\d+")):
    """A menu of pictures: each entry carries the command of a button."""

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Self:
        """Return the menu that was used."""
        del interaction, match
        assert isinstance(item, ui.Select)
        return cls(item)

    async def callback(self, interaction: Interaction) -> None:
        """Run the command of the chosen entry."""
        values = self.item.values
        speak(str(interaction.locale))
        if values:
            await interaction.client.desk.pressed(interaction, values[0])


#: Seconds to pause after a connection ended; the pause doubles up to the longest as long as no connection lasts.
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 900.0

#: A connection of this many seconds counts as lasting.
_LASTED_SECONDS = 300.0

#: Discord resets the token of a bot that identifies a thousand times in a day; with fewer left than this, Easel waits for the next day.
_LEAST_IDENTIFIES = 20

#: Seconds for a first connection, and for each further shard of it: the library itself would retry forever, every five seconds.
_STAND_SECONDS, _SHARD_SECONDS = 120.0, 6.0

_API, _CDN = discord.http.Route.BASE, discord.asset.Asset.BASE


def is_elsewhere(api_base: str) -> bool:
    """Return whether an address belongs to another server than Discord's own."""
    return api_base.rstrip("/") != _API


def lead(api_base: str) -> None:
    """Direct all requests of the library to an address: it keeps its addresses in its classes and has no setting for them."""
    discord.http.Route.BASE = api_base.rstrip("/")
    # Other servers use one address for everything.
    discord.asset.Asset.BASE = str(yarl.URL(api_base).origin()) if is_elsewhere(api_base) else _CDN


async def connect(client: discord.Client) -> None:
    """Keep a logged-in client connected until the connection ends for good; raises what the library raises."""
    await may_identify(client)
    connecting, standing = asyncio.create_task(client.connect(reconnect=True)), asyncio.create_task(client.wait_until_ready())
    try:
        patience = _STAND_SECONDS + _SHARD_SECONDS * (client.shard_count or 1)
        if not (await asyncio.wait([connecting, standing], timeout=patience, return_when=asyncio.FIRST_COMPLETED))[0]:
            raise TimeoutError
        await connecting
    finally:
        connecting.cancel()
        standing.cancel()
        await asyncio.gather(connecting, standing, return_exceptions=True)


async def may_identify(client: discord.Client) -> None:
    """Fetch the gateway address, and wait until the client may identify itself without using up the day's limit."""
    while True:
        told = await client.http.request(discord.http.Route("GET", "/gateway/bot"))
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(told["url"])
        limit = told.get("session_start_limit", {})
        least = min(max(_LEAST_IDENTIFIES, client.shard_count or 1), limit.get("total", 0))
        if limit.get("remaining", least) >= least:
            return
        seconds = float(limit.get("reset_after", 0)) / 1000
        log.warning("discord.identify_later seconds=%.0f", seconds)
        # Ask again in between, because a new token may have been created in the meantime.
        await asyncio.sleep(min(max(seconds, 1.0), LONGEST_PAUSE))


class Connection:
    """Keeps a client connected. `made` creates a new client: each serves for one connection."""

    def __init__(self, made: Callable[[], discord.Client], token: str, first_pause: float = FIRST_PAUSE) -> None:
        self._made = made
        self._token = token
        self._first_pause = first_pause
        self._client: discord.Client | None = None
        #: Set once the client knows its own account, or the login has failed.
        self.tried = asyncio.Event()

    @property
    def client(self) -> discord.Client | None:
        """Return the current client."""
        return self._client

    async def keep(self) -> None:
        """Stay connected forever."""
        pause = self._first_pause
        while True:
            began = time.monotonic()
            reason = await self._once()
            if time.monotonic() - began > _LASTED_SECONDS:
                pause = self._first_pause
            log.warning("discord.disconnected reason=%s seconds=%.0f", reason, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _once(self) -> str:
        """Stay connected until the connection ends, and return the reason."""
        client = self._client = self._made()
        try:
            async with client:
                await client.login(self._token)
                self.tried.set()
                await connect(client)
        except discord.LoginFailure:
            return "the token is not known"
        except discord.PrivilegedIntentsRequired:
            return "intents not granted"
        except discord.ConnectionClosed as error:
            return f"closed with code {error.code}"
        except discord.HTTPException as error:
            return f"HTTP {error.status}"
        except Exception as error:
            # Whatever error the library raises, the next connection is a new one.
            return type(error).__name__
        finally:
            self.tried.set()
        return "closed"
