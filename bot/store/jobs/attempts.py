"""Attempts at jobs: claim the next job, lease it, end it once. Every end is fenced by the number of its attempt."""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import ColumnElement, Select, TextClause, case, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core import limits
from bot.core.limits import Policy
from bot.core.values import new_id, stored_provenance
from bot.store.billing import ledger
from bot.store.database import Database
from bot.store.images import search_terms
from bot.store.jobs import fair_queue, outbox
from bot.store.jobs.job import CANCELLED, DONE, FAILED, IS_OPEN, LEASE, PAUSED, RUNNING, UNREADABLE, WAITING, Job, Painted, job_of, jobs
from bot.store.tables.core import JobRow, PictureRow, UserRow
from inference.contract.errors import Problem
from inference.contract.provenance import Provenance

#: Jobs that one sweep handles; there are hardly ever any.
_MOST_SWEPT = 100


class Attempts:
    """The attempts. A change by an outdated attempt has no effect."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def claim(
        self, runner: str, loaded: Collection[str] = (), offered: Collection[str] | None = None, held: Collection[str] = ()
    ) -> Job | None:
        """Lease the next job for a device that has `loaded` these models, or return None.

        Only jobs for `offered` models count; None means all models. Jobs whose runner stopped responding come first: they were charged
        before. A job that the caller itself holds is never one of those: if its lease seems to be over, the clock was changed. A job
        that this version cannot read fails here.
        """
        while (job := await self._claimed(runner, loaded, offered, held)) is not None and job.is_unreadable:
            await self.fail(job, UNREADABLE)
        return job

    async def _claimed(self, runner: str, loaded: Collection[str], offered: Collection[str] | None, held: Collection[str]) -> Job | None:
        async with self._database.write() as session:
            silent = await fair_queue.left_behind(session, self._database, offered, held)
            job_id = silent or await fair_queue.taken(session, self._policy, loaded, offered)
            if job_id is None:
                return None
            begun = {
                "state": RUNNING,
                "runner": runner,
                "lease": self._database.moment(LEASE),
                "attempt": JobRow.attempt + 1,
                "tries": JobRow.tries + 1,
                "started": self._database.moment(),
            }
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(begun))
            row, channel = (await session.execute(jobs().where(JobRow.id == job_id))).one()
            job = await self._weighted(session, job_of(row, channel))
            await self._database.ring(session, f"show:{job_id}:{runner}")
        return job

    async def _weighted(self, session: AsyncSession, job: Job) -> Job:
        """Return a job with the weight of its user's tier, by which the worker shares the device among the users it paints for."""
        tier = await session.scalar(select(UserRow.tier).where(UserRow.id == job.user))
        return msgspec.structs.replace(job, weight=self._policy.tier(tier or "").weight)

    async def beat(self, runner: str, held: Collection[str]) -> frozenset[str]:
        """Extend a runner's leases of these jobs and return the ids of those that are still its own."""
        mine = select(JobRow.id).where(JobRow.runner == runner, JobRow.id.in_(held), JobRow.state == RUNNING)
        # In the order of their ids: other transactions that lock several jobs use the same order.
        ordered = mine.order_by(JobRow.id).with_for_update(key_share=True)
        kept = update(JobRow).where(JobRow.id.in_(ordered)).values(lease=self._database.moment(LEASE)).returning(JobRow.id)
        async with self._database.write() as session:
            return frozenset(await session.scalars(kept.execution_options(synchronize_session=False)))

    async def release(self, runners: Sequence[str]) -> int:
        """End the leases of dead runners and return how many there were: their jobs need not wait until the leases expire."""
        over = self._database.moment(-LEASE)
        async with self._database.write() as session:
            await fair_queue.held_clock(session)
            freed = update(JobRow).where(IS_OPEN, JobRow.runner.in_(runners), JobRow.state == RUNNING).values(lease=over)
            return len((await session.scalars(freed.returning(JobRow.id))).all())

    async def leave(self, runner: str) -> int:
        """Return all jobs of a runner to their old positions in the queue, without counting the attempt, and return how many there were."""
        async with self._database.write() as session:
            return await self._back(session, IS_OPEN, JobRow.runner == runner, JobRow.state == RUNNING)

    async def give_back(self, job: Job) -> bool:
        """Return a job to its old position in the queue, as if not attempted; False if the job is no longer this attempt's."""
        async with self._database.write() as session:
            return await self._back(session, *_fence(job)) > 0

    async def _back(self, session: AsyncSession, *which: ColumnElement[bool] | TextClause) -> int:
        # Locked, so that no user or channel is paused in between: a paused job must not return to the queue.
        await fair_queue.held_clock(session)
        state = case((fair_queue.IS_HELD_BACK, PAUSED), else_=WAITING)
        back = {"state": state, "runner": None, "lease": None, "started": None, "tries": JobRow.tries - 1}
        given = update(JobRow).where(*which).values(back).returning(JobRow.person_id, JobRow.cost, JobRow.state)
        rows = (await session.execute(given.execution_options(synchronize_session=False))).all()
        for user, cost, became in sorted(rows):
            await fair_queue.correct(session, self._policy, user, cost, 0.0)
            if became == WAITING:
                await fair_queue.enter(session, user)
        if rows:
            await self._database.ring(session, "work")
        return len(rows)

    async def runners(self) -> tuple[str, ...]:
        """Return the runners that hold jobs now."""
        async with self._database.read() as session:
            held = await session.scalars(select(JobRow.runner).where(IS_OPEN, JobRow.state == RUNNING).distinct())
            return tuple(runner for runner in held if runner is not None)

    async def finish(self, job: Job, pictures: Sequence[Painted], device_seconds: float, proof: Provenance | None = None) -> bool:
        """Store a job's pictures and provenance, capture its credits and add the delivery, in one transaction.

        False if the job is no longer this attempt's.
        """
        found = stored_provenance(msgspec.structs.replace(job.evidence, painted=proof))
        async with self._database.write() as session:
            user = await self._end(session, job, {"state": DONE, "device_seconds": device_seconds, "proof": found})
            if user is None:
                return False
            session.add_all(_row(job, user, one) for one in pictures)
            await session.flush()
            await self._settle(session, job, user, _share(job, pictures), device_seconds)
        return True

    async def fail(self, job: Job, problem: Problem) -> bool:
        """Mark a job as failed with a problem; it costs nothing. False if the job is no longer this attempt's."""
        async with self._database.write() as session:
            if await self._end(session, job, {"state": FAILED, "problem": msgspec.msgpack.encode(problem)}) is None:
                return False
            # The device was busy with it anyway: the charge to the fair queue stays.
            await ledger.settle(session, job.id, 0)
        return True

    async def stopped(self, job: Job, share: float) -> None:
        """Capture the credits of a job cancelled after this attempt did a `share` (0 to 1) of its work. Only the first call counts."""
        mine = JobRow.id == job.id, JobRow.attempt == job.attempt, JobRow.state == CANCELLED
        async with self._database.write() as session:
            user = await session.scalar(select(JobRow.person_id).where(*mine).with_for_update(key_share=True))
            if user is not None:
                await self._settle(session, job, user, share, job.cost * share)

    async def again(self, job: Job, *, blamed: bool = False) -> Job | None:
        """Start the next attempt after an attempt without a result, for the same runner; None if this attempt is outdated.

        `blamed`: this attempt crashed its process, so it counts twice.
        """
        counted = {
            "attempt": JobRow.attempt + 1,
            "tries": JobRow.tries + (2 if blamed else 1),
            "started": self._database.moment(),
            "lease": self._database.moment(LEASE),
        }
        async with self._database.write() as session:
            changed = await session.execute(update(JobRow).where(*_fence(job)).values(counted).returning(JobRow.id))
            if changed.first() is None:
                return None
            row, channel = (await session.execute(jobs().where(JobRow.id == job.id))).one()
            return await self._weighted(session, job_of(row, channel))

    async def sweep(self) -> int:
        """Capture nothing for cancelled jobs whose usage was not reported for a long time; return how many."""
        async with self._database.read() as session:
            ids = (await session.scalars(_unsettled(self._database))).all()
        settled = 0
        for job_id in ids:
            # One job at a time: accounts of several users are never locked together.
            async with self._database.write() as session:
                settled += await ledger.settle(session, job_id, 0)
        return settled

    async def _end(self, session: AsyncSession, job: Job, values: dict[str, object]) -> str | None:
        """End an attempt and return the present owner of the job, or None if the attempt is outdated."""
        changed = update(JobRow).where(*_fence(job)).values(values | {"ended": self._database.moment(), "lease": None})
        if (user := (await session.execute(changed.returning(JobRow.person_id))).scalar()) is None:
            return None
        await outbox.add(session, self._database, job.id, job.address.platform)
        return user

    async def _settle(self, session: AsyncSession, job: Job, user: str, share: float, device_seconds: float) -> None:
        if await ledger.settle(session, job.id, limits.charge(job.credits, share)):
            await fair_queue.correct(session, self._policy, user, job.cost, device_seconds)


def _unsettled(database: Database) -> Select[str]:
    return select(JobRow.id).where(fair_queue.IS_UNSETTLED, JobRow.ended < database.moment(-2 * LEASE)).limit(_MOST_SWEPT)


def _share(job: Job, pictures: Sequence[Painted]) -> float:
    """Return the share of the requested work that was done: less than 1 if the pictures had to be smaller."""
    request = job.request
    return sum(one.width * one.height for one in pictures) / (request.count * request.width * request.height)


def _fence(job: Job) -> tuple[ColumnElement[bool], ...]:
    return JobRow.id == job.id, JobRow.attempt == job.attempt, JobRow.state == RUNNING


def _row(job: Job, user: str, painted: Painted) -> PictureRow:
    words = job.request.prompt.text
    found_by = search_terms.of_picture(words, job.request.model, search_terms.preset_of(job.params), painted.seed)
    return PictureRow(id=new_id(), job_id=job.id, person_id=user, words=words, terms=found_by, **msgspec.structs.asdict(painted))
