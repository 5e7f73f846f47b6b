"""Health for operators: readiness and metrics. It reveals nothing about any user."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from adapters.observability.snapshot import Snapshot, WorkerStatus
from bot.jobs.dispatcher import Dispatcher
from bot.store.store import Store
from inference.supervisor import Worker

log = logging.getLogger("easel.operation")

#: A store that takes longer to say anything is of no use to anybody.
_PATIENCE_SECONDS = 3.0

#: So many learned times are told, those that were measured most often: each is a series of its own for whoever collects them.
_MOST_TIMINGS = 200


@dataclass(frozen=True)
class Health:
    """What answers for the process: its store, what paints in it, and who gives that its work."""

    store: Store
    dispatcher: Dispatcher
    workers: Sequence[Worker]

    async def ready(self) -> tuple[str, ...]:
        """Return the reasons why users get no images now, a word for each: `store`, `disk`, `leaving`, `engine`.

        Empty if the process is ready.
        """
        reasons = []
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self.store.work.answers()
        except Exception as error:
            log.warning("operation.store_silent reason=%s", type(error).__name__)
            reasons.append("store")
        if not await self.dispatcher.has_room():
            reasons.append("disk")
        if self.dispatcher.is_leaving:
            reasons.append("leaving")
        # One that is starting is as good as ready: what is asked for meanwhile waits, and its place in line is kept.
        if all(worker.broken is not None for worker in self.workers):
            reasons.append("engine")
        return tuple(reasons)

    async def metrics(self) -> str:
        """Return all metrics in the format of Prometheus; raises what the store raises if it is unavailable."""
        return await asyncio.to_thread(_rendered, await self._snapshot())

    async def _snapshot(self) -> Snapshot:
        store = self.store
        timings = sorted(await store.timings.all(), key=lambda one: -one.count)
        return Snapshot(
            queues=await store.work.queues(),
            turns=await store.work.turns(),
            deliveries=await store.outbox.counts(),
            timings=tuple(timings[:_MOST_TIMINGS]),
            errors=self.dispatcher.sight.errors,
            meters=self.dispatcher.meters,
            workers=tuple(WorkerStatus(one.device, one.is_ready, one.load, one.restarts, one.beat) for one in self.workers),
            memory_bytes=psutil.Process().memory_info().rss,
            free_bytes=await store.files.free_bytes(),
        )


def _rendered(snapshot: Snapshot) -> str:
    # Here and not above: a start has no time for a library that perhaps nobody ever asks for.
    from adapters.observability import metrics

    return metrics.rendered(snapshot)
