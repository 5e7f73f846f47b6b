"""Report the progress of jobs: the views of each job in order, skipping those that a newer view has replaced.

Progress is shown in the language of the job's request; a user who asks for a job view gets it in their own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from bot.core.scheduling import Forecast
from bot.core.values import MessageRef
from bot.i18n.translate import speaking
from bot.store.jobs.job import WAITING, Job
from bot.store.store import Store
from bot.views.job_card import JobView, Progress, job_view

log = logging.getLogger("easel.jobs")

T = TypeVar("T")

#: Shows a job view, new or changed; must not raise, and repeating it must be harmless.
Show = Callable[[JobView, MessageRef], Awaitable[None]]

#: Drops pending progress of a job and waits for messages in flight.
Settle = Callable[[str, MessageRef], Awaitable[None]]

#: Estimates when a queued job will be painted.
Foresee = Callable[[Job], Awaitable[Forecast]]


class ProgressReporter:
    """Shows the state of jobs. No step waits for its progress to be shown, and no old view follows a newer view."""

    def __init__(self, store: Store, show: Show, settle: Settle, foresee: Foresee) -> None:
        self._store = store
        self._show = show
        self._settle = settle
        self._foresee = foresee
        #: None while a running job has not reached its first step.
        self._progress: dict[str, Progress | None] = {}
        self._tellers: dict[str, asyncio.Task[None]] = {}
        # A lock lives as long as a task waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def progress(self, job_id: str) -> Progress | None:
        """Return the progress of a job that is running here."""
        return self._progress.get(job_id)

    async def card(self, job: Job) -> JobView:
        """Return the view of a job, in the current language."""
        # An open job has no pictures: they are stored together with its end.
        pictures = () if job.is_open else (await self._store.pictures.of_jobs([job.id]))[job.id]
        forecast = await self._foresee(job) if job.state == WAITING else None
        covered = await self._store.settings.covers(job.address)
        return job_view(job, pictures, self._progress.get(job.id), forecast, covered=covered)

    async def show(self, job_id: str) -> None:
        """Show the current state of a job in its channel."""
        async with self._lock(job_id):
            # Read inside the lock: later calls show newer state.
            job = await self._store.jobs.get(job_id)
            if job is not None:
                if not job.is_open:
                    self._progress.pop(job_id, None)
                with speaking(job.language):
                    await self._safely(await self.card(job), job.address)

    async def last(self, job_id: str, tell: Callable[[JobView, MessageRef], Awaitable[T]]) -> T | None:
        """Report the end of a job, with no view beside or after it; None if the job has not ended or is gone."""
        async with self._lock(job_id):
            job = await self._store.jobs.get(job_id)
            if job is None or job.is_open:
                return None
            self._progress.pop(job_id, None)
            with speaking(job.language):
                return await tell(await self.card(job), job.address)

    async def settle(self, job: Job) -> None:
        """Show no more progress of a job that is about to end: whichever process reports the end, no progress may follow it."""
        self.forget(job.id)
        try:
            # Without the lock: a slow platform must not delay storing the end.
            await self._settle(job.id, job.address)
        except Exception:
            log.exception("jobs.settle_failed job=%s platform=%s", job.id, job.address.platform)

    def step(self, job: Job, progress: Progress | None) -> None:
        """Record the progress of a job (None before its first step); show it once the previous view is out."""
        self._progress[job.id] = progress
        if job.id not in self._tellers:
            teller = self._tellers[job.id] = asyncio.create_task(self._tell(job))
            teller.add_done_callback(lambda _: self._tellers.pop(job.id, None))

    def forget(self, job_id: str) -> None:
        """Show no more progress of a job: it no longer runs here."""
        self._progress.pop(job_id, None)

    async def close(self) -> None:
        """Stop showing progress."""
        tellers = tuple(self._tellers.values())
        for teller in tellers:
            teller.cancel()
        await asyncio.gather(*tellers, return_exceptions=True)

    async def _tell(self, job: Job) -> None:
        shown: Progress | object | None = self
        while True:
            async with self._lock(job.id):
                if self._progress.get(job.id, shown) is shown:
                    return
                covered = await self._covered(job)
                # Checked last: progress settled in the meantime is not shown.
                if job.id not in self._progress:
                    return
                latest = self._progress[job.id]
                with speaking(job.language):
                    await self._safely(job_view(job, progress=latest, covered=covered), job.address)
                shown = latest

    async def _covered(self, job: Job) -> bool:
        """Return whether previews of a job are behind a spoiler; they are while the store cannot answer."""
        try:
            return await self._store.settings.covers(job.address)
        except Exception as error:
            log.info("jobs.not_asked job=%s reason=%s", job.id, type(error).__name__)
            return True

    def _lock(self, job_id: str) -> asyncio.Lock:
        return self._locks.setdefault(job_id, asyncio.Lock())

    async def _safely(self, one: JobView, address: MessageRef) -> None:
        try:
            await self._show(one, address)
        except Exception:
            # A platform that breaks its contract must not cost a user a picture.
            log.exception("jobs.show_failed job=%s person=%s platform=%s", one.job, one.owner, address.platform)
