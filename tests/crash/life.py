"""A whole life of jobs in one process: queued, moved, paused, cancelled, failed, retried, run, charged and delivered."""

import asyncio
from contextlib import AsyncExitStack, suppress
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from bot.core.errors import BadOutput, BadStore
from bot.jobs.delivery import Sent
from bot.jobs.dispatcher import Dispatcher
from bot.store.billing import ledger
from bot.store.database import now
from bot.store.jobs.job import CANCELLED, DONE, FAILED, OPEN
from bot.store.jobs.outbox import SENT
from bot.store.tables.core import Base, CreditAccountRow, DeliveryRow, JobRow, PictureRow
from inference.contract.errors import Problem
from inference.contract.request import Failed, Step
from tests.dispatching import DIED, PAINTED, Script
from tests.stores import init, new_job, png, request_of, under, user_of

#: The credits of a user and of a channel, and the cost of each job, in thousandths.
ALLOWED, COST = 100_000, 700

#: Nothing changes for this long only while something waits for a lease to expire.
QUIET_SECONDS = 0.2

WORDS = ("paint", "die", "fail", "from a picture", "moved", "taken back", "hold")


class Seen:
    """A platform that recognises a repeated delivery."""

    def __init__(self):
        self.parcels = {}

    async def show(self, card, address):
        """Show no progress."""

    def is_mirrored(self, _platform):
        """Return False: all processes write to the same platform."""
        return False

    async def settle(self, _job, _address):
        """Do nothing: no update of a card is pending."""

    async def deliver(self, outgoing):
        """Record the final card of a job."""
        self.parcels[outgoing.id] = outgoing.card
        return Sent(outgoing.id)


