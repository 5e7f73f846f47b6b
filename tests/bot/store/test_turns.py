"""Fair queueing in the store: it serves jobs as the pure rule does, across restarts and with any number of concurrent claims."""

import asyncio
import random

import pytest
from sqlalchemy import select, update

from bot.core.limits import Policy, Tier
from bot.core.scheduling import REACH, WINDOW
from bot.store.database import Database
from bot.store.store import Store
from bot.store.tables.core import ClockRow, JobRow, TurnRow
from inference.contract.errors import Problem
from tests.lines import Lines
from tests.stores import ALL, accepted, change_person, new_job, painted, request_of, some, tries, under, user_of, whole

MODELS = ("red", "green", "blue")


async def ask(store, user, words="a", *, model="red", cost=1.0):
    """Accept a job for a model, and return it."""
    return await accepted(store, user, words, request=request_of(words, model=model), cost=cost)


async def claimed(store, count, loaded=()):
    """Return the prompts of the next claimed jobs."""
    return [(await store.attempts.claim("me", loaded)).request.prompt.text for _ in range(count)]


async def tags(store):
    """Return the virtual finish of every user."""
    async with store.database.read() as session:
        return {user: tag for user, tag in await session.execute(select(TurnRow.person_id, TurnRow.tag))}


async def waiting(store):
    """Return the users who are marked as having queued jobs."""
    async with store.database.read() as session:
        return set(await session.scalars(select(TurnRow.person_id).where(TurnRow.waiting)))


async def people(store, *names):
    """Return the ids of several users."""
    return [await user_of(store, name) for name in names]


async def test_equals_go_in_the_order_in_which_they_came(store):
    """Among users with equal usage the first to request goes first, and each user's own jobs keep their order."""
    users = await people(store, *"zyxab")
    for name, user in zip("zyxab", users, strict=True):
        for number in range(2):
            await ask(store, user, f"{name}{number}")
    assert await claimed(store, 10) == [f"{name}{number}" for number in range(2) for name in "zyxab"]
    assert await store.attempts.claim("me") is None


async def test_cheap_requests_go_more_often(store):
    """The shares are equal in device seconds, not in jobs: three cheap jobs run for one expensive job."""
    ann, bob = await people(store, "ann", "bob")
    for number in range(3):
        await ask(store, ann, f"a{number}", cost=6.0)
    for number in range(9):
        await ask(store, bob, f"b{number}", cost=2.0)
    assert [one[0] for one in await claimed(store, 12)].count("a") == 3
    assert await tags(store) == {ann: 18.0, bob: 18.0}


async def test_a_heavier_tier_gets_more(store):
    """A user with twice the weight gets twice the device time, as long as both wait."""
    tiered = under(store, tiers={"friend": Tier(weight=2.0)})
    ann, bob = await people(store, "ann", "bob")
    await change_person(store, ann, tier="friend")
    for number in range(8):
        await ask(tiered, ann, f"a{number}")
        await ask(tiered, bob, f"b{number}")
    first = [one[0] for one in await claimed(tiered, 9)]
    assert (first.count("a"), first.count("b")) == (6, 3)
    # The correction uses the same weight.
    (job, *_) = [one for one in await store.jobs.open_of(ann) if one.state == "running"]
    assert await tiered.attempts.finish(job, [whole()], 5.0)
    assert (await tags(store))[ann] == 6 / 2 + (5.0 - 1.0) / 2


async def test_a_loaded_model_goes_first_within_the_window(store):
    """A job whose model is loaded goes before jobs of other users, but not far before its turn."""
    ann, bob, eve = await people(store, "ann", "bob", "eve")
    await ask(store, ann, "red")
    await ask(store, bob, "blue", model="blue")
    await ask(store, eve, "green", model="green")
    async with store.database.write() as session:
        for user, tag in ((bob, WINDOW), (eve, WINDOW + 0.01)):
            await session.execute(update(TurnRow).where(TurnRow.person_id == user).values(tag=tag))
    assert await claimed(store, 1, {"green", "blue"}) == ["blue"]
    assert await claimed(store, 1, {"green"}) == ["red"]
    assert await claimed(store, 1, {"grey"}) == ["green"]


