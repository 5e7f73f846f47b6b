"""Deliver results from the outbox to their platforms, with retries that survive the death of the process.

`Platforms` is what a platform does for jobs; `Router` passes each call to the adapter of its platform.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from bot.core.shielded import ShieldedTasks
from bot.core.values import MessageRef, log_context
from bot.framework.reply import Reply
from bot.jobs.execution import Counters
from bot.jobs.progress import ProgressReporter
from bot.store.database import now
from bot.store.jobs.outbox import SENDING_LEASE, Delivery
from bot.store.store import Store
from bot.views.job_card import JobView

log = logging.getLogger("easel.delivery")

#: Concurrent deliveries per platform: uploads wait for the network, and a slow platform does not delay the others.
MOST_SENDING = 8

#: Time-out for a platform's answer; shorter than the lease of the delivery.
SILENCE_SECONDS = SENDING_LEASE.total_seconds() * 0.8

#: The longest pause between two attempts, and the age at which attempts end: users then find the pictures in their history.
_LONGEST_PAUSE, _GIVE_UP = 600.0, timedelta(hours=24)


class OutgoingResult(msgspec.Struct, frozen=True):
    """A result to be shown. `id` is the same in every attempt, so that platforms can deduplicate.

    `unsure`: an earlier attempt may have arrived. `address.message` is the placeholder message to be replaced, if there is one.
    """

    id: str
    card: JobView
    address: MessageRef
    attempt: int = 1
    unsure: bool = False


class Sent(msgspec.Struct, frozen=True):
    """The result arrived exactly once; `message` is the platform's id of it."""

    message: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """The result may have arrived, and a retry could show it twice: the adapter has asked the user."""

    reason: str


class Later(msgspec.Struct, frozen=True):
    """Temporary failure: retry, after `seconds` if the platform named them. `unsure` if the result may have arrived anyway."""

    reason: str
    seconds: float = 0.0
    unsure: bool = False


class Refused(msgspec.Struct, frozen=True):
    """Permanent failure: the channel is gone, or the bot was removed from it."""

    reason: str


Outcome = Sent | Unknown | Later | Refused


class Platforms(Protocol):
    """Output of jobs to platforms: live progress, reliable delivery of results, and unsolicited messages."""

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Show a job view, new or changed; must not raise, and repeating it must be harmless."""
        ...

    def is_mirrored(self, platform: str) -> bool:
        """Return whether every process serves the platform to its own readers, who do not see the output of other processes."""
        ...

    async def settle(self, job: str, address: MessageRef) -> None:
        """Drop pending progress of a job and wait briefly for messages in flight: the result follows, from any process."""
        ...

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Replace a job's placeholder with its result; doing it twice shows it once, or returns `Unknown`."""
        ...

    async def post(self, address: MessageRef, reply: Reply, key: str) -> Outcome:
        """Post an unsolicited message; `key` is its idempotency key."""
        ...


class Router:
    """Routes each job view and each result to the adapter of its platform."""

    def __init__(self) -> None:
        self.adapters: dict[str, Platforms] = {}

    async def show(self, card: JobView, address: MessageRef) -> None:
        """Show a job view in its channel; a platform that is not running shows it when it is next asked to."""
        if (adapter := self.adapters.get(address.platform)) is not None:
            await adapter.show(card, address)

    def is_mirrored(self, platform: str) -> bool:
        """Return whether each process has its own readers on a platform."""
        adapter = self.adapters.get(platform)
        return adapter is not None and adapter.is_mirrored(platform)

    async def settle(self, job: str, address: MessageRef) -> None:
        """Drop pending views of a job and wait for those being sent."""
        if (adapter := self.adapters.get(address.platform)) is not None:
            await adapter.settle(job, address)

    async def deliver(self, outgoing: OutgoingResult) -> Outcome:
        """Deliver a result."""
        adapter = self.adapters.get(outgoing.address.platform)
        return Later("not running") if adapter is None else await adapter.deliver(outgoing)

    async def post(self, address: MessageRef, reply: Reply, key: str) -> Outcome:
        """Send an unsolicited message."""
        adapter = self.adapters.get(address.platform)
        return Later("not running") if adapter is None else await adapter.post(address, reply, key)


