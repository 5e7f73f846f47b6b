"""Credits: held when a job is accepted, captured once when it ends, granted by operators. Every change is a ledger row.

Only the functions with a `session` may be called inside another writing transaction. Accounts are always locked in the same order,
the user's before the channel's, which prevents deadlocks.
"""

import math
from datetime import date, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.errors import NotAllowed
from bot.core.limits import WHOLE, Policy
from bot.core.values import MessageRef, new_id
from bot.store.database import Database, add_if_new, now
from bot.store.tables.core import ChannelRow, CreditAccountRow, JobRow, LedgerRow, UserRow

#: Users see tenths of credits.
_TENTH = WHOLE // 10

DAY, HOLD, REFUND, GRANT = "day", "hold", "refund", "grant"


class Balance(msgspec.Struct, frozen=True):
    """Spendable credits, in thousandths: `left` of today's `allowance` (None: no limit), and `extra` (granted)."""

    left: int
    extra: int
    allowance: int | None


class Holder(NamedTuple):
    """The holder of an account: a user or a channel. Users sort first."""

    channel: str | None
    user: str | None


def of_person(user: str) -> Holder:
    """Return a user as the holder of an account."""
    return Holder(None, user)


def of_channel(channel: str) -> Holder:
    """Return a channel as the holder of an account."""
    return Holder(channel, None)