async def test_a_loaded_model_goes_first_within_the_own_line(store):
    """Among a user's own next jobs, the first whose model is loaded goes first; the jobs before it keep their order and run in time."""
    ann = await user_of(store)
    await ask(store, ann, "rare", model="blue")
    for number in range(2 * REACH):
        await ask(store, ann, str(number))
    order = await claimed(store, 2 * REACH + 1, {"red"})
    assert order.index("rare") == REACH
    assert [one for one in order if one != "rare"] == [str(number) for number in range(2 * REACH)]


async def test_newcomers_do_not_hold_up_a_rare_model(store):
    """Newcomers with a loaded model overtake a job with a rare model only a limited number of times."""
    ann = await user_of(store)
    await ask(store, ann, "rare", model="blue")
    order = []
    for number in range(REACH + 1):
        await ask(store, await user_of(store, str(number)), str(number))
        order += await claimed(store, 1, {"red"})
    assert order == [*map(str, range(REACH)), "rare"]


async def test_who_comes_back_has_neither_saved_up_nor_lost(store):
    """A returning user shares from now on without a bonus, and a user who had more than the others waits until they are even."""
    ann, bob, eve = await people(store, "ann", "bob", "eve")
    await ask(store, ann, "a0")
    await ask(store, bob, "b0", cost=30.0)
    assert await claimed(store, 2) == ["a0", "b0"]
    for number in range(20):
        await ask(store, eve, f"e{number}", cost=2.0)
    assert await claimed(store, 10) == [f"e{number}" for number in range(10)]
    await ask(store, ann, "a1", cost=2.0)
    await ask(store, bob, "b1")
    found = await tags(store)
    assert (found[ann], found[bob], found[eve]) == (18.0, 30.0, 20.0)
    assert await claimed(store, 4) == ["a1", "e10", "e11", "e12"]


@pytest.mark.parametrize("flooders", [1, 5])
async def test_who_arrives_idle_is_served_soon(store, flooders):
    """However many jobs others have queued, a newcomer waits for at most one job of each of them."""
    flood = await people(store, *(f"flood {number}" for number in range(flooders)))
    for user in flood:
        await store.jobs.accept([new_job(user, "flood", cost=3.0) for _ in range(40)])
    await claimed(store, 7 * flooders)
    await ask(store, await user_of(store, "new"), "new")
    assert "new" in await claimed(store, flooders + 1)


async def test_a_newcomer_does_not_wait_for_time_that_was_never_used(store):
    """If a flood was charged far too much for its running jobs and then corrected, a newcomer goes next, not after what was corrected."""
    flood, new = await people(store, "flood", "new")
    await store.jobs.accept([new_job(flood, "flood", cost=7.6) for _ in range(4)])
    await store.jobs.accept([new_job(flood, "flood", cost=1.1) for _ in range(20)])
    running = [await store.attempts.claim("me") for _ in range(4)]
    for job in running:
        assert await store.attempts.finish(job, [whole()], 1.1)
        await store.attempts.claim("me")
    await ask(store, new, "new", cost=1.1)
    assert "new" in await claimed(store, 2)


async def test_the_order_outlives_a_restart(store):
    """A restarted bot continues with the very job that was next."""
    expected = await crowd(store, people=4, jobs=24)
    order = []
    for _ in range(6):
        async with Database(store.database.url) as database:
            opened = Store.of(database, store.files)
            order += [(await opened.attempts.claim("me")).id for _ in range(4)]
    assert order == expected


async def crowd(store, people, jobs):
    """Submit jobs of many costs from many users, and return their ids in the order of the pure rule."""
    chance = random.Random(people)
    names = [f"p{number:02}" for number in range(people)]
    users = {name: await user_of(store, name) for name in names}
    lines, ids = Lines(dict.fromkeys(names, 1.0)), {}
    for number in range(jobs):
        name, cost = names[number % people], chance.uniform(1, 9)
        ids[lines.ask(name, "red", cost)] = (await ask(store, users[name], cost=cost)).id
    return [ids[lines.take(()).job.id] for _ in range(jobs)]


