"""Lost connections and outages of Discord: results arrive once, and the bot works afterwards."""

import pytest
import pytest_asyncio

from bot.store.jobs.outbox import SENT
from tests.adapters.discord.stage import ROUNDS, SMALL, WORDS, painting, some, staged

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.parametrize("number", range(ROUNDS))]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine():
    async with painting() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(engine, tmp_path_factory):
    async with staged(engine, tmp_path_factory.mktemp("bot")) as stage:
        yield stage


@pytest.fixture
def stage(standing):
    yield standing
    standing.gate.open()
    standing.discord.api.faults.clear()


async def closed(discord, code, refused=0):
    """Close every connection, and refuse the next ones with the same code."""
    discord.refuse_gateway(refused, code)
    await discord.close_gateway(code)


async def at_the_door(discord):
    """Close every connection, and refuse new connections for a while."""
    discord.refuse_gateway(2, None)
    await discord.close_gateway(1006)


#: What happens to the connection.
BREAKS = {
    "token": lambda discord: closed(discord, 4004),
    "token, several times": lambda discord: closed(discord, 4004, 2),
    "session": lambda discord: closed(discord, 4009),
    "intents": lambda discord: closed(discord, 4014),
    "intents, several times": lambda discord: closed(discord, 4014, 2),
    "unknown": lambda discord: closed(discord, 4000, 1),
    "reconnect": lambda discord: discord.reconnect(),
    "invalid": lambda discord: discord.invalidate(),
    "invalid for now": lambda discord: discord.invalidate(resumable=True),
    "at the door": at_the_door,
}


@pytest.mark.parametrize("broken", some(BREAKS, 3))
async def test_a_connection_that_breaks(stage, broken, number):
    """Results that finish while a connection breaks arrive once; afterwards buttons, autocomplete and other users are served."""
    channel, ann, bob, cat = stage.scene("ann", "bob", "cat")
    stage.gate.close()
    used = await stage.begun(await ann.use(channel, "imagine", prompt="a red circle", **SMALL))
    await bob.say(channel, f"<@BOT> a blue star {WORDS}")
    said, _ = await stage.jobs(channel, 2)
    if number % 2:
        stage.gate.open()
    await BREAKS[broken](stage.discord)
    stage.gate.open()
    shown = [await stage.once(job, channel, ann.dm(), bob.dm()) for job in (used, said)]
    await stage.works(channel, cat)
    pressed = await ann.click(shown[0], "Info")
    await stage.discord.until(lambda: pressed.followups)


async def test_discord_is_away(stage, number):
    """Results that finish while Discord is unreachable arrive once when it is back."""
    channel, ann, bob = stage.scene("ann", "bob")
    stage.gate.close()
    used = await stage.begun(await ann.use(channel, "imagine", prompt="a red circle", **SMALL))
    await ann.say(channel, f"<@BOT> a blue star {WORDS}")
    said, _ = await stage.jobs(channel, 2)
    await stage.discord.stop()
    stage.gate.open()
    await stage.tried(said, 1 + number % 3)
    await stage.discord.start()
    for job in (used, said):
        await stage.once(job, channel, ann.dm())
    await stage.works(channel, bob)


async def test_a_token_that_was_changed(stage, number):
    """A result waits while Discord does not accept the bot's token, and arrives once it does."""
    channel, ann, bob = stage.scene("ann", "bob")
    stage.gate.close()
    await ann.say(channel, f"<@BOT> a blue star {WORDS}")
    (job,) = await stage.jobs(channel)
    known = stage.discord.token
    stage.discord.new_token()
    if number % 2:
        await stage.discord.close_gateway(4004)
    stage.gate.open()
    await stage.tried(job, 2)
    stage.discord.token = known
    await stage.once(job, channel, ann.dm())
    await stage.works(channel, bob)


KINDS = ("cloudflare", 500, 503, (404, 10008), (401, 50027), (403, 50013), (400, 50083), "reset", "timeout-after-success")


@pytest.mark.parametrize("kind", some(KINDS, 3), ids=str)
async def test_progress_that_goes_wrong(stage, kind, number):
    """Whatever happens to the progress updates, each of several results of a request is shown once."""
    channel, ann, bob = stage.scene("ann", "bob")
    faults = [
        stage.discord.fault("*", path, kind, 1 + number % 3) for path in (r"/webhooks/.*/messages/", rf"/channels/{channel.id}/messages")
    ]
    await ann.use(channel, "imagine", prompt="a red circle || a blue star", **{**SMALL, "steps": 6})
    for job in await stage.jobs(channel, 2):
        delivery = await stage.told(job)
        full, left = await stage.shows(job, channel, ann.dm())
        assert delivery.state == SENT
        assert (len(full), left) == (1, [])
    assert any(fault.hits for fault in faults)
    stage.discord.api.faults.clear()
    await stage.works(channel, bob)
