"""Jobs in the store: accept, read, cancel, retry. Attempts are in `attempts`, the queue is in `fair_queue` and `queue`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import Select, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.errors import NotAllowed
from bot.core.limits import Policy
from bot.core.values import JobProvenance, MessageRef, stored_provenance
from bot.store.billing import ledger, usage
from bot.store.database import Database, add_if_new, microseconds, now
from bot.store.jobs import fair_queue, outbox
from bot.store.jobs.job import CANCELLED, FAILED, IS_OPEN, LEASE, OPEN, PAUSED, RUNNING, WAITING, Job, NewJob, job_of, jobs
from bot.store.tables.core import ChannelRow, JobInputRow, JobRow, MembershipRow, UserRow
from bot.store.users.users import place_id
from inference.contract.inputs import Role


class Jobs:
    """The jobs, as their users see them."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def accept(self, new: Sequence[NewJob], runner: str | None = None) -> tuple[Job, ...]:
        """Store jobs and hold their credits, all or none; after this returns they survive any failure.

        With a `runner` they are leased to it at once. Raises `NotAllowed` if credits or space in the user's queue are insufficient.
        """
        async with self._database.write() as session:
            users = await _places(session, new)
            askers = {user: await _asker(session, user) for user in sorted({one.user for one in new})}
            moment, ids, admitted = now(), [], []
            day = self._policy.day(moment)
            for number, one in enumerate(new):
                requester, channel = askers[one.user], users[_key(one)]
                # A microsecond apart: jobs requested together are painted in the order of the request.
                values = _values(one, channel.id, moment + timedelta(microseconds=number), requester.rank + 1 + number) | {"day": day}
                values |= self._leased(runner) if runner else {"state": PAUSED if requester.is_held_back(channel) else WAITING}
                if await add_if_new(session, JobRow, values):
                    ids.append(one.id)
                    await _keep_inputs(session, one)
                    admitted.append(_Admitted(one.id, one.user, channel.id, one.credits, one.cost, values["state"] == WAITING))
                else:
                    ids.append(await _known(session, one))
            if runner is None:
                await self._admit(session, admitted, askers, day)
            for begun in admitted if runner else ():
                await fair_queue.charge(session, self._policy, begun.user, begun.cost)
            rows = [(await session.execute(jobs().where(JobRow.id == job_id))).one() for job_id in ids]
            await self._database.ring(session, "work")
        return tuple(job_of(row, channel) for row, channel in rows)

    def _leased(self, runner: str) -> dict[str, object]:
        lease, started = self._database.moment(LEASE), self._database.moment()
        return {"state": RUNNING, "runner": runner, "lease": lease, "attempt": 1, "tries": 1, "started": started}

    async def _admit(self, session: AsyncSession, new: Sequence["_Admitted"], askers: Mapping[str, "_Asker"], day: str) -> None:
        """Hold the credits of a day's new jobs and queue them; raises `NotAllowed`."""
        for user, count in Counter(one.user for one in new).items():
            most = self._policy.tier(askers[user].tier).most_open
            if askers[user].open + count > most:
                raise NotAllowed("denied-open", most=most)
        used: Counter[tuple[str, str]] = Counter()
        for one in new:
            used[one.user, one.place_id] += one.credits
        for (user, channel), credits in sorted(used.items()):
            await usage.take(session, day, user, channel, credits)
        for one in sorted(new, key=lambda one: one.user):
            allowance = self._policy.tier(askers[one.user].tier).credits
            await ledger.hold(session, self._policy, ledger.of_person(one.user), allowance, one.credits, one.id)
        for one in sorted(new, key=lambda one: one.place_id):
            await ledger.hold(session, self._policy, ledger.of_channel(one.place_id), self._policy.channel, one.credits, one.id)
        for user in sorted({one.user for one in new if one.is_in_line}):
            await fair_queue.enter(session, user)

    async def get(self, job_id: str) -> Job | None:
        """Return a job, or None."""
        async with self._database.read() as session:
            found = (await session.execute(jobs().where(JobRow.id == job_id))).one_or_none()
        return None if found is None else job_of(*found)

    async def placed(self, job_id: str, message: str) -> None:
        """Store which message of its channel shows a job."""
        async with self._database.write() as session:
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(message=message))

    async def cancel(self, job_id: str) -> bool:
        """Cancel an open job; False if it has already ended.

        A queued job costs nothing. The runner of a running job stops at its next check and reports the usage.
        """
        async with self._database.write() as session:
            found = (await session.execute(jobs().where(JobRow.id == job_id).with_for_update(of=JobRow, key_share=True))).one_or_none()
            if found is None or found[0].state not in OPEN:
                return False
            row, channel = found
            was_running = row.state == RUNNING
            ended = {"state": CANCELLED, "ended": self._database.moment(), "lease": None}
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(ended))
            if not was_running:
                await ledger.settle(session, job_id, 0)
            await outbox.add(session, self._database, job_id, channel.platform)
            await self._database.ring(session, f"job:{job_id}")
        return True

    async def retry(self, job_id: str) -> bool:
        """Queue a failed job again, with the same request; False if the job has not failed. Raises what `accept` raises."""
        async with self._database.write() as session:
            found = (await session.execute(jobs().where(JobRow.id == job_id))).one_or_none()
            if found is None or found[0].state != FAILED:
                return False
            row, channel = found
            if (kept := job_of(row, channel)).is_unreadable:
                return False
            (held_back,) = await _held(session, [channel.id])
            requester = await _asker(session, row.person_id)
            is_paused, day = requester.is_held_back(held_back), self._policy.day(now())
            anew = {
                "state": PAUSED if is_paused else WAITING,
                "rank": max(requester.rank + 1, microseconds(now())),
                **{"model": kept.request.model, "tries": 0, "passed": 0, "day": day},
                **dict.fromkeys(("problem", "started", "ended", "charged"), None),
            }
            changed = update(JobRow).where(JobRow.id == job_id, JobRow.state == FAILED).values(anew).returning(JobRow.id)
            if (await session.execute(changed)).first() is None:
                return False
            again = _Admitted(job_id, row.person_id, channel.id, row.credits, row.cost, not is_paused)
            await self._admit(session, [again], {row.person_id: requester}, day)
            await self._database.ring(session, "work")
        return True

    async def open_of(self, user: str) -> tuple[Job, ...]:
        """Return a user's open jobs: running jobs first, then queued jobs in order."""
        wanted = jobs().where(IS_OPEN, JobRow.person_id == user)
        return await self._some(wanted.order_by(JobRow.state != RUNNING, JobRow.rank, JobRow.id))

    async def of_channel(self, address: MessageRef, most: int, before: datetime | None = None) -> tuple[Job, ...]:
        """Return the latest jobs of a channel, oldest first; with `before`, those accepted earlier than that."""
        wanted = jobs().where(ChannelRow.platform == address.platform, ChannelRow.key == address.channel)
        if before is not None:
            wanted = wanted.where(JobRow.created < before)
        return tuple(reversed(await self._some(wanted.order_by(JobRow.created.desc(), JobRow.id.desc()).limit(most))))

    async def starts_from(self, user: str, file: str) -> bool:
        """Return whether a job of this user has the picture in a file as an input, in any role."""
        async with self._database.read() as session:
            found = select(JobRow.id).join(JobInputRow).where(JobRow.person_id == user, JobInputRow.file == file).limit(1)
            return await session.scalar(found) is not None

    async def _some(self, wanted: Select[JobRow, ChannelRow]) -> tuple[Job, ...]:
        async with self._database.read() as session:
            return tuple(job_of(row, channel) for row, channel in await session.execute(wanted))


