"""Learning from every painted job how long such jobs take, and keeping that over restarts."""

import logging

from bot.jobs.costs import Costs, Timing, picture_steps
from bot.store.job import Job
from bot.store.store import Store

log = logging.getLogger("easel.jobs")

#: A model that takes so many times as long or as short as was thought changes what is told of jobs that wait.
_WORTH = 1.25


class Learning:
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
        steps = picture_steps(request, has_source=job.source is not None)
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