class Life:
    """One life in `store`; `watch` is the same store over connections that never fail."""

    def __init__(self, store, watch):
        self.store = under(store, ALLOWED, channel=ALLOWED)
        self.watch = watch
        self.seen = Seen()
        self.known = {}
        self.script = Script(
            die=[(DIED,), PAINTED], fail=[(Failed(Problem("memory-spent")),), PAINTED], hold=[(Step(1, 2), asyncio.Event())]
        )

    async def live(self):
        """Run the whole life. After an error, each action is repeated once, as users and platforms do."""
        user = await again(lambda: user_of(self.store))
        source = await again(lambda: self.store.files.put(png("blue")))
        for words in WORDS:
            given = {"key": words, "credits": COST, "request": request_of(words, width=8, height=8)}
            new = new_job(user, words, inputs=init(source) if words == "from a picture" else (), **given)
            (self.known[words],) = await again(lambda new=new: self.store.jobs.accept([new]))
        for paused in (True, False):
            await again(lambda paused=paused: self.store.line.pause_person(user, paused=paused))
        await again(lambda: self.store.line.move(self.known["moved"], "first"))
        await again(lambda: self.store.jobs.cancel(self.known["taken back"].id))
        async with AsyncExitStack() as stack:
            # A process that fails on startup exits, and is started again.
            dispatcher = await again(lambda: stack.enter_async_context(self.dispatcher()))
            with suppress(TimeoutError):
                await asyncio.wait_for(self.script.running.wait(), 3 * QUIET_SECONDS)
            await again(lambda: self.store.jobs.cancel(self.known["hold"].id))
            with suppress(DBAPIError, BadStore):
                await dispatcher.show(self.known["hold"].id)
            await self.quiet()
            await again(lambda: self.store.jobs.retry(self.known["fail"].id))
            dispatcher.wake()
            await self.quiet()

    def dispatcher(self):
        """Return a dispatcher that polls more often than usual and runs two jobs at once."""
        return Dispatcher(self.store, self.script, self.seen, ["web"], most=2, beat_seconds=0.05, poll_seconds=0.02)

    async def restart(self):
        """Let leases expire, and let a new dispatcher finish the remaining work."""
        long_ago = now() - timedelta(hours=1)
        async with self.watch.database.write() as session:
            await session.execute(update(JobRow).where(JobRow.state == "running").values(lease=long_ago))
            await session.execute(update(DeliveryRow).where(DeliveryRow.state != SENT).values(due=long_ago))
            await session.execute(update(JobRow).where(JobRow.state.not_in(OPEN)).values(ended=long_ago))
        await self.watch.attempts.sweep()
        if not await self.is_over():
            async with Dispatcher(self.watch, Script(), self.seen, ["web"], beat_seconds=0.05, poll_seconds=0.02):
                await self.quiet(5.0)

    async def is_over(self):
        """Return whether every job has ended and every result is delivered."""
        states, told = await self.standing()
        return not {state for state, _ in states} & set(OPEN) and set(told) <= {SENT}

    async def standing(self):
        """Return the states of jobs and deliveries."""
        async with self.watch.database.read() as session:
            states = [tuple(row) for row in await session.execute(select(JobRow.state, JobRow.attempt).order_by(JobRow.id))]
            return states, list(await session.scalars(select(DeliveryRow.state).order_by(DeliveryRow.id)))

    async def quiet(self, seconds=QUIET_SECONDS):
        """Wait until everything is over, or until nothing has changed for this long."""
        loop, seen = asyncio.get_running_loop(), None
        moved = loop.time()
        while not await self.is_over() and loop.time() - moved < seconds:
            if (standing := await self.standing()) != seen:
                seen, moved = standing, loop.time()
            await asyncio.sleep(0.01)

    async def judge(self):
        """Return the broken promises by name, empty if there are none."""
        async with self.watch.database.read() as session:
            rows = {row.id: row for row in await session.scalars(select(JobRow))}
            sent = [(row.job_id, row.state) for row in await session.scalars(select(DeliveryRow))]
            pictures = list(await session.execute(select(PictureRow.job_id, PictureRow.file, PictureRow.thumbnail)))
            left = list(await session.scalars(select(CreditAccountRow.left)))
        ids = {job.id for job in self.known.values()}
        done = [row.id for row in rows.values() if row.state == DONE]
        told = [card.job for card in self.seen.parcels.values()]
        charged = sum(row.charged or 0 for row in rows.values())
        wrong = {
            "lost": ids ^ rows.keys(),
            "open": [row.line for row in rows.values() if row.state in OPEN],
            "untold": sorted(sent) != sorted((job_id, SENT) for job_id in ids),
            # A job that was reported as failed and then retried is reported again.
            "told twice": [rows[job_id].line for job_id in ids if told.count(job_id) > 1 + (job_id == self.known["fail"].id)],
            "pictures": sorted(row.job_id for row in pictures) != sorted(done),
            "files": [row.file for row in pictures if not await self.has(row.file) or not await self.has(row.thumbnail)],
            "charges": [(row.line, row.state, row.charged) for row in rows.values() if not _is_charged_right(row)],
            "accounts": left != [ALLOWED - charged] * 2,
            "ledger": await ledger.mistakes(self.watch.database),
            "waiting": await self.watch.attempts.claim("nobody") is not None,
        }
        return {name: what for name, what in wrong.items() if what}

    async def has(self, file):
        """Return whether a file exists and is intact."""
        try:
            return self.watch.files.key_of(await self.watch.files.get(file)) == file
        except FileNotFoundError:
            return False

    async def clear(self):
        """Delete all rows."""
        async with self.watch.database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                await session.execute(delete(table))


async def again(doing):
    """Run an action, and repeat it once after an error, as its requester would."""
    try:
        return await doing()
    except (DBAPIError, OSError, BadOutput, BadStore):
        return await doing()


def _is_charged_right(row):
    """Return whether a job was charged according to its final state; a job cancelled while running may be charged any part of its cost."""
    if row.state in (DONE, FAILED):
        return row.charged == (COST if row.state == DONE else 0)
    return row.state == CANCELLED and row.charged is not None and 0 <= row.charged <= COST
