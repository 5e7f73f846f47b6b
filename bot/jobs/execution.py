"""Execute attempts at jobs, classify failures, and store the outcome with retries while the store is unavailable.

`Counters` counts outcomes since this process began, for the operator. No count identifies a user.
"""

import asyncio
import contextlib
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from time import monotonic
from typing import TypeVar

import msgspec

from bot.core.errors import BotError
from bot.core.values import new_id
from bot.jobs.eta import CostLearner, EtaService
from bot.jobs.progress import ProgressReporter
from bot.store.images.blobs import BlobStore
from bot.store.jobs.job import MOST_ATTEMPTS, Job, Painted
from bot.store.store import Store
from bot.views.job_card import Progress
from inference.contract.engine import Engine
from inference.contract.errors import InferenceError, Problem
from inference.contract.inputs import Input
from inference.contract.provenance import Provenance
from inference.contract.request import Done, Failed, Note, Picture, Step

#: The most distinct keys that are counted; platforms name their own reasons, and unlimited keys would fill the metrics store.
_MOST_KINDS = 50


_UNUSUAL = re.compile(r"[^\w.-]+", re.ASCII)


class Counters:
    """Completed jobs, failed jobs by problem key, and failed deliveries by reason."""

    def __init__(self) -> None:
        self.done = 0
        self.failed: Counter[str] = Counter()
        self.not_sent: Counter[str] = Counter()

    def count_done(self) -> None:
        """Count a job whose pictures are stored."""
        self.done += 1

    def count_failed(self, key: str) -> None:
        """Count a job that failed."""
        _count(self.failed, key)

    def count_not_sent(self, reason: str) -> None:
        """Count a delivery attempt that failed."""
        _count(self.not_sent, reason)


def _count(counts: Counter[str], kind: str) -> None:
    name = _UNUSUAL.sub("-", kind)[:40] or "unknown"
    counts[name if name in counts or len(counts) < _MOST_KINDS else "other"] += 1


class ExecutionResult(msgspec.Struct, frozen=True):
    """The outcome of an attempt: its pictures (files already stored), their device seconds, and the provenance."""

    pictures: tuple[Painted, ...]
    device_seconds: float
    proof: Provenance | None = None


async def attempt(
    job: Job, engine: Engine, files: BlobStore, step: Callable[[Job, Progress], None], note: Callable[[Job, Note], None]
) -> ExecutionResult:
    """Paint a job and return the result; `step` and `note` receive the progress.

    Raises `BotError` or `InferenceError` if it fails. Cancellation stops the work at its next step.
    """
    # The job may have a new owner: two users may have been linked since it was accepted.
    request = msgspec.structs.replace(job.request, inputs=await _inputs(job, files), share=job.user, weight=job.weight)
    painted: list[Painted] = []
    clock = _Clock()
    async with contextlib.aclosing(engine.run(request)) as events:
        async for event in events:
            match event:
                case Step():
                    step(job, clock.progress(event))
                case Picture():
                    painted.append(await _kept(event, files))
                case Note():
                    note(job, event)
                case Done(device_seconds, _, proof):
                    return ExecutionResult(tuple(sorted(painted, key=lambda one: one.index)), device_seconds, proof)
                case Failed(problem):
                    raise InferenceError.of(problem)
    raise RuntimeError("the engine ended without a result")


