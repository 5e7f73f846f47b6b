"""Learned timings correct the estimates of queued jobs, each by its own shape and only once."""

import pytest

from bot.core.scheduling import Costs
from bot.jobs.eta import CostLearner
from tests.stores import accepted, request_of, user_of

SMALL, LARGE = 64, 256


def shaped(words, side):
    """Return a request for a square picture of ten steps."""
    return request_of(words, width=side, height=side, steps=10)


@pytest.fixture
def costs():
    """Return costs without any measurement."""
    return Costs()


async def queued(store, costs, words, side):
    """Accept a job with its estimate, as the bot does."""
    request = shaped(words, side)
    return await accepted(store, await user_of(store), words, request=request, cost=costs.estimate_of(request, (), 0))


async def painted(learner, job, seconds, times=1):
    """Let the learner see jobs like this one that took so many device seconds."""
    for _ in range(times):
        learner.painted(job, seconds, 1)
    await learner.keep(0)


async def cost(store, job):
    """Return the estimate of a queued job."""
    return (await store.jobs.get(job.id)).cost


async def test_the_first_picture_of_a_size_teaches_nothing(store, costs):
    """The first picture of a model and a size includes one-off preparations, so no forecast is made from it."""
    learner = CostLearner(store, costs)
    job, waiting = await queued(store, costs, "a", SMALL), await queued(store, costs, "b", SMALL)
    before = await cost(store, waiting)
    await painted(learner, job, 50.0)
    assert await cost(store, waiting) == before
    assert not await store.timings.all()


async def test_a_waiting_job_is_estimated_by_its_own_shape(store, costs):
    """A measurement changes the estimates of waiting jobs of that shape; a shape that was measured itself keeps its own."""
    learner = CostLearner(store, costs)
    small, large = await queued(store, costs, "a", SMALL), await queued(store, costs, "b", LARGE)
    await painted(learner, large, 30.0, times=2)
    assert await cost(store, large) == pytest.approx(30.0)
    await painted(learner, small, 0.1, times=2)
    assert await cost(store, small) == pytest.approx(0.1)
    assert await cost(store, large) == pytest.approx(30.0)


async def test_a_job_accepted_after_a_measurement_is_not_corrected_again(store, costs):
    """A job whose estimate already includes a measurement keeps it when the older jobs are corrected."""
    learner = CostLearner(store, costs)
    old = await queued(store, costs, "old", LARGE)
    for _ in range(2):
        learner.painted(old, 7.6, 1)
    new = await queued(store, costs, "new", LARGE)
    assert new.cost == pytest.approx(7.6)
    await learner.keep(0)
    assert await cost(store, new) == await cost(store, old) == pytest.approx(7.6)
