"""The dispatcher, with a real store and a scripted engine, because the real engine does not fail on demand."""

import asyncio
import dataclasses
import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from bot.core.process_id import is_gone, runner_name
from bot.jobs import execution as module
from bot.jobs.dispatcher import Dispatcher
from bot.store.database import now
from bot.store.jobs.attempts import Attempts
from bot.store.jobs.job import CANCELLED, DONE, FAILED, LEASE, MOST_ATTEMPTS, RUNNING, WAITING
from bot.store.jobs.jobs import Jobs
from bot.store.tables.core import JobRow
from inference.contract.errors import InferenceError, Problem
from inference.contract.inputs import Input, Role
from inference.contract.request import Failed, Note, Picture, Step
from tests.dispatching import DIED, PAINTED, Script, Told, Wall, dispatching, picture, until
from tests.stores import accepted, init, new_job, png, run_out, user_of


@pytest.fixture
def wall():
    """Return an empty wall."""
    return Wall()


async def until_state(store, job, state):
    """Wait until a job has a state in the store."""
    for _ in range(3000):
        if await state_of(store, job) == state:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"the job never was {state}")


async def take_over(store, job):
    """Let another process begin the next attempt, as after an expired lease, and return the job."""
    async with store.database.write() as session:
        begun = {"runner": "another", "attempt": JobRow.attempt + 1, "lease": now() + LEASE}
        await session.execute(update(JobRow).where(JobRow.id == job.id).values(begun))
    return await store.jobs.get(job.id)


async def state_of(store, job):
    """Return the state of a job in the store."""
    return (await store.jobs.get(job.id)).state


async def test_a_job_is_painted_and_shown(store, wall):
    """The cards of a job come in order with the result last, and its pictures are rows and files."""
    ann = await user_of(store)
    job = await accepted(store, ann)
    async with dispatching(store, Script(**{"a red circle": [(*PAINTED[:2], picture(1, "blue"), *PAINTED[2:])]}), wall):
        last = await wall.until(job.id, DONE)
    states = [card.state for card in wall.of(job.id)]
    assert states == [RUNNING] * (len(states) - 1) + [DONE]
    steps = [card.progress.n for card in wall.of(job.id) if card.progress is not None]
    assert steps == sorted(steps)
    kept = (await store.pictures.of_jobs([job.id]))[job.id]
    assert [one.id for one in last.pictures] == [one.id for one in kept]
    assert [(one.index, one.seed, one.width) for one in kept] == [(0, 7, 8), (1, 8, 8)]
    assert await store.files.get(kept[1].file) == png("blue")
    assert await store.files.get(kept[1].thumbnail) == b"\xff\xd8\xffblue"
    assert (await store.jobs.get(job.id)).device_seconds == 1.5


async def test_progress_is_kept_while_it_lasts(store, wall):
    """The progress of a running job can be queried, with the latest preview, and is gone after the end."""
    held = asyncio.Event()
    script = Script(**{"a red circle": [(Step(1, 4, b"preview"), Step(2, 4), held, *PAINTED)]})
    job = await accepted(store, await user_of(store))
    async with dispatching(store, script, wall) as dispatcher:
        await script.running.wait()
        progress = dispatcher.progress(job.id)
        assert (progress.n, progress.of, progress.preview) == (2, 4, b"preview")
        assert progress.left >= 0
        assert (await dispatcher.card(await store.jobs.get(job.id))).progress == progress
        held.set()
        await wall.until(job.id, DONE)
        assert dispatcher.progress(job.id) is None


async def test_the_source_is_given_to_the_engine(store, wall):
    """A job with a source passes its bytes to the engine; if the file is gone, the user is told."""
    seen = []

    class Looking(Script):
        def run(self, request):
            seen.append(request.inputs)
            return super().run(request)

    ann = await user_of(store)
    there = await accepted(store, ann, inputs=init(await store.files.put(png())))
    gone = await accepted(store, ann, inputs=init("f" * 64 + ".png"))
    async with dispatching(store, Looking(), wall):
        await wall.until(there.id, DONE)
        told = (await wall.until(gone.id, FAILED)).status
    assert seen == [(Input(Role.INIT, png()),)]
    assert "picture" in told