async def test_what_was_estimated_is_put_right(store):
    """A job is charged its estimate when it begins and its real time when it ends, and a job put back is not charged."""
    ann = await user_of(store)

    async def begun():
        await ask(store, ann, cost=4.0)
        return await store.attempts.claim("me")

    async def charged(change):
        before = (await tags(store)).get(ann, 0.0)
        job = await begun()
        assert (await tags(store))[ann] == before + 4.0
        await change(job)
        return (await tags(store))[ann] - before

    async def cancel(job, share):
        await store.jobs.cancel(job.id)
        await store.attempts.stopped(job, share)
        await store.attempts.stopped(job, 1.0)

    assert await charged(lambda job: store.attempts.finish(job, [whole()], 7.5)) == 7.5
    assert await charged(lambda job: store.attempts.finish(job, [painted()], 0.0)) == 0.0
    assert await charged(lambda job: store.attempts.fail(job, Problem("memory-spent"))) == 4.0
    assert await charged(lambda job: cancel(job, 0.25)) == 1.0

    async def put_back(job):
        assert await store.attempts.give_back(job)
        assert await store.jobs.cancel(job.id)

    assert await charged(put_back) == 0.0


async def test_another_attempt_is_not_another_turn(store):
    """A job that is retried by its process, or by another process after a silence, is charged once."""
    ann = await user_of(store)
    await ask(store, ann, cost=4.0)
    job = await store.attempts.claim("me")
    job = await store.attempts.again(job, blamed=True)
    await store.attempts.release(["me"])
    job = await store.attempts.claim("you")
    assert (job.attempt, job.tries, await tags(store)) == (3, 4, {ann: 4.0})
    assert await store.attempts.finish(job, [whole()], 3.0)
    assert await tags(store) == {ann: 3.0}


async def test_who_paints_at_once_is_charged_as_others_are(store):
    """A job that never waited is charged its real time, and gives its user no extra turn."""
    ann = await user_of(store)
    (job,) = await store.jobs.accept([new_job(ann, cost=1.0)], "me")
    assert await tags(store) == {ann: 1.0}
    await store.attempts.finish(job, [whole()], 9.0)
    assert await tags(store) == {ann: 9.0}
    (job,) = await store.jobs.accept([new_job(ann, cost=2.0)], "me")
    await store.attempts.leave("me")
    assert await tags(store) == {ann: 9.0}
    assert (await store.attempts.claim("you")).id == job.id


async def test_who_has_nothing_waiting_is_not_looked_at(store):
    """Users without waiting jobs are removed from the queue by the next claim, all together, and return with their next job."""
    users = await people(store, *map(str, range(40)))
    jobs = [await ask(store, user) for user in users]
    for job in jobs[:-1]:
        await store.jobs.cancel(job.id)
    assert await waiting(store) == set(users)
    assert (await store.attempts.claim("me")).id == jobs[-1].id
    assert await store.attempts.claim("me") is None
    assert await waiting(store) == set()
    await ask(store, users[3])
    assert await waiting(store) == {users[3]}
    assert (await store.attempts.claim("me")).user == users[3]


async def test_a_wake_up_is_never_lost(store):
    """A request submitted just when a claim finds that its user has no jobs is still served."""
    ann = await user_of(store)
    for number in range(tries(60)):
        if number % 3 == 0:
            await store.jobs.cancel((await ask(store, ann, "gone")).id)
        found = await asyncio.gather(
            store.attempts.claim("me"), ask(store, ann, str(number)), store.attempts.claim("you"), store.attempts.claim("me")
        )
        taken = [job for job in (found[0], *found[2:]) if job is not None]
        taken += [job] if (job := await store.attempts.claim("me")) is not None else []
        assert [job.id for job in taken] == [found[1].id]
    assert await waiting(store) <= {ann}


