"""A bot on an emulated Telegram with a real store; its engine returns plain colours at once."""

import asyncio
import os
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import pytest

from adapters.base import Bot
from adapters.bootstrap import catalogue, opened
from adapters.registry import REGISTRY
from adapters.shared.card_throttle import CardThrottle
from adapters.telegram.rate_limit import RateLimiter
from bot.app import App
from bot.commands import COMMANDS
from bot.config import Telegram as Section
from bot.generation.resolve import ModelCatalog
from bot.jobs.delivery import Router
from bot.jobs.dispatcher import Dispatcher
from bot.store.jobs.outbox import SENT
from bot.store.store import Store
from tests.adapters.discord.chat import Painter
from tests.adapters.web.chat import config
from tests.emulators.telegram import Telegram

__all__ = ["Painter"]

#: The number of rounds of each fault.
ROUNDS = int(os.environ.get("EASEL_TEST_ROUNDS", "1"))


@asynccontextmanager
async def quick(**more):
    """Yield an emulated Telegram and shorten the pauses of the adapter; finally, assert that no request was invalid."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTB_TIMEDELTA", "true")
        patch.setattr("adapters.telegram.adapter.CardThrottle", partial(_pace))
        patch.setattr("adapters.telegram.adapter.RateLimiter", partial(RateLimiter, minute=0.2, second=0.01))
        patch.setattr("adapters.telegram.polling.FIRST_PAUSE", 0.05)
        patch.setattr("adapters.telegram.update_inbox.FIRST_PAUSE", 0.05)
        patch.setattr("adapters.telegram.polling.BEAT_SECONDS", 0.2)
        async with Telegram(**more) as telegram:
            # A late answer of a busy computer is not a fault of the bot.
            telegram.callback_seconds = telegram.inline_seconds = 120.0
            yield telegram
            assert telegram.rejected == []


def _pace(*args, **more):
    return CardThrottle(*args, **{**more, "place_seconds": 0.02, "message_seconds": 0.02})


def configured(folder, telegram, **section):
    """Return the configuration of a bot on it that stores its data in a folder."""
    there = Section(token=telegram.token, api_base=telegram.api_base, file_base=telegram.file_base, **section)
    return config(folder).model_copy(update={"telegram": there})


@dataclass(frozen=True)
class Chat:
    """A bot that runs on the emulated Telegram."""

    telegram: Telegram
    store: Store
    adapter: object
    painter: Painter
    dispatcher: Dispatcher

    async def started(self, name="ann"):
        """Return a user who has started a chat with the bot, and that chat."""
        user = self.telegram.user(name)
        await user.start()
        await self.telegram.until(lambda: user.dm().messages and self.answers(user.dm()))
        return user, user.dm()

    def answers(self, channel):
        """Return the bot's messages in a chat."""
        return [one for one in channel.messages if one.sender is self.telegram.bot]

    async def answer(self, channel, after, holding=""):
        """Wait until the bot sends a message with these words after another message, and return it."""

        def found():
            said = [one for one in self.answers(channel) if one.id > after.id]
            return next((one for one in said if holding in words_of(one)), None)

        return await self.telegram.until(found)

    async def pictures(self, channel, count=1):
        """Wait for exactly this number of messages with finished pictures in a chat and return them."""

        def shown():
            found = [one for one in self.answers(channel) if is_done(one)]
            return found if len(found) >= count else None

        found = await self.telegram.until(shown)
        assert len(found) == count
        return found

    async def told(self, count):
        """Wait until this number of results are recorded as sent, which is a moment after Telegram shows them."""
        async with asyncio.timeout(30.0):
            while (await self.store.outbox.counts()).get(SENT, 0) < count:  # noqa: ASYNC110  # nobody announces it
                await asyncio.sleep(0.02)

    async def job(self, message):
        """Return the job of a message."""
        (wire,) = {wire for _, wire in message.buttons() if wire.startswith("again:")}
        return await self.store.jobs.get(wire.removeprefix("again:"))


def words_of(message):
    """Return the text or caption of a message."""
    return message.text or message.caption or ""


def is_done(message):
    """Return whether a message shows a finished picture."""
    return bool(message.photo) and any(wire.startswith("again:") for _, wire in message.buttons())


@asynccontextmanager
async def open_chat(folder, telegram, commands=COMMANDS, *, paints=True, **section):
    """Yield a connected bot; `section` is its `[telegram]`. Without `paints`, jobs stay in the queue."""
    settings, painter, router = configured(folder, telegram, **section), Painter(), Router()
    async with opened(settings) as store:
        dispatcher = Dispatcher(store, painter, router, ("telegram",))
        app = App(commands, store, ModelCatalog(catalogue(settings).models, "demo"), wake=dispatcher.wake)
        async with REGISTRY["telegram"](Bot(settings, app, dispatcher.card, dispatcher.show)) as adapter:
            router.adapters["telegram"] = adapter
            async with dispatcher if paints else nullcontext():
                await telegram.ready()
                yield Chat(telegram, store, adapter, painter, dispatcher)