Deliver = Callable[[OutgoingResult], Awaitable[Outcome]]


class DeliveryService:
    """Delivers the results in the outbox for the `platforms` that run here."""

    def __init__(
        self,
        store: Store,
        telling: ProgressReporter,
        deliver: Deliver,
        platforms: Sequence[str],
        runner: str,
        poll_seconds: float,
        meters: Counters,
    ) -> None:
        self._store = store
        self._telling = telling
        self._deliver = deliver
        self._platforms = tuple(platforms)
        self._runner = runner
        self._poll_seconds = poll_seconds
        self._meters = meters
        self._news = asyncio.Event()
        self._sending: dict[asyncio.Task[None], str] = {}
        # One query at a time: `leave` waits for a query that has just claimed deliveries.
        self._filling = asyncio.Lock()
        self._claiming = ShieldedTasks()
        self._leaving = False

    def serve(self, platforms: Sequence[str]) -> None:
        """Set the platforms that run here."""
        self._platforms = tuple(platforms)

    def wake(self) -> None:
        """Look for results now."""
        self._news.set()

    async def work(self) -> None:
        """Deliver until `leave` is called."""
        while not self._leaving and self._platforms:
            self._news.clear()
            try:
                await self._fill()
            except Exception as error:
                log.error("delivery.claim_failed reason=%s", type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._poll_seconds)

    async def leave(self, seconds: float) -> None:
        """Deliver the latest results, then start nothing new; limited to `seconds` in all."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(seconds):
                await self._fill()
        self._leaving = True
        await self._claiming.drain(seconds)
        self.wake()
        if self._sending:
            await asyncio.wait(tuple(self._sending), timeout=seconds)
        for task in tuple(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _fill(self) -> None:
        async with self._filling:
            await self._filled()

    async def _filled(self) -> None:
        for platform in self._platforms:
            while (room := MOST_SENDING - sum(one == platform for one in self._sending.values())) > 0 and not self._leaving:
                # If `leave` is called now, the claimed deliveries are still recorded.
                taken = await self._claiming.run(self._taken(platform, room))
                if not taken:
                    break

    async def _taken(self, platform: str, room: int) -> int:
        """Claim deliveries and start to send them; return how many."""
        taken = await self._store.outbox.claim(self._runner, [platform], room)
        for one in taken:
            task = asyncio.create_task(self._send(one))
            self._sending[task] = platform
            task.add_done_callback(self._over)
        return len(taken)

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self.wake()

    async def _send(self, one: Delivery) -> None:
        log_context(one.job)
        try:
            await self._ended(one, await self._attempted(one))
        except Exception as error:
            # The store was unavailable: the lease expires, and the next attempt knows that this delivery may have arrived.
            log.error("delivery.lost delivery=%s job=%s reason=%s", one.id, one.job, type(error).__name__)

    async def _attempted(self, one: Delivery) -> Outcome:
        async def deliver(card: JobView, address: MessageRef) -> Outcome:
            log_context(one.job, card.owner)
            return await self._deliver(OutgoingResult(one.id, card, address, one.attempt, one.unsure))

        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                # None if the job was deleted or queued again: its next end is delivered.
                return await self._telling.last(one.job, deliver) or Sent(one.message)
        except TimeoutError:
            return Later("silent", unsure=True)
        except Exception as error:
            log.exception("delivery.broke delivery=%s job=%s", one.id, one.job)
            return Later(type(error).__name__, unsure=True)

    async def _ended(self, one: Delivery, outcome: Outcome) -> None:
        outbox = self._store.outbox
        if isinstance(outcome, Sent):
            await outbox.sent(one, outcome.message)
            return
        log.warning("delivery.not_sent delivery=%s job=%s attempt=%s reason=%s", one.id, one.job, one.attempt, outcome.reason)
        self._meters.count_not_sent(outcome.reason)
        if isinstance(outcome, Unknown):
            await outbox.unknown(one, outcome.reason)
        elif isinstance(outcome, Refused) or now() - one.created > _GIVE_UP:
            await outbox.gave_up(one, outcome.reason)
        else:
            pause = outcome.seconds or min(2.0 ** min(one.attempt, 10), _LONGEST_PAUSE)
            await outbox.later(one, pause, outcome.reason, unsure=outcome.unsure)
