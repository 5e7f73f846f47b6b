"""Foreseeing when jobs will be painted, from how the line stands; and how well that came true."""

import asyncio
import logging
import math
import sys
from collections.abc import Sequence
from time import monotonic

import msgspec

from bot.core.cost_model import Costs, Timing, picture_steps
from bot.core.fair_queue import Forecast
from bot.store.jobs.job import Job
from bot.store.jobs.queue import UserBacklog
from bot.store.store import Store
from bot.store.tables.columns import now

#: How old a look at the line may be: many cards are made from one look.
_FRESH_SECONDS = 0.5

#: A look that takes no longer is worth taking anew with every change; of a longer line a tenth of the time may be spent on looking.
_QUICK_SECONDS, _PART = 0.1, 10.0

#: Promises that are remembered until their job ends; beyond that the oldest are forgotten.
_MOST_PROMISES = 10_000


class EtaErrors(msgspec.Struct):
    """How far forecasts were off: how many there were, the sum of the seconds off, and of the seconds that were really waited."""

    count: int = 0
    seconds: float = 0.0
    waited: float = 0.0


class EtaService:
    """Forecasts. Each job's first one is the promise that is compared with what came."""

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
        """Look anew when next asked: a job came, began or ended."""
        self._is_stale = True

    async def foresee(self, job: Job) -> Forecast:
        """Return when a waiting job will be painted."""
        await self._look()
        before = await self._store.line.before(job)
        seen = forecast(self._stands, job.user, before, job.cost, self._busy, self._devices * self._sharing)
        if seen.seconds is not None and job.id not in self._promises:
            self._promises[job.id] = monotonic() + seen.seconds
            if len(self._promises) > _MOST_PROMISES:
                del self._promises[next(iter(self._promises))]
        return seen

    def ended(self, job: Job, *, painted: bool) -> None:
        """Compare what was promised with what came, where it was painted."""
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
            # Processes that share the store share the line; whoever paints nothing now is not counted.
            self._sharing = max(1, len({one.runner for one in running}))
            self._busy = busy_seconds(works, self._devices * self._sharing)
            self._looked = monotonic()
            took = self._looked - began
            self._fresh = _FRESH_SECONDS if took <= _QUICK_SECONDS else max(_FRESH_SECONDS, took * _PART) + _QUICK_SECONDS


log = logging.getLogger("easel.jobs")

#: A model that takes so many times as long or as short as was thought changes what is told of jobs that wait.
_WORTH = 1.25


class CostLearner:
    """What was learned since it was last kept."""

    def __init__(self, store: Store, costs: Costs) -> None:
        self._store = store
        self._costs = costs
        self._new: dict[tuple[str, int, int, int], Timing] = {}
        #: By what factor each model was found to take longer or shorter since waiting jobs were last reckoned.
        self._off: dict[str, float] = {}

    async def begin(self) -> None:
        """Believe what was learned before."""
        self._costs.known(await self._store.timings.all())

    def painted(self, job: Job, device_seconds: float, pictures_in_work: int) -> None:
        """Learn from a job that was painted beside others, so many pictures in all."""
        request = job.request
        steps = picture_steps(request, job.roles)
        shape = request.model, request.width, request.height
        before = self._costs.estimate(*shape, 1, pictures_in_work)
        timing = self._costs.measured(request.model, request.width, request.height, pictures_in_work, steps, device_seconds)
        if timing.count:
            self._new[timing.key] = timing
            self._off[request.model] = self._off.get(request.model, 1.0) * timing.seconds / before

    async def keep(self) -> None:
        """Keep what is new. Not with every job: a commit costs more than the knowledge of one job is worth."""
        new, self._new = self._new, {}
        try:
            for timing in new.values():
                await self._store.timings.keep(timing)
            for model, off in tuple(self._off.items()):
                if not 1 / _WORTH < off < _WORTH:
                    await self._store.line.reckon_anew(model, off)
                    del self._off[model]
        except Exception as error:
            self._new = new | self._new
            log.error("jobs.keep_failed reason=%s", type(error).__name__)


def busy_seconds(works: Sequence[tuple[float, float]], devices: int) -> float:
    """Return the device seconds that are left of what is in work: pairs of estimated device seconds and seconds since it began."""
    # They share the devices, so each has had its part of the time. What takes longer than thought is about to end.
    part = min(1.0, devices / max(1, len(works)))
    return sum(max(cost - elapsed * part, 0.1 * cost) for cost, elapsed in works)


def forecast(stands: Sequence[UserBacklog], user: str, before: tuple[int, float], cost: float, busy: float, devices: int) -> Forecast:
    """Return the forecast of a job that costs so many device seconds.

    `before` are its person's own jobs before it (how many, device seconds), `busy` the device seconds in work. Each other person
    goes before it with as many jobs as begin at a smaller virtual time (`bot.core.fair_queue`).
    """
    count, seconds = before
    # Who is not seen yet has just come: they enter at the clock, behind all who stand there already.
    newcomer = UserBacklog(user, min((one.tag for one in stands), default=0.0), sys.maxsize, 1.0, 1, cost)
    own = next((one for one in stands if one.user == user), newcomer)
    start = own.tag + seconds / own.weight
    for other in stands:
        if other.user != user and other.tag <= start:
            mean = max(other.cost / other.jobs, 1e-9)
            turns = (start - other.tag) * other.weight / mean
            # Where both would begin at the same virtual time, whoever came first does.
            is_first = turns == int(turns) and other.since < own.since
            sooner = min(other.jobs, math.ceil(turns) + is_first)
            count, seconds = count + sooner, seconds + sooner * mean
    # What goes before is shared by all devices; the job itself is painted by one.
    return Forecast(count, (busy + seconds) / devices + cost)
