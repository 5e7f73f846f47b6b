"""The fair queue in the store: the algorithm of `bot.core.scheduling` over rows. Call it inside a writing transaction.

All transactions take locks in one order, which prevents deadlocks: the virtual time, channels, users, jobs, accounts (users' before
channels'), queue rows. A transaction that changes several jobs at once locks the virtual time, as a claim does; adding jobs, or
cancelling or ending a single job, does not require it. `FOR NO KEY UPDATE` everywhere: rows that refer to a locked row can still be added.
"""

import math
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, exists, func, or_, select, text, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core import scheduling
from bot.core.limits import Policy
from bot.core.scheduling import Choice, Head, Waiting
from bot.store.database import Database, add_if_new, microseconds, now
from bot.store.tables.core import RUNNING as RUNNING_SQL
from bot.store.tables.core import UNSETTLED, ChannelRow, ClockRow, JobRow, MembershipRow, TurnRow, UserRow
from bot.store.tables.core import WAITING as WAITING_SQL

#: Written exactly as in the indexes, so that the database uses them.
IN_LINE, IS_RUNNING, _MAY_WAIT = text(f"job.{WAITING_SQL}"), text(f"job.{RUNNING_SQL}"), text("turn.waiting")
IS_UNSETTLED = text(UNSETTLED)

#: The state of a job whose user or channel is paused, or whose user is paused in that channel.
IS_HELD_BACK = or_(
    exists().where(UserRow.id == JobRow.person_id, UserRow.paused),
    exists().where(ChannelRow.id == JobRow.place_id, ChannelRow.paused),
    exists().where(MembershipRow.person_id == JobRow.person_id, MembershipRow.place_id == JobRow.place_id, MembershipRow.paused),
)

_ONE = 1

#: Users per statement: databases limit the number of parameters.
_MOST_NAMED = 1_000

#: Idle users removed from the queue per claim: after a pause of a large channel there may be thousands.
_MOST_IDLE = 64

#: The models that may be painted; None means all.
Models = Collection[str] | None


async def held_clock(session: AsyncSession) -> float:
    """Return the virtual time, locked until the transaction ends: claims and changes to the queue run one after the other."""
    held = select(ClockRow.now).where(ClockRow.id == _ONE).with_for_update(key_share=True)
    if (time := await session.scalar(held)) is not None:
        return time
    await add_if_new(session, ClockRow, {"id": _ONE, "now": 0.0})
    return (await session.scalars(held)).one()


async def enter(session: AsyncSession, user: str) -> None:
    """Note that a user has queued jobs; a user who returns after a pause has neither saved up service nor lost any."""
    held = select(TurnRow.tag, TurnRow.waiting).where(TurnRow.person_id == user).with_for_update(key_share=True)
    if (found := (await session.execute(held)).first()) is not None and found.waiting:
        return
    clock, since = await session.scalar(select(ClockRow.now)) or 0.0, microseconds(now())
    smallest = await _smallest(session)
    if found is None:
        tag = scheduling.entered(0.0, clock, smallest)
        if await add_if_new(session, TurnRow, {"person_id": user, "tag": tag, "since": since, "waiting": True}):
            return
        # Another job of the same user was quicker.
        found = (await session.execute(held)).one()
    if not found.waiting:
        changed = {"tag": scheduling.entered(found.tag, clock, smallest), "since": since, "waiting": True}
        await session.execute(update(TurnRow).where(TurnRow.person_id == user).values(changed))


async def _smallest(session: AsyncSession) -> float:
    """Return the smallest virtual time of the users with queued and running jobs.

    Users without a running job do not count: if no process offers their model, their virtual time stands still.
    """
    served = select(JobRow.person_id).where(IS_RUNNING)
    least = select(func.min(TurnRow.tag)).where(_MAY_WAIT, TurnRow.person_id.in_(served), _first_in_line().is_not(None))
    found = await session.scalar(least)
    return math.inf if found is None else found


async def charge(session: AsyncSession, policy: Policy, user: str, cost: float) -> None:
    """Charge for a job that started without waiting: the correction at its end assumes a charge at its beginning."""
    await enter(session, user)
    await correct(session, policy, user, 0.0, cost)


async def correct(session: AsyncSession, policy: Policy, user: str, estimated: float, measured: float) -> None:
    """Replace the estimated cost of a started job by its measured cost."""
    tier = await session.scalar(select(UserRow.tier).where(UserRow.id == user))
    change = scheduling.corrected(0.0, estimated, measured, policy.tier(tier or "").weight)
    if change:
        await session.execute(update(TurnRow).where(TurnRow.person_id == user).values(tag=TurnRow.tag + change))


async def left_behind(session: AsyncSession, database: Database, offered: Models = None, held: Collection[str] = ()) -> str | None:
    """Return the id of a job whose runner stopped responding; it was charged before. `held` are those that the caller runs."""
    return await session.scalar(_silent(database, offered, held).with_for_update(key_share=True, skip_locked=True))


def _silent(database: Database, offered: Models = None, held: Collection[str] = ()) -> Select[str]:
    silent = select(JobRow.id).where(IS_RUNNING, JobRow.lease < database.moment(), *_paintable(offered))
    if held:
        silent = silent.where(JobRow.id.not_in(held))
    return silent.order_by(JobRow.lease).limit(1)


