"""Fixtures of the Discord tests: one bot for the tests of a file, each of which uses its own server and users."""

import pytest
import pytest_asyncio

from tests.adapters.discord.chat import open_chat, quick


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    """Yield a running bot."""
    async with quick() as discord, open_chat(tmp_path_factory.mktemp("easel"), discord) as opened:
        yield opened


@pytest.fixture
def chat(running):
    """Yield a running bot, and assert that no request of it violates Discord's own document."""
    yield running
    assert running.discord.rejected == []
