"""Telling how far jobs are: each job's cards one after the other, the latest in place of those that were overtaken.

What is shown by itself is in the language that the job was asked for in; who asks to see a card gets it in theirs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from bot.core.fair_queue import Forecast
from bot.core.values import MessageRef
from bot.i18n.translate import speaking
from bot.store.jobs.job import WAITING, Job
from bot.store.store import Store
from bot.views.job_card import JobView, Progress, job_view

log = logging.getLogger("easel.jobs")

T = TypeVar("T")

#: Makes the card of a job visible, new or changed; must not raise, and a repeat must do no harm.
Show = Callable[[JobView, MessageRef], Awaitable[None]]

#: Drops what was to be shown of a job, and waits for what is on its way.
Settle = Callable[[str, MessageRef], Awaitable[None]]

#: Says when a waiting job will be painted.
Foresee = Callable[[Job], Awaitable[Forecast]]


class ProgressReporter:
    """Shows jobs as they are. No step waits for progress to be shown, and no old card comes after a newer one."""

    def __init__(self, store: Store, show: Show, settle: Settle, foresee: Foresee) -> None:
        self._store = store
        self._show = show
        self._settle = settle
        self._foresee = foresee
        #: None while a job that is being painted has not got to its first step.
        self._progress: dict[str, Progress | None] = {}
        self._tellers: dict[str, asyncio.Task[None]] = {}
        # A lock lives for as long as somebody waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def progress(self, job_id: str) -> Progress | None:
        """Return how far a job is that is being painted here."""
        return self._progress.get(job_id)

    async def card(self, job: Job) -> JobView:
        """Return the card of a job, in the language that is spoken."""
        # While it is open there are none: pictures are kept together with the end.
        pictures = () if job.is_open else (await self._store.pictures.of_jobs([job.id]))[job.id]
        forecast = await self._foresee(job) if job.state == WAITING else None
        covered = await self._store.settings.covers(job.address)
        return job_view(job, pictures, self._progress.get(job.id), forecast, covered=covered)

    async def show(self, job_id: str) -> None:
        """Show a job as it is now, where it belongs."""
        async with self._lock(job_id):
            # Read inside: whoever comes later shows what is newer.
            job = await self._store.jobs.get(job_id)
            if job is not None:
                if not job.is_open:
                    self._progress.pop(job_id, None)
                with speaking(job.language):
                    await self._safely(await self.card(job), job.address)

    async def last(self, job_id: str, tell: Callable[[JobView, MessageRef], Awaitable[T]]) -> T | None:
        """Tell the end of a job, with no card of it beside or after this one; nothing where it has not ended, or is gone."""
        async with self._lock(job_id):
            job = await self._store.jobs.get(job_id)
            if job is None or job.is_open:
                return None
            self._progress.pop(job_id, None)
            with speaking(job.language):
                return await tell(await self.card(job), job.address)

    async def settle(self, job: Job) -> None:
        """Show no more progress of a job that is about to end: whichever process tells the end, nothing may come after it."""
        self.forget(job.id)
        try:
            # Not in its turn: a platform that is slow to show must not keep the end from being kept.
            await self._settle(job.id, job.address)
        except Exception:
            log.exception("jobs.settle_failed job=%s platform=%s", job.id, job.address.platform)

    def step(self, job: Job, progress: Progress | None) -> None:
        """Take note of how far a job is, which is not at its first step yet without `progress`; show it when what was before is out."""
        self._progress[job.id] = progress
        if job.id not in self._tellers:
            teller = self._tellers[job.id] = asyncio.create_task(self._tell(job))
            teller.add_done_callback(lambda _: self._tellers.pop(job.id, None))

    def forget(self, job_id: str) -> None:
        """Show no more progress of a job: it is no longer painted here."""
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
                # Looked at last: what was settled meanwhile is told no more.
                if job.id not in self._progress:
                    return
                latest = self._progress[job.id]
                with speaking(job.language):
                    await self._safely(job_view(job, progress=latest, covered=covered), job.address)
                shown = latest

    async def _covered(self, job: Job) -> bool:
        """Return whether previews of a job are covered; as long as nobody can say they are."""
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
            # A platform that breaks its promise must not cost anybody a picture.
            log.exception("jobs.show_failed job=%s person=%s platform=%s", one.job, one.owner, address.platform)
