"""What was used today counts for everybody who was one when it was used, and once where two of them become one again.

Each such use has a name of its own, which says nothing. Whoever parts takes the uses along, and so does whoever is forgotten: until
the day is over they wait under the digests of what platforms called them. Otherwise leaving and coming back would give a new day.
To be called inside a writing transaction that holds the persons.
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
    """What was used (thousandths) in a place, or of what the operator gives where `place_id` is none."""

    use: str
    place_id: str | None
    amount: int


async def part(session: AsyncSession, policy: Policy, user: str, new: str) -> None:
    """Have what somebody used today count for both whom they were one with until now; their jobs stay with the one."""
    day = policy.day(now())
    await _bring(session, policy, day, new, await _shared(session, policy, day, user, [{"person_id": new}]))


async def leave(session: AsyncSession, policy: Policy, user: str, digests: Collection[str]) -> None:
    """Have what somebody used today wait for them under digests; what waits there from a forgetting that broke off is all of it."""
    day = policy.day(now())
    waiting = select(CountedRow.digest).where(CountedRow.digest.in_(digests), CountedRow.day == day)
    known = set(await session.scalars(waiting))
    await _shared(session, policy, day, user, [{"digest": digest} for digest in digests if digest not in known])


async def come_back(session: AsyncSession, policy: Policy, user: str, digest: str) -> None:
    """Have count for a person what was used today by whoever was forgotten under a digest."""
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
    """Have one day of two persons' days: what both used counts, and what counts for both already counts once."""
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
    """Delete what is of days that are over."""
    await session.execute(delete(CountedRow).where(CountedRow.day < policy.day(now())))


async def _shared(
    session: AsyncSession, policy: Policy, day: str, user: str, others: Sequence[Mapping[str, str]]
) -> Mapping[str | None, int]:
    """Have all that a person used on a day count for others too, and return how much that is."""
    used: Counter[str | None] = Counter({None: await ledger.used(session, policy, day, user)})
    used.update(await member_quota.used(session, day, user))
    known = await _uses(session, day, CountedRow.person_id == user)
    # What came back since some of it was shared makes a use below nothing.
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
