"""Throttles job views: only the latest view of each job, changes of a channel one after the other, within the platform's rate."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from adapters.base import Bot
from bot.core.values import MessageRef
from bot.i18n.translate import speaking
from bot.views.job_card import JobView

log = logging.getLogger("easel.posts")

#: Seconds between two changes in one channel, which platforms limit to about one a second, and between two of one message.
PLACE_SECONDS, MESSAGE_SECONDS = 1.2, 2.0

#: How long the end of a job waits for a change of its message in progress, so that the change does not come after it; and the retry delay.
_SETTLE_SECONDS, SETTLE_AGAIN_SECONDS = 5.0, 2.0

Show = Callable[[JobView, MessageRef], Awaitable[None]]


async def _always(_: str) -> bool:
    return True


class CardThrottle:
    """Shows job views when the rate permits. Outdated views are dropped, and no caller waits here.

    `closed` are the errors that `show` raises if a message cannot be changed any more. `bot` shows a job again that ended, in any process,
    while its progress was being shown. `has_room` tells whether a channel may receive a message that could also be left out.
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
        #: Views still to be shown, by channel and job.
        self._waiting: dict[str, dict[str, JobView]] = {}
        self._showing: dict[str, asyncio.Task[bool]] = {}
        self._shown: dict[str, float] = {}
        #: Jobs whose messages cannot be changed: if asked again and again, Discord would block the whole bot.
        self._closed: set[str] = set()
        self._workers: dict[str, asyncio.Task[None]] = {}

    def offer(self, card: JobView, address: MessageRef) -> None:
        """Show a view as soon as its channel and its message may be changed again."""
        if card.job in self._closed:
            return
        self._waiting.setdefault(address.channel, {})[card.job] = card
        if address.channel not in self._workers:
            self._workers[address.channel] = asyncio.create_task(self._work(address.channel))

    async def settle(self, job: str) -> bool:
        """Drop the views of a job offered before; wait for the view being sent, and return whether it has arrived.

        A view that has not arrived is left to arrive: the platform may already have it, and would apply it after the next message.
        """
        for waiting in self._waiting.values():
            waiting.pop(job, None)
        self._shown.pop(job, None)
        if (showing := self._showing.get(job)) is not None:
            await asyncio.wait([showing], timeout=_SETTLE_SECONDS)
        # Only now: a refusal of the view in flight says nothing of the message that the result goes to.
        self._closed.discard(job)
        return showing is None or showing.done()

    async def close(self) -> None:
        """Stop showing views."""
        tasks = [*self._workers.values(), *self._showing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, channel: str) -> None:
        try:
            await self._empty(channel)
        finally:
            # No pause after the last check, so that no view can be offered in between and then be lost.
            del self._workers[channel]

    async def _empty(self, channel: str) -> None:
        """Show the pending views of one channel until none is left."""
        while waiting := self._waiting.get(channel):
            job = min(waiting, key=lambda one: self._shown.get(one, 0.0))
            pause = self._shown.get(job, 0.0) + self._message_seconds - time.monotonic()
            if pause > 0 or not await self._has_room(channel):
                await asyncio.sleep(min(max(pause, self._message_seconds), self._place_seconds))
                continue
            # The job may have ended while the rate was checked.
            if job in waiting:
                await self._one(waiting.pop(job))
                await asyncio.sleep(self._place_seconds)
        self._waiting.pop(channel, None)
        # Views offered from now on may wait for their own change.
        long_ago = time.monotonic() - self._message_seconds
        self._shown = {job: moment for job, moment in self._shown.items() if moment > long_ago}

    async def _one(self, card: JobView) -> None:
        """Show one view and wait until it is shown."""
        self._shown[card.job] = time.monotonic()
        task = self._showing[card.job] = asyncio.create_task(self._safely(card))
        await asyncio.wait([task])
        self._showing.pop(card.job, None)
        if not card.is_open:
            self._shown.pop(card.job, None)
        elif task.result():
            await self._repaired(card.job)

    async def _repaired(self, job_id: str) -> None:
        """Show the end of a job that has ended: another process may have shown it meanwhile, and progress could have come after it."""
        with contextlib.suppress(Exception):
            job = await self._bot.app.store.jobs.get(job_id)
            if job is not None and not job.is_open:
                await self._bot.refresh(job_id)

    async def _safely(self, card: JobView) -> bool:
        """Show a view, and return whether users may have seen it."""
        try:
            job = await self._bot.app.store.jobs.get(card.job)
            # While it waited here its end may have been shown, also by another process.
            if job is None or (card.is_open and not job.is_open):
                return False
            # The first view of this channel may have been offered in another language than that of this job's user.
            with speaking(card.language):
                # Its channel may have become known only now.
                await self._show(card, job.address)
        except self._refused:
            self._closed.add(card.job)
        except Exception as error:
            # The next view, or the end, comes all the same.
            log.info("card.not_shown job=%s reason=%s", card.job, type(error).__name__)
        return True
