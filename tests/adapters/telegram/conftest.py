"""Fixtures of the Telegram tests."""

import pytest

from tests.adapters.telegram.chat import open_chat, quick


@pytest.fixture
async def telegram():
    """Yield an emulated Telegram."""
    async with quick() as found:
        yield found


@pytest.fixture
async def chat(telegram, tmp_path):
    """Yield a bot that is connected to it."""
    async with open_chat(tmp_path, telegram) as found:
        yield found