async def test_so_many_at_a_time(store, wall):
    """The engine never has more requests than allowed, and every request gets its turn."""
    held = asyncio.Event()
    ann = await user_of(store)
    jobs = [await accepted(store, ann, words) for words in "abcde"]
    script = Script(**{words: [(held, *PAINTED)] for words in "abcde"})
    async with dispatching(store, script, wall, most=2):
        await wall.until(jobs[1].id, RUNNING)
        await asyncio.sleep(0.1)
        assert script.begun == ["a", "b"]
        assert [await state_of(store, job) for job in jobs] == [RUNNING, RUNNING, WAITING, WAITING, WAITING]
        held.set()
        for job in jobs:
            await wall.until(job.id, DONE)
    assert script.begun == list("abcde")


async def test_work_that_is_announced_is_taken_at_once(store, wall):
    """Waking the dispatcher starts a new job without waiting for the next poll."""
    async with dispatching(store, Script(), wall, poll_seconds=3600) as dispatcher:
        await asyncio.sleep(0.05)
        job = await accepted(store, await user_of(store))
        dispatcher.wake()
        await wall.until(job.id, DONE)


async def test_cancelling_here_stops_the_engine(store, wall):
    """A cancelled job is stopped at once, its last card shows that, and other jobs continue."""
    held = asyncio.Event()
    ann = await user_of(store)
    job, other = await accepted(store, ann, "endless"), await accepted(store, ann, "b")
    script = Script(endless=[(Step(1, 2), held)])
    async with dispatching(store, script, wall, beat_seconds=3600) as dispatcher:
        await script.running.wait()
        assert await store.jobs.cancel(job.id)
        await dispatcher.show(job.id)
        await wall.until(other.id, DONE)
        await asyncio.sleep(0.05)
        assert "endless" in script.closed
        assert dispatcher.progress(job.id) is None
    assert [card.state for card in wall.of(job.id)][-1] == CANCELLED
    assert await state_of(store, job) == CANCELLED


class SlowEnd(Wall):
    """A wall that takes its time to show that a job was cancelled."""

    def __init__(self):
        super().__init__()
        self.reached, self.released = asyncio.Event(), asyncio.Event()

    async def show(self, card, address):
        """Record a card; one of a cancelled job only after `released`."""
        if card.state == CANCELLED:
            self.reached.set()
            await self.released.wait()
        await super().show(card, address)


async def test_leaving_waits_for_what_a_cancelled_job_still_does(store):
    """A dispatcher that closes while it releases a cancelled job waits until that is done: nothing uses the store afterwards."""
    wall, script = SlowEnd(), Script(endless=[(asyncio.Event(),)])
    job = await accepted(store, await user_of(store), "endless")
    dispatcher = Dispatcher(store, script, wall, platforms=["web"], beat_seconds=0.02, poll_seconds=0.02)
    await dispatcher.__aenter__()
    await script.running.wait()
    await Jobs(store.database, store.policy).cancel(job.id)
    await wall.reached.wait()
    leaving = asyncio.create_task(dispatcher.__aexit__(None, None, None))
    await until(lambda: not dispatcher.pictures_in_work)
    await asyncio.wait([leaving], timeout=0.1)
    assert not leaving.done()
    wall.released.set()
    await leaving
    assert wall.of(job.id)[-1].state == CANCELLED
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_elsewhere_stops_the_engine(store, wall):
    """A job cancelled by another process stops at the next heartbeat, and is shown as cancelled."""
    held = asyncio.Event()
    job = await accepted(store, await user_of(store), "endless")
    script = Script(endless=[(held,)])
    async with dispatching(store, script, wall):
        await script.running.wait()
        await Jobs(store.database, store.policy).cancel(job.id)
        await wall.until(job.id, CANCELLED)
    assert script.closed == ["endless"]


