"""The recorded bot: emulated Discord and Telegram, the web page and the demo model; part of the recording script."""

import asyncio
import io
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx2
import msgspec
from PIL import Image
from sqlalchemy import text as sql

from adapters.base import Bot
from adapters.bootstrap import catalogue, opened
from adapters.registry import REGISTRY
from bot.app import App
from bot.commands import COMMANDS
from bot.config import Quota, StoreSection, TierSection
from bot.core.values import Invocation, MessageRef, UserRef
from bot.generation.resolve import ModelCatalog
from bot.i18n.translate import text
from bot.jobs.delivery import Router
from bot.jobs.dispatcher import Dispatcher
from bot.store.store import Store
from inference.contract.errors import Problem
from inference.contract.request import Failed, Picture
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from inference.supervisor import LocalEngine
from tests.adapters.discord import chat as discords
from tests.adapters.telegram import chat as telegrams
from tests.adapters.web.chat import PATIENCE, Browser
from tests.emulators.discord import Discord
from tests.emulators.telegram import Telegram
from tests.running import on_one_core

#: Daily credits: enough for the whole scene; because there is a limit, each job writes ledger rows.
QUOTA = Quota(credits=2_000, place_credits=9_000, tiers=(TierSection(name="gold", credits=4_000, weight=2.0),))

#: Prompt and seed of the pictures that are kept unchanged; all others become a plain colour to keep the recording small.
WHOLE = "a large red circle", 11

#: A word in prompts that makes the job fail.
FAILS = "broken"


class Thrifty:
    """The real engine, with most pictures replaced by a plain colour."""

    def __init__(self, engine):
        self._engine = engine

    @property
    def is_able(self):
        """Whether the engine can run requests."""
        return self._engine.is_able

    def model_infos(self):
        """Return the available models."""
        return self._engine.model_infos()

    async def run(self, request):
        """Run a request and yield the events of the engine."""
        if FAILS in request.prompt.text:
            yield Failed(Problem("worker-died", {"code": -9, "device": "cpu"}))
            return
        async for event in self._engine.run(request):
            is_plain = isinstance(event, Picture) and (request.prompt.text, request.seed) != WHOLE
            yield self._plain(event) if is_plain else event

    def _plain(self, event):
        colour = (40 * event.index % 256, 90, 160)
        made = {"image": _encoded("PNG", colour), "thumbnail": _encoded("JPEG", colour)}
        return msgspec.structs.replace(event, **made)


