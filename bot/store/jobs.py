"""Jobs in the store: accepted, leased, finished. What a job is worth keeping for is in `Job`."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Select, and_, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store import people
from bot.store.models import OPEN as OPEN_SQL
from bot.store.models import JobRow, PictureRow, PlaceRow, now
from bot.store.session import Database, add_if_new
from bot.values import Address, new_id
from inference.errors import Problem
from inference.request import PictureRequest

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OPEN = (WAITING, RUNNING)

#: How long a runner may be silent before its jobs are given to another, and how often it is heard.
LEASE = timedelta(seconds=30)
BEAT_SECONDS = 5.0

#: A job that was tried so often and came to no end is not tried again.
MOST_ATTEMPTS = 3

#: Said of a job that is open. It narrows nothing where the state is asked for anyway, but lets the index be used.
_OPEN = text(f"job.{OPEN_SQL}")


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """What is accepted: who asks, where the answer goes, what was typed (`line`), asked (`wish`) and will be painted (`request`).

    `source` is the file key of the picture to start from; the request itself is kept without it. With a `key`, a person's
    second job of the same key is the first one.
    """

    id: str
    person: str
    address: Address
    line: str
    wish: str
    request: PictureRequest
    source: str | None = None
    key: str | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted request and what has become of it.

    `attempt` says which of all its attempts this one is, `tries` how many of them count against it.
    """

    id: str
    person: str
    address: Address
    line: str
    wish: str
    request: PictureRequest
    source: str | None
    state: str
    attempt: int
    problem: Problem | None
    device_seconds: float | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    tries: int = 0

    @property
    def is_open(self) -> bool:
        """Return whether it still waits or runs."""
        return self.state in OPEN


class Painted(msgspec.Struct, frozen=True, kw_only=True):
    """A finished picture, its files already kept."""

    index: int
    seed: int
    width: int
    height: int
    bytes: int
    file: str
    thumbnail: str