async def test_many_claimers_take_turns_in_exactly_the_fair_order(store):
    """Six claimers at once share the jobs of many users: each job goes once, and all in the order of the pure rule."""
    jobs = 200 if ALL else 60
    expected = await crowd(store, people=jobs // 10, jobs=jobs)

    async def claim_all(runner):
        count = 0
        while await store.attempts.claim(runner) is not None:
            count += 1
        return count

    assert sum(await asyncio.gather(*(claim_all(f"runner {number}") for number in range(6)))) == jobs
    async with store.database.read() as session:
        order = list(await session.scalars(select(JobRow.id).order_by(JobRow.started)))
        assert set(await session.scalars(select(JobRow.attempt))) == {1}
    assert order == expected


class InOrder(Lines):
    """Queues whose users are served in order of arrival if their virtual finishes are equal."""

    def __init__(self, weights):
        super().__init__(weights)
        self.since = {}

    def ask(self, name, model, cost):
        """Record when a user without queued jobs arrived."""
        if not self.people[name].line:
            self.since[name] = self.asked
        return super().ask(name, model, cost)

    @property
    def backlogged(self):
        """Return the users with queued jobs, smallest virtual finish first."""
        return sorted((one for one in self.people.values() if one.line), key=lambda one: (one.tag, self.since[one.name]))


@pytest.mark.parametrize("seed", some(range(6), 3))
async def test_the_store_and_the_pure_rule_agree(store, seed):
    """Over a random history of requests, models, cancellations and corrections the store makes exactly the choices of the rule."""
    chance = random.Random(seed)
    weights = {"p0": 1.0, "p1": 2.0, "p2": 0.5, "p3": 1.0, "p4": 1.0}
    tiered = Store.of(store.database, store.files, Policy(tiers={"": Tier(), **{name: Tier(weight=one) for name, one in weights.items()}}))
    users = {name: await user_of(store, name) for name in weights}
    for name, user in users.items():
        await change_person(store, user, tier=name)
    lines, jobs, running, taken = InOrder(weights), {}, [], 0
    for _ in range(150):
        what = chance.random()
        if what < 0.45:
            name, model, cost = chance.choice(list(weights)), chance.choice(MODELS), chance.uniform(0.5, 8)
            jobs[lines.ask(name, model, cost)] = (await ask(tiered, users[name], model=model, cost=cost)).id
        elif what < 0.8:
            loaded = set(chance.sample(MODELS, chance.randint(0, 2)))
            choice, job = lines.take(loaded), await tiered.attempts.claim("me", loaded)
            assert (job and job.id) == (choice and jobs[choice.job.id])
            if choice is not None:
                running.append((choice, job))
                taken += 1
        elif what < 0.95 and running:
            choice, job = running.pop(chance.randrange(len(running)))
            measured = choice.job.cost * 10 ** chance.uniform(-1, 1)
            assert await tiered.attempts.finish(job, [whole()], measured)
            lines.correct(choice, measured)
        elif longer := [one for one in lines.people.values() if len(one.line) > 1]:
            gone = chance.choice(chance.choice(longer).line).id
            lines.cancel(gone)
            assert await tiered.jobs.cancel(jobs[gone])
    assert taken > 30
    async with store.database.read() as session:
        assert await session.scalar(select(ClockRow.now)) == pytest.approx(lines.clock)


async def test_a_claimed_job_carries_the_weight_of_its_users_tier(store):
    """A claimed job carries the weight of its user's tier, in the first attempt and in the next."""
    tiered = under(store, tiers={"patron": Tier(weight=2.0)})
    ann, bob = await user_of(tiered, "ann"), await user_of(tiered, "bob")
    await change_person(tiered, ann, tier="patron")
    await ask(tiered, ann)
    await ask(tiered, bob)
    claimed_jobs = [await tiered.attempts.claim("me") for _ in range(2)]
    assert {job.user: job.weight for job in claimed_jobs} == {ann: 2.0, bob: 1.0}
    again = [await tiered.attempts.again(job) for job in claimed_jobs]
    assert {job.user: job.weight for job in again} == {ann: 2.0, bob: 1.0}