async def test_a_clock_that_jumps_repeats_nothing(store, wall):
    """A job whose lease is suddenly a day old, because the clock was changed, is not begun a second time by the process that runs it."""
    held = asyncio.Event()
    ann = await user_of(store)
    job, other = await accepted(store, ann, "endless"), await accepted(store, ann, "b")
    script = Script(endless=[(held, *PAINTED)])
    async with dispatching(store, script, wall, most=2, beat_seconds=3600, poll_seconds=3600) as dispatcher:
        await script.running.wait()
        await wall.until(other.id, DONE)
        async with store.database.write() as session:
            await session.execute(update(JobRow).where(JobRow.id == job.id).values(lease=now() - timedelta(days=1)))
        another = await accepted(store, ann, "c")
        dispatcher.wake()
        await wall.until(another.id, DONE)
        held.set()
        await wall.until(job.id, DONE)
    assert script.begun.count("endless") == 1


async def test_what_was_taken_over_is_let_go(store, wall):
    """A job taken over by another process is stopped here and left to that process."""
    held = asyncio.Event()
    job = await accepted(store, await user_of(store), "endless")
    script = Script(endless=[(held,)])
    async with dispatching(store, script, wall, poll_seconds=3600):
        await script.running.wait()
        taken = await take_over(store, job)
        await until(lambda: script.closed)
        assert (await wall.until(job.id, RUNNING)).progress is None
    assert await store.attempts.finish(taken, [], 1.0)


async def test_a_dead_worker_is_tried_again(store, wall):
    """After its worker dies, which counts as two tries, a job succeeds in the next attempt, and nothing of the first attempt remains."""
    job = await accepted(store, await user_of(store))
    script = Script(**{"a red circle": [(Step(1, 2), picture(0, "green"), DIED), PAINTED]})
    async with dispatching(store, script, wall):
        await wall.until(job.id, DONE)
    ended = await store.jobs.get(job.id)
    assert (ended.attempt, ended.tries, ended.state) == (2, 3, DONE)
    (kept,) = (await store.pictures.of_jobs([job.id]))[job.id]
    assert await store.files.get(kept.file) == png()


async def test_a_job_that_keeps_ending_its_worker_fails(store, wall):
    """Each death of a worker counts as two tries, so after two deaths the job fails, and the user gets the reason."""
    job = await accepted(store, await user_of(store))
    script = Script(**{"a red circle": [(DIED,)]})
    async with dispatching(store, script, wall):
        last = await wall.until(job.id, FAILED)
    assert len(script.begun) == 2
    assert "Try again" in last.status
    assert (await store.jobs.get(job.id)).problem == DIED.problem


async def test_a_job_that_keeps_ending_its_bot_fails(store, wall):
    """A job that took down the whole process three times is not begun a fourth time."""
    job = await accepted(store, await user_of(store))
    for _ in range(MOST_ATTEMPTS):
        await store.attempts.claim("dead")
        await run_out(store, job.id)
    script = Script()
    async with dispatching(store, script, wall):
        last = await wall.until(job.id, FAILED)
    assert script.begun == []
    assert str(MOST_ATTEMPTS) in last.status


@pytest.mark.parametrize(
    ("play", "key"),
    [
        ((Failed(Problem("memory-spent", {"width": 64, "height": 64})),), "memory-spent"),
        ((InferenceError("unknown-model", given="x", offered="demo", nearest=""),), "unknown-model"),
        ((Step(1, 2), ZeroDivisionError()), "fault-unexpected"),
        ((Step(1, 2),), "fault-unexpected"),
        ((Picture(index=0, seed=7, width=8, height=8, image=b"nonsense", thumbnail=b""),), "fault-unexpected"),
    ],
    ids=["memory", "model gone", "defect", "silence", "no picture"],
)
async def test_other_failures_are_told_at_once(store, wall, play, key):
    """A failure that a retry cannot fix ends the job at once with a sentence, and other jobs finish."""
    ann = await user_of(store)
    job, other = await accepted(store, ann, "bad"), await accepted(store, ann, "good")
    script = Script(bad=[play])
    async with dispatching(store, script, wall):
        last = await wall.until(job.id, FAILED)
        await wall.until(other.id, DONE)
    assert script.begun.count("bad") == 1
    assert (await store.jobs.get(job.id)).problem.key == key
    assert last.status
    assert "Something went wrong (" not in last.status


