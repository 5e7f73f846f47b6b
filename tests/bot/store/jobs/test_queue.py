"""The queue: moving a user's own jobs, and pausing a user or a channel."""

import asyncio
import itertools
import random

import pytest

from bot.core.limits import Tier
from bot.core.values import MessageRef
from bot.store.jobs.job import CANCELLED, PAUSED, RUNNING, WAITING
from bot.store.jobs.queue import UserBacklog
from inference.contract.errors import Problem
from tests.stores import ALL, accepted, change_person, new_job, painted, run_out, some, under, user_of

HERE = "web", "here"


async def words(store, user):
    """Return the prompts of a user's open jobs, in queue order."""
    return "".join(job.request.prompt.text for job in await store.jobs.open_of(user))


async def asked(store, user, letters, **changes):
    """Accept a job for each letter, and return the jobs by letter."""
    jobs = await store.jobs.accept([new_job(user, letter, **changes) for letter in letters])
    return dict(zip(letters, jobs, strict=True))


async def state_of(store, job):
    """Return the state of a job."""
    return (await store.jobs.get(job.id)).state


async def hold(store, user, *, by_person=None, by_place=None, as_member=None):
    """Pause or resume a user, the shared channel, a user in that channel, or several of these."""
    if by_person is not None:
        await store.line.pause_person(user, paused=by_person)
    if by_place is not None:
        await store.line.pause_place(*HERE, paused=by_place)
    if as_member is not None:
        await store.line.pause_member(user, MessageRef(*HERE), paused=as_member)


