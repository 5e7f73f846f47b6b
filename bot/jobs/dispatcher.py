"""The dispatcher: takes the job whose turn it is from the store, has it painted, keeps the pictures, and tells how far it is."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from bot.cards import Card, Progress
from bot.errors import BotError
from bot.jobs import painting
from bot.jobs.runners import is_gone, runner_name
from bot.jobs.telling import Show, Telling
from bot.store.jobs import BEAT_SECONDS, CANCELLED, MOST_ATTEMPTS, Job
from bot.store.store import Store
from bot.values import new_id
from inference.engine import Engine
from inference.errors import InferenceError, Problem
from inference.request import Note

log = logging.getLogger("easel.jobs")

T = TypeVar("T")

#: Requests in the engine at a time: enough to fill its batches, few enough that the order of turns is still ours.
MOST_RUNNING = 16

#: How often the store is asked for work that nobody announced, such as a job whose runner fell silent.
POLL_SECONDS = 2.0

#: Pauses before a result is taken to the store again, where the store was away.
_PAUSES = (0.5, 2.0, 5.0, 10.0)

#: How long the store may take over what it was last asked before everything ends.
_LEAVE_SECONDS = 5.0

#: How the keys of problems begin that are the asking person's to mend.
_THEIRS = frozenset({"input", "picture", "range", "unknown"})

#: Failures of the engine that may say nothing about the request: it is tried again.
_NOT_TO_BLAME = ("worker-died", "worker-hung", "worker-garbled")


class Dispatcher:
    """Paints jobs of the `platforms` it serves, and those that were left behind; an async context manager.

    `wake` says that there may be work; `paint`, `show` and `progress` are about one job. Leaving it gives running jobs back to the
    line. No failure of a job, of the store or of a platform ends it.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        show: Show,
        platforms: Sequence[str],
        most: int = MOST_RUNNING,
        *,
        beat_seconds: float = BEAT_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.runner = runner_name()
        self._store = store
        self._engine = engine
        self._telling = Telling(store, show)
        self._platforms = tuple(platforms)
        self._most = most
        self._beat_seconds = beat_seconds
        self._poll_seconds = poll_seconds
        self._work = asyncio.Event()
        #: The jobs that are being painted here; a job leaves it before its end is shown.
        self._held: dict[str, asyncio.Task[None]] = {}
        self._painting: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        # Whoever was there when a worker or a bot died may be what ended it. They are tried again one at a time, so that the guilty
        # one does not take all the others with it each time until nobody has an attempt left.
        self._suspect = asyncio.Lock()
        self._leaving = asyncio.Event()

    async def __aenter__(self) -> Self:
        gone = [runner for runner in await self._store.jobs.runners() if is_gone(runner)]
        if gone and (count := await self._store.jobs.release(gone)):
            log.warning("jobs.left_behind count=%s", count)
        self._tasks = [asyncio.create_task(self._dispatch()), asyncio.create_task(self._beat())]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # First nothing new begins, then what has begun ends. Whoever speaks with the store now may finish the sentence.
        self._leaving.set()
        self.wake()
        await asyncio.wait(self._tasks, timeout=_LEAVE_SECONDS)
        await _ended([*self._tasks, *self._painting])
        await self._telling.close()
        try:
            await self._store.jobs.leave(self.runner)
        except Exception as failure:
            # Their leases run out by themselves.
            log.error("jobs.leave_failed reason=%s", type(failure).__name__)

    def wake(self) -> None:
        """Look for work now."""
        self._work.set()

    def progress(self, job_id: str) -> Progress | None:
        """Return how far a job is that is being painted here."""
        return self._telling.progress(job_id)

    async def card(self, job: Job) -> Card:
        """Return the card of a job as it is now."""
        return await self._telling.card(job)

    async def show(self, job_id: str) -> None:
        """Show a job as it is now, where it belongs; stop painting it where it was cancelled."""
        job = await self._store.jobs.get(job_id)
        if (job is None or job.state == CANCELLED) and (task := self._held.get(job_id)) is not None:
            task.cancel()
        await self._telling.show(job_id)

    def paint(self, job: Job) -> asyncio.Task[None]:
        """Begin to paint a job that is leased to this runner, and return its task, which raises nothing of its own."""
        if (overtaken := self._held.pop(job.id, None)) is not None:
            # Its lease ran out while this process was held up, and now it comes back as a new attempt.
            overtaken.cancel()
        task = self._held[job.id] = asyncio.create_task(self._paint(job))
        self._painting.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._painting.discard(task)
        self.wake()

    async def _dispatch(self) -> None:
        """Keep the engine busy with whose turn it is."""
        while not self._leaving.is_set():
            self._work.clear()
            try:
                await self._fill()
            except Exception as error:
                # A database that is away for a moment must not end the bot.
                log.error("jobs.claim_failed reason=%s", type(error).__name__)
            await _either(self._work, self._poll_seconds)

    async def _fill(self) -> None:
        while len(self._painting) < self._most and (job := await self._store.jobs.claim(self.runner, self._platforms)) is not None:
            if self._leaving.is_set():
                return
            self.paint(job)

    async def _beat(self) -> None:
        """Keep the leases, and stop what is no longer ours: cancelled elsewhere, or taken over."""
        while not self._leaving.is_set():
            await _either(self._leaving, self._beat_seconds)
            held = dict(self._held)
            try:
                kept = await self._store.jobs.beat(self.runner, tuple(held)) if held else frozenset()
            except Exception as error:
                log.error("jobs.beat_failed reason=%s", type(error).__name__)
                continue
            for job_id in held.keys() - kept:
                # What has come to its end meanwhile has left `_held`, and is not to be disturbed while that is shown.
                if self._held.get(job_id) is held[job_id]:
                    held[job_id].cancel()

    async def _paint(self, job: Job) -> None:
        """Paint a job to its end, whatever that is, and show it."""
        self._telling.step(job, None)
        latest: Job | None = job
        try:
            while latest is not None:
                latest = await self._attempted(latest)
        except Exception:
            # The store was away for too long: the lease runs out, and whoever comes next paints the job again.
            log.exception("job.lost job=%s", job.id)
        finally:
            if self._held.get(job.id) is asyncio.current_task():
                del self._held[job.id]
                self._telling.forget(job.id)
            if not self._leaving.is_set():
                await self._shown(job.id)

    async def _shown(self, job_id: str) -> None:
        try:
            await self._telling.show(job_id)
        except Exception as error:
            log.error("jobs.show_failed job=%s reason=%s", job_id, type(error).__name__)

    async def _attempted(self, job: Job) -> Job | None:
        """Make an attempt and keep what came of it; return the next attempt where there has to be one."""
        jobs = self._store.jobs
        try:
            outcome = await self._tried(job)
            if isinstance(outcome, painting.Result):
                await self._surely(partial(jobs.finish, job, outcome.pictures, outcome.device_seconds))
                return None
            if outcome.key not in _NOT_TO_BLAME or job.tries >= MOST_ATTEMPTS:
                # What the person can mend is told to them; an operator is not to be woken for it.
                level = logging.INFO if outcome.key.partition("-")[0] in _THEIRS else logging.WARNING
                log.log(level, "job.failed job=%s attempt=%s reason=%s", job.id, job.attempt, outcome.key)
                await self._surely(partial(jobs.fail, job, outcome))
                return None
            log.warning("job.again job=%s attempt=%s reason=%s", job.id, job.attempt, outcome.key)
            return await self._surely(partial(jobs.again, job))
        except asyncio.CancelledError:
            # Where a person cancelled it, it is no longer ours to give back; otherwise nobody else knows that it is free. When all
            # of this ends, all jobs are given back together.
            if not self._leaving.is_set():
                with contextlib.suppress(Exception):
                    await asyncio.shield(jobs.give_back(job))
            raise

    async def _tried(self, job: Job) -> painting.Result | Problem:
        """Make one attempt and return what came of it."""
        if job.tries > MOST_ATTEMPTS:
            return Problem("job-poison", {"attempts": MOST_ATTEMPTS})
        try:
            async with self._suspect if job.tries > 1 else contextlib.nullcontext():
                return await painting.attempt(job, self._engine, self._store.files, self._telling.step, _noted)
        except (BotError, InferenceError) as error:
            return error.problem
        except Exception:
            incident = new_id()
            log.exception("job.broke job=%s incident=%s", job.id, incident)
            return Problem("fault-unexpected", {"incident": incident})

    async def _surely(self, change: Callable[[], Awaitable[T]]) -> T:
        """Make a change in the store; after pauses where it is away: what was painted must not be lost to that."""
        for pause in _PAUSES:
            try:
                return await change()
            except Exception as error:
                log.error("jobs.store_away reason=%s", type(error).__name__)
            await asyncio.sleep(pause)
        return await change()


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, or so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _noted(job: Job, note: Note) -> None:
    log.info("job.note job=%s %s", job.id, note.problem.key)
