"""Count the credits that users have spent: per member of a channel, and across link, unlink and deletion of accounts.

A member quota is what each member may spend in a channel per day, as set by its moderators. Usage is computed from the jobs themselves,
so it is known even if the operator limits nothing, and it does not matter when the quota was set. Functions that decide are called
while the user is locked: of concurrent requests each then sees what the previous request left.

Daily usage is carried over link, unlink and deletion of users, so that none of them resets the quota. Each usage has an anonymous id of
its own. Unlinked accounts take a copy of the usage along, and so do deleted users: until the day ends, their usage waits under the
digests of their platform accounts.

Functions with a `session` are called inside a writing transaction that locks the users.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.limits import WHOLE, Policy
from bot.core.values import MessageRef, new_id
from bot.generation.resolve import SavedDefaults
from bot.store.billing import ledger
from bot.store.billing.ledger import Balance, refusal
from bot.store.database import Database, add_if_new, now
from bot.store.tables.core import OPERATOR, ChannelRow, CountedRow, JobRow, MembershipRow, SettingRow, UserRow


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


async def member_uses(session: AsyncSession, day: str, user: str) -> Counter[str]:
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
    credits = SavedDefaults.read(None, given).credits
    if credits is None or await session.scalar(select(UserRow.role).where(UserRow.id == user)) == OPERATOR:
        return None
    return round(credits * WHOLE)


async def _used(session: AsyncSession, user: str, channel: str, day: str) -> int:
    """Return a user's usage of a day in a channel."""
    before = select(MembershipRow.used).where(MembershipRow.person_id == user, MembershipRow.place_id == channel, MembershipRow.day == day)
    return int(await session.scalar(_by_jobs(user, channel, day)) or 0) + (await session.scalar(before) or 0)


def _by_jobs(user: str, channel: str, day: str) -> Select[int]:
    return select(_SUM).where(JobRow.person_id == user, JobRow.place_id == channel, JobRow.day == day)


class _Use(NamedTuple):
    """Usage (thousandths) in a channel, or of the operator's allowance if `place_id` is None."""

    use: str
    place_id: str | None
    amount: int


async def part(session: AsyncSession, policy: Policy, user: str, new: str) -> None:
    """Count a user's usage of today for both users after an unlink; the jobs stay with the first."""
    day = policy.day(now())
    await _bring(session, policy, day, new, await _shared(session, policy, day, user, [{"person_id": new}]))


async def leave(session: AsyncSession, policy: Policy, user: str, digests: Collection[str]) -> None:
    """Store a user's usage of today under digests; usage that an interrupted deletion stored there is complete and stays."""
    day = policy.day(now())
    waiting = select(CountedRow.digest).where(CountedRow.digest.in_(digests), CountedRow.day == day)
    known = set(await session.scalars(waiting))
    await _shared(session, policy, day, user, [{"digest": digest} for digest in digests if digest not in known])


async def come_back(session: AsyncSession, policy: Policy, user: str, digest: str) -> None:
    """Count for a user the usage of today that a deleted user left under a digest."""
    day = policy.day(now())
    if not (waiting := await _uses(session, day, CountedRow.digest == digest)):
        return
    await session.execute(select(UserRow.id).where(UserRow.id == user).with_for_update(key_share=True))
    own = {one.use for one in await _uses(session, day, CountedRow.person_id == user)}
    new = [one for one in waiting if one.use not in own]
    await session.execute(delete(CountedRow).where(CountedRow.digest == digest))
    await _add(session, day, new, {"person_id": user})
    await _bring(session, policy, day, user, _sums(new))


async def merge_carryover(session: AsyncSession, policy: Policy, kept: str, gone: str) -> None:
    """Merge one day of two users: the usage of both counts, and shared usage counts once."""
    day = policy.day(now())
    own = {one.use for one in await _uses(session, day, CountedRow.person_id == kept)}
    twice = _sums([one for one in await _uses(session, day, CountedRow.person_id == gone) if one.use in own])
    of_operator = twice.pop(None, 0)
    await merge(session, day, kept, gone, {str(channel): amount for channel, amount in twice.items()})
    await ledger.merge(session, policy, day, kept, gone, of_operator)
    theirs = CountedRow.person_id == gone
    await session.execute(delete(CountedRow).where(theirs, or_(CountedRow.use.in_(own), CountedRow.day != day)))
    await session.execute(update(CountedRow).where(theirs).values(person_id=kept))


async def sweep(session: AsyncSession, policy: Policy) -> None:
    """Delete the usage of past days."""
    await session.execute(delete(CountedRow).where(CountedRow.day < policy.day(now())))


async def _shared(
    session: AsyncSession, policy: Policy, day: str, user: str, others: Sequence[Mapping[str, str]]
) -> Mapping[str | None, int]:
    """Count all of a user's usage of a day for others too, and return its amount."""
    used: Counter[str | None] = Counter({None: await ledger.used(session, policy, day, user)})
    used.update(await member_uses(session, day, user))
    known = await _uses(session, day, CountedRow.person_id == user)
    # Refunds after an earlier share can make a usage negative.
    rest = used.copy()
    rest.subtract(_sums(known))
    fresh = [_Use(new_id(), channel, amount) for channel, amount in rest.items() if amount]
    await _add(session, day, fresh, {"person_id": user})
    for other in others:
        await _add(session, day, [*known, *fresh], other)
    return used


async def _bring(session: AsyncSession, policy: Policy, day: str, user: str, used: Mapping[str | None, int]) -> None:
    await bring(session, day, user, {channel: amount for channel, amount in used.items() if channel is not None})
    if amount := used.get(None, 0):
        await ledger.bring(session, policy, day, user, amount)


async def _uses(session: AsyncSession, day: str, whose: ColumnElement[bool]) -> list[_Use]:
    wanted = select(CountedRow.use, CountedRow.place_id, CountedRow.amount).where(whose, CountedRow.day == day)
    return [_Use(*found) for found in await session.execute(wanted)]


async def _add(session: AsyncSession, day: str, uses: Sequence[_Use], whose: Mapping[str, str]) -> None:
    if uses:
        await session.execute(insert(CountedRow), [{"id": new_id(), **one._asdict(), "day": day, **whose} for one in uses])


def _sums(uses: Sequence[_Use]) -> Counter[str | None]:
    sums: Counter[str | None] = Counter()
    for one in uses:
        sums[one.place_id] += one.amount
    return sums
