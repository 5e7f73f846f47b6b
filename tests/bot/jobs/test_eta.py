"""ETAs: the number of jobs ahead and their time, compared with the fair queue itself."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import scheduling
from bot.jobs.eta import EtaService, busy_seconds, forecast
from bot.store.jobs.queue import UserBacklog
from tests.stores import accepted, new_job, user_of

people = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([0.5, 1.0, 2.0]), st.integers(1, 6), st.sampled_from([1.0, 2.0, 4.0])),
    min_size=1,
    max_size=6,
)


def served_before(stands, user, channel):
    """Return how many jobs the fair queue serves before a user's job at a position of their own queue."""
    heap = [(one.tag, one.since, one, 0) for one in stands]
    heapq.heapify(heap)
    count = 0
    while heap:
        tag, since, one, taken = heapq.heappop(heap)
        if one.user == user and taken == channel:
            return count
        count += 1
        if taken + 1 < one.jobs:
            heapq.heappush(heap, (scheduling.served(tag, one.cost / one.jobs, one.weight), since, one, taken + 1))
    raise AssertionError("the job was never served")


@given(people, st.data())
def test_the_place_in_line_is_the_one_that_turns_give(drawn, data):
    """If every job costs the same, the number of jobs ahead is exact."""
    stands = [
        UserBacklog(str(number), float(tag), number, weight, jobs, jobs * cost) for number, (tag, weight, jobs, cost) in enumerate(drawn)
    ]
    own = data.draw(st.sampled_from(stands))
    channel = data.draw(st.integers(0, own.jobs - 1))
    mean = own.cost / own.jobs
    seen = forecast(stands, own.user, (channel, channel * mean), mean, 0.0, 1)
    assert seen.ahead == served_before(stands, own.user, channel)


def test_time_is_shared_by_devices():
    """The time is that of the running jobs, the jobs ahead and the job itself, divided by the number of devices."""
    stands = [UserBacklog("ann", 0.0, 1, 1.0, 2, 8.0), UserBacklog("bob", 5.0, 2, 1.0, 1, 4.0)]
    assert forecast(stands, "bob", (0, 0.0), 4.0, 6.0, 1).seconds == 6.0 + 8.0 + 4.0
    assert forecast(stands, "bob", (0, 0.0), 4.0, 6.0, 2).seconds == (6.0 + 8.0) / 2 + 4.0
    assert forecast([], "bob", (0, 0.0), 4.0, 0.0, 1).ahead == 0


def test_who_has_just_come_is_behind_the_first():
    """A user who is missing from the last snapshot is placed behind the users at the virtual time, not behind all."""
    stands = [UserBacklog(name, tag, number, 1.0, 5, 20.0) for number, (name, tag) in enumerate((("ann", 3.0), ("bob", 3.0), ("eve", 9.0)))]
    assert forecast(stands, "zoe", (0, 0.0), 4.0, 0.0, 1).ahead == 2


def test_what_is_in_work_is_about_to_end():
    """A running job that has used up its estimate is not over yet, and a job that began now has all of it ahead."""
    assert busy_seconds([(10.0, 0.0)], 1) == 10.0
    assert busy_seconds([(10.0, 4.0)], 1) == 6.0
    assert busy_seconds([(10.0, 100.0)], 1) == 1.0
    assert busy_seconds([(10.0, 4.0), (10.0, 4.0)], 1) == 16.0
    assert busy_seconds([], 3) == 0.0


async def test_a_look_sees_what_has_changed(store):
    """After a change the next card has a new ETA, even if many cards were made from the snapshot before."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    sight = EtaService(store)
    await accepted(store, ann)
    mine = await accepted(store, bob)
    assert [(await sight.foresee(mine)).ahead for _ in range(3)] == [1, 1, 1]
    await store.attempts.claim("painter")
    sight.changed()
    assert (await sight.foresee(mine)).ahead == 0


async def test_a_promise_is_compared_with_what_came(store):
    """The first ETA of a finished job counts in the statistics, once; that of any other job does not."""
    sight = EtaService(store)
    jobs = await store.jobs.accept([new_job(await user_of(store), words) for words in "ab"])
    for job in jobs:
        await sight.foresee(job)
    sight.ended(jobs[0], painted=True)
    sight.ended(jobs[0], painted=True)
    sight.ended(jobs[1], painted=False)
    assert sight.errors.count == 1
    assert sight.errors.seconds == pytest.approx(2.0, abs=2.0)