class Ledger:
    """The accounts: balances and grants."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def balance(self, user: str) -> Balance:
        """Return what a user can spend now."""
        async with self._database.read() as session:
            allowance = await _allowance(session, self._policy, user)
            found = (await session.execute(_account().where(_is(of_person(user))))).first()
        return _balance(_on(_Account(*found) if found else _NONE, allowance or 0, self._policy.day(now())), allowance)

    async def place_balance(self, address: MessageRef) -> Balance:
        """Return what all users of a channel can spend together now."""
        ids = select(ChannelRow.id).where(ChannelRow.platform == address.platform, ChannelRow.key == address.channel).scalar_subquery()
        async with self._database.read() as session:
            found = (await session.execute(_account().where(CreditAccountRow.place_id == ids))).first()
        allowance = self._policy.channel
        return _balance(_on(_Account(*found) if found else _NONE, allowance or 0, self._policy.day(now())), allowance)

    async def grant(self, user: str, amount: int, key: str = "") -> Balance:
        """Grant a user credits that do not expire with the day, or deduct some if `amount` is negative; never below 0.

        Returns the new balance. A second grant with the same `key` changes nothing.
        """
        async with self._database.write() as session:
            allowance = await _allowance(session, self._policy, user)
            found = await _opened(session, of_person(user), allowance or 0, self._policy.day(now()))
            is_repeat = bool(key) and await session.get(LedgerRow, f"{GRANT} {key}") is not None
            change = 0 if is_repeat else max(amount, -found.extra)
            await _book(session, found, GRANT, change, change, row_id=f"{GRANT} {key}" if key else "")
        return _balance(found._replace(extra=found.extra + change), allowance)


class _Account(NamedTuple):
    id: str
    day: str
    allowance: int
    left: int
    extra: int


_NONE = _Account("", "", 0, 0, 0)


def _balance(account: _Account, allowance: int | None) -> Balance:
    return Balance(max(0, account.left), account.extra, allowance)


async def hold(session: AsyncSession, policy: Policy, holder: Holder, allowance: int | None, amount: int, job_id: str) -> None:
    """Hold credits for a job, today's before granted credits; raises `NotAllowed` if there are too few.

    Without an allowance there is no limit, and nothing is recorded.
    """
    if allowance is None or amount == 0:
        return
    # The account is locked: of concurrent requests each sees what the previous request left.
    found = await _opened(session, holder, allowance, policy.day(now()))
    left = max(0, found.left)
    granted = amount - min(left, amount)
    if granted > found.extra:
        raise _too_dear(amount, left + found.extra, allowance, is_place=holder.channel is not None)
    await _book(session, found, HOLD, -amount, -granted, job_id)


def _too_dear(amount: int, left: int, allowance: int, *, is_place: bool) -> NotAllowed:
    """Return the refusal, rounded so that an excessive amount also looks excessive."""
    if amount > max(allowance, left):
        return NotAllowed("denied-credits-day", cost=_more(amount), most=_less(allowance))
    return refusal("denied-credits-place" if is_place else "denied-credits", amount, left, allowance)


def refusal(key: str, amount: int, left: int, allowance: int) -> NotAllowed:
    """Return a refusal with the price, the remaining credits and the allowance."""
    return NotAllowed(key, cost=_more(amount), left=_less(left), most=_less(allowance))


def _more(amount: int) -> float:
    return math.ceil(amount / _TENTH) / 10


def _less(amount: int) -> float:
    return math.floor(amount / _TENTH) / 10


async def settle(session: AsyncSession, job_id: str, charged: int) -> bool:
    """Capture the charge of a job and refund the rest of its holds; False, and nothing changes, if that was done before.

    Holds of a past day expired with it; granted credits are refunded first.
    """
    guarded = update(JobRow).where(JobRow.id == job_id, JobRow.charged.is_(None)).values(charged=charged)
    held = (await session.execute(guarded.returning(JobRow.credits))).first()
    if held is None:
        return False
    if held[0] > charged:
        await _refund(session, job_id, held[0] - charged)
    return True


async def _refund(session: AsyncSession, job_id: str, amount: int) -> None:
    """Refund credits to each account that holds some for a job, never more than it holds."""
    held = (
        select(LedgerRow.account_id, func.max(LedgerRow.day), -func.sum(LedgerRow.amount), -func.sum(LedgerRow.extra))
        .join(CreditAccountRow, CreditAccountRow.id == LedgerRow.account_id)
        .where(LedgerRow.job_id == job_id, LedgerRow.kind.in_((HOLD, REFUND)))
        .group_by(LedgerRow.account_id, CreditAccountRow.place_id)
        .order_by(CreditAccountRow.place_id.is_not(None))
    )
    for account_id, day, of_both, of_granted in (await session.execute(held)).all():
        found = await _locked(session, CreditAccountRow.id == account_id)
        back = min(amount, int(of_both))
        granted = min(back, int(of_granted))
        # Recorded under the day of the hold: a refund of today's credits reduces today's usage.
        await _book(session, found._replace(day=day), REFUND, back, granted, job_id)
        if found.day != day:
            await _book(session, found, DAY, granted - back, 0)


async def used(session: AsyncSession, policy: Policy, day: str, user: str) -> int:
    """Return a user's usage of the operator's allowance for a day; granted credits do not belong to a day."""
    found = await _locked(session, _is(of_person(user)))
    if not found.id:
        return 0
    found = _on(found, await _allowance(session, policy, user) or 0, day)
    return max(0, found.allowance - found.left)


async def bring(session: AsyncSession, policy: Policy, day: str, user: str, amount: int) -> None:
    """Count usage by jobs that are not a user's own against the user's day."""
    found = await _opened(session, of_person(user), await _allowance(session, policy, user) or 0, day)
    await _book(session, found, DAY, -amount, 0)


async def merge(session: AsyncSession, policy: Policy, day: str, kept: str, gone: str, twice: int) -> None:
    """Merge one user's accounts into another's, both users locked: the usage of both today counts against one day's allowance.

    Usage in `twice` is counted once. Granted credits are added up, and refunds of held credits go to the account
    that remains.
    """
    accounts = {}
    for user in sorted((kept, gone)):
        accounts[user] = await _locked(session, CreditAccountRow.person_id == user)
    if not accounts[gone].id:
        return
    allowance = await _allowance(session, policy, kept) or 0
    # A day that started for either user has started for both.
    begun = max(day, accounts[kept].day, accounts[gone].day)
    one, other = [await _opened(session, of_person(user), allowance, begun) for user in (kept, gone)]
    await session.execute(update(LedgerRow).where(LedgerRow.account_id == other.id).values(account_id=one.id))
    await session.execute(delete(CreditAccountRow).where(CreditAccountRow.id == other.id))
    both = {"left": CreditAccountRow.left + other.left, "extra": CreditAccountRow.extra + other.extra}
    await session.execute(update(CreditAccountRow).where(CreditAccountRow.id == one.id).values(both))
    await _book(session, one, DAY, (twice if begun == day else 0) - allowance, 0)


async def _allowance(session: AsyncSession, policy: Policy, user: str) -> int | None:
    """Return the operator's daily allowance of a user."""
    return policy.tier(await session.scalar(select(UserRow.tier).where(UserRow.id == user)) or "").credits


