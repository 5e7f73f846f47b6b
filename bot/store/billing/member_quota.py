"""Member quotas: how much each member may use in a channel per day, as set by its moderators.

Usage is computed from the jobs themselves, so it is known even if the operator limits nothing, and it does not matter when the
quota was set. Only the functions with a `session` may be called inside another writing transaction, and those that decide
only while the user is locked: of concurrent requests each then sees what the previous request left.
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
    """The member quotas, to read."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def left(self, user: str, address: MessageRef) -> Balance:
        """Return what a user can still use in a channel today, apart from the operator's limits."""
        here = select(ChannelRow.id).where(ChannelRow.platform == address.platform, ChannelRow.key == address.channel)
        async with self._database.read() as session:
            channel = await session.scalar(here)
            portion = await _portion(session, user, channel or "")
            used = 0 if portion is None else await _used(session, user, channel or "", self._policy.day(now()))
        return Balance(max(0, (portion or 0) - used), 0, portion)


async def take(session: AsyncSession, day: str, user: str, channel: str, amount: int) -> None:
    """Check a user's usage of a day in a channel, including jobs already stored; raises `NotAllowed` if it is too much."""
    portion = await _portion(session, user, channel)
    if portion is None or amount == 0:
        return
    left = portion - (await _used(session, user, channel, day) - amount)
    if amount > left:
        raise refusal("denied-credits-here", amount, max(0, left), portion)


async def used(session: AsyncSession, day: str, user: str) -> Counter[str]:
    """Return a user's usage of a day, by channel."""
    of_jobs = select(JobRow.place_id, _SUM).where(JobRow.person_id == user, JobRow.day == day).group_by(JobRow.place_id)
    sums = await _brought(session, day, user)
    for channel, amount in (await session.execute(of_jobs)).all():
        sums[channel] += int(amount)
    return sums


async def bring(session: AsyncSession, day: str, user: str, used: Mapping[str, int]) -> None:
    """Count for a user, by channel, the usage of a day by jobs that are not theirs."""
    both = await _brought(session, day, user)
    both.update(used)
    for channel, amount in sorted(both.items()):
        await add_if_new(session, MembershipRow, {"person_id": user, "place_id": channel, "paused": False})
        theirs = MembershipRow.person_id == user, MembershipRow.place_id == channel
        await session.execute(update(MembershipRow).where(*theirs).values(used=amount, day=day))


async def merge(session: AsyncSession, day: str, kept: str, gone: str, twice: Mapping[str, int]) -> None:
    """Add one user's carried-over usage to another, who now owns their jobs, less the usage in `twice`."""
    theirs = await _brought(session, day, gone)
    theirs.subtract(twice)
    await bring(session, day, kept, theirs)


async def move(session: AsyncSession, old: str, new: str) -> None:
    """Move the carried-over usage of one channel to another; of two days the later counts."""
    brought = select(MembershipRow.person_id, MembershipRow.used, MembershipRow.day).where(
        MembershipRow.place_id == old, MembershipRow.day != ""
    )
    for user, amount, day in (await session.execute(brought)).all():
        there = MembershipRow.person_id == user, MembershipRow.place_id == new
        same = case((MembershipRow.day == day, MembershipRow.used), else_=0)
        await session.execute(update(MembershipRow).where(*there, MembershipRow.day <= day).values(used=same + amount, day=day))
    await session.execute(update(CountedRow).where(CountedRow.place_id == old).values(place_id=new))


async def _brought(session: AsyncSession, day: str, user: str) -> Counter[str]:
    """Return a user's usage of a day beside their own jobs, by channel."""
    wanted = select(MembershipRow.place_id, MembershipRow.used).where(MembershipRow.person_id == user, MembershipRow.day == day)
    return Counter({channel: amount for channel, amount in await session.execute(wanted)})


#: The usage of a job: its charge, or its hold as long as the charge is unknown.
_SUM = func.coalesce(func.sum(func.coalesce(JobRow.charged, JobRow.credits)), 0)


async def _portion(session: AsyncSession, user: str, channel: str) -> int | None:
    """Return a user's daily quota in a channel, or None if there is none; operators have no quota."""
    given = await session.scalar(select(SettingRow.given).where(SettingRow.place_id == channel))
    credits = of_channel(given).credits
    if credits is None or await session.scalar(select(UserRow.role).where(UserRow.id == user)) == OPERATOR:
        return None
    return round(credits * WHOLE)


async def _used(session: AsyncSession, user: str, channel: str, day: str) -> int:
    """Return a user's usage of a day in a channel."""
    before = select(MembershipRow.used).where(MembershipRow.person_id == user, MembershipRow.place_id == channel, MembershipRow.day == day)
    return int(await session.scalar(_by_jobs(user, channel, day)) or 0) + (await session.scalar(before) or 0)


def _by_jobs(user: str, channel: str, day: str) -> Select[int]:
    return select(_SUM).where(JobRow.person_id == user, JobRow.place_id == channel, JobRow.day == day)
