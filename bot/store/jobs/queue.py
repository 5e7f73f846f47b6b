"""The job queue: its state, reordering a user's own jobs, and pausing the jobs of a user or channel."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.limits import Policy
from bot.core.values import MessageRef
from bot.store.database import Database, add_if_new, now
from bot.store.jobs import fair_queue
from bot.store.jobs.fair_queue import IN_LINE, IS_RUNNING
from bot.store.jobs.job import IS_OPEN, PAUSED, WAITING, Job, inputs_of, job_of, jobs, request_of
from bot.store.jobs.outbox import IS_UNTOLD
from bot.store.tables.core import ChannelRow, ClockRow, DeliveryRow, JobRow, MembershipRow, TurnRow, UserRow
from bot.store.users.users import place_id as id_of_channel
from inference.contract.inputs import Role
from inference.contract.request import PictureRequest

Way = Literal["up", "down", "first", "last"]


class UserBacklog(msgspec.Struct, frozen=True):
    """The queue state of a user: their virtual time (and since when, in microseconds), their weight, and their queued jobs:
    count and device seconds.
    """

    user: str
    tag: float
    since: int
    weight: float
    jobs: int
    cost: float


class JobQueue:
    """The queued jobs of all users, and the operations that move them."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def stands(self) -> tuple[UserBacklog, ...]:
        """Return the queue state of every user with queued jobs."""
        waiting = (
            select(JobRow.person_id, func.count().label("jobs"), func.sum(JobRow.cost).label("cost"))
            .where(fair_queue.IN_LINE)
            .group_by(JobRow.person_id)
            .subquery()
        )
        wanted = (
            select(waiting.c.person_id, TurnRow.tag, TurnRow.since, UserRow.tier, waiting.c.jobs, waiting.c.cost)
            .join(TurnRow, TurnRow.person_id == waiting.c.person_id)
            .join(UserRow, UserRow.id == waiting.c.person_id)
        )
        async with self._database.read() as session:
            rows = (await session.execute(wanted)).all()
        return tuple(
            UserBacklog(user, tag, since, self._policy.tier(tier).weight, jobs, cost) for user, tag, since, tier, jobs, cost in rows
        )

    async def before(self, job: Job) -> tuple[int, float]:
        """Return the count and the device seconds of the same user's jobs queued before a job."""
        rank = select(JobRow.rank).where(JobRow.id == job.id).scalar_subquery()
        own = select(func.count(), func.coalesce(func.sum(JobRow.cost), 0.0))
        async with self._database.read() as session:
            count, cost = (await session.execute(own.where(fair_queue.IN_LINE, JobRow.person_id == job.user, JobRow.rank < rank))).one()
        return count, cost

    async def move(self, job: Job, way: Way) -> bool:
        """Move a queued job within its user's own queue; False if it is not queued, or already at that end."""
        async with self._database.write() as session:
            # Of two concurrent moves, the second sees the queue as the first left it.
            await fair_queue.held_clock(session)
            own = select(JobRow.id, JobRow.rank).where(fair_queue.IN_LINE, JobRow.person_id == job.user).order_by(JobRow.rank, JobRow.id)
            ids, ranks = [list(column) for column in zip(*await session.execute(own), strict=True)] or ([], [])
            if job.id not in ids:
                return False
            old = ids.index(job.id)
            new = {"up": max(0, old - 1), "down": min(len(ids) - 1, old + 1), "first": 0, "last": len(ids) - 1}[way]
            if new == old:
                return False
            ids.insert(new, ids.pop(old))
            for job_id, rank in list(zip(ids, ranks, strict=True))[min(old, new) : max(old, new) + 1]:
                await session.execute(update(JobRow).where(JobRow.id == job_id).values(rank=rank))
        return True

    async def estimate_again(self, model: str, estimate: Callable[[PictureRequest, Collection[Role]], float]) -> None:
        """Replace the estimated cost of each queued job of a model by `estimate` of its request and the roles of its inputs."""
        async with self._database.write() as session:
            # No job is claimed meanwhile: its charge is corrected by the cost that it had when it was claimed.
            await fair_queue.held_clock(session)
            rows = await session.scalars(select(JobRow).where(fair_queue.IN_LINE, JobRow.model == model))
            costs = [{"of_job": row.id, "now_costs": cost} for row in rows if (cost := _estimated(row, estimate)) != row.cost]
            if costs:
                changed = update(JobRow).where(JobRow.id == bindparam("of_job")).values(cost=bindparam("now_costs"))
                await (await session.connection()).execute(changed, costs)

    async def pause_person(self, user: str, *, paused: bool) -> tuple[str, ...]:
        """Pause or resume a user's queued jobs; return the ids of the changed jobs. Running jobs continue."""
        async with self._database.write() as session:
            await fair_queue.held_clock(session)
            await session.execute(update(UserRow).where(UserRow.id == user).values(paused=paused))
            return await self._moved(session, JobRow.person_id == user, paused=paused)

    async def pause_place(self, platform: str, key: str, *, paused: bool) -> tuple[str, ...]:
        """Pause or resume the queued jobs of a channel; return the ids of the changed jobs."""
        async with self._database.write() as session:
            await fair_queue.held_clock(session)
            place_id = await id_of_channel(session, platform, key)
            await session.execute(update(ChannelRow).where(ChannelRow.id == place_id).values(paused=paused))
            return await self._moved(session, JobRow.place_id == place_id, paused=paused)

    async def pause_member(self, user: str, address: MessageRef, *, paused: bool) -> tuple[str, ...]:
        """Pause or resume a user's queued jobs in one channel; return the ids of the changed jobs."""
        async with self._database.write() as session:
            await fair_queue.held_clock(session)
            place_id = await id_of_channel(session, address.platform, address.channel)
            # A job of theirs that is being accepted comes before or after this, never in between.
            await session.execute(select(UserRow.id).where(UserRow.id == user).with_for_update(key_share=True))
            await add_if_new(session, MembershipRow, {"person_id": user, "place_id": place_id, "paused": paused})
            held = MembershipRow.person_id == user, MembershipRow.place_id == place_id
            await session.execute(update(MembershipRow).where(*held).values(paused=paused))
            return await self._moved(session, and_(JobRow.person_id == user, JobRow.place_id == place_id), paused=paused)

    async def _moved(self, session: AsyncSession, whose: ColumnElement[bool], *, paused: bool) -> tuple[str, ...]:
        """Move jobs out of the queue, or back into it if no other pause applies."""
        which = (whose, JobRow.state == WAITING) if paused else (whose, JobRow.state == PAUSED, ~fair_queue.IS_HELD_BACK)
        changed = update(JobRow).where(*which).values(state=PAUSED if paused else WAITING).returning(JobRow.id, JobRow.person_id)
        rows = (await session.execute(changed.execution_options(synchronize_session=False))).all()
        if paused:
            await fair_queue.rest(session, {user for _, user in rows})
        else:
            await self._entered(session, {user for _, user in rows})
        return tuple(job_id for job_id, _ in rows)

    async def _entered(self, session: AsyncSession, users: Iterable[str]) -> None:
        for user in sorted(users):
            await fair_queue.enter(session, user)
        await self._database.ring(session, "work")