async def test_leaving_gives_running_jobs_back(store, wall):
    """A process that shuts down requeues its jobs without counting the try and in their old order, and the next process runs them."""
    held = asyncio.Event()
    ann = await user_of(store)
    jobs = [await accepted(store, ann, words) for words in "abc"]
    script = Script(a=[(Step(1, 2), held), PAINTED], b=[(held,), PAINTED])
    async with dispatching(store, script, wall, most=2):
        await wall.until(jobs[1].id, RUNNING)
        await script.running.wait()
    assert sorted(script.closed) == ["a", "b"]
    for job in jobs:
        found = await store.jobs.get(job.id)
        assert (found.state, found.tries) == (WAITING, 0)
    async with dispatching(store, script, wall, most=1):
        for job in jobs:
            await wall.until(job.id, DONE)
    assert script.begun[-3:] == ["a", "b", "c"]


async def test_jobs_of_the_dead_are_painted_at_once(store, wall):
    """After a crash, a restarted process does not wait for the leases of its former self."""
    code = "from bot.core.process_id import runner_name; print(runner_name())"
    gone = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (job,) = await store.jobs.accept([new_job(await user_of(store))], gone.stdout.strip())
    async with dispatching(store, Script(), wall):
        await wall.until(job.id, DONE)
    assert (await store.jobs.get(job.id)).tries == 2


def test_runners_know_their_dead():
    """A process id is known as dead only if its process on this computer has ended; invalid ids are not."""
    name = runner_name()
    host, pid, began, chance = name.split("/")
    assert not is_gone(name)
    assert is_gone(f"{host}/{pid}/1.00/{chance}")
    assert is_gone(f"{host}/{2**22 + 1}/{began}/{chance}")
    for other in (f"elsewhere/{pid}/1.00/x", "", "x", f"{host}", f"{host}/pid/1/x", f"{host}/²/1/x"):
        assert not is_gone(other)


async def test_a_platform_that_breaks_costs_nobody_a_picture(store):
    """Whatever an adapter raises, the job and the next job finish."""
    ended = asyncio.Event()
    last = []

    async def show(card, _address):
        last.append(card)
        if not card.is_open and len({one.job for one in last if not one.is_open}) == 2:
            ended.set()
        raise ZeroDivisionError

    ann = await user_of(store)
    jobs = [await accepted(store, ann, words) for words in "ab"]
    async with Dispatcher(store, Script(), Told(show), ["web"], poll_seconds=0.02):
        await ended.wait()
    assert [await state_of(store, job) for job in jobs] == [DONE, DONE]


async def test_the_result_waits_for_no_progress(store):
    """While a slow platform still shows the first step, the job is already done in the store, and older cards are dropped."""
    begun, slow, shown = asyncio.Event(), asyncio.Event(), []

    async def show(card, _address):
        shown.append(card)
        if card.progress is not None:
            begun.set()
            await slow.wait()

    job = await accepted(store, await user_of(store))
    script = Script(**{"a red circle": [(Step(1, 50), begun, *(Step(n, 50) for n in range(2, 51)), *PAINTED[2:])]})
    async with Dispatcher(store, script, Told(show), ["web"], poll_seconds=0.02):
        await until_state(store, job, DONE)
        slow.set()
        await until(lambda: shown[-1].state == DONE)
    assert len([card for card in shown if card.progress is not None]) <= 2


