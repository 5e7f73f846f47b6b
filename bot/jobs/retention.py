"""Delete pictures beyond the operator's retention limits, and unreferenced files."""

import asyncio
import logging
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import msgspec

from bot.store.database import now
from bot.store.store import Store

log = logging.getLogger("easel.keeping")

#: The first sweep waits for the start to complete; the interval need not be exact.
FIRST_SECONDS, EVERY_SECONDS = 300.0, 3600.0

#: Pictures that are deleted in one transaction: other writers do not wait for all of them.
_BATCH = 100

#: An unreferenced file may have been stored by a process that has not committed yet, unless it is this old.
_LEFT_SECONDS = 24 * 3600.0

#: How long the source pictures of a cancelled job are kept, for a user who repeats it.
_RELEASED_SECONDS = 3600.0

#: How long updates are remembered, for platforms that repeat themselves.
_LETTERS = timedelta(days=7)

_GIB = 2**30


class Limits(msgspec.Struct, frozen=True):
    """How long pictures are stored, and how many GiB of them; 0 means no limit."""

    days: int = 0
    gib: float = 0.0


class Swept(msgspec.Struct):
    """The deletions of one sweep."""

    pictures: int = 0
    files: int = 0
    inbox_updates: int = 0


class Retention:
    """Periodically deletes expired data; an async context manager. Several processes may do so at once."""

    def __init__(self, store: Store, limits: Limits, *, first_seconds: float = FIRST_SECONDS, every_seconds: float = EVERY_SECONDS) -> None:
        self._store = store
        self._limits = limits
        self._pauses = first_seconds, every_seconds
        self._task: asyncio.Task[None] | None = None
        #: Sources last used before this moment have been deleted, and those of jobs that were cancelled before the other one.
        self._sources_until: datetime | None = None
        self._released_until: datetime | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> Swept:
        """Sweep once and return what was deleted."""
        swept = Swept()
        await self._pictures(swept)
        await self._sources(swept)
        await self._files(swept)
        await self._store.rights.sweep()
        swept.inbox_updates = await self._store.inbox.sweep(now() - _LETTERS)
        return swept

    async def _work(self) -> None:
        first, every = self._pauses
        await asyncio.sleep(first)
        while True:
            try:
                swept = await self.sweep()
                log.info("keeping.swept pictures=%s files=%s letters=%s", swept.pictures, swept.files, swept.inbox_updates)
            except Exception as error:
                # A file that could not be deleted now is deleted by a later sweep.
                log.error("keeping.failed reason=%s", type(error).__name__)
            await asyncio.sleep(every)

    async def _pictures(self, swept: Swept) -> None:
        days, gib = self._limits.days, self._limits.gib
        before = now() - timedelta(days=days) if days else None
        most = int(gib * _GIB) - min(await self._store.pictures.brought_bytes(), self._most_input_bytes()) if gib else None
        while (days or gib) and (overdue := await self._store.pictures.overdue(before, most)):
            for first in range(0, len(overdue), _BATCH):
                batch = overdue[first : first + _BATCH]
                await self._discard(await self._store.pictures.drop(batch), swept)
                swept.pictures += len(batch)

    async def _sources(self, swept: Swept) -> None:
        """Delete source pictures beyond the limits; a user who repeats such a job gets an error."""
        pictures = self._store.pictures
        if self._limits.days:
            before = now() - timedelta(days=self._limits.days)
            await self._discard(await pictures.left_inputs(self._sources_until, before), swept)
            self._sources_until = before
        if self._limits.gib:
            await self._discard_inputs(await pictures.overdue_inputs(self._most_input_bytes()), swept)
        before = now() - timedelta(seconds=_RELEASED_SECONDS)
        await self._discard_inputs(await pictures.released_inputs(self._released_until, before), swept)
        self._released_until = before

    def _most_input_bytes(self) -> int:
        """Return how many bytes of source pictures are kept: no user can push out all results by uploading."""
        return int(self._limits.gib * _GIB) // 2

    async def _discard_inputs(self, files: tuple[str, ...], swept: Swept) -> None:
        """Delete source pictures of jobs that are known to the database; a file that was brought again in the meantime is younger."""
        gone = [key for key in files if await self._store.files.discard(key, _RELEASED_SECONDS)]
        swept.files += len(gone)
        for first in range(0, len(gone), _BATCH):
            await self._store.pictures.deleted_inputs(gone[first : first + _BATCH])

    async def _files(self, swept: Swept) -> None:
        """Delete files of attempts that ended late or never."""
        async for keys in self._store.files.listed():
            await self._discard(await self._store.pictures.unneeded(keys), swept)
        swept.files += await self._store.files.tidy(_LEFT_SECONDS)

    async def _discard(self, keys: tuple[str, ...], swept: Swept) -> None:
        for key in keys:
            swept.files += await self._store.files.discard(key, _LEFT_SECONDS)
