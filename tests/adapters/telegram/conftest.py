"""What the tests of Telegram share."""

import pytest

from tests.adapters.telegram.chat import open_chat, quick


@pytest.fixture
async def telegram():
    """Give an emulated Telegram."""
    async with quick() as found:
        yield found


@pytest.fixture
async def chat(telegram, tmp_path):
    """Give a bot that is connected to it."""
    async with open_chat(tmp_path, telegram) as found:
        yield found
