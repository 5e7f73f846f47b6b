"""One bot for the tests of a file: each of them has a server and people of its own."""

import pytest
import pytest_asyncio

from tests.adapters.discord.chat import open_chat, quick


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    """A bot that runs."""
    async with quick() as discord, open_chat(tmp_path_factory.mktemp("easel"), discord) as opened:
        yield opened


@pytest.fixture
def chat(running):
    """A bot that runs, and that has said nothing which Discord's own document forbids."""
    yield running
    assert running.discord.rejected == []
