"""Attempts at a job: made, judged, and their outcome kept, also where the store is away for a moment."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from time import monotonic
from typing import TypeVar

import msgspec

from bot.core.errors import BotError
from bot.core.values import new_id
from bot.jobs.counters import Counters
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


class ExecutionResult(msgspec.Struct, frozen=True):
    """What an attempt came to: its pictures, the files already kept, the seconds they took of the device, and what painted them."""

    pictures: tuple[Painted, ...]
    device_seconds: float
    proof: Provenance | None = None


async def attempt(
    job: Job, engine: Engine, files: BlobStore, step: Callable[[Job, Progress], None], note: Callable[[Job, Note], None]
) -> ExecutionResult:
    """Have a job painted and return what came of it; `step` and `note` hear how it goes.

    Raises `BotError` or `InferenceError` where it failed. Being cancelled cancels the work at its next step.
    """
    # Whose turn it takes is whose job it is now: two persons may have become one since it was accepted.
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
    """Reckons how long the rest of the steps takes, from the first step on: what came before was loading."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._preview: bytes | None = None

    def progress(self, step: Step) -> Progress:
        """Return how far it is after a step."""
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

#: Pauses before a result is taken to the store again, where the store was away.
_PAUSES = (0.5, 2.0, 5.0, 10.0)

#: How the keys of problems begin that are the asking person's to mend.
_THEIRS = frozenset({"input", "picture", "range", "unknown"})

#: Failures of the engine that may say nothing about the request: it is tried again.
_NOT_TO_BLAME = ("worker-died", "worker-hung", "worker-garbled", "output-unkept")

#: No worker can start: that says nothing about any request, and all of them can wait until somebody has mended it.
_NOBODY_PAINTS = "worker-start"


class JobExecution:
    """Has jobs painted, `in_work` of them at a time, and keeps what comes of it.

    `is_patient`: where no worker can start, jobs wait in line until one can; otherwise they fail, and somebody is told at once.
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
        # Whoever was there when a worker or a bot died may be what ended it. They are tried again one at a time, so that the guilty
        # one does not take all the others with it each time until nobody has an attempt left.
        self._suspect = asyncio.Lock()

    async def attempted(self, job: Job) -> Job | None:
        """Make an attempt and keep what came of it; return the next attempt where there has to be one."""
        attempts = self._store.attempts
        outcome = await self._tried(job)
        if isinstance(outcome, ExecutionResult):
            await self._finished(job, outcome)
            return None
        if outcome.key == _NOBODY_PAINTS and self._is_patient:
            log.error("job.waits job=%s reason=%s", job.id, outcome.key)
            await self.stopped(job, None)
            return None
        # Whoever was alone with the process that died, or was there before when one did, is most likely why.
        blamed = outcome.key.startswith("worker-") and (job.tries > 1 or len(self._in_work) == 1)
        if outcome.key not in _NOT_TO_BLAME or job.tries + blamed >= MOST_ATTEMPTS:
            await self._failed(job, outcome)
            return None
        log.warning("job.again job=%s attempt=%s reason=%s", job.id, job.attempt, outcome.key)
        if (next_one := await self._surely(partial(attempts.again, job, blamed=blamed))) is None:
            await self._overtaken(job)
        return next_one

    async def _finished(self, job: Job, result: ExecutionResult) -> None:
        """Keep what was painted; where the job was cancelled in its last moment, all of the work was done for it."""
        self._learning.painted(job, result.device_seconds, sum(one.request.count for one in self._in_work))
        # The end may be told by another process, which knows nothing of what this one still shows.
        await self._telling.settle(job)
        if await self._surely(partial(self._store.attempts.finish, job, result.pictures, result.device_seconds, result.proof)):
            self._sight.ended(job, painted=True)
            self._meters.count_done()
        else:
            await self._surely(partial(self._store.attempts.stopped, job, 1.0))
            await self._overtaken(job)

    async def _failed(self, job: Job, problem: Problem) -> None:
        """Keep why a job failed for good."""
        # What the person can mend is told to them; an operator is not to be woken for it.
        level = logging.INFO if problem.key.partition("-")[0] in _THEIRS else logging.WARNING
        log.log(level, "job.failed job=%s attempt=%s reason=%s", job.id, job.attempt, problem.key)
        self._meters.count_failed(problem.key)
        await self._telling.settle(job)
        if not await self._surely(partial(self._store.attempts.fail, job, problem)):
            await self._overtaken(job)
        self._sight.ended(job, painted=False)

    async def _overtaken(self, job: Job) -> None:
        """Show a job as others left it: while this process was held up it may have told old progress over a newer end."""
        now = await self._store.jobs.get(job.id)
        # What is open is for whoever has it now to show: said here it could come late, and cover the end.
        if now is not None and (not now.is_open or self._is_mirrored(now.address.platform)):
            await self._telling.show(job.id)

    async def stopped(self, job: Job, progress: Progress | None) -> None:
        """Let go of a job that was stopped in the middle of its work."""
        # Where its person cancelled it, it is not ours to give back; otherwise nobody else knows that it is free.
        if not await self._store.attempts.give_back(job):
            await self._store.attempts.stopped(job, progress.n / progress.of if progress else 0.0)
        await self._overtaken(job)

    async def _tried(self, job: Job) -> ExecutionResult | Problem:
        """Make one attempt and return what came of it."""
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
        """Make a change in the store; after pauses where it is away: what was painted must not be lost to that."""
        for pause in _PAUSES:
            try:
                return await change()
            except Exception as error:
                log.error("jobs.store_away reason=%s", type(error).__name__)
            await asyncio.sleep(pause)
        return await change()


def _noted(job: Job, note: Note) -> None:
    log.info("job.note job=%s note=%s", job.id, note.problem.key)
