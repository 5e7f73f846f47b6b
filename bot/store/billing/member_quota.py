"""Portions: what each member may use in a place on one day, as those say who look after it.

What was used is read from the jobs themselves, so it is known where the operator limits nothing, and from when on somebody set a
portion does not matter. Only the functions with a `session` may be called inside somebody's writing transaction, and those that
decide only while the person is held: of requests that are made at once each then finds what the one before has left.
"""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import Select, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.quota import WHOLE, Policy
from bot.core.values import MessageRef
from bot.store.billing.ledger import Balance, refusal
from bot.store.database import Database, add_if_new
from bot.store.tables.columns import now
from bot.store.tables.core import OPERATOR, ChannelRow, CountedRow, JobRow, MembershipRow, SettingRow, UserRow
from bot.store.users.settings import of_channel


class MemberQuotas:
    """The portions, to look at."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def left(self, user: str, address: MessageRef) -> Balance:
        """Return what a person can still use in a place today, beside what the operator says."""
        here = select(ChannelRow.id).where(ChannelRow.platform == address.platform, ChannelRow.key == address.channel)
        async with self._database.read() as session:
            channel = await session.scalar(here)
            portion = await _portion(session, user, channel or "")
            used = 0 if portion is None else await _used(session, user, channel or "", self._policy.day(now()))
        return Balance(max(0, (portion or 0) - used), 0, portion)


async def take(session: AsyncSession, day: str, user: str, channel: str, amount: int) -> None:
    """Have a person use so much of a day in a place, by jobs that are written down already; raises `NotAllowed` for too much."""
    portion = await _portion(session, user, channel)
    if portion is None or amount == 0:
        return
    left = portion - (await _used(session, user, channel, day) - amount)
    if amount > left:
        raise refusal("denied-credits-here", amount, max(0, left), portion)


async def used(session: AsyncSession, day: str, user: str) -> Counter[str]:
    """Return what a person used on a day, by place."""
    of_jobs = select(JobRow.place_id, _SUM).where(JobRow.person_id == user, JobRow.day == day).group_by(JobRow.place_id)
    sums = await _brought(session, day, user)
    for channel, amount in (await session.execute(of_jobs)).all():
        sums[channel] += int(amount)
    return sums


async def bring(session: AsyncSession, day: str, user: str, used: Mapping[str, int]) -> None:
    """Have count for a person, by place, what was used on a day by jobs that are not theirs."""
    both = await _brought(session, day, user)
    both.update(used)
    for channel, amount in sorted(both.items()):
        await add_if_new(session, MembershipRow, {"person_id": user, "place_id": channel, "paused": False})
        theirs = MembershipRow.person_id == user, MembershipRow.place_id == channel
        await session.execute(update(MembershipRow).where(*theirs).values(used=amount, day=day))


async def merge(session: AsyncSession, day: str, kept: str, gone: str, twice: Mapping[str, int]) -> None:
    """Have what one person brought along count for another, whose their jobs are now, less what would count `twice`."""
    theirs = await _brought(session, day, gone)
    theirs.subtract(twice)
    await bring(session, day, kept, theirs)


async def move(session: AsyncSession, old: str, new: str) -> None:
    """Have what was brought along into one place count in another; of two days the later one counts."""
    brought = select(MembershipRow.person_id, MembershipRow.used, MembershipRow.day).where(
        MembershipRow.place_id == old, MembershipRow.day != ""
    )
    for user, amount, day in (await session.execute(brought)).all():
        there = MembershipRow.person_id == user, MembershipRow.place_id == new
        same = case((MembershipRow.day == day, MembershipRow.used), else_=0)
        await session.execute(update(MembershipRow).where(*there, MembershipRow.day <= day).values(used=same + amount, day=day))
    await session.execute(update(CountedRow).where(CountedRow.place_id == old).values(place_id=new))


async def _brought(session: AsyncSession, day: str, user: str) -> Counter[str]:
    """Return what counts for a person beside their jobs of a day, by place."""
    wanted = select(MembershipRow.place_id, MembershipRow.used).where(MembershipRow.person_id == user, MembershipRow.day == day)
    return Counter({channel: amount for channel, amount in await session.execute(wanted)})


#: What of jobs counts: what was taken, or is held as long as nobody knows what will be.
_SUM = func.coalesce(func.sum(func.coalesce(JobRow.charged, JobRow.credits)), 0)


async def _portion(session: AsyncSession, user: str, channel: str) -> int | None:
    """Return what a person may use in a place on a day, or nothing where nobody says so; who runs Easel is told by nobody."""
    given = await session.scalar(select(SettingRow.given).where(SettingRow.place_id == channel))
    credits = of_channel(given).credits
    if credits is None or await session.scalar(select(UserRow.role).where(UserRow.id == user)) == OPERATOR:
        return None
    return round(credits * WHOLE)


async def _used(session: AsyncSession, user: str, channel: str, day: str) -> int:
    """Return what a person used in a place on a day."""
    before = select(MembershipRow.used).where(MembershipRow.person_id == user, MembershipRow.place_id == channel, MembershipRow.day == day)
    return int(await session.scalar(_by_jobs(user, channel, day)) or 0) + (await session.scalar(before) or 0)


def _by_jobs(user: str, channel: str, day: str) -> Select[int]:
    return select(_SUM).where(JobRow.person_id == user, JobRow.place_id == channel, JobRow.day == day)
