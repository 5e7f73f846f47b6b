"""Jobs in the store: accepted, leased, and finished once."""

import asyncio

import pytest

from bot.core.errors import NotAllowed
from bot.core.values import InputFile, MessageRef
from bot.store.database import now
from bot.store.jobs.job import CANCELLED, DONE, FAILED, MOST_ATTEMPTS, RUNNING, WAITING
from inference.contract.errors import Problem
from inference.contract.inputs import Input, Role
from tests.stores import accepted, init, new_job, painted, request_of, run_out, under, user_of


async def test_a_job_keeps_several_inputs_by_role(store):
    """Inputs are returned by role, several of a role in their order, and each is a file in use."""
    ann = await user_of(store)
    given = [(Role.REFERENCE, "r2"), (Role.MASK, "m"), (Role.REFERENCE, "r1"), (Role.INIT, "i"), (Role.REFERENCE, "r2")]
    job = await accepted(store, ann, inputs=tuple(InputFile(role, file) for role, file in given))
    expected = [(Role.INIT, "i"), (Role.MASK, "m"), (Role.REFERENCE, "r2"), (Role.REFERENCE, "r1"), (Role.REFERENCE, "r2")]
    assert [(one.role, one.file) for one in job.inputs] == expected
    assert (await store.jobs.get(job.id)).inputs == (await store.attempts.claim("painter")).inputs == job.inputs
    assert (job.files(Role.REFERENCE), job.files(Role.CONTROL)) == (("r2", "r1", "r2"), ())
    assert await store.pictures.unneeded(["m", "r1", "x"]) == ("x",)
    assert [await store.jobs.starts_from(ann, file) for file in ("m", "x")] == [True, False]


async def test_inputs_are_accepted_with_their_job_or_not_at_all(store):
    """A job that is refused, or was accepted before, leaves no extra inputs behind."""
    ann, store = await user_of(store), under(store, 1_000)
    first = new_job(ann, key="k", inputs=init("a"))
    await store.jobs.accept([first])
    (same,) = await store.jobs.accept([new_job(ann, key="k", inputs=init("b"))])
    with pytest.raises(NotAllowed):
        await store.jobs.accept([new_job(ann, inputs=init("c"), credits=1_001)])
    assert same.inputs == init("a")
    assert await store.pictures.unneeded(["a", "b", "c"]) == ("b", "c")


async def states(store, *jobs):
    """Return the stored states of jobs."""
    return [(await store.jobs.get(job.id)).state for job in jobs]


async def test_what_was_accepted_comes_back_whole(store):
    """A job keeps every value of its request, except the bytes of its source, which are a file."""
    ann = await user_of(store)
    request = request_of("crème brûlée 🍮", seed=2**32 - 1, inputs=(Input(Role.INIT, b"\x89PNG"),), share=ann)
    new = new_job(
        ann,
        address=MessageRef("web", "here", "message 3"),
        line="/imagine",
        params='{"a": 1}',
        request=request,
        inputs=init("x.png"),
        key="k",
    )
    (job,) = await store.jobs.accept([new])
    assert job == await store.jobs.get(new.id)
    assert (job.state, job.attempt, job.tries, job.is_open) == (WAITING, 0, 0, True)
    assert (job.user, job.address, job.line, job.params, job.inputs) == (new.user, new.address, new.line, new.params, new.inputs)
    assert job.request.prompt == request.prompt
    assert job.request.inputs == ()
    assert (job.request.seed, job.request.share) == (request.seed, request.share)
    assert abs((now() - job.created).total_seconds()) < 60


async def test_jobs_are_accepted_all_or_none(store):
    """If one of several jobs cannot be stored, none is."""
    ann = await user_of(store)
    first, second = new_job(ann), new_job("nobody")
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await store.jobs.accept([first, second])
    assert await store.jobs.get(first.id) is None
    assert await store.jobs.open_of(ann) == ()


async def test_what_is_asked_together_keeps_its_order(store):
    """Jobs accepted together wait in the order in which they were requested."""
    ann = await user_of(store)
    jobs = await store.jobs.accept([new_job(ann, words) for words in "abcdefgh"])
    assert (
        [job.line for job in await store.jobs.open_of(ann)] == [job.line for job in jobs] == [f"/imagine {words}" for words in "abcdefgh"]
    )
    assert [await store.line.before(job) for job in jobs] == [(channel, float(channel)) for channel in range(8)]