class _Place(NamedTuple):
    id: str
    is_paused: bool


class _Asker(NamedTuple):
    """The user of a request: the number of their open jobs, the largest rank of those, and the channels that pause them."""

    tier: str
    is_paused: bool
    open: int
    rank: int
    barred: frozenset[str]

    def is_held_back(self, channel: _Place) -> bool:
        """Return whether their jobs in a channel are paused."""
        return self.is_paused or channel.is_paused or channel.id in self.barred


class _Admitted(NamedTuple):
    id: str
    user: str
    place_id: str
    credits: int
    cost: float
    is_in_line: bool


async def _asker(session: AsyncSession, user: str) -> _Asker:
    """Return the user, locked until the transaction ends: of concurrent requests each sees the queue as the previous request left it."""
    wanted = select(UserRow.tier, UserRow.paused).where(UserRow.id == user).with_for_update(key_share=True)
    tier, is_paused = (await session.execute(wanted)).first() or ("", False)
    line = select(func.count(), func.coalesce(func.max(JobRow.rank), 0)).where(IS_OPEN, JobRow.person_id == user)
    open_jobs, rank = (await session.execute(line)).one()
    barred = await session.scalars(select(MembershipRow.place_id).where(MembershipRow.person_id == user, MembershipRow.paused))
    return _Asker(tier, is_paused, open_jobs, rank, frozenset(barred))


async def _places(session: AsyncSession, new: Sequence[NewJob]) -> dict[tuple[str, str], _Place]:
    """Return the channels of jobs, locked until the transaction ends."""
    ids = {key: await place_id(session, *key) for key in sorted({_key(one) for one in new})}
    held = {one.id: one for one in await _held(session, ids.values())}
    return {key: held[id] for key, id in ids.items()}


async def _held(session: AsyncSession, place_ids: Iterable[str]) -> list[_Place]:
    """Return channels, locked so that many users can add jobs at once, but no transaction can pause the channels."""
    wanted = select(ChannelRow.id, ChannelRow.paused).where(ChannelRow.id.in_(set(place_ids))).order_by(ChannelRow.id)
    return [_Place(*found) for found in await session.execute(wanted.with_for_update(read=True))]


def _key(new: NewJob) -> tuple[str, str]:
    return new.address.platform, new.address.channel


async def _known(session: AsyncSession, new: NewJob) -> str:
    """Return the id of the job that was accepted before with the key of a new job, or the new job's own."""
    before = or_(JobRow.id == new.id, and_(JobRow.person_id == new.user, JobRow.key == new.key))
    return (await session.scalars(select(JobRow.id).where(before))).one()


async def _keep_inputs(session: AsyncSession, new: NewJob) -> None:
    """Store the input pictures of a new job: positions within a role count from 0."""
    counts: Counter[Role] = Counter()
    for one in new.inputs:
        row = {"job_id": new.id, "role": one.role.value, "position": counts[one.role], "file": one.file, "bytes": one.bytes}
        await session.execute(insert(JobInputRow).values(row))
        counts[one.role] += 1


def _values(new: NewJob, place_id: str, moment: datetime, rank: int) -> dict[str, object]:
    """Return the row of a job; `rank` is its minimum, after all open jobs of its user."""
    return {
        "id": new.id,
        "person_id": new.user,
        "place_id": place_id,
        "message": new.address.message,
        "key": new.key,
        "line": new.line,
        "params": new.params,
        "request": msgspec.msgpack.encode(msgspec.structs.replace(new.request, inputs=())),
        "model": new.request.model,
        "cost": new.cost,
        "rank": max(rank, microseconds(moment)),
        "credits": new.credits,
        "language": new.language,
        "proof": stored_provenance(JobProvenance(first=new.first)),
        "created": moment,
    }
