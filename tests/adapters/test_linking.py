"""A bot on two platforms: a user links both accounts, keeps their data, and is deleted on both."""

import io
import json
import zipfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from adapters.base import Bot
from adapters.bootstrap import catalogue, opened
from adapters.registry import REGISTRY
from bot.app import App
from bot.commands import COMMANDS
from bot.core.values import UserRef
from bot.generation.resolve import ModelCatalog
from bot.jobs.delivery import Router
from bot.jobs.dispatcher import Dispatcher
from bot.store.store import Store
from tests.adapters.discord import chat as on_discord
from tests.adapters.telegram import chat as on_telegram
from tests.emulators.discord import Discord
from tests.emulators.telegram import Telegram

PLATFORMS = ("discord", "telegram")


@dataclass(frozen=True)
class Both:
    """A bot that runs on two platforms, and a user on each."""

    discord: Discord
    telegram: Telegram
    store: Store
    ann: object
    eve: object

    async def use(self, command):
        """Use a slash command in a direct message on Discord and return the answer."""
        return await on_discord.told(await self.ann.use(self.ann.dm(), command))

    async def click(self, message, label):
        """Press a button on Discord and return the answer."""
        use = await self.ann.click(message, label)
        return (await self.discord.until(lambda: [one for one in use.followups if one.texts()]))[-1]

    async def say(self, line):
        """Send a line on Telegram and return the answer."""
        channel = self.eve.dm()
        asked = await self.eve.say(channel, line)
        return await self.answer(asked)

    async def answer(self, asked, wanted=bool):
        """Return the bot's last answer after a message."""
        channel = self.eve.dm()
        said = lambda: [one for one in channel.messages if one.sender is self.telegram.bot and one.id > asked.id and wanted(one)]  # noqa: E731
        return (await self.telegram.until(said))[-1]

    async def users(self):
        """Return the current user id on each platform."""
        names = UserRef("discord", str(self.ann.id)), UserRef("telegram", str(self.eve.id))
        found = [await self.store.people.find(name) for name in names]
        return [one and one.id for one in found]


@asynccontextmanager
async def running(folder, discord, telegram):
    """Run a bot that is connected to both."""
    there = {"discord": on_discord.configured(folder, discord).discord, "telegram": on_telegram.configured(folder, telegram).telegram}
    settings, router = on_discord.config(folder).model_copy(update=there), Router()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(settings))
        dispatcher = Dispatcher(store, on_discord.Painter(), router, PLATFORMS)
        app = App(COMMANDS, store, ModelCatalog(catalogue(settings).models, "demo"), wake=dispatcher.wake)
        for platform in PLATFORMS:
            bot = Bot(settings, app, dispatcher.card, dispatcher.show)
            router.adapters[platform] = await stack.enter_async_context(REGISTRY[platform](bot))
        await stack.enter_async_context(dispatcher)
        await on_discord.Chat(discord, store, router.adapters["discord"], None).connected()
        await telegram.ready()
        yield store


@pytest.fixture
async def both(tmp_path):
    """Yield a bot on two platforms and one user on each."""
    async with on_discord.quick() as discord, on_telegram.quick() as telegram, running(tmp_path, discord, telegram) as store:
        ann = discord.user("ann")
        ann.join(discord.guild("Studio"))
        eve = telegram.user("eve")
        await eve.start()
        await telegram.until(lambda: [one for one in eve.dm().messages if one.sender is telegram.bot])
        yield Both(discord, telegram, store, ann, eve)


async def linked(both):
    """Link both accounts, as users do."""
    shown = await both.use("link")
    code = on_discord.read(shown).partition("/link ")[2].split()[0]
    assert "press Check and confirm" in on_telegram.words_of(await both.say(f"/link {code}"))
    asks = await both.click(shown, "Check")
    assert f"**telegram** {both.eve.id}" in on_discord.read(asks)
    assert "Your accounts are linked: discord, telegram" in on_discord.read(await both.click(asks, "Link accounts"))
    return code


async def test_two_platforms_one_person(both):
    """A code from one platform, entered on the other and confirmed on the first, links both accounts, and works only once."""
    await both.say("/quota")
    code = await linked(both)
    assert len(set(await both.users())) == 1
    assert "wrong or has expired" in on_telegram.words_of(await both.say(f"/link {code}"))
    assert "is now separate" in on_telegram.words_of(await both.say("/unlink"))
    assert len(set(await both.users())) == 2


async def test_an_export_arrives_on_both(both):
    """An export contains the data of both accounts in one file, on whichever platform it is requested."""
    await linked(both)
    asked = await both.eve.say(both.eve.dm(), "/me export")
    on_phone = (await both.answer(asked, lambda one: one.document)).document
    shown = await both.use("me export")
    for data in (on_phone.data, shown.files[0].data):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            identities = json.loads(archive.read("data.json"))["tables"]["identity"]
        assert {one["platform"] for one in identities} == set(PLATFORMS)


async def test_whoever_is_forgotten_is_told(both):
    """After confirmation, neither platform's account is known, and the user who pressed the button gets an answer."""
    await linked(both)
    asks = await both.use("me forget")
    assert "on discord, telegram" in on_discord.read(asks)
    assert "All your data is deleted" in on_discord.read(await both.click(asks, "Delete my data"))
    assert await both.users() == [None, None]
