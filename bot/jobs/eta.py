"""Estimate when queued jobs will be painted, and measure how accurate the estimates were."""

import asyncio
import logging
import math
import sys
from collections.abc import Sequence
from time import monotonic

import msgspec

from bot.core.scheduling import Costs, Forecast, Timing, picture_steps
from bot.store.database import now
from bot.store.jobs.job import Job
from bot.store.jobs.queue import UserBacklog
from bot.store.store import Store

#: The maximal age of a queue snapshot: many job views are made from one snapshot.
_FRESH_SECONDS = 0.5

#: A snapshot this fast is refreshed with every change; for a longer queue, at most a tenth of the time is spent on snapshots.
_QUICK_SECONDS, _PART = 0.1, 10.0

#: Forecasts that are remembered until their job ends; beyond that the oldest are dropped.
_MOST_PROMISES = 10_000


class EtaErrors(msgspec.Struct):
    """Errors of forecasts: their count, the sum of the errors in seconds, and the sum of the actual waits in seconds."""

    count: int = 0
    seconds: float = 0.0
    waited: float = 0.0


class EtaService:
    """Makes forecasts. The first forecast of each job is compared with its actual wait."""

    def __init__(self, store: Store, devices: int = 1) -> None:
        self._store = store
        self._devices = max(1, devices)
        self._looked, self._fresh = -1e9, _FRESH_SECONDS
        self._is_stale = False
        self._stands: tuple[UserBacklog, ...] = ()
        self._busy = 0.0
        self._sharing = 1
        self._looking = asyncio.Lock()
        self._promises: dict[str, float] = {}
        self.errors = EtaErrors()

    def changed(self) -> None:
        """Invalidate the snapshot: a job was queued, started or ended."""
        self._is_stale = True

    async def foresee(self, job: Job) -> Forecast:
        """Return the forecast for a queued job."""
        await self._look()
        before = await self._store.line.before(job)
        seen = forecast(self._stands, job.user, before, job.cost, self._busy, self._devices * self._sharing)
        if seen.seconds is not None and job.id not in self._promises:
            self._promises[job.id] = monotonic() + seen.seconds
            if len(self._promises) > _MOST_PROMISES:
                del self._promises[next(iter(self._promises))]
        return seen

    def ended(self, job: Job, *, painted: bool) -> None:
        """Compare the forecast of a job with its actual wait, if the job was painted."""
        promise = self._promises.pop(job.id, None)
        if promise is not None and painted:
            self.errors.count += 1
            self.errors.seconds += abs(monotonic() - promise)
            self.errors.waited += (now() - job.created).total_seconds()

    async def _look(self) -> None:
        async with self._looking:
            began = monotonic()
            if began - self._looked < self._fresh and not (self._is_stale and self._fresh <= _FRESH_SECONDS):
                return
            self._is_stale = False
            self._stands = await self._store.line.stands()
            running = await self._store.work.running()
            moment = now()
            works = [(one.cost, (moment - one.started).total_seconds()) for one in running]
            # Processes that share the store share the queue; a process without running jobs is not counted.
            self._sharing = max(1, len({one.runner for one in running}))
            self._busy = busy_seconds(works, self._devices * self._sharing)
            self._looked = monotonic()
            took = self._looked - began
            self._fresh = _FRESH_SECONDS if took <= _QUICK_SECONDS else max(_FRESH_SECONDS, took * _PART) + _QUICK_SECONDS


log = logging.getLogger("easel.jobs")

#: If a picture takes longer or shorter than estimated by this factor, the queued jobs of its model are estimated again.
_WORTH = 1.25


class CostLearner:
    """Timings learned since they were last stored."""

    def __init__(self, store: Store, costs: Costs) -> None:
        self._store = store
        self._costs = costs
        self._new: dict[tuple[str, int, int, int], Timing] = {}
        #: The models and sizes that were painted in this process.
        self._warm: set[tuple[str, int, int]] = set()
        #: The factor by which each timing has changed since the queued jobs of its model were last estimated.
        self._off: dict[tuple[str, int, int, int], float] = {}

    async def begin(self) -> None:
        """Load the timings that were learned before."""
        self._costs.known(await self._store.timings.all())

    def painted(self, job: Job, device_seconds: float, pictures_in_work: int) -> None:
        """Learn from a job that ran together with others, `pictures_in_work` in all."""
        request = job.request
        steps = picture_steps(request, job.roles)
        shape = request.model, request.width, request.height
        if shape not in self._warm:
            # The first picture of a model and a size includes what the libraries prepare once: it says nothing about the next one.
            self._warm.add(shape)
            return
        before = self._costs.estimate(*shape, 1, pictures_in_work)
        timing = self._costs.measured(request.model, request.width, request.height, pictures_in_work, steps, device_seconds)
        if timing.count:
            self._new[timing.key] = timing
            self._off[timing.key] = self._off.get(timing.key, 1.0) * timing.seconds / before

    async def keep(self, in_work: int) -> None:
        """Store new timings, and estimate queued jobs again if they changed much, as if `in_work` pictures were painted beside them.

        Not with every job: a commit costs more than the timing of one job is worth.
        """
        new, self._new = self._new, {}
        try:
            for timing in new.values():
                await self._store.timings.keep(timing)
            for model in {key[0] for key, off in self._off.items() if not 1 / _WORTH < off < _WORTH}:
                # By each job's own shape: others of the model may be known better, and jobs accepted since are estimated well already.
                await self._store.line.estimate_again(model, lambda request, roles: self._costs.estimate_of(request, roles, in_work))
                self._off = {key: off for key, off in self._off.items() if key[0] != model}
        except Exception as error:
            self._new = new | self._new
            log.error("jobs.keep_failed reason=%s", type(error).__name__)


def busy_seconds(works: Sequence[tuple[float, float]], devices: int) -> float:
    """Return the remaining device seconds of running jobs: pairs of estimated device seconds and seconds since the job began."""
    # The jobs share the devices, so each has had its share of the time. A job beyond its estimate is assumed to be about to end.
    part = min(1.0, devices / max(1, len(works)))
    return sum(max(cost - elapsed * part, 0.1 * cost) for cost, elapsed in works)


def forecast(stands: Sequence[UserBacklog], user: str, before: tuple[int, float], cost: float, busy: float, devices: int) -> Forecast:
    """Return the forecast of a job that costs `cost` device seconds.

    `before` describes the user's own jobs before it (count, device seconds), `busy` the device seconds of running jobs. Each other user
    has as many jobs served first as begin at a smaller virtual time (`bot.core.scheduling`).
    """
    count, seconds = before
    # A user not in the snapshot has just arrived: they enter at the current virtual time, behind all users already in the queue.
    newcomer = UserBacklog(user, min((one.tag for one in stands), default=0.0), sys.maxsize, 1.0, 1, cost)
    own = next((one for one in stands if one.user == user), newcomer)
    start = own.tag + seconds / own.weight
    for other in stands:
        if other.user != user and other.tag <= start:
            mean = max(other.cost / other.jobs, 1e-9)
            turns = (start - other.tag) * other.weight / mean
            # At equal virtual times, first come, first served.
            is_first = turns == int(turns) and other.since < own.since
            sooner = min(other.jobs, math.ceil(turns) + is_first)
            count, seconds = count + sooner, seconds + sooner * mean
    # All devices share the work before the job; one device paints the job itself.
    return Forecast(count, (busy + seconds) / devices + cost)