class Jobs:
    """The jobs. Who finishes one says which attempt it was; an attempt that is no longer the last one changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, new: Sequence[NewJob], runner: str | None = None) -> tuple[Job, ...]:
        """Keep jobs, all or none; once this returns they survive anything. With a `runner` they are leased to it at once."""
        async with self._database.write() as session:
            moment = now()
            # A microsecond apart: what was asked for together is painted in the order it was asked for.
            ids = [await _insert(session, one, runner, moment + timedelta(microseconds=number)) for number, one in enumerate(new)]
            rows = [(await session.execute(_jobs().where(JobRow.id == job_id))).one() for job_id in ids]
        return tuple(_job(row, place) for row, place in rows)

    async def get(self, job_id: str) -> Job | None:
        """Return a job, or nothing."""
        async with self._database.read() as session:
            found = (await session.execute(_jobs().where(JobRow.id == job_id))).one_or_none()
        return None if found is None else _job(*found)

    async def claim(self, runner: str, platforms: Sequence[str]) -> Job | None:
        """Lease the job whose turn it is, or return nothing.

        The person with the fewest running jobs comes first, then the oldest job; jobs whose runner fell silent are as good as
        waiting, whatever their platform.
        """
        async with self._database.write() as session:
            moment = now()
            found = (await session.execute(_next(platforms, moment))).one_or_none()
            if found is None:
                return None
            row, place = found
            row.state, row.runner, row.lease = RUNNING, runner, moment + LEASE
            row.attempt += 1
            row.tries += 1
            row.started = moment
        return _job(row, place)

    async def beat(self, runner: str, jobs: Collection[str]) -> frozenset[str]:
        """Extend a runner's leases of these jobs and return the ids of those that are still its own."""
        held = JobRow.runner == runner, JobRow.id.in_(jobs), JobRow.state == RUNNING
        async with self._database.write() as session:
            kept = await session.scalars(update(JobRow).where(*held).values(lease=now() + LEASE).returning(JobRow.id))
            return frozenset(kept)

    async def release(self, runners: Sequence[str]) -> int:
        """End the leases of runners that are gone and return how many there were: nobody has to wait until they run out."""
        held = _OPEN, JobRow.runner.in_(runners), JobRow.state == RUNNING
        async with self._database.write() as session:
            freed = await session.scalars(update(JobRow).where(*held).values(lease=now() - LEASE).returning(JobRow.id))
            return len(freed.all())

    async def leave(self, runner: str) -> int:
        """Put all jobs of a runner back to their old places in line, uncounted, and return how many there were."""
        held = _OPEN, JobRow.runner == runner, JobRow.state == RUNNING
        back = {"state": WAITING, "runner": None, "lease": None, "tries": JobRow.tries - 1}
        async with self._database.write() as session:
            given = await session.scalars(update(JobRow).where(*held).values(back).returning(JobRow.id))
            return len(given.all())

    async def runners(self) -> tuple[str, ...]:
        """Return who holds jobs now."""
        async with self._database.read() as session:
            held = await session.scalars(select(JobRow.runner).where(_OPEN, JobRow.state == RUNNING).distinct())
            return tuple(runner for runner in held if runner is not None)

    async def finish(self, job: Job, pictures: Sequence[Painted], device_seconds: float) -> bool:
        """Keep a job's pictures and say that it is done; False where the job is no longer this attempt's."""
        async with self._database.write() as session:
            if not await _end(session, job, DONE, None, device_seconds):
                return False
            session.add_all(
                PictureRow(id=new_id(), job_id=job.id, person_id=job.person, words=job.request.prompt.text, **msgspec.structs.asdict(one))
                for one in pictures
            )
        return True

    async def fail(self, job: Job, problem: Problem) -> bool:
        """Say that a job failed, and why; False where it is no longer this attempt's."""
        async with self._database.write() as session:
            return await _end(session, job, FAILED, problem, None)

    async def again(self, job: Job) -> Job | None:
        """Begin the next attempt where this one ended without a result, for the same runner; nothing where it is no longer the last one."""
        async with self._database.write() as session:
            moment = now()
            counted = {"attempt": JobRow.attempt + 1, "tries": JobRow.tries + 1, "started": moment, "lease": moment + LEASE}
            changed = await session.execute(update(JobRow).where(*_fence(job)).values(counted).returning(JobRow.id))
            if changed.first() is None:
                return None
            row, place = (await session.execute(_jobs().where(JobRow.id == job.id))).one()
        return _job(row, place)

    async def give_back(self, job: Job) -> bool:
        """Put a job back to its old place in line, as if it had not been tried; False where it is no longer this attempt's."""
        back = {"state": WAITING, "runner": None, "lease": None, "tries": JobRow.tries - 1}
        async with self._database.write() as session:
            changed = await session.execute(update(JobRow).where(*_fence(job)).values(back).returning(JobRow.id))
            return changed.first() is not None

    async def cancel(self, job_id: str) -> bool:
        """Cancel a waiting or running job; False where it has already ended. Its runner stops when it next looks."""
        wanted = update(JobRow).where(JobRow.id == job_id, JobRow.state.in_(OPEN)).values(state=CANCELLED, ended=now(), lease=None)
        async with self._database.write() as session:
            return (await session.execute(wanted.returning(JobRow.id))).first() is not None

    async def ahead(self, job: Job) -> int:
        """Return how many open jobs were accepted before this one."""
        async with self._database.read() as session:
            count = select(func.count()).select_from(JobRow).where(_OPEN, JobRow.created < job.created)
            return await session.scalar(count) or 0

    async def open_of(self, person: str) -> tuple[Job, ...]:
        """Return a person's waiting and running jobs, oldest first."""
        return await self._some(_jobs().where(_OPEN, JobRow.person_id == person).order_by(JobRow.created, JobRow.id))

    async def of_place(self, address: Address, most: int, before: datetime | None = None) -> tuple[Job, ...]:
        """Return the latest jobs of a place, oldest first; with `before`, those accepted earlier than that."""
        wanted = _jobs().where(PlaceRow.platform == address.platform, PlaceRow.key == address.place)
        if before is not None:
            wanted = wanted.where(JobRow.created < before)
        return tuple(reversed(await self._some(wanted.order_by(JobRow.created.desc(), JobRow.id.desc()).limit(most))))

    async def starts_from(self, person: str, file: str) -> bool:
        """Return whether a job of this person starts from the picture in a file."""
        async with self._database.read() as session:
            found = select(JobRow.id).where(JobRow.person_id == person, JobRow.source == file).limit(1)
            return await session.scalar(found) is not None

    async def _some(self, wanted: Select[JobRow, PlaceRow]) -> tuple[Job, ...]:
        async with self._database.read() as session:
            return tuple(_job(row, place) for row, place in await session.execute(wanted))