def _estimated(row: JobRow, estimate: Callable[[PictureRequest, Collection[Role]], float]) -> float:
    """Return the new estimate of a job; a request that this version cannot read keeps its estimate."""
    request = request_of(row)
    return row.cost if request is None else estimate(request, [one.role for one in inputs_of(row)])


class Running(msgspec.Struct, frozen=True):
    """A running job: its runner, its estimated device seconds, and its start."""

    runner: str
    cost: float
    started: datetime


class Queue(msgspec.Struct, frozen=True):
    """The open jobs of one state: how many, and the age of the oldest in seconds."""

    jobs: int
    oldest: float


class Turns(msgspec.Struct, frozen=True):
    """The virtual time of the fair queue, and the number of waiting users."""

    clock: float
    waiting: int


class QueueNumbers:
    """Queries about the open jobs of all users; the indexes hold only those."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def running(self) -> tuple[Running, ...]:
        """Return the running jobs of all processes."""
        wanted = select(JobRow.runner, JobRow.cost, JobRow.started).where(IS_RUNNING, JobRow.lease >= self._database.moment())
        async with self._database.read() as session:
            rows = (await session.execute(wanted)).all()
        return tuple(Running(runner or "", cost, started or now()) for runner, cost, started in rows)

    async def queues(self) -> Mapping[str, Queue]:
        """Return the open jobs by state."""
        wanted = select(JobRow.state, func.count(), func.min(JobRow.created)).where(IS_OPEN).group_by(JobRow.state)
        moment = now()
        async with self._database.read() as session:
            rows = (await session.execute(wanted)).all()
        return {state: Queue(count, max(0.0, (moment - oldest).total_seconds())) for state, count, oldest in rows}

    async def ends(self, address: MessageRef, most: int) -> tuple[int, ...]:
        """Return the picture counts of the results that a channel receives next, a number for each request, at most `most` of them.

        They are the running jobs of all processes, and the ended jobs whose results are not delivered yet.
        """
        untold = select(DeliveryRow.job_id).where(IS_UNTOLD, DeliveryRow.platform == address.platform)
        here = jobs().where(ChannelRow.platform == address.platform, ChannelRow.key == address.channel)
        ways = here.where(IS_RUNNING), here.where(JobRow.id.in_(untold))
        async with self._database.read() as session:
            rows = [row for wanted in ways for row in await session.execute(wanted.limit(most))]
        return tuple(job_of(row, channel).request.count for row, channel in rows)[:most]

    async def turns(self) -> Turns:
        """Return the state of the fair queue."""
        waiting = select(func.count(JobRow.person_id.distinct())).where(IN_LINE)
        async with self._database.read() as session:
            return Turns(await session.scalar(select(ClockRow.now)) or 0.0, await session.scalar(waiting) or 0)

    async def answers(self) -> None:
        """Run a trivial query; raises `BadStore` if the database does not answer, or if its file is gone."""
        self._database.check_file()
        async with self._database.read() as session:
            await session.execute(select(1))