def _encoded(kind, colour, size=(64, 64)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def png(colour="red", size=(64, 64)):
    """Return a source picture."""
    return _encoded("PNG", colour, size)


@dataclass
class Stage:
    """The running parts, and the HTML of everything that the web page showed."""

    discord: Discord
    telegram: Telegram
    store: Store
    app: App
    router: Router
    dispatcher: Dispatcher
    engine: object
    config: object
    url: str
    pages: list[str] = field(default_factory=list)

    async def ask(self, line, caller, address, **more):
        """Run a command line as a user, without a platform."""
        name, _, words = line.removeprefix("/").partition(" ")
        return await self.app.handle(
            Invocation(command=name, given=more.pop("given", {}), words=words, line=line, caller=caller, address=address, **more)
        )

    async def rows(self, question):
        """Return the rows of an SQL query."""
        async with self.store.database.read() as session:
            return (await session.execute(sql(question))).all()

    async def quiet(self):
        """Wait until no job is queued or running, no delivery is pending and no update is unhandled."""
        busy = (
            "SELECT (SELECT count(*) FROM job WHERE state IN ('waiting', 'running')),"
            " (SELECT count(*) FROM delivery WHERE state IN ('todo', 'sending')), (SELECT count(*) FROM inbox WHERE done IS NULL)"
        )
        async with asyncio.timeout(4 * PATIENCE):
            while self.telegram.updates_waiting or any((await self.rows(busy))[0]):  # noqa: ASYNC110  # nobody announces it
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)

    async def on_discord(self, user, line, files=()):
        """Send a direct message on Discord and return the answer."""
        said = await user.say(user.dm(), line, files=files)

        def heard():
            found = [one for one in user.dm().every_message if int(one.id) > int(said.id) and one.author is self.discord.bot]
            return found[-1] if found and found[-1].texts() not in ([], [text("card-starting")]) else None

        return await self.discord.until(heard)

    async def on_telegram(self, user, line):
        """Send a private message on Telegram and return the answer."""
        said = await user.say(user.dm(), line)

        def heard():
            found = [one for one in user.dm().messages if one.id > said.id and one.sender is self.telegram.bot]
            return found[-1] if found else None

        return await self.telegram.until(heard)

    async def in_group(self, user, chat, line, holding=""):
        """Send a message in a Telegram group and return the answer, there or in the private chat."""
        channels = (chat, user.dm())
        last = {id(channel): max((one.id for one in channel.messages), default=0) for channel in channels}
        said = await user.say(chat, line)
        last[id(chat)] = said.id

        def heard():
            found = [
                one for channel in channels for one in channel.messages if one.sender is self.telegram.bot and one.id > last[id(channel)]
            ]
            return next((one for one in found if holding in telegrams.words_of(one)), None)

        return await self.telegram.until(heard)

    async def on_page(self, browser, line, **more):
        """Send a line on the web page and return the answer."""
        answer = (await browser.say(line, **more)).json()
        self.pages.append(" ".join([answer.get("reply", ""), answer.get("form", ""), *(one["html"] for one in answer.get("jobs", ()))]))
        return answer

    async def press_on_page(self, browser, wire):
        """Press a button on the web page and return the answer."""
        answer = (await browser.press(wire)).json()
        self.pages.append(" ".join([answer.get("reply", ""), answer.get("form", ""), *(one["html"] for one in answer.get("jobs", ()))]))
        return answer

    @asynccontextmanager
    async def browser(self):
        """Yield a browser with the page open."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=PATIENCE) as client:
            browser = Browser(client)
            await browser.open()
            yield browser
            self.pages.append(await browser.open())


def caller(platform, user, **more):
    """Return a user of an emulated platform as its adapter names them."""
    return UserRef(platform, str(user.id), user.name.title(), **more)


def channel(platform, where):
    """Return the address of a channel; that of a direct message has the user's id."""
    return MessageRef(platform, str((where.user or where).id))


def wire_in(message, name):
    """Return the data of the button that runs a command."""
    return next(wire for wire in re.findall(rf"\b{name}:[^\"' ]+|\b{name}\b", " ".join(one[1] for one in message.buttons())))


async def _patiently(until, condition, _seconds=0.0):
    return await until(condition, 4 * PATIENCE)


@asynccontextmanager
async def staged(url, folder):
    """Yield the running bot; its dispatcher is not entered yet."""
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(discords.quick())
        telegram = await stack.enter_async_context(telegrams.quick())
        for emulated in (discord, telegram):
            # The machine may be busy while it records.
            emulated.until = partial(_patiently, emulated.until)
        there = discords.configured(folder, discord)
        more = {"telegram": telegrams.configured(folder, telegram).telegram, "store": StoreSection(url=url), "quota": QUOTA}
        settings = there.model_copy(update=more)
        with on_one_core():
            painter = LocalEngine(EngineSettings(devices=("cpu",)), read_catalogue([], None, WEIGHTS))
            engine = Thrifty(await stack.enter_async_context(painter))
        router, names = Router(), ("discord", "telegram", "web")
        store = await stack.enter_async_context(opened(settings))
        dispatcher = Dispatcher(store, engine, router, names)
        app = App(COMMANDS, store, ModelCatalog(catalogue(settings).models, "demo"), wake=dispatcher.wake)
        for name in names:
            bot = Bot(settings, app, dispatcher.card, dispatcher.show)
            router.adapters[name] = await stack.enter_async_context(REGISTRY[name](bot))
        await discord.ready()
        await discord.until(lambda: (telling := router.adapters["discord"]._telling) is not None and telling.done())
        await telegram.ready()
        page = f"http://127.0.0.1:{router.adapters['web'].port}"
        yield Stage(discord, telegram, store, app, router, dispatcher, engine, settings, page)
