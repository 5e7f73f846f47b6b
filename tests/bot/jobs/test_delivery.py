"""Delivery: whatever a platform answers, a result arrives, or its user can find out that it did not."""

import asyncio

import pytest

from bot.jobs import delivery as module
from bot.jobs.delivery import Later, Refused, Sent, Unknown
from bot.store.jobs.outbox import GAVE_UP, SENT, TODO, UNKNOWN
from tests.dispatching import PAINTED, Script, Told, dispatching, until
from tests.stores import accepted, user_of


class Moody(Told):
    """A platform that returns prepared answers in turn, and keeps the deliveries it received."""

    def __init__(self, *answers):
        super().__init__(self.look)
        self.answers = list(answers)
        self.parcels = []

    async def look(self, _card, _address):
        """Ignore progress."""

    async def deliver(self, outgoing):
        """Return the next answer."""
        self.parcels.append(outgoing)
        answer = self.answers.pop(0) if self.answers else Sent("message 7")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return Sent()
        return answer


async def ended(store, job, state):
    """Wait until a job's delivery has a state, and return it."""
    for _ in range(2000):
        if (found := await store.outbox.of_job(job.id)) is not None and found.state == state:
            return found
        await asyncio.sleep(0.01)
    return pytest.fail(f"the delivery never was {state}")


@pytest.fixture
async def job(store):
    """Return a waiting job."""
    return await accepted(store, await user_of(store))


async def test_a_result_is_sent_once(store, job):
    """A result is delivered once with the finished card, and the platform's message id is stored."""
    platform = Moody()
    async with dispatching(store, Script(), platform):
        assert (await ended(store, job, SENT)).message == "message 7"
    (outgoing,) = platform.parcels
    assert (outgoing.card.state, outgoing.attempt, outgoing.unsure, len(outgoing.card.pictures)) == ("done", 1, False, 1)


async def test_a_platform_that_says_later_is_asked_later(store, job):
    """The same delivery is retried after the platform's pause, marked as surely not arrived unless the platform was unsure."""
    platform = Moody(Later("busy", 0.01), Later("torn", 0.01, unsure=True))
    async with dispatching(store, Script(), platform):
        await ended(store, job, SENT)
    assert len({outgoing.id for outgoing in platform.parcels}) == 1
    assert [(outgoing.attempt, outgoing.unsure) for outgoing in platform.parcels] == [(1, False), (2, False), (3, True)]


async def test_a_platform_that_breaks_is_asked_again(store, job, monkeypatch):
    """After an adapter raises or hangs, it may have shown the result, and the next attempt is marked as unsure."""
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.01)
    # Longer than any attempt that does not hang takes, even on a busy machine.
    monkeypatch.setattr(module, "SILENCE_SECONDS", 3.0)
    platform = Moody(ZeroDivisionError(), asyncio.Event())
    async with dispatching(store, Script(), platform):
        await ended(store, job, SENT)
    assert [outgoing.unsure for outgoing in platform.parcels] == [False, True, True]


@pytest.mark.parametrize(("answer", "state"), [(Unknown("timeout"), UNKNOWN), (Refused("gone"), GAVE_UP)])
async def test_what_cannot_be_sent_is_not_sent_twice(store, job, answer, state):
    """A result that may have arrived, or was given up, waits for its user, and is sent once more on request."""
    platform = Moody(answer)
    async with dispatching(store, Script(), platform) as dispatcher:
        assert (await ended(store, job, state)).reason == answer.reason
        assert len(platform.parcels) == 1
        assert await store.outbox.again(job.id)
        dispatcher.wake()
        await ended(store, job, SENT)


async def test_nobody_waits_for_a_day(store, job, monkeypatch):
    """A delivery that keeps failing is given up, and the pictures stay in the history."""
    monkeypatch.setattr(module, "_GIVE_UP", module.timedelta())
    async with dispatching(store, Script(), Moody(Later("busy"))):
        await ended(store, job, GAVE_UP)
    assert len(await store.finding.own(job.user, "", 1, 1000)) == 1


async def test_a_platform_that_is_not_served_waits(store, job):
    """A process that does not serve a platform runs its jobs and leaves the results in the outbox."""
    platform = Moody()
    async with dispatching(store, Script(), platform, platforms=["other"]):
        await ended(store, job, TODO)
        await asyncio.sleep(0.1)
    assert platform.parcels == []


async def test_a_slow_platform_is_waited_for_at_the_end(store, job):
    """On shutdown, a delivery in progress is finished."""
    slow = asyncio.Event()
    platform = Moody(slow)
    async with dispatching(store, Script(), platform):
        await until(lambda: platform.parcels)
        asyncio.get_running_loop().call_later(0.1, slow.set)
    assert (await store.outbox.of_job(job.id)).state == SENT


async def test_running_jobs_end_before_the_bot_does(store):
    """On shutdown no new job begins, the running job is finished and delivered, and the rest waits for the next start."""
    ann, held = await user_of(store), asyncio.Event()
    first, second = [await accepted(store, ann, words) for words in ("slow", "b")]
    script, platform = Script(slow=[(held, *PAINTED)]), Moody()
    async with dispatching(store, script, platform, most=1, drain_seconds=20.0):
        await script.running.wait()
        asyncio.get_running_loop().call_later(0.1, held.set)
    assert (await store.outbox.of_job(first.id)).state == SENT
    assert (await store.jobs.get(second.id)).state == "waiting"
    assert script.begun == ["slow"]