@pytest.mark.parametrize(
    ("letter", "way", "expected"),
    [
        ("c", "up", "acbde"),
        ("c", "down", "abdce"),
        ("c", "first", "cabde"),
        ("c", "last", "abdec"),
        ("a", "down", "bacde"),
        ("e", "first", "eabcd"),
        ("a", "last", "bcdea"),
        ("a", "up", None),
        ("a", "first", None),
        ("e", "down", None),
        ("e", "last", None),
    ],
)
async def test_a_job_moves_within_its_own_line(store, letter, way, expected):
    """A waiting job moves up, down, to the front or to the end of its user's queue; at the end it stays, and reports that."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    jobs = await asked(store, ann, "abcde")
    await asked(store, bob, "xy")
    assert await store.line.move(jobs[letter], way) == (expected is not None)
    assert (await words(store, ann), await words(store, bob)) == (expected or "abcde", "xy")
    assert [(await store.line.before(jobs[one]))[0] for one in expected or "abcde"] == [0, 1, 2, 3, 4]
    claimed = [(await store.attempts.claim("me")).request.prompt.text for _ in range(7)]
    assert "".join(one for one in claimed if one in "abcde") == (expected or "abcde")


async def test_only_what_waits_is_moved(store):
    """Jobs that run, are paused, have ended or do not exist stay in place, and the others move around them."""
    ann = await user_of(store)
    jobs = await asked(store, ann, "abcd")
    running = await store.attempts.claim("me")
    await store.jobs.cancel(jobs["c"].id)
    for job in (running, jobs["c"]):
        assert not await store.line.move(job, "last")
    assert await store.line.move(jobs["d"], "up")
    assert await words(store, ann) == "adb"
    assert await store.attempts.give_back(running)
    assert await words(store, ann) == "adb"
    await hold(store, ann, by_person=True)
    assert not await store.line.move(jobs["b"], "first")
    await hold(store, ann, by_person=False)
    assert await words(store, ann) == "adb"


async def test_jobs_of_one_moment_can_be_moved(store, monkeypatch):
    """Requests of the same microsecond, or from a clock that was set back, keep the order in which they were accepted."""
    ann = await user_of(store)
    jobs = await asked(store, ann, "ab")
    moment = jobs["a"].created
    monkeypatch.setattr("bot.store.jobs.jobs.now", lambda: moment)
    jobs |= await asked(store, ann, "cd")
    assert await words(store, ann) == "abcd"
    assert await store.line.move(jobs["d"], "first")
    assert await words(store, ann) == "dabc"


async def test_many_moves_at_once_lose_nothing(store):
    """However many moves, claims and cancellations overlap, no two jobs share a position."""
    ann = await user_of(store)
    jobs = list((await asked(store, ann, "abcdefgh")).values())
    chance = random.Random(7)
    moves = [store.line.move(chance.choice(jobs), chance.choice(("up", "down", "first", "last"))) for _ in range(40)]
    await asyncio.gather(*moves, store.attempts.claim("me"), store.jobs.cancel(jobs[3].id), store.attempts.claim("me"))
    left = await store.jobs.open_of(ann)
    assert sorted(job.id for job in left) == sorted(job.id for job in jobs if job.id != jobs[3].id)
    assert len({job.rank for job in left}) == 7


async def test_how_everybody_stands(store):
    """Each user with queued jobs is listed with their virtual finish, their weight, and their jobs; other users are not."""
    tiered = under(store, tiers={"friend": Tier(weight=2.0)})
    ann, bob, eve = [await user_of(store, name) for name in ("ann", "bob", "eve")]
    await change_person(store, bob, tier="friend")
    for user, letters in ((ann, "abc"), (bob, "x"), (eve, "z")):
        await asked(tiered, user, letters, cost=4.0)
    assert (await tiered.attempts.claim("me")).user == ann
    await store.line.pause_person(eve, paused=True)
    stands = {one.user: one for one in await tiered.line.stands()}
    assert stands == {
        ann: UserBacklog(ann, 4.0, stands[ann].since, 1.0, 2, 8.0),
        bob: UserBacklog(bob, 0.0, stands[bob].since, 2.0, 1, 4.0),
    }
    assert stands[ann].since < stands[bob].since


@pytest.mark.parametrize(
    "held", [["by_person"], ["by_place"], ["as_member"], ["by_person", "by_place"], ["by_place", "as_member"]], ids="+".join
)
async def test_what_is_held_back_is_not_painted(store, held):
    """While a user or their channel is paused, no job begins: neither waiting, new, retried nor requeued jobs."""
    ann = await user_of(store)
    jobs = await asked(store, ann, "abcd")
    back, left = [await store.attempts.claim(runner) for runner in ("me", "you")]
    failed = await store.attempts.claim("me")
    await store.attempts.fail(failed, Problem("memory-spent"))
    await hold(store, ann, **dict.fromkeys(held, True))
    assert await state_of(store, back) == RUNNING
    assert await store.attempts.give_back(back)
    assert await store.attempts.leave("you") == 1
    assert await store.jobs.retry(failed.id)
    late = await accepted(store, ann, "e")
    assert {await state_of(store, job) for job in (back, left, failed, jobs["d"], late)} == {PAUSED}
    assert await store.attempts.claim("me") is None
    assert await store.line.stands() == ()
    await hold(store, ann, **dict.fromkeys(held, False))
    assert {await state_of(store, job) for job in (back, left, failed, jobs["d"], late)} == {WAITING}
    claimed = [(await store.attempts.claim("me")).request.prompt.text for _ in range(5)]
    assert claimed == ["a", "b", "d", "e", "c"] or claimed == ["a", "b", "d", "c", "e"]


async def test_both_have_to_let_go(store):
    """A job paused by its user and by its channel waits again when neither is paused, and each change reports its effect."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    mine, elsewhere = await accepted(store, ann), await accepted(store, ann, channel="there")
    his = await accepted(store, bob)
    assert set(await store.line.pause_person(ann, paused=True)) == {mine.id, elsewhere.id}
    assert await store.line.pause_person(ann, paused=True) == ()
    assert await store.line.pause_place(*HERE, paused=True) == (his.id,)
    assert await store.line.pause_person(ann, paused=False) == (elsewhere.id,)
    assert (await store.attempts.claim("me")).id == elsewhere.id
    assert await store.attempts.claim("me") is None
    assert set(await store.line.pause_place(*HERE, paused=False)) == {mine.id, his.id}
    assert {(await store.attempts.claim("me")).id for _ in range(2)} == {mine.id, his.id}


