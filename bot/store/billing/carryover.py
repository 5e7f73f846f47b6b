"""Carry daily usage over link, unlink and deletion of users, so that none of them resets the quota.

Each usage has an anonymous id of its own. Unlinked accounts take a copy of the usage along, and so do deleted users: until the day
ends, their usage waits under the digests of their platform accounts. Otherwise leaving and coming back would reset the quota.
Call these functions inside a writing transaction that locks the users.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.quota import Policy
from bot.core.values import new_id
from bot.store.billing import ledger, member_quota
from bot.store.tables.columns import now
from bot.store.tables.core import CountedRow, UserRow


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


async def merge(session: AsyncSession, policy: Policy, kept: str, gone: str) -> None:
    """Merge one day of two users: the usage of both counts, and shared usage counts once."""
    day = policy.day(now())
    own = {one.use for one in await _uses(session, day, CountedRow.person_id == kept)}
    twice = _sums([one for one in await _uses(session, day, CountedRow.person_id == gone) if one.use in own])
    of_operator = twice.pop(None, 0)
    await member_quota.merge(session, day, kept, gone, {str(channel): amount for channel, amount in twice.items()})
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
    used.update(await member_quota.used(session, day, user))
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
    await member_quota.bring(session, day, user, {channel: amount for channel, amount in used.items() if channel is not None})
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