async def _insert(session: AsyncSession, new: NewJob, runner: str | None, moment: datetime) -> str:
    """Add a job and return its id; of one that was accepted before under the same key, that one's."""
    place = await people.place_id(session, new.address.platform, new.address.place)
    values: dict[str, object] = {
        "id": new.id,
        "person_id": new.person,
        "place_id": place,
        "message": new.address.message,
        "key": new.key,
        "line": new.line,
        "wish": new.wish,
        "request": msgspec.msgpack.encode(msgspec.structs.replace(new.request, source=None)),
        "source": new.source,
        "state": WAITING,
        "created": moment,
    }
    if runner is not None:
        values |= {"state": RUNNING, "runner": runner, "lease": moment + LEASE, "attempt": 1, "tries": 1, "started": moment}
    if await add_if_new(session, JobRow, values):
        return new.id
    return (await session.scalars(select(JobRow.id).where(JobRow.person_id == new.person, JobRow.key == new.key))).one()


def _jobs() -> Select[JobRow, PlaceRow]:
    return select(JobRow, PlaceRow).join(PlaceRow, PlaceRow.id == JobRow.place_id)


def _next(platforms: Sequence[str], moment: datetime) -> Select[JobRow, PlaceRow]:
    """Choose the next job. The index `ix_job_open` holds only what is open, so both the choice and the count stay cheap."""
    running = (
        select(JobRow.person_id, func.count().label("running"))
        .where(_OPEN, JobRow.state == RUNNING, JobRow.lease >= moment)
        .group_by(JobRow.person_id)
        .subquery()
    )
    left_behind = and_(JobRow.state == RUNNING, or_(JobRow.lease.is_(None), JobRow.lease < moment))
    waiting = and_(JobRow.state == WAITING, PlaceRow.platform.in_(platforms))
    return (
        _jobs()
        .outerjoin(running, running.c.person_id == JobRow.person_id)
        .where(_OPEN, or_(waiting, left_behind))
        .order_by(func.coalesce(running.c.running, 0), JobRow.created, JobRow.id)
        .limit(1)
        .with_for_update(of=JobRow, skip_locked=True)
    )


def _fence(job: Job) -> tuple[ColumnElement[bool], ...]:
    return JobRow.id == job.id, JobRow.attempt == job.attempt, JobRow.state == RUNNING


async def _end(session: AsyncSession, job: Job, state: str, problem: Problem | None, device_seconds: float | None) -> bool:
    values = {"state": state, "ended": now(), "lease": None, "device_seconds": device_seconds}
    if problem is not None:
        values["problem"] = msgspec.msgpack.encode(problem)
    changed = await session.execute(update(JobRow).where(*_fence(job)).values(**values).returning(JobRow.id))
    return changed.first() is not None


def _job(row: JobRow, place: PlaceRow) -> Job:
    return Job(
        id=row.id,
        person=row.person_id,
        address=Address(place.platform, place.key, row.message),
        line=row.line,
        wish=row.wish,
        request=msgspec.msgpack.decode(row.request, type=PictureRequest),
        source=row.source,
        state=row.state,
        attempt=row.attempt,
        problem=None if row.problem is None else msgspec.msgpack.decode(row.problem, type=Problem),
        device_seconds=row.device_seconds,
        created=row.created,
        started=row.started,
        ended=row.ended,
        tries=row.tries,
    )