async def test_a_place_can_be_paused_before_anybody_speaks_there(store):
    """An unknown channel can be paused, and requests made there afterwards are paused."""
    assert await store.line.pause_place("web", "quiet", paused=True) == ()
    ann = await user_of(store)
    job = await accepted(store, ann, channel="quiet")
    assert await state_of(store, job) == PAUSED
    assert await store.jobs.cancel(job.id)
    assert await store.line.pause_place("web", "quiet", paused=False) == ()
    assert await state_of(store, job) == CANCELLED


async def test_what_was_being_painted_goes_on(store):
    """A pause does not stop a running job: it can finish, or be taken over if its process falls silent."""
    ann = await user_of(store)
    first, second = (await asked(store, ann, "ab")).values()
    one, two = await store.attempts.claim("me"), await store.attempts.claim("me")
    await hold(store, ann, by_person=True, by_place=True)
    assert await store.attempts.finish(one, [painted()], 1.0)
    await run_out(store, two.id)
    assert (await store.attempts.claim("you")).id == second.id
    assert first.id == one.id


@pytest.mark.parametrize("way", ["person", "place", "member"])
async def test_nobody_slips_through_a_pause(store, way):
    """A request accepted, retried or requeued at the very moment of a pause is paused, and continues after it."""
    for number in range(8 if ALL else 3):
        ann = await user_of(store, f"ann {number}")
        for letter in "abcd":
            await accepted(store, ann, letter)
        running = [await store.attempts.claim(f"runner {channel}") for channel in range(4)]
        assert {job.user for job in running} == {ann}
        await store.attempts.fail(running[0], Problem("memory-spent"))
        line, member = store.line, (ann, MessageRef(*HERE))
        pause, whom = {"person": (line.pause_person, (ann,)), "place": (line.pause_place, HERE), "member": (line.pause_member, member)}[way]
        doing = [
            store.attempts.give_back(running[1]),
            store.attempts.leave("runner 2"),
            store.jobs.retry(running[0].id),
            *(accepted(store, ann, letter) for letter in "ef"),
        ]
        doing.insert(number % 6, pause(*whom, paused=True))
        await asyncio.gather(*doing)
        open_jobs = await store.jobs.open_of(ann)
        assert sorted(job.state for job in open_jobs) == [PAUSED] * 5 + [RUNNING]
        again = [pause(*whom, paused=False), accepted(store, ann, "g")]
        await asyncio.gather(*(again if number % 2 else reversed(again)))
        assert [job.state for job in await store.jobs.open_of(ann)].count(WAITING) == 6
        assert [(await store.attempts.claim("me")).user for _ in range(6)] == [ann] * 6


async def test_every_order_of_pauses_ends_where_it_should(store):
    """After any sequence of pauses of user, channel and member, jobs wait if none is paused, and are paused otherwise."""
    ann = await user_of(store)
    job = await accepted(store, ann)
    whats = ("by_person", "by_place", "as_member")
    steps = [{what: paused} for what in whats for paused in (True, False)]
    for sequence in some(itertools.permutations(steps, 3), 5):
        held = dict.fromkeys(whats, False)
        await hold(store, ann, **held)
        for step in sequence:
            await hold(store, ann, **step)
            held |= step
            assert await state_of(store, job) == (PAUSED if any(held.values()) else WAITING)


async def test_a_person_is_held_back_in_one_place_only(store):
    """A user paused in one channel is served in other channels, and other users are served there."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    here, there, his = await accepted(store, ann), await accepted(store, ann, channel="there"), await accepted(store, bob)
    assert await store.line.pause_member(ann, MessageRef(*HERE), paused=True) == (here.id,)
    late = await accepted(store, ann)
    assert {await state_of(store, job) for job in (here, late)} == {PAUSED}
    assert {(await store.attempts.claim("me")).id for _ in range(2)} == {there.id, his.id}
    assert await store.attempts.claim("me") is None
    assert set(await store.line.pause_member(ann, MessageRef(*HERE), paused=False)) == {here.id, late.id}
    assert await store.line.pause_member(ann, MessageRef("web", "nowhere"), paused=False) == ()
    assert {(await store.attempts.claim("me")).id for _ in range(2)} == {here.id, late.id}
