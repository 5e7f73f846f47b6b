"""Turns in the store: the rule of `bot.core.fair_queue` over rows. To be called inside a writing transaction.

Everybody takes locks in one order, so that nobody waits in a circle: the clock, places, persons, jobs, accounts (persons'
before places'), turns. Who changes several jobs at once holds the clock, as who takes a turn does; who adds jobs, or cancels or
ends one, need not. `FOR NO KEY UPDATE` everywhere: rows that refer to a held one can still be added.
"""

import math
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, exists, or_, select, text, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core import fair_queue
from bot.core.fair_queue import Choice, Head, Waiting
from bot.core.quota import Policy
from bot.store.database import Database, add_if_new
from bot.store.tables.columns import microseconds, now
from bot.store.tables.core import RUNNING as RUNNING_SQL
from bot.store.tables.core import UNSETTLED, ChannelRow, ClockRow, JobRow, MembershipRow, TurnRow, UserRow
from bot.store.tables.core import WAITING as WAITING_SQL

#: Written as the indexes say it, so that the database uses them.
IN_LINE, IS_RUNNING, _MAY_WAIT = text(f"job.{WAITING_SQL}"), text(f"job.{RUNNING_SQL}"), text("turn.waiting")
IS_UNSETTLED = text(UNSETTLED)

#: Said of a job whose person or place is paused, or the person in that place.
IS_HELD_BACK = or_(
    exists().where(UserRow.id == JobRow.person_id, UserRow.paused),
    exists().where(ChannelRow.id == JobRow.place_id, ChannelRow.paused),
    exists().where(MembershipRow.person_id == JobRow.person_id, MembershipRow.place_id == JobRow.place_id, MembershipRow.paused),
)

_ONE = 1

#: A statement names at most so many persons: databases take only so many parameters.
_MOST_NAMED = 1_000

#: So many persons with nothing waiting are put to rest with each turn: after a pause of a large place there may be thousands.
_MOST_IDLE = 64

#: The models that may be painted; None stands for all.
Models = Collection[str] | None


async def held_clock(session: AsyncSession) -> float:
    """Return the virtual time, held until the transaction ends: turns are taken, and lines changed, one after the other."""
    held = select(ClockRow.now).where(ClockRow.id == _ONE).with_for_update(key_share=True)
    if (time := await session.scalar(held)) is not None:
        return time
    await add_if_new(session, ClockRow, {"id": _ONE, "now": 0.0})
    return (await session.scalars(held)).one()


async def enter(session: AsyncSession, user: str) -> None:
    """Note that a person has something waiting; whoever comes back after a pause has neither saved up turns nor lost any."""
    held = select(TurnRow.tag, TurnRow.waiting).where(TurnRow.person_id == user).with_for_update(key_share=True)
    if (found := (await session.execute(held)).first()) is not None and found.waiting:
        return
    clock, since = await session.scalar(select(ClockRow.now)) or 0.0, microseconds(now())
    if found is None:
        if await add_if_new(session, TurnRow, {"person_id": user, "tag": clock, "since": since, "waiting": True}):
            return
        # Another job of theirs was quicker.
        found = (await session.execute(held)).one()
    if not found.waiting:
        changed = {"tag": fair_queue.entered(found.tag, clock), "since": since, "waiting": True}
        await session.execute(update(TurnRow).where(TurnRow.person_id == user).values(changed))


async def charge(session: AsyncSession, policy: Policy, user: str, cost: float) -> None:
    """Charge for a job that was begun without waiting for its turn: what is put right at its end was charged at its beginning."""
    await enter(session, user)
    await correct(session, policy, user, 0.0, cost)


async def correct(session: AsyncSession, policy: Policy, user: str, estimated: float, measured: float) -> None:
    """Replace what a begun job was thought to take by what it took."""
    tier = await session.scalar(select(UserRow.tier).where(UserRow.id == user))
    change = fair_queue.corrected(0.0, estimated, measured, policy.tier(tier or "").weight)
    if change:
        await session.execute(update(TurnRow).where(TurnRow.person_id == user).values(tag=TurnRow.tag + change))


async def left_behind(session: AsyncSession, database: Database, offered: Models = None) -> str | None:
    """Return the id of a job whose runner fell silent; its turn was taken before."""
    return await session.scalar(_silent(database, offered).with_for_update(key_share=True, skip_locked=True))


def _silent(database: Database, offered: Models = None) -> Select[str]:
    silent = select(JobRow.id).where(IS_RUNNING, JobRow.lease < database.moment(), *_paintable(offered))
    return silent.order_by(JobRow.lease).limit(1)


