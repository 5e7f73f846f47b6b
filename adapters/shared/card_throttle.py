"""The pace of what is shown: of each job only the latest card, in each place one change after the other, and never too many."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from adapters.base import Bot
from bot.core.values import MessageRef
from bot.i18n.translate import speaking
from bot.views.job_card import JobView

log = logging.getLogger("easel.pace")

#: Seconds between two changes in one place, which platforms bound to about one in a second, and between two of one message.
PLACE_SECONDS, MESSAGE_SECONDS = 1.2, 2.0

#: How long an end waits for a change of its message that is under way, lest that comes after it; and after how long it asks again.
_SETTLE_SECONDS, SETTLE_AGAIN_SECONDS = 5.0, 2.0

Show = Callable[[JobView, MessageRef], Awaitable[None]]


async def _always(_: str) -> bool:
    return True


class CardThrottle:
    """Shows cards when their turn comes. What is overtaken is not shown, and nobody waits for anything here.

    `closed` are what `show` raises where a message cannot be changed any more. `bot` shows a job anew that has ended, wherever,
    while its progress was shown. `has_room` says whether a place may be told something that could be left out as well.
    """

    def __init__(
        self,
        show: Show,
        closed: tuple[type[Exception], ...],
        bot: Bot,
        *,
        has_room: Callable[[str], Awaitable[bool]] = _always,
        place_seconds: float = PLACE_SECONDS,
        message_seconds: float = MESSAGE_SECONDS,
    ) -> None:
        self._show = show
        self._refused = closed
        self._bot = bot
        self._has_room = has_room
        self._place_seconds = place_seconds
        self._message_seconds = message_seconds
        #: What is still to be shown, by place and job.
        self._waiting: dict[str, dict[str, JobView]] = {}
        self._showing: dict[str, asyncio.Task[bool]] = {}
        self._shown: dict[str, float] = {}
        #: Jobs whose messages cannot be changed: asked again and again, Discord would turn the whole bot away.
        self._closed: set[str] = set()
        self._workers: dict[str, asyncio.Task[None]] = {}

    def offer(self, card: JobView, address: MessageRef) -> None:
        """Show a card as soon as its place and its message may be changed again."""
        if card.job in self._closed:
            return
        self._waiting.setdefault(address.channel, {})[card.job] = card
        if address.channel not in self._workers:
            self._workers[address.channel] = asyncio.create_task(self._work(address.channel))

    async def settle(self, job: str) -> bool:
        """Show nothing of a job any more that was offered before; wait for what is on its way, and return whether it has arrived.

        What has not is left to arrive: the platform may have it already, and would act on it after what is told next.
        """
        for waiting in self._waiting.values():
            waiting.pop(job, None)
        self._shown.pop(job, None)
        self._closed.discard(job)
        if (showing := self._showing.get(job)) is not None:
            await asyncio.wait([showing], timeout=_SETTLE_SECONDS)
        return showing is None or showing.done()

    async def close(self) -> None:
        """Show nothing any more."""
        tasks = [*self._workers.values(), *self._showing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, channel: str) -> None:
        try:
            await self._empty(channel)
        finally:
            # Without a pause after the last look, so that nothing is offered in between to nobody.
            del self._workers[channel]

    async def _empty(self, channel: str) -> None:
        """Show what is offered in one place until nothing is left."""
        while waiting := self._waiting.get(channel):
            job = min(waiting, key=lambda one: self._shown.get(one, 0.0))
            pause = self._shown.get(job, 0.0) + self._message_seconds - time.monotonic()
            if pause > 0 or not await self._has_room(channel):
                await asyncio.sleep(min(max(pause, self._message_seconds), self._place_seconds))
                continue
            # While it was asked for room the job may have come to its end.
            if job in waiting:
                await self._one(waiting.pop(job))
                await asyncio.sleep(self._place_seconds)
        self._waiting.pop(channel, None)
        # Whatever is offered from now on comes late enough.
        long_ago = time.monotonic() - self._message_seconds
        self._shown = {job: moment for job, moment in self._shown.items() if moment > long_ago}

    async def _one(self, card: JobView) -> None:
        """Show one card and wait until it is shown."""
        self._shown[card.job] = time.monotonic()
        task = self._showing[card.job] = asyncio.create_task(self._safely(card))
        await asyncio.wait([task])
        self._showing.pop(card.job, None)
        if not card.is_open:
            self._shown.pop(card.job, None)
        elif task.result():
            await self._repaired(card.job)

    async def _repaired(self, job_id: str) -> None:
        """Show a job as it ended where it has: another process may have told that meanwhile, and progress could have come after it."""
        with contextlib.suppress(Exception):
            job = await self._bot.app.store.jobs.get(job_id)
            if job is not None and not job.is_open:
                await self._bot.refresh(job_id)

    async def _safely(self, card: JobView) -> bool:
        """Show a card, and return whether it may have come to be seen."""
        try:
            job = await self._bot.app.store.jobs.get(card.job)
            # While it waited here its end may have been told, by another process too.
            if job is None or (card.is_open and not job.is_open):
                return False
            # Whoever offered the first card of this place may speak another language than whose card this is.
            with speaking(card.language):
                # Where it is shown may have become known only now.
                await self._show(card, job.address)
        except self._refused:
            self._closed.add(card.job)
        except Exception as error:
            # The next card, or the end, comes all the same.
            log.info("card.not_shown job=%s reason=%s", card.job, type(error).__name__)
        return True
