"""Dispatch jobs: claim the next job from the store, execute it, store its pictures and report its progress."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

from bot.core.process_id import is_gone, runner_name
from bot.core.scheduling import Costs
from bot.core.shielded import ShieldedTasks
from bot.core.values import log_context
from bot.jobs.delivery import DeliveryService, Platforms
from bot.jobs.eta import CostLearner, EtaService
from bot.jobs.execution import Counters, JobExecution
from bot.jobs.progress import ProgressReporter
from bot.store.database_notify import listen
from bot.store.jobs.job import BEAT_SECONDS, CANCELLED, Job
from bot.store.store import Store
from bot.views.job_card import JobView, Progress
from inference.contract.engine import Engine

log = logging.getLogger("easel.jobs")

#: Concurrent requests in the engine: enough to fill its batches, few enough that the fair queue still decides the order.
MOST_RUNNING = 16

#: How often the store is polled for unannounced work, such as a job whose runner stopped responding.
POLL_SECONDS = 2.0

#: How long the store and the platforms may take to complete their last operations at shutdown.
_LEAVE_SECONDS = 5.0

#: Heartbeats between two cleanups of abandoned work, which is rare.
_SWEEP_BEATS = 12


class Dispatcher:
    """Executes queued jobs and delivers results for the `platforms` it serves; an async context manager.

    `wake` announces work; `paint`, `show` and `progress` concern a single job. On exit, running jobs may finish for
    `drain_seconds`; the rest return to the queue. No failure of a job, of the store or of a platform ends the dispatcher.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        shown: Platforms,
        platforms: Sequence[str],
        most: int = MOST_RUNNING,
        *,
        costs: Costs | None = None,
        devices: int = 1,
        drain_seconds: float = 0.0,
        least_free: int = 0,
        beat_seconds: float = BEAT_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.runner = runner_name()
        self._store = store
        self._engine = engine
        self._shown = shown
        self.sight = EtaService(store, devices)
        self.meters = Counters()
        self._telling = ProgressReporter(store, shown.show, shown.settle, self.sight.foresee)
        self._delivering = DeliveryService(store, self._telling, shown.deliver, platforms, self.runner, poll_seconds, self.meters)
        self._learning = CostLearner(store, costs or Costs())
        self._most = most
        self._drain_seconds = drain_seconds
        self._least_free = least_free
        #: Tasks and their jobs, and the model of the latest job.
        self._jobs: dict[asyncio.Task[None], Job] = {}
        self._last_model = ""
        self._beat_seconds = beat_seconds
        self._poll_seconds = poll_seconds
        self._work = asyncio.Event()
        #: Jobs that are running here; a job is removed before its end is shown.
        self._held: dict[str, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._releasing = ShieldedTasks()
        self._showing: set[asyncio.Task[None]] = set()
        #: Set when no new job is started any more, and when the running jobs have ended.
        self._leaving, self._left = asyncio.Event(), asyncio.Event()
        self._attempting = JobExecution(
            store,
            engine,
            self._telling,
            self.sight,
            self._learning,
            self._jobs.values(),
            meters=self.meters,
            is_patient=most > 0,
            is_mirrored=shown.is_mirrored,
        )

    async def __aenter__(self) -> Self:
        holders = {*await self._store.attempts.runners(), *await self._store.outbox.runners()}
        if gone := [runner for runner in holders if is_gone(runner)]:
            count = await self._store.attempts.release(gone)
            log.warning("jobs.left_behind count=%s deliveries=%s", count, await self._store.outbox.release(gone))
        await self._learning.begin()
        self._tasks = [asyncio.create_task(doing) for doing in (self._dispatch(), self._beat(), self._delivering.work())]
        if not self._store.database.is_sqlite:
            self._tasks.append(asyncio.create_task(listen(self._store.database, self._heard)))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # First no new job starts, then the running jobs end. Store operations in progress may complete.
        self._leaving.set()
        if self._jobs and self._drain_seconds:
            log.info("jobs.draining count=%s", len(self._jobs))
            await asyncio.wait(tuple(self._jobs), timeout=self._drain_seconds)
        self.wake()
        # A claim in progress is completed first; otherwise its job would be leased without a runner.
        await asyncio.wait(self._tasks[:1], timeout=_LEAVE_SECONDS)
        await _ended(tuple(self._jobs))
        await self._releasing.drain(_LEAVE_SECONDS)
        self._left.set()
        await self._delivering.leave(_LEAVE_SECONDS)
        await asyncio.wait(self._tasks[1:2], timeout=_LEAVE_SECONDS)
        await _ended([*self._tasks, *self._showing])
        await self._telling.close()
        await self._learning.keep(self.pictures_in_work)
        try:
            await self._store.attempts.leave(self.runner)
        except Exception as failure:
            # Their leases expire by themselves.
            log.error("jobs.leave_failed reason=%s", type(failure).__name__)

    def serve(self, platforms: Sequence[str]) -> None:
        """Set the platforms that run here; call it before entering if they were not known at construction."""
        self._delivering.serve(platforms)

    def wake(self) -> None:
        """Look for queued jobs, and for results to deliver, now."""
        self._work.set()
        self._delivering.wake()
        self.sight.changed()

    @property
    def is_leaving(self) -> bool:
        """Return whether no new job is started any more."""
        return self._leaving.is_set()

    @property
    def pictures_in_work(self) -> int:
        """Return how many pictures are being painted here."""
        return sum(job.request.count for job in self._jobs.values())

    def _heard(self, news: str) -> None:
        """Handle a notification of another process that shares the store."""
        kind, about, runner = [*news.split(":", 2), "", ""][:3]
        if (kind == "job" and about in self._held) or (kind == "show" and runner != self.runner):
            # As a task: a platform that hangs must not block notifications.
            task = asyncio.create_task(self._reflected(about))
            self._showing.add(task)
            task.add_done_callback(self._showing.discard)
        self.wake()

    async def _reflected(self, job_id: str) -> None:
        """Update the state of a job that another process changed."""
        try:
            job = await self._store.jobs.get(job_id)
            # If both processes show to the same readers, only the process that paints or delivers does: a late message could cover the end.
            if job is not None and self._shown.is_mirrored(job.address.platform):
                await self.show(job_id)
            elif job_id in self._held:
                self._stop(job_id, job)
        except Exception as error:
            log.error("jobs.show_failed job=%s reason=%s", job_id, type(error).__name__)

    def progress(self, job_id: str) -> Progress | None:
        """Return the progress of a job that is running here."""
        return self._telling.progress(job_id)

    async def card(self, job: Job) -> JobView:
        """Return the current view of a job."""
        return await self._telling.card(job)

    async def show(self, job_id: str) -> None:
        """Show the current state of a job in its channel; stop the job if it was cancelled."""
        self.sight.changed()
        self._stop(job_id, await self._store.jobs.get(job_id))
        await self._telling.show(job_id)

    def _stop(self, job_id: str, job: Job | None) -> None:
        """Stop a job that was cancelled or deleted."""
        if (job is None or job.state == CANCELLED) and (task := self._held.get(job_id)) is not None:
            task.cancel()

    def paint(self, job: Job) -> asyncio.Task[None]:
        """Start a job that is leased to this runner and return its task, which raises no exceptions of its own."""
        if (overtaken := self._held.pop(job.id, None)) is not None:
            # Its lease expired while this process was stalled, and the job returns as a new attempt.
            overtaken.cancel()
        task = self._held[job.id] = asyncio.create_task(self._paint(job))
        self._jobs[task] = job
        self._last_model = job.request.model
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._jobs[task]
        self.wake()

    async def _dispatch(self) -> None:
        """Keep the engine busy with the next queued jobs."""
        while not self._leaving.is_set():
            self._work.clear()
            try:
                await self._fill()
            except Exception as error:
                # A short outage of the database must not end the bot.
                log.error("jobs.claim_failed reason=%s", type(error).__name__)
            await _either(self._work, self._poll_seconds)

    async def _fill(self) -> None:
        while len(self._jobs) < self._most and not self._leaving.is_set() and await self._is_able():
            job = await self._store.attempts.claim(self.runner, self._loaded(), self._engine.model_infos().keys(), tuple(self._held))
            if job is None:
                return
            self.sight.changed()
            if self._leaving.is_set():
                await self._store.attempts.give_back(job)
                return
            self.paint(job)

    async def _is_able(self) -> bool:
        """Return whether a job could succeed now: the engine can start, and the disk has space."""
        return self._engine.is_able and await self.has_room()

    async def has_room(self) -> bool:
        """Return whether the disk has as much free space as the operator wants."""
        return await self._store.files.room(self._least_free)

    def _loaded(self) -> Collection[str]:
        """Return the models that are certainly loaded: those of the running jobs, or of the latest job."""
        return {job.request.model for job in self._jobs.values()} or {self._last_model}

    async def _beat(self) -> None:
        """Extend the leases, and stop jobs that are no longer ours: cancelled elsewhere, or taken over."""
        for beats in itertools.count(1):
            await _either(self._left, self._beat_seconds)
            if self._left.is_set():
                return
            held = dict(self._held)
            try:
                kept = await self._store.attempts.beat(self.runner, tuple(held)) if held else frozenset()
            except Exception as error:
                log.error("jobs.beat_failed reason=%s", type(error).__name__)
                continue
            await self._tidy(sweep=beats % _SWEEP_BEATS == 0)
            for job_id in held.keys() - kept:
                # A job that ended in the meantime has left `_held`; it must not be disturbed while its end is shown.
                if self._held.get(job_id) is held[job_id]:
                    held[job_id].cancel()

    async def _tidy(self, *, sweep: bool) -> None:
        """Store the learned timings; now and then clean up abandoned work."""
        await self._learning.keep(self.pictures_in_work)
        try:
            if sweep and (count := await self._store.attempts.sweep()):
                log.info("jobs.settled count=%s", count)
        except Exception as error:
            log.error("jobs.sweep_failed reason=%s", type(error).__name__)

    async def _paint(self, job: Job) -> None:
        """Execute a job to its end, whatever the outcome; the outbox then holds the result."""
        log_context(job.id, job.user)
        self._telling.step(job, None)
        latest: Job | None = job
        try:
            while latest is not None:
                latest = await self._attempting.attempted(latest)
        except asyncio.CancelledError:
            # On shutdown all jobs are released together.
            progress = self._telling.progress(job.id)
            self._let_go(job)
            if not self._leaving.is_set():
                with contextlib.suppress(Exception):
                    await self._releasing.run(self._attempting.stopped(latest or job, progress))
            raise
        except Exception:
            # The store was unavailable for too long: the lease expires, and the next runner repeats the job.
            log.exception("job.lost job=%s", job.id)
        finally:
            self._let_go(job)

    def _let_go(self, job: Job) -> None:
        """Note that this task no longer executes a job."""
        if self._held.get(job.id) is asyncio.current_task():
            del self._held[job.id]
            self._telling.forget(job.id)


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most `seconds`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