class _Clock:
    """Estimates the remaining time from the first step on: the time before was loading."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._preview: bytes | None = None

    def progress(self, step: Step) -> Progress:
        """Return the progress after a step."""
        if step.n <= 1:
            self._began = monotonic()
        self._preview = step.preview or self._preview
        left = (monotonic() - self._began) / (step.n - 1) * (step.of - step.n) if 2 <= step.n < step.of else None
        return Progress(step.n, step.of, left, self._preview)


async def _inputs(job: Job, files: BlobStore) -> tuple[Input, ...]:
    try:
        return tuple([Input(one.role, await files.get(one.file)) for one in job.inputs])
    except FileNotFoundError:
        raise BotError("input-picture-gone") from None


async def _kept(picture: Picture, files: BlobStore) -> Painted:
    return Painted(
        index=picture.index,
        seed=picture.seed,
        width=picture.width,
        height=picture.height,
        bytes=len(picture.image),
        file=await files.put(picture.image),
        thumbnail=await files.put(picture.thumbnail),
    )


log = logging.getLogger("easel.jobs")

T = TypeVar("T")

#: Pauses before a result is stored again while the store is unavailable.
_PAUSES = (0.5, 2.0, 5.0, 10.0)

#: Key prefixes of problems that the user can fix.
_THEIRS = frozenset({"input", "picture", "range", "unknown"})

#: Engine failures that may not be caused by the request: the job is retried.
_NOT_TO_BLAME = ("worker-died", "worker-hung", "worker-garbled", "output-unkept")

#: No worker can start: no request is at fault, and all jobs can wait until the operator has fixed it.
_NOBODY_PAINTS = "worker-start"


class JobExecution:
    """Executes jobs, `in_work` at a time, and stores the outcome.

    `is_patient`: if no worker can start, jobs wait in the queue until it can; otherwise they fail, and the user is told at once.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        telling: ProgressReporter,
        sight: EtaService,
        learning: CostLearner,
        in_work: Collection[Job],
        *,
        meters: Counters,
        is_patient: bool,
        is_mirrored: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._engine = engine
        self._telling = telling
        self._sight = sight
        self._learning = learning
        self._in_work = in_work
        self._meters = meters
        self._is_patient = is_patient
        self._is_mirrored = is_mirrored
        # Any job that ran when a worker or the bot died may have caused it. These jobs are retried one at a time, so that the faulty
        # job does not repeatedly take down the others until none has an attempt left.
        self._suspect = asyncio.Lock()

    async def attempted(self, job: Job) -> Job | None:
        """Make an attempt and store the outcome; return the next attempt if there must be another."""
        attempts = self._store.attempts
        outcome = await self._tried(job)
        if isinstance(outcome, ExecutionResult):
            await self._finished(job, outcome)
            return None
        if outcome.key == _NOBODY_PAINTS and self._is_patient:
            log.error("job.waits job=%s reason=%s", job.id, outcome.key)
            await self.stopped(job, None)
            return None
        # A job that ran alone when the process died, or had already been present at such a death, is most likely the cause.
        blamed = outcome.key.startswith("worker-") and (job.tries > 1 or len(self._in_work) == 1)
        if outcome.key not in _NOT_TO_BLAME or job.tries + blamed >= MOST_ATTEMPTS:
            await self._failed(job, outcome)
            return None
        log.warning("job.again job=%s attempt=%s reason=%s", job.id, job.attempt, outcome.key)
        if (next_one := await self._surely(partial(attempts.again, job, blamed=blamed))) is None:
            await self._overtaken(job)
        return next_one

    async def _finished(self, job: Job, result: ExecutionResult) -> None:
        """Store the result; if the job was cancelled at the last moment, all of its work was done and is charged."""
        self._learning.painted(job, result.device_seconds, sum(one.request.count for one in self._in_work))
        # Another process may deliver the end; it does not know what this process still shows.
        await self._telling.settle(job)
        if await self._surely(partial(self._store.attempts.finish, job, result.pictures, result.device_seconds, result.proof)):
            self._sight.ended(job, painted=True)
            self._meters.count_done()
        else:
            await self._surely(partial(self._store.attempts.stopped, job, 1.0))
            await self._overtaken(job)

    async def _failed(self, job: Job, problem: Problem) -> None:
        """Store why a job failed for good."""
        # The user is told about problems they can fix; they must not alert an operator.
        level = logging.INFO if problem.key.partition("-")[0] in _THEIRS else logging.WARNING
        log.log(level, "job.failed job=%s attempt=%s reason=%s", job.id, job.attempt, problem.key)
        self._meters.count_failed(problem.key)
        await self._telling.settle(job)
        if not await self._surely(partial(self._store.attempts.fail, job, problem)):
            await self._overtaken(job)
        self._sight.ended(job, painted=False)

    async def _overtaken(self, job: Job) -> None:
        """Show a job as another process left it: while stalled, this process may have shown old progress over a newer end."""
        now = await self._store.jobs.get(job.id)
        # An open job is shown by its present runner: shown here it could be late and cover the end.
        if now is not None and (not now.is_open or self._is_mirrored(now.address.platform)):
            await self._telling.show(job.id)

    async def stopped(self, job: Job, progress: Progress | None) -> None:
        """Release a job that was stopped during its work."""
        # If its user cancelled it, it is not ours to release; otherwise only this process knows that it is free.
        if not await self._store.attempts.give_back(job):
            await self._store.attempts.stopped(job, progress.n / progress.of if progress else 0.0)
        await self._overtaken(job)

    async def _tried(self, job: Job) -> ExecutionResult | Problem:
        """Make one attempt and return its outcome."""
        if job.tries > MOST_ATTEMPTS:
            return Problem("job-poison", {"attempts": MOST_ATTEMPTS})
        try:
            async with self._suspect if job.tries > 1 else contextlib.nullcontext():
                return await attempt(job, self._engine, self._store.files, self._telling.step, _noted)
        except (BotError, InferenceError) as error:
            return error.problem
        except Exception:
            incident = new_id()
            log.exception("job.broke job=%s incident=%s", job.id, incident)
            return Problem("fault-unexpected", {"incident": incident})

    async def _surely(self, change: Callable[[], Awaitable[T]]) -> T:
        """Apply a change to the store, with retries while it is unavailable: finished pictures must not be lost."""
        for pause in _PAUSES:
            try:
                return await change()
            except Exception as error:
                log.error("jobs.store_away reason=%s", type(error).__name__)
            await asyncio.sleep(pause)
        return await change()


def _noted(job: Job, note: Note) -> None:
    log.info("job.note job=%s note=%s", job.id, note.problem.key)