async def test_a_key_is_one_job(store):
    """Twenty concurrent submissions with one key, and a later one, are one job; the same key of another user is another job."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    answers = await asyncio.gather(*(store.jobs.accept([new_job(ann, str(number), key="press")]) for number in range(20)))
    assert len({job.id for (job,) in answers}) == 1
    assert len({job.line for (job,) in answers}) == 1
    late = await accepted(store, ann, "later", key="press")
    assert late.id == answers[0][0].id
    assert (await accepted(store, bob, key="press")).id != late.id
    assert len(await store.jobs.open_of(ann)) == 1


async def test_jobs_without_a_key_are_as_many_as_asked(store):
    """Identical requests without a key are separate jobs."""
    ann = await user_of(store)
    await store.jobs.accept([new_job(ann), new_job(ann)])
    assert len(await store.jobs.open_of(ann)) == 2


async def test_a_job_can_be_leased_from_its_first_moment(store):
    """A job accepted with a process id is never queued, and no other process can take it."""
    ann = await user_of(store)
    (job,) = await store.jobs.accept([new_job(ann)], "me")
    assert (job.state, job.attempt, job.tries) == (RUNNING, 1, 1)
    assert await store.attempts.claim("other") is None
    assert await store.attempts.beat("me", [job.id]) == {job.id}


async def test_turns_go_to_who_had_the_least_then_to_who_came_first(store):
    """A user with ten jobs does not block others, and among equal users the first to come goes first."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    for user, words in ((ann, "a1"), (ann, "a2"), (ann, "a3"), (bob, "b1"), (bob, "b2")):
        await accepted(store, user, words)
    order = [(await store.attempts.claim("me")).request.prompt.text for _ in range(5)]
    assert order == ["a1", "b1", "a2", "b2", "a3"]
    assert await store.attempts.claim("me") is None


async def test_what_was_left_behind_is_anybodys(store):
    """A job whose process fell silent is run by the next process, whatever its platform."""
    ann = await user_of(store)
    job = await accepted(store, ann, platform="elsewhere")
    assert (await store.attempts.claim("other")).id == job.id
    assert await store.attempts.claim("me") is None
    await run_out(store, job.id)
    again = await store.attempts.claim("me")
    assert (again.id, again.attempt, again.tries) == (job.id, 2, 2)


async def test_two_claimers_never_get_one_job(store):
    """Ten processes that claim at once share twenty jobs without taking one twice or leaving one."""
    people = [await user_of(store, name) for name in ("ann", "bob", "eve")]
    jobs = [await accepted(store, people[number % 3], str(number)) for number in range(20)]

    async def claim_all(runner):
        claimed = []
        while (job := await store.attempts.claim(runner)) is not None:
            claimed.append(job.id)
        return claimed

    claimed = [job_id for ids in await asyncio.gather(*(claim_all(f"runner {number}") for number in range(10))) for job_id in ids]
    assert sorted(claimed) == sorted(job.id for job in jobs)


async def test_a_beat_keeps_a_lease(store):
    """A heartbeat renews the leases of the named jobs and reports jobs that were lost; leases of other jobs expire."""
    ann = await user_of(store)
    first, second, third = [(await store.jobs.accept([new_job(ann)], "me"))[0] for _ in range(3)]
    for job in (first, second):
        await run_out(store, job.id)
    await store.jobs.cancel(third.id)
    assert await store.attempts.beat("me", [first.id, third.id]) == {first.id}
    assert await store.attempts.beat("other", [first.id]) == frozenset()
    assert (await store.attempts.claim("other", [])).id == second.id
    assert await store.attempts.claim("other", []) is None
    assert await store.attempts.beat("me", []) == frozenset()


async def test_jobs_of_the_dead_are_taken_at_once(store):
    """Released jobs are available before their lease ends, and the try counts, because the job may have killed its process."""
    ann = await user_of(store)
    mine = [(await store.jobs.accept([new_job(ann)], "dead"))[0] for _ in range(2)]
    await store.jobs.accept([new_job(ann)], "alive")
    assert set(await store.attempts.runners()) == {"dead", "alive"}
    assert await store.attempts.release(["dead", "long gone"]) == 2
    assert {(await store.attempts.claim("me", [])).id for _ in range(2)} == {job.id for job in mine}
    assert await store.attempts.claim("me", []) is None
    assert [(await store.jobs.get(job.id)).tries for job in mine] == [2, 2]


async def test_who_leaves_puts_jobs_back_uncounted(store):
    """A process that exits cleanly puts its jobs back at their old positions, without counting the try."""
    ann = await user_of(store)
    first, second, _ = [await accepted(store, ann, words) for words in "abc"]
    for _ in range(2):
        await store.attempts.claim("me")
    assert await store.attempts.leave("me") == 2
    assert await store.attempts.leave("me") == 0
    assert await states(store, first, second) == [WAITING, WAITING]
    again = await store.attempts.claim("other")
    assert (again.id, again.attempt, again.tries) == (first.id, 2, 1)