async def taken(session: AsyncSession, policy: Policy, loaded: Collection[str], offered: Models = None) -> str | None:
    """Take the next turn and return the id of its job, held until the transaction ends, or nothing where nobody waits.

    Only jobs of the models that are `offered` are looked at; the others wait for a process that has theirs.
    """
    clock = await held_clock(session)
    choice, weight, reached = None, 1.0, math.inf
    while choice is None and (rows := (await session.execute(_heads(offered))).all()):
        (first,) = await _with_lines(session, rows[:1], offered)
        choice = fair_queue.choose([first], loaded, clock)
        # Others matter only where the model of whoever is first would have to be loaded for them.
        if loaded and choice is not None and choice.job.model not in loaded:
            near = [row for row in rows[1:] if row.tag <= first.tag + fair_queue.WINDOW]
            choice = fair_queue.choose([first, *await _with_lines(session, near, offered)], loaded, clock)
        # Taken out of the line in this very moment: by now the line shows it.
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
    """Return any job that the person of a turn has in line."""
    # With a limit of its own, so that no planner makes a join of it: the turns are walked in their order, and few of them.
    line = select(JobRow.id).where(IN_LINE, JobRow.person_id == TurnRow.person_id, *_paintable(offered)).limit(1)
    return line.correlate(TurnRow).scalar_subquery()


def _heads(offered: Models = None) -> Select[str, float, str]:
    wanted = select(TurnRow.person_id, TurnRow.tag, UserRow.tier).join(UserRow, UserRow.id == TurnRow.person_id)
    wanted = wanted.where(_MAY_WAIT, _first_in_line(offered).is_not(None))
    return wanted.order_by(TurnRow.tag, TurnRow.since, TurnRow.person_id).limit(fair_queue.HEADS)


async def _with_lines(session: AsyncSession, rows: Sequence[Row[str, float, str]], offered: Models) -> list[Head]:
    """Return persons with the first jobs of their lines."""
    if not rows:
        return []
    lines: dict[str, list[Waiting]] = {row.person_id: [] for row in rows}
    firsts = [select(_line(user, offered).subquery()) for user in lines]
    for user, *job in await session.execute(union_all(*firsts) if len(firsts) > 1 else firsts[0]):
        lines[user].append(Waiting(*job))
    return [Head(row.person_id, row.tag, tuple(lines[row.person_id])) for row in rows]


def _line(user: str, offered: Models = None) -> Select[str, str, str, float, int]:
    wanted = select(JobRow.person_id, JobRow.id, JobRow.model, JobRow.cost, JobRow.passed)
    return wanted.where(IN_LINE, JobRow.person_id == user, *_paintable(offered)).order_by(JobRow.rank).limit(fair_queue.REACH)


async def _is_held(session: AsyncSession, job_id: str) -> bool:
    """Return whether a job is ours; it is not where its person took it out of the line in this very moment."""
    still = select(JobRow.id).where(JobRow.id == job_id, IN_LINE).with_for_update(key_share=True)
    return await session.scalar(still) is not None


async def _overtake(session: AsyncSession, choice: Choice) -> None:
    await session.execute(update(ClockRow).where(ClockRow.id == _ONE).values(now=choice.clock))
    if choice.overtaken:
        passed = update(JobRow).where(JobRow.id.in_(choice.overtaken), IN_LINE).values(passed=JobRow.passed + 1)
        await session.execute(passed.execution_options(synchronize_session=False))


async def _turned(session: AsyncSession, choice: Choice | None, weight: float, reached: float) -> None:
    """Charge the turn that was taken, and put those to rest who were passed because they have nothing waiting, some each time.

    Only tags below the one that was `reached` were passed; looking further would cost more the more people wait.
    """
    passed = () if choice is None else (TurnRow.tag < reached,)
    idle = select(TurnRow.person_id).where(_MAY_WAIT, _first_in_line().is_(None), *passed).order_by(TurnRow.tag, TurnRow.since)
    resting = set(await session.scalars(idle.limit(_MOST_IDLE)))
    served = set() if choice is None else {choice.user}
    if not resting | served:
        return
    await _hold(session, resting | served)
    if choice is not None:
        # A change, not a value: somebody's job may end meanwhile and be put right.
        tag = TurnRow.tag + fair_queue.served(0.0, choice.job.cost, weight)
        await session.execute(update(TurnRow).where(TurnRow.person_id == choice.user).values(tag=tag))
    if resting:
        await _rest(session, resting)


async def rest(session: AsyncSession, users: Collection[str]) -> None:
    """Note that persons have nothing waiting, those of them that have not; however many they are."""
    some = sorted(users)
    for first in range(0, len(some), _MOST_NAMED):
        named = some[first : first + _MOST_NAMED]
        await _hold(session, named)
        await _rest(session, named)


async def _hold(session: AsyncSession, users: Collection[str]) -> None:
    """Hold the turns of persons. They come last and in their order: whoever has one waits for nothing else."""
    held = select(TurnRow.person_id).where(TurnRow.person_id.in_(users)).order_by(TurnRow.person_id)
    await session.execute(held.with_for_update(key_share=True))


async def _rest(session: AsyncSession, users: Collection[str]) -> None:
    # Asked while the turns are held: whoever brings a job now has to wait with it.
    still = update(TurnRow).where(TurnRow.person_id.in_(users), _first_in_line().is_(None)).values(waiting=False)
    await session.execute(still.execution_options(synchronize_session=False))
