"""A bot on an emulated Discord in this process, without pauses, and helpers that check what its users see."""

import asyncio
import os
import time
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

import discord as library
import pytest

from adapters.base import Adapter, Bot
from adapters.bootstrap import catalogue, opened
from adapters.discord import adapter as adapting
from adapters.discord import api, client, replies
from adapters.discord import delivery as sending
from adapters.registry import REGISTRY
from adapters.shared import card_throttle
from bot.app import App
from bot.commands import COMMANDS
from bot.config import Config, FilesSection, StoreSection
from bot.config import Discord as Section
from bot.core.values import MessageRef
from bot.generation.resolve import ModelCatalog
from bot.jobs import delivery
from bot.jobs.delivery import Router
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

#: The number of rounds of each fault.
ROUNDS = int(os.environ.get("EASEL_TEST_ROUNDS", "1"))

#: Parameters of a picture that is ready at once.
SMALL = {"size": "64x64", "steps": 2, "scheduler": "euler"}
WORDS = "--size 64x64 --steps 2 --scheduler euler"


def some(cases, every):
    """Return every n-th case, or all cases if everything is tested or rounds are requested."""
    return list(cases) if ALL or "EASEL_TEST_ROUNDS" in os.environ else list(cases)[::every]


def named(one):
    """Return the name of a case in a test id."""
    return getattr(one, "__name__", str(one))


class Hasty:
    """A stand-in for `asyncio` in a library that sleeps for seconds."""

    def __getattr__(self, name):
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds, result=None):
        """Sleep for a short time only."""
        return await asyncio.sleep(min(seconds, 0.02), result)


class Clock:
    """A stand-in for `time` in the adapter and the emulator, which tests can move forward."""

    def __init__(self):
        self.ahead = 0.0

    def __getattr__(self, name):
        return getattr(time, name)

    def time(self):
        """Return the seconds since 1970, plus the skipped seconds."""
        return time.time() + self.ahead


class Gate:
    """An engine that starts no request while its gate is closed."""

    def __init__(self, engine):
        self._engine = engine
        self._may = asyncio.Event()
        self.open()

    @property
    def is_able(self):
        """Whether the engine can run requests."""
        return self._engine.is_able

    def model_infos(self):
        """Return the available models."""
        return self._engine.model_infos()

    def open(self):
        """Let requests start."""
        self._may.set()

    def close(self):
        """Let no more requests start."""
        self._may.clear()

    async def run(self, request):
        """Run a request when the gate is open."""
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
        """Return a new channel in a new server, and members with these names."""
        guild = self.discord.guild("a server")
        return guild.channel("general"), *(self.discord.user(name).join(guild) for name in names)

    async def jobs(self, channel, count=1):
        """Return the ids of the jobs of a channel and its threads, when there are at least `count`."""
        address = MessageRef("discord", (channel.parent or channel).id)

        async def found():
            kept = await self.store.jobs.of_channel(address, 100)
            return kept if len(kept) >= count else None

        return [one.id for one in await self.discord.until(found)]

    async def begun(self, use):
        """Wait for the card of an interaction, and return its job."""

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
        """Wait until this number of delivery attempts for a job have failed."""

        async def failed():
            found = await self.store.outbox.of_job(job)
            return found is not None and (found.attempt > times or (found.attempt == times and found.state != SENDING))

        await self.discord.until(failed)

    async def shows(self, job, *channels) -> tuple[list[Message], list[Message]]:
        """Return the messages with a job's picture, and the messages that show the job without it."""
        names = [picture.id for picture in (await self.store.pictures.of_jobs([job]))[job]]
        messages = [one for channel in channels for one in channel.messages if one.author is self.discord.bot and not one.is_ephemeral]
        full = [one for one in messages if any(name in file.filename for file in one.files for name in names)]
        return full, [one for one in messages if one not in full and any(job in wire for _, wire, _ in one.buttons())]

    async def once(self, job, *channels):
        """Check that a job was delivered and is shown exactly once, with nothing else left; return the message."""
        assert (await self.told(job)).state == SENT
        (message,), left = await self.shows(job, *channels)
        assert left == []
        return message

    async def works(self, channel, user):
        """Check that another user is served as usual."""
        await self.discord.ready()
        assert await user.complete(channel, "imagine", "model", "de", prompt="x") == [{"name": "demo", "value": "demo"}]
        use = await user.use(channel, "imagine", prompt="a green tree", **SMALL)
        await self.discord.until(lambda: use.message and use.message.files)
        assert self.discord.rejected == []

    def later(self, seconds):
        """Let time pass for Discord and the bot."""
        self.clock.ahead += seconds
        for use in self.discord.uses:
            use.began -= seconds


@contextmanager
def hurried(*, message_seconds=0.02):
    """Shorten all pauses of the bot and its library; yield the clock of both."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        # The adapter points the library at this Discord; afterwards the addresses are restored.
        base, gateway = library.http.Route, library.gateway.DiscordWebSocket
        for owner, name in ((base, "BASE"), (gateway, "DEFAULT_GATEWAY"), (library.asset.Asset, "BASE")):
            patch.setattr(owner, name, getattr(owner, name))
        for module in (library.http, library.webhook.async_, library.client, library.shard):
            patch.setattr(module, "asyncio", Hasty())
        for module in (api, api, adapting, world):
            patch.setattr(module, "time", clock)
        patch.setattr(adapting, "CardThrottle", partial(card_throttle.CardThrottle, place_seconds=0.02, message_seconds=message_seconds))
        patch.setattr(adapting, "Connection", partial(client.Connection, first_pause=0.05))
        patch.setattr(client, "LONGEST_PAUSE", 0.2)
        patch.setattr(adapting, "_LOOK_SECONDS", 0.1)
        patch.setattr(replies, "_ACKNOWLEDGE_SECONDS", UNHURRIED)
        patch.setattr(sending, "_TURNED_AWAY_SECONDS", 0.1)
        patch.setattr(delivery, "_LONGEST_PAUSE", 0.05)
        yield clock


@asynccontextmanager
async def painting():
    """Yield an engine that has loaded its model."""
    async with AsyncExitStack() as stack:
        with on_one_core():
            engine = LocalEngine(EngineSettings(devices=("cpu",)), read_catalogue([], None, WEIGHTS))
            await stack.enter_async_context(engine)
        await warmed(engine)
        yield engine


@asynccontextmanager
async def staged(engine, folder, *, message_seconds=0.02):
    """Yield a bot that is connected to its own emulated Discord."""
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
                app = App(COMMANDS, store, ModelCatalog(catalogue(settings).models, "demo"), wake=dispatcher.wake)
                adapter = REGISTRY["discord"](Bot(settings, app, dispatcher.card, dispatcher.show))
                assert adapter is not None
                async with adapter:
                    router.adapters["discord"] = adapter
                    async with dispatcher:
                        await discord.until(lambda: discord.commands)
                        await discord.ready()
                        yield Stage(discord, adapter, store, dispatcher, gate, clock)
