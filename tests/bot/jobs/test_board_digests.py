"""The digest task: each digest is posted by one process, whatever happens to the others."""

import asyncio

import pytest

from bot.core.values import MessageRef
from bot.jobs import board_digests
from bot.jobs.board_digests import BoardDigests
from bot.jobs.delivery import Refused, Sent, Unknown
from bot.store.database import Database
from bot.store.store import Store
from tests.bot.store.sharing.test_digests import GROUP, OTHER, shared, wanted
from tests.stores import user_of


class Voice:
    """A platform that records its posts, and returns a prepared outcome for each channel."""

    def __init__(self, **outcomes):
        self.said = []
        self.heard = asyncio.Event()
        self.outcomes = outcomes

    async def post(self, address, reply, key):
        """Record a post."""
        await asyncio.sleep(0)
        self.said.append((address, reply.text, key))
        self.heard.set()
        outcome = self.outcomes.get(address.channel.replace("-", "chat"), Sent())
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def with_news(store, *channels):
    """Add a new item to the boards of some channels, whose digests are all due now."""
    ann = await user_of(store)
    for channel in channels:
        await shared(store, f"a red circle for {channel.channel}", ann, channel)
        await wanted(store, channel, weeks=1.01)


async def test_one_of_several_processes_tells(database):
    """If three processes look at the same moment, again and again, every channel gets one post, with the key of its digest."""
    channels = [MessageRef("telegram", f"-{number}") for number in range(5)]
    voice = Voice()
    async with Database(database.url) as second, Database(database.url) as third:
        stores = [Store.of(one, None) for one in (database, second, third)]
        await with_news(stores[0], *channels)
        said = await asyncio.gather(*(BoardDigests(store, voice, ["telegram"]).look() for store in stores * 2))
        assert sum(said) == len(channels)
        assert sorted(address.channel for address, _, _ in voice.said) == sorted(one.channel for one in channels)
        keys = {(await stores[0].digests.of(one)).key for one in channels}
    assert {key for _, _, key in voice.said} == keys


async def test_a_place_that_is_gone_is_told_no_more(store):
    """If the platform reports that a channel is gone, its digest is switched off; after any other answer it stays on."""
    await with_news(store, GROUP, OTHER)
    await BoardDigests(store, Voice(chat7=Refused("closed"), chat8=Unknown("silence")), ["telegram"]).look()
    assert await store.digests.of(GROUP) is None
    assert await store.digests.of(OTHER) is not None
    assert await store.digests.due(["telegram"]) == ()


async def test_it_tells_by_itself_and_a_failure_does_not_end_it(store, caplog):
    """An error in one digest is logged, all others are posted at once, and the next look follows."""
    await with_news(store, GROUP, OTHER)
    voice = Voice(chat7=ValueError())
    async with BoardDigests(store, voice, ["telegram"], every_seconds=0.01), asyncio.timeout(20):
        while len(voice.said) < 2:
            voice.heard.clear()
            await voice.heard.wait()
        await store.digests.end(OTHER)
        await with_news(store, OTHER)
        while len(voice.said) < 3:
            voice.heard.clear()
            await voice.heard.wait()
    assert "digests.failed" in caplog.text
    assert "ValueError" in caplog.text
    assert [address.channel for address, _, _ in voice.said][-1] == OTHER.channel


async def test_a_store_that_is_away_is_asked_again(store, monkeypatch, caplog):
    """A look that fails as a whole is followed by the next look."""
    await with_news(store, GROUP)
    real, tries = store.digests.due, []

    async def due(platforms):
        tries.append(platforms)
        if len(tries) == 1:
            raise ConnectionError
        return await real(platforms)

    monkeypatch.setattr(store.digests, "due", due)
    voice = Voice()
    async with BoardDigests(store, voice, ["telegram"], every_seconds=0.01), asyncio.timeout(20):
        await voice.heard.wait()
    assert "digests.not_looked reason=ConnectionError" in caplog.text


@pytest.mark.parametrize("lost", ["of", "looked_at", "news"])
async def test_a_store_that_is_away_while_it_is_told_loses_no_week(store, monkeypatch, lost):
    """An error before the post leaves the digest due, and the next look posts the whole week."""
    await with_news(store, GROUP)
    due = await store.digests.due(["telegram"])
    voice, owner = Voice(), store.settings if lost == "of" else store.boards
    if lost == "looked_at":
        await store.digests.want(due[0].channel, due[0].address.message, await user_of(store))
        due = await store.digests.due(["telegram"])

    async def away(*_args):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(owner, lost, away)
        assert await BoardDigests(store, voice, ["telegram"]).look() == 0
    assert await store.digests.due(["telegram"]) == due
    assert await BoardDigests(store, voice, ["telegram"]).look() == 1


async def test_a_platform_that_hangs_holds_up_no_other(store, monkeypatch):
    """While one platform hangs, the others get their digests; the hanging post times out and is not repeated."""
    web = MessageRef("web", "a browser")
    await with_news(store, GROUP, OTHER, web)
    voice, never = Voice(), asyncio.Event()

    class Hanging(Voice):
        async def post(self, address, reply, key):
            if address.platform == "telegram":
                self.said.append((address, reply.text, key))
                await never.wait()
            return await voice.post(address, reply, key)

    hanging = Hanging()
    async with BoardDigests(store, hanging, ["telegram", "web"]), asyncio.timeout(20):
        await voice.heard.wait()
    assert [address for address, _, _ in voice.said] == [web]
    assert len(hanging.said) <= 1
    await wanted(store, OTHER, weeks=1.01)
    monkeypatch.setattr(board_digests, "SILENCE_SECONDS", 0.05)
    async with asyncio.timeout(20):
        assert await BoardDigests(store, hanging, ["telegram", "web"]).look() == 0
    assert OTHER in [address for address, _, _ in hanging.said]
    assert await store.digests.due(["telegram", "web"]) == ()


async def test_platforms_that_do_not_run_here_are_left_to_others(store):
    """A process takes only digests of platforms that it serves."""
    await with_news(store, GROUP)
    voice = Voice()
    assert await BoardDigests(store, voice, ["web", "discord"]).look() == 0
    assert await BoardDigests(store, voice, ["telegram"]).look() == 1
