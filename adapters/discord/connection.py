"""The connection to Discord: made again whenever it ends, with ever longer pauses, and never so often that Discord takes the token away."""

import asyncio
import logging
import time
from collections.abc import Callable

import discord
import yarl
from discord.gateway import DiscordWebSocket

log = logging.getLogger("easel.discord")

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