async def test_a_late_look_never_hides_the_result(store, wall):
    """However a repeated view and the end of a job overlap, the last card is the result."""
    held = asyncio.Event()
    job = await accepted(store, await user_of(store))
    script = Script(**{"a red circle": [(Step(1, 2), held, *PAINTED)]})
    async with dispatching(store, script, wall) as dispatcher:
        await script.running.wait()
        looks = [asyncio.create_task(dispatcher.show(job.id)) for _ in range(10)]
        held.set()
        looks += [asyncio.create_task(dispatcher.show(job.id)) for _ in range(10)]
        await asyncio.gather(*looks)
        await wall.until(job.id, DONE)
        await asyncio.sleep(0.05)
    states = [card.state for card in wall.of(job.id)]
    assert states == sorted(states, key=[WAITING, RUNNING, DONE].index)


class Flaky(Attempts):
    """A job store that fails now and then, like a database that restarts."""

    def __init__(self, store, **away):
        super().__init__(store.database, store.policy)
        self.away = away

    def fail(self, name):
        """Set how many more calls fail."""
        if self.away.get(name, 0):
            self.away[name] -= 1
            raise OperationalError("", {}, ConnectionError())


for name in ("claim", "beat", "finish", "again", "leave"):

    async def call(self, *given, _name=name, **named):
        Flaky.fail(self, _name)
        return await getattr(Attempts, _name)(self, *given, **named)

    setattr(Flaky, name, call)


def flaky(store, **away):
    """Return a store whose job methods fail this many times."""
    return dataclasses.replace(store, attempts=Flaky(store, **away))


async def test_a_store_that_is_away_ends_nothing(store, wall, monkeypatch):
    """Claims, heartbeats and results that fail for a moment are retried, and no picture is lost."""
    monkeypatch.setattr(module, "_PAUSES", (0.01,) * 4)
    held = asyncio.Event()
    job = await accepted(store, await user_of(store))
    away = flaky(store, claim=3, beat=3, finish=3, again=2)
    script = Script(**{"a red circle": [(DIED,), (held, *PAINTED)]})
    async with dispatching(away, script, wall):
        await script.running.wait()
        await until(lambda: not away.attempts.away["beat"])
        held.set()
        await wall.until(job.id, DONE)
    assert away.attempts.away == {"claim": 0, "beat": 0, "finish": 0, "again": 0}
    assert len(script.begun) == 2


async def test_a_store_that_stays_away_costs_one_repeat(store, wall, monkeypatch):
    """If a result cannot be stored at all, the lease expires and the job runs again."""
    monkeypatch.setattr(module, "_PAUSES", ())
    script = Script()
    job = await accepted(store, await user_of(store))
    async with dispatching(flaky(store, finish=1, leave=1), script, wall) as dispatcher:
        await until(lambda: script.closed and not dispatcher._held)
        assert await state_of(store, job) == RUNNING
        await run_out(store, job.id)
        await wall.until(job.id, DONE)


async def test_who_paints_one_job_can_stop(store, wall):
    """If a task that runs its own job is cancelled, the engine stops, and other processes can take the job at once."""
    script = Script(endless=[(asyncio.Event(),)])
    async with dispatching(store, script, wall, platforms=[], most=0) as dispatcher:
        (job,) = await store.jobs.accept([new_job(await user_of(store), "endless")], dispatcher.runner)

        async def wait():
            await dispatcher.paint(job)

        waiting = asyncio.create_task(wait())
        await script.running.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        found = await store.jobs.get(job.id)
        assert (found.state, found.tries) == (WAITING, 0)
        assert script.closed == ["endless"]
        assert wall.of(job.id)[-1].state == WAITING


async def test_notes_do_not_disturb(store, wall):
    """Notes from the engine do not end a job."""
    script = Script(**{"a red circle": [(Note(Problem("memory-smaller", {"width": 8, "height": 8, "asked": "9 x 9"})), *PAINTED)]})
    job = await accepted(store, await user_of(store))
    async with dispatching(store, script, wall):
        await wall.until(job.id, DONE)


async def test_a_job_that_is_gone_is_no_trouble(store, wall):
    """Showing a job that does not exist shows nothing."""
    async with dispatching(store, Script(), wall) as dispatcher:
        await dispatcher.show("nothing")
    assert wall.cards == []