async def test_a_finished_job_has_its_pictures(store):
    """The pictures and the state done are stored together, and only once."""
    ann = await user_of(store)
    (job,) = await store.jobs.accept([new_job(ann)], "me")
    assert await store.attempts.finish(job, [painted(0), painted(1)], 2.5)
    ended = await store.jobs.get(job.id)
    assert (ended.state, ended.is_open, ended.device_seconds, ended.problem) == (DONE, False, 2.5, None)
    assert ended.ended >= ended.started >= ended.created
    assert [one.seed for one in (await store.pictures.of_jobs([job.id]))[job.id]] == [2**32 - 1, 2**32 - 2]
    assert not await store.attempts.finish(job, [painted(2)], 9.0)
    assert not await store.attempts.fail(job, Problem("worker-died"))
    assert len((await store.pictures.of_jobs([job.id]))[job.id]) == 2


async def test_a_late_finish_changes_nothing(store):
    """An attempt that is no longer the last leaves no pictures, even after its job was put back uncounted."""
    ann = await user_of(store)
    await accepted(store, ann)
    old = await store.attempts.claim("old")
    assert await store.attempts.give_back(old)
    new = await store.attempts.claim("new")
    assert not await store.attempts.finish(old, [painted()], 1.0)
    assert not await store.attempts.fail(old, Problem("worker-died"))
    assert not await store.attempts.give_back(old)
    assert await store.attempts.again(old) is None
    assert (await store.jobs.get(new.id)).state == RUNNING
    assert (await store.pictures.of_jobs([new.id]))[new.id] == ()
    assert await store.attempts.finish(new, [painted()], 1.0)


async def test_a_failed_job_says_why(store):
    """The reason of a failure is stored with its facts."""
    ann = await user_of(store)
    (job,) = await store.jobs.accept([new_job(ann)], "me")
    problem = Problem("memory-spent", {"width": 64, "height": 48})
    assert await store.attempts.fail(job, problem)
    ended = await store.jobs.get(job.id)
    assert (ended.state, ended.problem) == (FAILED, problem)


async def test_the_next_attempt_counts(store):
    """A retry by the same process is a new attempt, which makes the old attempt void."""
    ann = await user_of(store)
    (job,) = await store.jobs.accept([new_job(ann)], "me")
    again = await store.attempts.again(job)
    assert (again.attempt, again.tries, again.state) == (2, 2, RUNNING)
    assert not await store.attempts.finish(job, [painted()], 1.0)
    assert await store.attempts.beat("me", [job.id]) == {job.id}
    assert await store.attempts.finish(again, [painted()], 1.0)
    assert MOST_ATTEMPTS == 3


async def test_cancelling_reaches_what_waits_and_what_runs(store):
    """A cancelled job is never claimed, its attempt can store nothing, and an ended job cannot be cancelled."""
    ann = await user_of(store)
    waiting = await accepted(store, ann)
    (running,) = await store.jobs.accept([new_job(ann)], "me")
    assert await store.jobs.cancel(waiting.id)
    assert await store.jobs.cancel(running.id)
    assert await states(store, waiting, running) == [CANCELLED, CANCELLED]
    assert await store.attempts.claim("other") is None
    assert not await store.attempts.finish(running, [painted()], 1.0)
    assert not await store.attempts.give_back(running)
    assert await store.attempts.leave("me") == 0
    assert not await store.jobs.cancel(running.id)
    assert not await store.jobs.cancel("nothing")
    assert (await store.pictures.of_jobs([running.id]))[running.id] == ()


async def test_a_place_shows_its_latest_jobs(store):
    """A page of a channel has its latest jobs, oldest first, and the page before has earlier jobs."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    for number in range(5):
        await accepted(store, (ann, bob)[number % 2], str(number))
    await accepted(store, ann, "elsewhere", channel="there")
    await accepted(store, ann, "another platform", platform="other")
    latest = await store.jobs.of_channel(MessageRef("web", "here"), 3)
    assert [job.request.prompt.text for job in latest] == ["2", "3", "4"]
    before = await store.jobs.of_channel(MessageRef("web", "here"), 3, latest[0].created)
    assert [job.request.prompt.text for job in before] == ["0", "1"]


async def test_odd_signs_are_kept_or_left_out(store):
    """NUL and lone surrogates, which no database stores, do not fail a request, and quotes and SQL are plain text."""
    ann = await user_of(store, "a\0nn\ud800")
    line = 'Robert\'); DROP TABLE job; --\0 \ud83d %_\\ "x" 🎨'
    job = await accepted(store, ann, line=line, key="k\0", channel="p\0")
    assert job.line == line.replace("\0", "").replace("\ud83d", "?")
    assert (await accepted(store, ann, key="k\0", channel="p\0")).id == job.id
    assert await store.jobs.get(f"{job.id}\0") == job
    assert await user_of(store, "a\0nn\ud800") == ann
