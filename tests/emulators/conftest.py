"""Fixtures of the tests of the emulated Telegram; the tests of Discord have their own."""

import aiohttp
import pytest

from tests.emulators.telegram import Telegram
from tests.emulators.telegram.plain_bot import application, client


@pytest.fixture
async def telegram():
    async with Telegram() as started:
        yield started
        assert not started.misspoken


@pytest.fixture
async def bot(telegram, monkeypatch):
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # without it the library warns about each number of seconds
    async with client(telegram) as made:
        yield made


@pytest.fixture
async def app(telegram):
    """Yield a running application that polls."""
    async with application(telegram) as made:
        await made.updater.start_polling(timeout=1)
        await made.start()
        await telegram.ready()
        yield made
        await made.updater.stop()
        await made.stop()
    assert not telegram.rejected


@pytest.fixture
async def ann(telegram):
    """Return a user who has started the bot; the update of that is dropped."""
    user = telegram.user("ann", language="de")
    await user.start()
    telegram.updates.drop()
    return user


@pytest.fixture
async def group(telegram, ann):
    return telegram.supergroup("Studio", ann)


@pytest.fixture
async def call(telegram):
    """Yield a function that calls a method without a library and returns the answer."""
    async with aiohttp.ClientSession() as session:

        async def send(method, **args):
            async with session.post(f"{telegram.api_base}{telegram.token}/{method}", json=args) as answer:
                return await answer.json()

        yield send
