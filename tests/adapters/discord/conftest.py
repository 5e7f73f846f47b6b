"""One bot for the tests of a file: each of them has a server and people of its own."""

import os

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


#: Of the many ways in which a delivery can go wrong every so-manieth is tried, unless rounds are asked for: then all of them are.
_EVERY = {"test_faults.py": 4, "test_outages.py": 3, "test_late.py": 2}


def pytest_collection_modifyitems(config, items):
    """Leave out what is only tried where there is time for it."""
    if "EASEL_TEST_ROUNDS" in os.environ or any("::" in one for one in config.args):
        return
    own = [item for item in items if item.path.parent.name == "discord" and "[" in item.nodeid]
    left = set()
    for name, every in _EVERY.items():
        found = sorted(item.nodeid for item in own if item.path.name == name)
        left |= {node for channel, node in enumerate(found) if channel % every}
    if left:
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left])
        items[:] = [item for item in items if item.nodeid not in left]
