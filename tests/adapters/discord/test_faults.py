"""Faults between Easel and Discord: every picture is shown once, or reported as not delivered."""

from itertools import product

import pytest
import pytest_asyncio

from bot.store.jobs.outbox import GAVE_UP, SENT
from tests.adapters.discord.chat import Painter
from tests.adapters.discord.stage import ROUNDS, SMALL, WORDS, named, some, staged

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.parametrize("number", range(ROUNDS))]

#: Errors of Discord or the network: a number is a status, and a pair is a status with an error code.
KINDS = (
    ("429", 0.02),
    "cloudflare",
    500,
    502,
    503,
    (413, 40005),
    (404, 10008),
    (401, 50027),
    (401, 0),
    (403, 50013),
    (400, 50083),
    "reset",
    "timeout-after-success",
)

#: Permanent refusals.
REFUSALS = ((404, 10008), (401, 50027), (403, 50013), (400, 50083))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory):
    # Card updates are so slow here that none consumes a fault meant for the result. The content of pictures does not matter.
    async with staged(Painter(), tmp_path_factory.mktemp("bot"), message_seconds=1000.0) as stage:
        yield stage


@pytest.fixture
def stage(standing):
    yield standing
    standing.gate.open()
    standing.discord.api.faults.clear()


class Way:
    """A way to deliver a result: how a picture is requested, and which API request delivers it."""

    def __init__(self, stage):
        self.stage = stage
        self.channel, self.ann = stage.scene("ann")

    async def ask(self):
        """Request a picture whose job does not start, and return its job when its card is shown."""
        self.stage.gate.close()
        return await self.stage.begun(await self.ann.use(self.channel, "imagine", prompt="a red circle", **SMALL))

    async def say(self):
        """Request a picture by a message, and return its job when its card is shown."""
        self.stage.gate.close()
        await self.ann.say(self.channel, f"<@BOT> a red circle {WORDS}")
        await self.stage.discord.until(lambda: any(said.buttons() for said in self.channel.messages))
        return (await self.stage.jobs(self.channel))[0]


async def by_token(way):
    """The card is edited with the token of its interaction."""
    return await way.ask(), "PATCH", "/webhooks/"


async def own(way):
    """The card is a message of the bot, and is edited as such."""
    return await way.say(), "PATCH", f"/channels/{way.channel.id}/messages/"


async def anew(way):
    """The card was deleted, and the result is sent as a new message."""
    job = await way.ask()
    way.stage.discord.delete_message(way.channel.messages[-1])
    return job, "POST", f"/channels/{way.channel.id}/messages$"


async def direct(way):
    """The bot may no longer see the channel, and sends the result in a direct message."""
    job = await way.say()
    way.channel.deny("view_channel")
    return job, "POST", f"/channels/{way.ann.dm().id}/messages$"


@pytest.mark.parametrize(("kind", "taken"), some(product(KINDS, [by_token, own, anew, direct]), 5), ids=named)
async def test_a_result_that_goes_wrong(stage, kind, taken, number):
    """Whatever fails during delivery, the result is shown once, or is known to be undelivered and its picture is kept."""
    way = Way(stage)
    job, method, path = await taken(way)
    # A message without files never gets the error for files that are too large.
    times = 1 + number % (5 if kind == (413, 40005) else 7)
    fault = stage.discord.fault(method, path, kind, times)
    stage.gate.open()
    told = await stage.told(job)
    full, left = await stage.shows(job, way.ann.dm()) if taken is direct else await stage.shows(job, way.channel, way.ann.dm())
    assert fault.hits
    if taken is direct and kind in REFUSALS:
        assert (told.state, full) == (GAVE_UP, [])
        assert len((await stage.store.pictures.of_jobs([job]))[job]) == 1
    else:
        assert told.state == SENT
        assert len(full) + len(left) == 1
        assert full or kind == (413, 40005)
    await undisturbed(stage)


async def undisturbed(stage):
    """Check that other users are served as usual."""
    stage.discord.api.faults.clear()
    await stage.works(*stage.scene("cat"))


#: Errors in response to an acknowledgement; those in the first group mean that it was not accepted.
UNHEARD = ((404, 10062), (404, 10015), (400, 40060), (401, 0))
ACKNOWLEDGED = (500, 503, "reset", "timeout-after-success")


@pytest.mark.parametrize("kind", some(UNHEARD + ACKNOWLEDGED, 3), ids=str)
async def test_an_acknowledgement_that_goes_wrong(stage, kind, number):
    """Whatever happens to the acknowledgement, the picture is shown once, and no placeholder remains."""
    channel, ann = stage.scene("ann")
    fault = stage.discord.fault("POST", "/callback$", kind, times=1 + number % 7)
    await ann.use(channel, "imagine", prompt="a blue star", **SMALL)
    (job,) = await stage.jobs(channel)
    message = await stage.once(job, channel, ann.dm())
    assert fault.hits
    assert channel.messages == [message]
    await undisturbed(stage)


@pytest.mark.parametrize("kind", some(UNHEARD + ACKNOWLEDGED, 3), ids=str)
async def test_a_press_that_goes_wrong(stage, kind, number):
    """A press whose acknowledgement fails is answered once or not at all, and works when repeated."""
    channel, ann = stage.scene("ann")
    use = await ann.use(channel, "imagine", prompt="a blue star", **SMALL)
    await stage.discord.until(lambda: use.message and use.message.files)
    fault = stage.discord.fault("POST", "/callback$", kind, times=1 + number % 7)
    first = await ann.click(use.message, "Info")
    await stage.discord.until(lambda: fault.hits)
    stage.discord.api.faults.clear()
    second = await ann.click(use.message, "Info")
    await stage.discord.until(lambda: second.followups)
    asked = await ann.click(use.message, "Edit…")
    await stage.discord.until(lambda: asked.modal)
    assert len(first.followups) <= 1
    assert len(second.followups) == 1
    await undisturbed(stage)


@pytest.mark.parametrize("kind", some(ACKNOWLEDGED, 3), ids=str)
async def test_a_mistake_that_is_hard_to_tell(stage, kind, number):
    """A mistake is answered in an ephemeral message, even if the response to the acknowledgement is lost."""
    channel, ann = stage.scene("ann")
    fault = stage.discord.fault("POST", "/callback$", kind)
    use = await ann.use(channel, "imagine", prompt=f"a circle --stpes {number}")
    await stage.discord.until(lambda: use.followups)
    assert fault.hits
    assert [one.is_ephemeral for one in use.followups] == [True]
    assert not [one for one in channel.messages if not one.is_ephemeral]
    await undisturbed(stage)


@pytest.mark.parametrize("kind", some(ACKNOWLEDGED, 3), ids=str)
async def test_a_message_that_is_hard_to_answer(stage, kind, number):
    """A request by message is answered once, even if sending the answer fails at first."""
    channel, ann = stage.scene("ann")
    fault = stage.discord.fault("POST", f"/channels/{channel.id}/messages$", kind, times=1 + number % 2)
    await ann.say(channel, f"<@BOT> a blue star {WORDS}")
    (job,) = await stage.jobs(channel)
    await stage.once(job, channel, ann.dm())
    assert fault.hits
    assert len(channel.messages) == 2
    await undisturbed(stage)
