"""Concurrent operations: none fails because another was busy, and afterwards the state is consistent."""

import asyncio
import random

from sqlalchemy import func, select

from bot.core.errors import NotAllowed
from bot.store.jobs.job import CANCELLED, DONE, FAILED, OPEN
from bot.store.tables.core import CreditAccountRow, DeliveryRow, JobRow, TurnRow
from inference.contract.errors import Problem
from tests.stores import ROUNDS, accepted, books_are_right, new_job, under, user_of, whole

PEOPLE, PLACES, RUNNERS = 5, ("here", "there"), ("one", "two", "three")


class Somebody:
    """A user who does random operations one after the other."""

    def __init__(self, store, people, seed, known):
        self.store, self.people, self.known = store, people, known
        self.chance = random.Random(seed)
        self.attempts = []
        self.done = 0

    async def live(self, steps):
        """Do this many operations."""
        often, seldom = (self.ask, self.claim, self.end), (self.cancel, self.move, self.pause, self.back, self.retry, self.tidy)
        for _ in range(steps):
            await self.chance.choice((*often, *often, *seldom))()
            self.done += 1

    async def ask(self):
        """Submit some jobs at once, in several channels and for several users."""
        new = [
            new_job(self.chance.choice(self.people), channel=self.chance.choice(PLACES), credits=self.chance.choice((0, 300, 1000)))
            for _ in range(self.chance.choice((1, 1, 3)))
        ]
        try:
            self.known += await self.store.jobs.accept(new)
        except NotAllowed:
            return

    async def claim(self):
        """Claim a job."""
        if (job := await self.store.attempts.claim(self.chance.choice(RUNNERS), self.chance.choice(((), {"demo"}, {"other"})))) is not None:
            self.attempts.append(job)

    async def end(self):
        """End an attempt in some way."""
        if self.attempts:
            job, attempts = self.attempts.pop(self.chance.randrange(len(self.attempts))), self.store.attempts
            ways = [
                lambda: attempts.finish(job, [whole()], 1.5),
                lambda: attempts.fail(job, Problem("memory-spent")),
                lambda: attempts.give_back(job),
                lambda: attempts.stopped(job, 0.5),
                lambda: attempts.again(job),
            ]
            await self.chance.choice(ways)()

    async def cancel(self):
        """Cancel a job."""
        if self.known:
            await self.store.jobs.cancel(self.chance.choice(self.known).id)

    async def retry(self):
        """Retry a job."""
        if self.known:
            try:
                await self.store.jobs.retry(self.chance.choice(self.known).id)
            except NotAllowed:
                return

    async def move(self):
        """Move a job."""
        if self.known:
            await self.store.line.move(self.chance.choice(self.known), self.chance.choice(("up", "down", "first", "last")))

    async def pause(self):
        """Pause or resume a user or a channel."""
        paused = self.chance.random() < 0.5
        if self.chance.random() < 0.5:
            await self.store.line.pause_person(self.chance.choice(self.people), paused=paused)
        else:
            await self.store.line.pause_place("web", self.chance.choice(PLACES), paused=paused)

    async def back(self):
        """Exit, learn that a process is dead, or send a heartbeat."""
        runner, attempts = self.chance.choice(RUNNERS), self.store.attempts
        held = [one.id for one in self.known]
        ways = [lambda: attempts.leave(runner), lambda: attempts.release([runner]), lambda: attempts.beat(runner, held)]
        await self.chance.choice(ways)()

    async def tidy(self):
        """Deliver due results, and settle jobs that no process settled."""
        await self.store.attempts.sweep()
        for one in await self.store.outbox.claim(self.chance.choice(RUNNERS), ["web"], 3):
            await self.chance.choice((self.store.outbox.sent, self.store.outbox.sent, self.later))(one)

    async def later(self, one):
        """Postpone a delivery."""
        await self.store.outbox.later(one, 0, "", unsure=False)


async def test_nobody_waits_in_a_circle(store):
    """Ten concurrent users with random operations cause no error or deadlock, and books, queues and deliveries are right afterwards."""
    busy = under(store, 30_000, channel=60_000)
    people = [await user_of(store, str(number)) for number in range(PEOPLE)]
    known = []
    crowd = [Somebody(busy, people, seed + ROUNDS, known) for seed in range(10)]
    await asyncio.gather(*(one.live(3 * ROUNDS) for one in crowd))
    assert sum(one.done for one in crowd) == 30 * ROUNDS
    for channel in PLACES:
        await busy.line.pause_place("web", channel, paused=False)
    for user in people:
        await busy.line.pause_person(user, paused=False)
    await busy.attempts.release(RUNNERS)
    while (job := await busy.attempts.claim("last")) is not None:
        await busy.attempts.finish(job, [whole()], 1.0)
    await everything_is_told_and_settled(busy, known)


async def everything_is_told_and_settled(store, known):
    """Assert that every job has ended, with a delivery and a settlement, and that the books are right."""
    async with store.database.read() as session:
        states = dict(list(await session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))))
        ends = set(await session.scalars(select(JobRow.id)))
        told = set(await session.scalars(select(DeliveryRow.job_id)))
        unsettled = select(func.count()).select_from(JobRow).where(JobRow.charged.is_(None), JobRow.state != CANCELLED)
        assert await session.scalar(unsettled) == 0
        assert await session.scalar(select(func.min(CreditAccountRow.left + CreditAccountRow.extra))) >= 0
        assert await session.scalar(select(func.count()).select_from(TurnRow).where(TurnRow.waiting)) == 0
    assert set(states) <= {DONE, FAILED, CANCELLED}
    assert not set(states) & set(OPEN)
    assert ends == told == {job.id for job in known}
    assert await books_are_right(store)


async def test_two_who_ask_in_two_places_at_once(store):
    """Requests for several channels and users in one call, in any order, cause no deadlock."""
    shared = under(store, 100_000, channel=100_000)
    people = [await user_of(store, name) for name in ("ann", "bob")]
    for number in range(8):
        new = [(user, f"{channel} {number}") for user in people for channel in PLACES]
        orders = [new, new[::-1], new[2:] + new[:2], new[::-1], new]
        asked = [[new_job(user, channel=channel, credits=100) for user, channel in order] for order in orders]
        await asyncio.gather(*(shared.jobs.accept(jobs) for jobs in asked))
    assert await books_are_right(shared)
    assert [(await shared.ledger.balance(user)).left for user in people] == [100_000 - 8 * 5 * 2 * 100] * 2


async def test_the_same_request_twice_is_one(store):
    """A request repeated with the same id after a lost answer returns the job already stored."""
    ann = await user_of(store)
    new = new_job(ann, credits=500)
    limited = under(store, 1000)
    found = await asyncio.gather(*(limited.jobs.accept([new]) for _ in range(4)))
    assert {job.id for (job,) in found} == {new.id}
    assert (await limited.ledger.balance(ann)).left == 500
    assert (await accepted(limited, ann, credits=500)).id != new.id