async def taken(session: AsyncSession, policy: Policy, loaded: Collection[str], offered: Models = None) -> str | None:
    """Claim the next job and return its id, locked until the transaction ends, or None if the queue is empty.

    Only jobs for `offered` models are considered; the others wait for a process that offers their model.
    """
    clock = await held_clock(session)
    choice, weight, reached = None, 1.0, math.inf
    while choice is None and (rows := (await session.execute(_heads(offered))).all()):
        (first,) = await _with_lines(session, rows[:1], offered)
        choice = scheduling.choose([first], loaded, clock)
        # Other users matter only if the first user's model would have to be loaded.
        if loaded and choice is not None and choice.job.model not in loaded:
            near = [row for row in rows[1:] if row.tag <= first.tag + scheduling.WINDOW]
            choice = scheduling.choose([first, *await _with_lines(session, near, offered)], loaded, clock)
        # It was removed from the queue at this very moment: the next query shows that.
        if choice is None or not await _is_held(session, choice.job.id):
            choice = None
            continue
        weight = policy.tier(next(row.tier for row in rows if row.person_id == choice.user)).weight
        reached = first.tag
        await _overtake(session, choice)
    await _turned(session, choice, weight, reached)
    return None if choice is None else choice.job.id


def _paintable(offered: Models) -> tuple[ColumnElement[bool], ...]:
    return () if offered is None else (JobRow.model.in_(offered),)


def _first_in_line(offered: Models = None) -> ScalarSelect[str]:
    """Return any queued job of the user of a queue row."""
    # With a limit of its own, so that no planner makes a join of it: few queue rows are read, in order.
    line = select(JobRow.id).where(IN_LINE, JobRow.person_id == TurnRow.person_id, *_paintable(offered)).limit(1)
    return line.correlate(TurnRow).scalar_subquery()


def _heads(offered: Models = None) -> Select[str, float, str]:
    wanted = select(TurnRow.person_id, TurnRow.tag, UserRow.tier).join(UserRow, UserRow.id == TurnRow.person_id)
    wanted = wanted.where(_MAY_WAIT, _first_in_line(offered).is_not(None))
    return wanted.order_by(TurnRow.tag, TurnRow.since, TurnRow.person_id).limit(scheduling.HEADS)


async def _with_lines(session: AsyncSession, rows: Sequence[Row[str, float, str]], offered: Models) -> list[Head]:
    """Return users with their first queued jobs."""
    if not rows:
        return []
    lines: dict[str, list[Waiting]] = {row.person_id: [] for row in rows}
    firsts = [select(_line(user, offered).subquery()) for user in lines]
    for user, *job in await session.execute(union_all(*firsts) if len(firsts) > 1 else firsts[0]):
        lines[user].append(Waiting(*job))
    return [Head(row.person_id, row.tag, tuple(lines[row.person_id])) for row in rows]


def _line(user: str, offered: Models = None) -> Select[str, str, str, float, int]:
    wanted = select(JobRow.person_id, JobRow.id, JobRow.model, JobRow.cost, JobRow.passed)
    return wanted.where(IN_LINE, JobRow.person_id == user, *_paintable(offered)).order_by(JobRow.rank).limit(scheduling.REACH)


async def _is_held(session: AsyncSession, job_id: str) -> bool:
    """Return whether the job is locked by us; False if its user removed it from the queue at this very moment."""
    still = select(JobRow.id).where(JobRow.id == job_id, IN_LINE).with_for_update(key_share=True)
    return await session.scalar(still) is not None


async def _overtake(session: AsyncSession, choice: Choice) -> None:
    await session.execute(update(ClockRow).where(ClockRow.id == _ONE).values(now=choice.clock))
    if choice.overtaken:
        passed = update(JobRow).where(JobRow.id.in_(choice.overtaken), IN_LINE).values(passed=JobRow.passed + 1)
        await session.execute(passed.execution_options(synchronize_session=False))


async def _turned(session: AsyncSession, choice: Choice | None, weight: float, reached: float) -> None:
    """Charge the claimed job, and mark users as idle who were passed because they have no queued jobs, some with each claim.

    Only virtual times below `reached` were passed; a wider search would cost more with every waiting user.
    """
    passed = () if choice is None else (TurnRow.tag < reached,)
    idle = select(TurnRow.person_id).where(_MAY_WAIT, _first_in_line().is_(None), *passed).order_by(TurnRow.tag, TurnRow.since)
    resting = set(await session.scalars(idle.limit(_MOST_IDLE)))
    served = set() if choice is None else {choice.user}
    if not resting | served:
        return
    await _hold(session, resting | served)
    if choice is not None:
        # An increment, not a value: another job of the user may end and be corrected at the same time.
        tag = TurnRow.tag + scheduling.served(0.0, choice.job.cost, weight)
        await session.execute(update(TurnRow).where(TurnRow.person_id == choice.user).values(tag=tag))
    if resting:
        await _rest(session, resting)


async def rest(session: AsyncSession, users: Collection[str]) -> None:
    """Mark those of the users as idle who have no queued jobs; any number of users."""
    some = sorted(users)
    for first in range(0, len(some), _MOST_NAMED):
        named = some[first : first + _MOST_NAMED]
        await _hold(session, named)
        await _rest(session, named)


async def _hold(session: AsyncSession, users: Collection[str]) -> None:
    """Lock the queue rows of users. They come last and in order: a transaction that holds one waits for nothing else."""
    held = select(TurnRow.person_id).where(TurnRow.person_id.in_(users)).order_by(TurnRow.person_id)
    await session.execute(held.with_for_update(key_share=True))


async def _rest(session: AsyncSession, users: Collection[str]) -> None:
    # Checked while the queue rows are locked: a transaction that adds a job now has to wait.
    still = update(TurnRow).where(TurnRow.person_id.in_(users), _first_in_line().is_(None)).values(waiting=False)
    await session.execute(still.execution_options(synchronize_session=False))
