"""What is in work now and how long the line is: numbers for forecasts and for whoever runs all of this."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import func, select

from bot.store.columns import now
from bot.store.job import IS_OPEN, job_of, jobs
from bot.store.models import ClockRow, DeliveryRow, JobRow, PlaceRow
from bot.store.outbox import IS_UNTOLD
from bot.store.session import Database
from bot.store.turn import IN_LINE, IS_RUNNING
from bot.values import Address


class Running(msgspec.Struct, frozen=True):
    """A job in work: by whom, the seconds of the device it is thought to take, and since when."""

    runner: str
    cost: float
    started: datetime


class Queue(msgspec.Struct, frozen=True):
    """The open jobs of one state: how many, and the age of the oldest in seconds."""

    jobs: int
    oldest: float


class Turns(msgspec.Struct, frozen=True):
    """The virtual time of the turns, and how many persons wait for theirs."""

    clock: float
    waiting: int


class Work:
    """Questions about everybody's open jobs; the indexes hold only those."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def running(self) -> tuple[Running, ...]:
        """Return what is being painted now, by all processes."""
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

    async def ends(self, address: Address, most: int) -> tuple[int, ...]:
        """Return of how many pictures the ends are that a place is told next, a number for each request, of so many at most.

        They are those of what is being painted, by all processes, and of what was and is not told yet.
        """
        untold = select(DeliveryRow.job_id).where(IS_UNTOLD, DeliveryRow.platform == address.platform)
        here = jobs().where(PlaceRow.platform == address.platform, PlaceRow.key == address.place)
        ways = here.where(IS_RUNNING), here.where(JobRow.id.in_(untold))
        async with self._database.read() as session:
            rows = [row for wanted in ways for row in await session.execute(wanted.limit(most))]
        return tuple(job_of(row, place).request.count for row, place in rows)[:most]

    async def turns(self) -> Turns:
        """Return how the turns stand."""
        waiting = select(func.count(JobRow.person_id.distinct())).where(IN_LINE)
        async with self._database.read() as session:
            return Turns(await session.scalar(select(ClockRow.now)) or 0.0, await session.scalar(waiting) or 0)

    async def answers(self) -> None:
        """Ask the database something trivial; raises what its driver raises where it does not answer."""
        async with self._database.read() as session:
            await session.execute(select(1))
