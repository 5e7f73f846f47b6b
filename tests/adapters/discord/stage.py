"""A bot on an emulated Discord, in this process and in a hurry, and what its people see."""

import asyncio
import os
import time
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

import discord as library
import pytest

from adapters.base import Adapter, Bot
from adapters.bootstrap import Router, model_infos, opened
from adapters.discord import adapter as adapting
from adapters.discord import api, connection, message_ref, replies
from adapters.discord import delivery as sending
from adapters.registry import REGISTRY
from adapters.shared import card_throttle
from bot.app import App
from bot.commands import COMMANDS
from bot.config import Config, FilesSection, StoreSection
from bot.config import Discord as Section
from bot.core.values import MessageRef
from bot.generation.model_catalog import ModelCatalog
from bot.jobs import delivery
from bot.jobs.dispatcher import Dispatcher
from bot.store.jobs.outbox import GAVE_UP, SENDING, SENT, UNKNOWN
from bot.store.store import Store
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from inference.supervisor import LocalEngine
from tests.adapters.discord.chat import UNHURRIED
from tests.asking import warmed
from tests.emulators.discord import Discord, Message, world
from tests.running import on_one_core
from tests.stores import ALL

#: How often what can go wrong goes wrong.
ROUNDS = int(os.environ.get("EASEL_TEST_ROUNDS", "1"))

#: A picture that is painted at once.
SMALL = {"size": "64x64", "steps": 2, "scheduler": "euler"}
WORDS = "--size 64x64 --steps 2 --scheduler euler"


def some(cases, every):
    """Return each so-manieth of many ways to go wrong; all of them if everything is tried, or rounds are asked for."""
    return list(cases) if ALL or "EASEL_TEST_ROUNDS" in os.environ else list(cases)[::every]


def named(one):
    """Return what a case is called in the name of its test."""
    return getattr(one, "__name__", str(one))


class Hasty:
    """`asyncio` for a library that pauses for seconds."""

    def __getattr__(self, name):
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds, result=None):
        """Sleep, but not for long."""
        return await asyncio.sleep(min(seconds, 0.02), result)


class Clock:
    """`time` for the adapter and Discord, which tests can put forward."""

    def __init__(self):
        self.ahead = 0.0

    def __getattr__(self, name):
        return getattr(time, name)

    def time(self):
        """Return the seconds since 1970, and those that were skipped."""
        return time.time() + self.ahead


class Gate:
    """An engine that begins with nothing while its gate is closed."""

    def __init__(self, engine):
        self._engine = engine
        self._may = asyncio.Event()
        self.open()

    @property
    def is_able(self):
        """Whether anything can be painted."""
        return self._engine.is_able

    def model_infos(self):
        """Return what can be asked for."""
        return self._engine.model_infos()

    def open(self):
        """Let everything begin."""
        self._may.set()

    def close(self):
        """Let nothing begin any more."""
        self._may.clear()

    async def run(self, request):
        """Paint, in time."""
        await self._may.wait()
        async with aclosing(self._engine.run(request)) as events:
            async for event in events:
                yield event


