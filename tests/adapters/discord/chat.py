"""A bot on an emulated Discord with a real store; its engine returns plain colours at once."""

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from adapters.base import Bot
from adapters.bootstrap import catalogue, opened
from adapters.registry import REGISTRY
from adapters.shared.card_throttle import CardThrottle
from bot.app import App
from bot.commands import COMMANDS
from bot.config import Discord as Section
from bot.generation.resolve import ModelCatalog
from bot.jobs.delivery import Router
from bot.jobs.dispatcher import Dispatcher
from bot.store.store import Store
from inference.contract.request import Done, Picture, Step
from tests.adapters.web.chat import config, png
from tests.emulators.discord import Discord
from tests.emulators.discord.library import discord as library

#: The seconds allowed for a first response. Discord's three are too few for a computer that runs several tests: a late response
#: is dropped, and a test would wait for it in vain.
UNHURRIED = 120.0


@asynccontextmanager
async def quick(**more):
    """Yield an emulated Discord without rate limits and shorten the pauses of the adapter; finally, assert that no request was invalid."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapters.discord.adapter.CardThrottle", partial(CardThrottle, place_seconds=0.02, message_seconds=0.02))
        # The adapter points the library at this Discord; afterwards the addresses are restored.
        for owner, name in (
            (library.http.Route, "BASE"),
            (library.asset.Asset, "BASE"),
            (library.gateway.DiscordWebSocket, "DEFAULT_GATEWAY"),
        ):
            patch.setattr(owner, name, getattr(owner, name))
        async with Discord(**more) as discord:
            discord.bucket(None)
            discord.clock(ack=UNHURRIED)
            yield discord
            assert discord.rejected == []


def configured(folder, discord, **section):
    """Return the configuration of a bot on it that stores its data in a folder."""
    there = Section(token=discord.token, api_base=discord.api_base, **section)
    return config(folder).model_copy(update={"discord": there})


class Painter:
    """An engine. It waits for `may` before each request; `preview` is the preview that it yields before."""

    is_able = True
    preview = None

    def __init__(self):
        self.may = asyncio.Event()
        self.may.set()

    def model_infos(self):
        """Return the demo model."""
        return {"demo": None}

    async def run(self, request):
        """Yield one step, and pictures in plain colours when allowed."""
        yield Step(1, request.steps, self.preview)
        await self.may.wait()
        for index in range(request.count):
            seed = request.seed + index
            colour, size = (seed % 256, index, 0), (request.width, request.height)
            yield Picture(index, seed, *size, png(colour, size), b"\xff\xd8\xff")
        yield Done(0.1, request.steps)


@dataclass(frozen=True)
class Chat:
    """A bot that runs on the emulated Discord."""

    discord: Discord
    store: Store
    adapter: object
    painter: Painter

    def channel(self, name="general", **more):
        """Return a channel in a new server, and two members of it."""
        guild = self.discord.guild("Studio")
        return guild.channel(name, **more), *(self.discord.user(one).join(guild) for one in ("ann", "bob"))

    async def connected(self):
        """Wait until the bot is connected and has registered its commands if necessary."""
        await self.discord.ready()
        await self.discord.until(lambda: (telling := self.adapter._telling) is not None and telling.done())

    async def pictures(self, channel, count=1):
        """Wait for exactly this number of messages with finished pictures in a channel and return them."""

        def shown():
            found = [one for one in channel.messages if one.author is self.discord.bot and is_done(one) and not one.is_ephemeral]
            return found if len(found) >= count else None

        found = await self.discord.until(shown)
        assert len(found) == count
        return found

    async def job(self, message):
        """Return the job of a message."""
        (wire,) = {wire for _, wire, _ in message.buttons() if wire.startswith("again:")}
        return await self.store.jobs.get(wire.removeprefix("again:"))


def is_done(message):
    """Return whether a message shows a finished job."""
    return bool(message.files) and any(wire.startswith("again:") for _, wire, _ in message.buttons())


def read(message):
    """Return the text of a message as users read it."""
    return re.sub(r"\\([^\w\s])", r"\1", "\n".join(message.texts()))


async def told(use):
    """Wait for an ephemeral answer to an interaction and return it."""
    return (await use.discord.until(lambda: [one for one in [use.message, *use.followups] if one and one.is_ephemeral and one.texts()]))[-1]


@asynccontextmanager
async def open_chat(folder, discord, commands=COMMANDS, **section):
    """Yield a connected bot; `section` is its `[discord]`."""
    settings, painter, router = configured(folder, discord, **section), Painter(), Router()
    async with opened(settings) as store:
        dispatcher = Dispatcher(store, painter, router, ("discord",))
        app = App(commands, store, ModelCatalog(catalogue(settings).models, "demo"), wake=dispatcher.wake)
        async with REGISTRY["discord"](Bot(settings, app, dispatcher.card, dispatcher.show)) as adapter:
            router.adapters["discord"] = adapter
            async with dispatcher:
                chat = Chat(discord, store, adapter, painter)
                await chat.connected()
                yield chat
