"""The outbox: one delivery for every end, taken by one sender at a time, and retried until it has arrived."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from bot.store.database import now
from bot.store.jobs.outbox import GAVE_UP, SENDING, SENT, TODO, UNKNOWN
from bot.store.tables.core import DeliveryRow
from inference.contract.errors import Problem
from tests.stores import accepted, new_job, painted, user_of

PLATFORMS = ["web"]


async def ended(store, user=None, **changes):
    """Fail a job, and return its id."""
    (job,) = await store.jobs.accept([new_job(user or await user_of(store), **changes)], "me")
    assert await store.attempts.fail(job, Problem("memory-spent"))
    return job.id


async def taken(store, runner="me"):
    """Take the only due delivery."""
    (one,) = await store.outbox.claim(runner, PLATFORMS)
    return one


async def wait_until_due(store, seconds=1000.0):
    """Let this much time pass for all deliveries."""
    async with store.database.write() as session:
        due = (await session.execute(select(DeliveryRow.id, DeliveryRow.due))).all()
        for one, moment in due:
            await session.execute(update(DeliveryRow).where(DeliveryRow.id == one).values(due=moment - timedelta(seconds=seconds)))


async def count(store):
    """Return the number of deliveries."""
    async with store.database.read() as session:
        return await session.scalar(select(func.count()).select_from(DeliveryRow))


@pytest.mark.parametrize("end", ["finish", "fail", "cancel waiting", "cancel running"])
async def test_every_end_is_told_once(store, end):
    """A job that ends, however it ends, gets one delivery in the same transaction, and an open job has none."""
    ann = await user_of(store)
    job = await accepted(store, ann)
    if end != "cancel waiting":
        job = await store.attempts.claim("me")
    assert await store.outbox.of_job(job.id) is None
    ends = {"finish": store.attempts.finish(job, [painted()], 1.0), "fail": store.attempts.fail(job, Problem("x"))}
    for name, doing in ends.items():
        if name == end:
            assert await doing
        doing.close()
    await store.jobs.cancel(job.id)
    await store.attempts.fail(job, Problem("x"))
    one = await taken(store)
    assert (one.job, one.platform, one.state, one.attempt, one.unsure, await count(store)) == (job.id, "web", SENDING, 1, False, 1)


async def test_each_platform_takes_its_own(store):
    """A sender gets the results of its platforms, oldest first and no more than it requested."""
    ann = await user_of(store)
    jobs = [await ended(store, ann, platform=platform) for platform in ("web", "other", "web", "web")]
    first = await store.outbox.claim("me", ["web"], 2)
    assert [one.job for one in first] == [jobs[0], jobs[2]]
    assert await store.outbox.claim("me", []) == ()
    assert [one.job for one in await store.outbox.claim("you", ["web", "other"])] == [jobs[1], jobs[3]]
    assert await store.outbox.runners() in (("me", "you"), ("you", "me"))
    assert await store.outbox.counts() == {SENDING: 4}


async def test_many_senders_share_the_results(store):
    """Eight concurrent senders take forty results, each of them once."""
    ann = await user_of(store)
    jobs = [await ended(store, ann) for _ in range(40)]

    async def take_all(runner):
        found = []
        while some := await store.outbox.claim(runner, PLATFORMS, 3):
            found.extend(one.job for one in some)
        return found

    found = await asyncio.gather(*(take_all(f"runner {number}") for number in range(8)))
    assert sorted(job for some in found for job in some) == sorted(jobs)


@pytest.mark.parametrize(("say", "state"), [("sent", SENT), ("unknown", UNKNOWN), ("gave_up", GAVE_UP)])
async def test_an_end_is_said_once(store, say, state):
    """The first report of a sender ends a delivery; later reports change nothing, and no sender takes it again."""
    job = await ended(store)
    one = await taken(store)
    assert await getattr(store.outbox, say)(one, "7")
    assert not await store.outbox.sent(one, "8")
    assert not await store.outbox.later(one, 0, "", unsure=True)
    assert not await store.outbox.unknown(one, "")
    assert not await store.outbox.gave_up(one, "")
    await wait_until_due(store)
    assert await store.outbox.claim("you", PLATFORMS) == ()
    found = await store.outbox.of_job(job)
    assert (found.state, found.message if say == "sent" else found.reason) == (state, "7")


async def test_what_is_put_off_is_tried_again_when_it_is_due(store):
    """A postponed delivery is taken again when it is due, with the same id, and marked as unsure if it may have arrived."""
    await ended(store)
    first = await taken(store)
    assert await store.outbox.later(first, 500, "slow down", unsure=False)
    assert await store.outbox.claim("me", PLATFORMS) == ()
    await wait_until_due(store)
    second = await taken(store, "you")
    assert (second.id, second.attempt, second.unsure, second.reason) == (first.id, 2, False, "slow down")
    assert not await store.outbox.sent(first)
    assert await store.outbox.later(second, 0, "no answer", unsure=True)
    third = await taken(store)
    assert (third.attempt, third.unsure) == (3, True)
    assert await store.outbox.later(third, 0, "", unsure=False)
    assert (await taken(store)).unsure


async def test_a_sender_that_died_may_have_sent(store):
    """An unfinished delivery is taken again after its lease, marked as unsure, and reports of its first sender are ignored."""
    await ended(store)
    old = await taken(store)
    assert await store.outbox.claim("you", PLATFORMS) == ()
    await wait_until_due(store)
    new = await taken(store, "you")
    assert (new.id, new.attempt, new.unsure) == (old.id, 2, True)
    assert not await store.outbox.sent(old, "7")
    assert await store.outbox.sent(new, "8")


async def test_senders_that_are_gone_are_let_go(store):
    """Deliveries of a dead process are due at once, marked as unsure, and those of other processes are not touched."""
    ann = await user_of(store)
    mine, other = await ended(store, ann), await ended(store, ann)
    assert (await store.outbox.claim("dead", PLATFORMS, 1))[0].job == mine
    assert (await store.outbox.claim("alive", PLATFORMS, 1))[0].job == other
    assert await store.outbox.release(["dead", "long gone"]) == 1
    one = await taken(store)
    assert (one.job, one.unsure) == (mine, True)


async def test_a_person_who_misses_a_result_has_it_sent_again(store):
    """An unknown or given-up delivery can be sent again on request; one in progress or sent cannot."""
    job = await ended(store)
    assert not await store.outbox.again(job)
    for say in (store.outbox.unknown, store.outbox.gave_up):
        one = await taken(store)
        assert not await store.outbox.again(job)
        await say(one, "no answer")
        assert await store.outbox.again(job)
        assert not await store.outbox.again(job)
    one = await taken(store)
    assert (one.attempt, one.unsure) == (3, False)
    assert await store.outbox.sent(one)
    assert not await store.outbox.again(job)


async def test_who_took_the_result_themselves_is_sent_nothing(store):
    """A result that its user has fetched is not delivered, even if a sender is about to."""
    jobs = [await ended(store) for _ in range(2)]
    one = (await store.outbox.claim("me", PLATFORMS, 1))[0]
    for job in jobs:
        await store.outbox.arrived(job)
    assert not await store.outbox.later(one, 0, "", unsure=False)
    assert await store.outbox.claim("me", PLATFORMS) == ()
    assert await store.outbox.counts() == {SENT: 2}


async def test_a_job_that_ends_anew_is_told_anew(store):
    """After a retry the new end is a new delivery in the same message, which no platform and no late sender confuses with the old one."""
    job = await ended(store)
    old = await taken(store)
    assert await store.outbox.sent(old, "7")
    assert await store.jobs.retry(job)
    assert (await store.outbox.of_job(job)).state == SENT
    again = await store.attempts.claim("me")
    await store.attempts.finish(again, [painted()], 1.0)
    new = await taken(store)
    assert (new.job, new.message, new.attempt, new.unsure, await count(store)) == (job, "7", 1, False, 1)
    assert new.id != old.id


async def test_a_late_sender_of_the_old_end_does_not_end_the_new_one(store):
    """The late report of a sender about the failure does not end the delivery of the retried job's new end."""
    job = await ended(store)
    old = await taken(store)
    await store.jobs.retry(job)
    await store.jobs.cancel(job)
    assert (await store.outbox.of_job(job)).state == TODO
    new = await taken(store, "you")
    assert not await store.outbox.sent(old)
    assert not await store.outbox.later(old, 0, "", unsure=True)
    assert (await store.outbox.of_job(job)).state == SENDING
    assert await store.outbox.sent(new)


async def test_the_age_of_a_delivery_is_that_of_its_end(store):
    """The age of a delivery counts from the end of its job, however often it was tried."""
    await ended(store)
    one = await taken(store)
    await store.outbox.later(one, 0, "", unsure=False)
    assert (await taken(store)).created == one.created
    assert abs((now() - one.created).total_seconds()) < 60
