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

#: What is heard: servers and channels, and messages, of which only those to the bot have words. None of it needs to be granted.
_INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)


class Client(discord.AutoShardedClient):
    """Easel on Discord. `stands` is called whenever a connection does."""

    def __init__(self, section: Discord, desk: InteractionHandler, stands: Callable[[], None]) -> None:
        # It says at every start that it cannot speak; nobody asked it to.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=_INTENTS,
            shard_count=section.shards or None,
            allowed_mentions=discord.AllowedMentions.none(),
            activity=discord.CustomActivity(section.presence) if section.presence else None,
            # Nothing of them is needed: every interaction and message brings its own.
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            # Nor are the servers waited for, one by one, before the commands are told.
            guild_ready_timeout=0.2,
        )
        self.desk = desk
        self.tree = commands.tree_of(self, desk)
        self.tree.error(self._broke)
        self._talking = MessageHandler(desk)
        self._stands = stands

    async def setup_hook(self) -> None:
        """Take in buttons and lists, whoever made them and however long ago; tell the commands in every language."""
        await self.tree.set_translator(Translations())
        self.add_dynamic_items(Press, Pick)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait until there is an identification to spare: the library identifies itself again, by itself, when a session breaks."""
        await super().before_identify_hook(shard_id, initial=initial)
        if not initial:
            await may_identify(self)

    async def on_ready(self) -> None:
        """Say that the connection stands."""
        self._stands()

    async def on_resumed(self) -> None:
        """Say that it stands again."""
        self._stands()

    async def on_message(self, message: discord.Message) -> None:
        """Handle a message of somebody else."""
        if message.author != self.user:
            await self._talking.heard(self, message)

    async def on_interaction(self, interaction: Interaction) -> None:
        """Take in a form: the library itself knows only those that it showed since it was started."""
        if interaction.type is discord.InteractionType.modal_submit and interaction.data is not None:
            speak(str(interaction.locale))
            await self.desk.sent_in(interaction, dict(interaction.data))

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Note what went wrong; its words are nobody else's business."""
        del args, kwargs
        log.exception("discord.broke event=%s", event_method)

    async def _broke(self, interaction: Interaction, error: app_commands.AppCommandError) -> None:
        log.error("discord.broke interaction=%s", interaction.id, exc_info=error)


class Press(ui.DynamicItem[ui.Button[Any]], template=re.compile(r"(?!" + PICK + r":\d)(?P<wire>[a-z][a-z0-9_]*(?::.*)?)", re.DOTALL)):
    """A button: what it carries says everything."""

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
        """Run what it carries."""
        speak(str(interaction.locale))
        await interaction.client.desk.pressed(interaction, self._wire)


class Pick(ui.DynamicItem[ui.Select[Any]], template=re.compile(PICK + r":\d+")):
    """A list of pictures: each line carries what a button would."""

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Self:
        """Return the list that was chosen from."""
        del interaction, match
        assert isinstance(item, ui.Select)
        return cls(item)

    async def callback(self, interaction: Interaction) -> None:
        """Run what the chosen line carries."""
        values = self.item.values
        speak(str(interaction.locale))
        if values:
            await interaction.client.desk.pressed(interaction, values[0])


#: The pause after a connection that ended, which doubles up to the longest while none lasts.
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 900.0

#: A connection that stood for so long has lasted.
_LASTED_SECONDS = 300.0

#: Discord resets the token of who identifies a thousand times in a day; with fewer left than this it waits for the next day.
_LEAST_IDENTIFIES = 20

#: How long a first connection may take, and each further shard of it: the library itself would try for ever, every five seconds.
_STAND_SECONDS, _SHARD_SECONDS = 120.0, 6.0

_API, _CDN = discord.http.Route.BASE, discord.asset.Asset.BASE


def is_elsewhere(api_base: str) -> bool:
    """Return whether an address is another server's than Discord's own."""
    return api_base.rstrip("/") != _API


def lead(api_base: str) -> None:
    """Lead everything that the library asks to an address: it keeps them in its classes and has no setting for them."""
    discord.http.Route.BASE = api_base.rstrip("/")
    # Elsewhere there is one server for everything.
    discord.asset.Asset.BASE = str(yarl.URL(api_base).origin()) if is_elsewhere(api_base) else _CDN


async def connect(client: discord.Client) -> None:
    """Keep a client connected that has logged in, until the connection ends for good; raises what the library raises."""
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
    """Learn where the gateway is, and wait until the client may identify itself there without using the day up."""
    while True:
        told = await client.http.request(discord.http.Route("GET", "/gateway/bot"))
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(told["url"])
        limit = told.get("session_start_limit", {})
        least = min(max(_LEAST_IDENTIFIES, client.shard_count or 1), limit.get("total", 0))
        if limit.get("remaining", least) >= least:
            return
        seconds = float(limit.get("reset_after", 0)) / 1000
        log.warning("discord.identify_later seconds=%.0f", seconds)
        # Asked again in between: somebody may have made a new token meanwhile.
        await asyncio.sleep(min(max(seconds, 1.0), LONGEST_PAUSE))


class Connection:
    """Keeps a client connected. `made` makes a new one: each serves for one connection."""

    def __init__(self, made: Callable[[], discord.Client], token: str, first_pause: float = FIRST_PAUSE) -> None:
        self._made = made
        self._token = token
        self._first_pause = first_pause
        self._client: discord.Client | None = None
        #: Set once the client knows who it is, or could not learn it.
        self.tried = asyncio.Event()

    @property
    def client(self) -> discord.Client | None:
        """Return the client that is there now."""
        return self._client

    async def keep(self) -> None:
        """Be connected, for ever."""
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
        """Be connected until that ends, and return why it did."""
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
            # Whatever the library stumbles over, the next connection is a new one.
            return type(error).__name__
        finally:
            self.tried.set()
        return "closed"