async def _opened(session: AsyncSession, holder: Holder, allowance: int, day: str) -> _Account:
    """Return an account, created if missing, locked until the transaction ends; a new day refills it."""
    found = await _locked(session, _is(holder))
    if not found.id:
        await add_if_new(
            session, CreditAccountRow, {"person_id": holder.user, "place_id": holder.channel} | _NONE._asdict() | {"id": new_id()}
        )
        found = await _locked(session, _is(holder))
    turned = _on(found, allowance, day)
    if turned != found:
        changed = {"day": turned.day, "allowance": turned.allowance, "left": turned.left}
        await session.execute(update(CreditAccountRow).where(CreditAccountRow.id == found.id).values(changed))
        if turned.left != found.left:
            await _write(session, turned, DAY, turned.left - found.left, 0, None)
    return turned


def _on(account: _Account, allowance: int, day: str) -> _Account:
    """Return an account as it is on a day.

    Today's usage stays if an operator changes the allowance, so the remainder may be negative.
    """
    if account.day in (day, _after(day)):
        # Clocks of two machines differ a little at midnight: a day that started does not start again.
        return account._replace(allowance=allowance, left=account.left + allowance - account.allowance)
    return account._replace(day=day, allowance=allowance, left=allowance)


def _after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


async def _locked(session: AsyncSession, where: ColumnElement[bool]) -> _Account:
    """Return an account, locked until the transaction ends; without an id if there is none."""
    found = (await session.execute(_account().where(where).with_for_update(key_share=True))).first()
    return _Account(*found) if found else _NONE


def _account() -> Select[str, str, int, int, int]:
    return select(CreditAccountRow.id, CreditAccountRow.day, CreditAccountRow.allowance, CreditAccountRow.left, CreditAccountRow.extra)


async def _book(
    session: AsyncSession, account: _Account, kind: str, amount: int, extra: int, job_id: str | None = None, row_id: str = ""
) -> None:
    """Change an account and record the change; `extra` of the `amount` is in granted credits."""
    if amount == extra == 0:
        return
    changed = {"left": CreditAccountRow.left + (amount - extra), "extra": CreditAccountRow.extra + extra}
    await session.execute(update(CreditAccountRow).where(CreditAccountRow.id == account.id).values(changed))
    await _write(session, account, kind, amount, extra, job_id, row_id)


async def _write(
    session: AsyncSession, account: _Account, kind: str, amount: int, extra: int, job_id: str | None, row_id: str = ""
) -> None:
    row = {"id": row_id or new_id(), "account_id": account.id, "job_id": job_id, "kind": kind, "day": account.day, "at": now()}
    await session.execute(insert(LedgerRow).values(**row, amount=amount, extra=extra))


def _is(holder: Holder) -> ColumnElement[bool]:
    return CreditAccountRow.person_id == holder.user if holder.channel is None else CreditAccountRow.place_id == holder.channel


async def mistakes(database: Database) -> tuple[str, ...]:
    """Return the ids of accounts that differ from the sum of their ledger rows: any id means corrupt books."""
    sums = (
        select(CreditAccountRow.id)
        .outerjoin(LedgerRow, LedgerRow.account_id == CreditAccountRow.id)
        .group_by(CreditAccountRow.id, CreditAccountRow.left, CreditAccountRow.extra)
        .having(
            (func.coalesce(func.sum(LedgerRow.amount), 0) != CreditAccountRow.left + CreditAccountRow.extra)
            | (func.coalesce(func.sum(LedgerRow.extra), 0) != CreditAccountRow.extra)
        )
    )
    async with database.read() as session:
        return tuple(await session.scalars(sums))