@dataclass(frozen=True)
class Stage:
    """A bot that runs on an emulated Discord."""

    discord: Discord
    adapter: Adapter
    store: Store
    dispatcher: Dispatcher
    gate: Gate
    clock: Clock

    def scene(self, *names):
        """Return a new channel in a new server with people in it, as they are named."""
        guild = self.discord.guild("a server")
        return guild.channel("general"), *(self.discord.user(name).join(guild) for name in names)

    async def jobs(self, channel, count=1):
        """Return the ids of the jobs of a channel, which are those of its threads too, when there are so many."""
        address = MessageRef("discord", (channel.parent or channel).id)

        async def found():
            kept = await self.store.jobs.of_channel(address, 100)
            return kept if len(kept) >= count else None

        return [one.id for one in await self.discord.until(found)]

    async def begun(self, use):
        """Wait until the card of a use is seen, and return its job."""

        def found():
            wires = [wire for _, wire, _ in use.message.buttons()] if use.message else []
            return next((wire.partition(":")[2] for wire in wires if wire.startswith("cancel:")), None)

        return await self.discord.until(found)

    async def told(self, job):
        """Wait until the delivery of a job has ended, and return it."""

        async def over():
            found = await self.store.outbox.of_job(job)
            return found if found is not None and found.state in (SENT, UNKNOWN, GAVE_UP) else None

        return await self.discord.until(over)

    async def tried(self, job, times):
        """Wait until so many attempts to deliver a job have ended without success."""

        async def failed():
            found = await self.store.outbox.of_job(job)
            return found is not None and (found.attempt > times or (found.attempt == times and found.state != SENDING))

        await self.discord.until(failed)

    async def shows(self, job, *channels) -> tuple[list[Message], list[Message]]:
        """Return the messages in which a job's picture is, and those that show the job without it."""
        names = [picture.id for picture in (await self.store.pictures.of_jobs([job]))[job]]
        messages = [one for channel in channels for one in channel.messages if one.author is self.discord.bot and not one.is_ephemeral]
        full = [one for one in messages if any(name in file.filename for file in one.files for name in names)]
        return full, [one for one in messages if one not in full and any(job in wire for _, wire, _ in one.buttons())]

    async def once(self, job, *channels):
        """Check that a job's picture arrived, is seen once, and that nothing else is left of it; return the message."""
        assert (await self.told(job)).state == SENT
        (message,), left = await self.shows(job, *channels)
        assert left == []
        return message

    async def works(self, channel, user):
        """Check that somebody else is answered as ever."""
        await self.discord.ready()
        assert await user.complete(channel, "imagine", "model", "de", prompt="x") == [{"name": "demo", "value": "demo"}]
        use = await user.use(channel, "imagine", prompt="a green tree", **SMALL)
        await self.discord.until(lambda: use.message and use.message.files)
        assert self.discord.rejected == []

    def later(self, seconds):
        """Let time pass for Discord and for the bot."""
        self.clock.ahead += seconds
        for use in self.discord.uses:
            use.began -= seconds


@contextmanager
def hurried(*, message_seconds=0.02):
    """Let nobody wait: neither the bot nor its library; give the clock that they go by."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        # The adapter leads the library to this Discord; afterwards it is where it was.
        base, gateway = library.http.Route, library.gateway.DiscordWebSocket
        for owner, name in ((base, "BASE"), (gateway, "DEFAULT_GATEWAY"), (library.asset.Asset, "BASE")):
            patch.setattr(owner, name, getattr(owner, name))
        for module in (library.http, library.webhook.async_, library.client, library.shard):
            patch.setattr(module, "asyncio", Hasty())
        for module in (message_ref, api, adapting, world):
            patch.setattr(module, "time", clock)
        patch.setattr(adapting, "CardThrottle", partial(card_throttle.CardThrottle, place_seconds=0.02, message_seconds=message_seconds))
        patch.setattr(adapting, "Connection", partial(connection.Connection, first_pause=0.05))
        patch.setattr(connection, "LONGEST_PAUSE", 0.2)
        patch.setattr(adapting, "_LOOK_SECONDS", 0.1)
        patch.setattr(replies, "_ACKNOWLEDGE_SECONDS", UNHURRIED)
        patch.setattr(sending, "_TURNED_AWAY_SECONDS", 0.1)
        patch.setattr(delivery, "_LONGEST_PAUSE", 0.05)
        yield clock


@asynccontextmanager
async def painting():
    """Give an engine that has painted."""
    async with AsyncExitStack() as stack:
        with on_one_core():
            engine = LocalEngine(EngineSettings(devices=("cpu",)), read_catalogue([], None, WEIGHTS))
            await stack.enter_async_context(engine)
        await warmed(engine)
        yield engine


@asynccontextmanager
async def staged(engine, folder, *, message_seconds=0.02):
    """Give a bot that is connected to an emulated Discord of its own."""
    with hurried(message_seconds=message_seconds) as clock:
        async with Discord() as discord:
            discord.bucket(None)
            discord.clock(ack=UNHURRIED)
            settings = Config(
                discord=Section(token=discord.token, api_base=discord.api_base),
                store=StoreSection(url=f"sqlite+aiosqlite:///{folder}/easel.db"),
                files=FilesSection(url=str(folder / "files")),
            )
            async with opened(settings) as store:
                gate, router = Gate(engine), Router()
                dispatcher = Dispatcher(store, gate, router, ("discord",), poll_seconds=0.05)
                app = App(COMMANDS, store, ModelCatalog(model_infos(settings), "demo"), wake=dispatcher.wake)
                adapter = REGISTRY["discord"](Bot(settings, app, dispatcher.card, dispatcher.show))
                assert adapter is not None
                async with adapter:
                    router.adapters["discord"] = adapter
                    async with dispatcher:
                        await discord.until(lambda: discord.commands)
                        await discord.ready()
                        yield Stage(discord, adapter, store, dispatcher, gate, clock)
