"""Send weekly board digests when they are due."""

import asyncio
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from bot.framework.reply import Reply
from bot.i18n.translate import speaking
from bot.jobs.delivery import SILENCE_SECONDS, Later, Outcome, Platforms, Refused, Sent
from bot.store.sharing.digests import Digest
from bot.store.store import Store
from bot.views import board_digest

log = logging.getLogger("easel.digests")

#: How often due digests are looked for. A digest need not be punctual to the minute.
EVERY_SECONDS = 600.0


class BoardDigests:
    """Sends the digests of the `platforms` that run here; an async context manager. Several processes may do so at once.

    A digest is composed, then claimed, then posted, and put back only if it certainly was not posted. If its process dies, the digest
    is lost rather than posted twice: a weekly list that is missing annoys users less than a duplicate.
    """

    def __init__(self, store: Store, voice: Platforms, platforms: Sequence[str], *, every_seconds: float = EVERY_SECONDS) -> None:
        self._store = store
        self._voice = voice
        self._platforms = platforms
        self._every_seconds = every_seconds
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> int:
        """Send all digests that are due and return how many were posted. Platforms do not wait for each other."""
        due = await self._store.digests.due(self._platforms)
        apart = ([one for one in due if one.address.platform == platform] for platform in self._platforms)
        return sum(await asyncio.gather(*map(self._each, apart)))

    async def _each(self, due: Sequence[Digest]) -> int:
        said = 0
        for one in due:
            try:
                said += await self._tell(one)
            except Exception as error:
                # The other platforms continue; this digest, if it was not claimed yet, is sent on the next run.
                log.error("digests.failed place=%s reason=%s", one.channel, type(error).__name__)
        return said

    async def _work(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:
                log.error("digests.not_looked reason=%s", type(error).__name__)
            await asyncio.sleep(self._every_seconds)

    async def _tell(self, one: Digest) -> bool:
        """Send a digest, unless another process does, and return whether it was posted."""
        taken = one.next()
        with speaking(await board_digest.language(self._store, taken)):
            # Before the claim: if anything fails here, the digest is still due.
            reply = await board_digest.told(self._store, taken)
            if not await self._store.digests.claim(one, taken):
                return False
            outcome = await self._posted(taken, reply) if reply is not None else None
        if outcome is not None and not isinstance(outcome, Sent):
            log.warning("digests.not_said place=%s reason=%s", one.channel, outcome.reason)
        if isinstance(outcome, Refused):
            # The user who could switch it off is gone, or the bot was removed.
            await self._store.digests.end(taken.address)
        elif isinstance(outcome, Later) and not outcome.unsure:
            await self._store.digests.put_back(one, taken)
        return isinstance(outcome, Sent)

    async def _posted(self, taken: Digest, reply: Reply) -> Outcome:
        """Post a digest, with the same time-out as the delivery of a job."""
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                return await self._voice.post(taken.address, reply, taken.key)
        except TimeoutError:
            return Later("silent", unsure=True)
