"""Weekly digests of new shares, by channel."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.core.values import MessageRef
from bot.store.database import Database, add_if_new, now
from bot.store.tables.core import ChannelRow
from bot.store.tables.sharing import DigestRow

#: The interval of digests.
WEEK = timedelta(days=7)


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """A channel's digest. `user` is the user of a private channel, None for a group; `channel` is the channel's id in the store.

    The latest digest covered shares after `since` and until `told`; both are the moment of activation before the first digest. `due` is
    the time of the next digest.
    """

    channel: str
    address: MessageRef
    user: str | None
    since: datetime
    told: datetime
    due: datetime

    @property
    def key(self) -> str:
        """Return the idempotency key of the latest digest."""
        return f"{self.channel}{int(self.told.timestamp()):x}"

    def next(self) -> "Digest":
        """Return this digest as it is after being sent now.

        The next digest comes on the same day of the week, at the same time, however late this one is.
        """
        moment = now()
        weeks = (moment - self.due) // WEEK + 1
        return msgspec.structs.replace(self, since=self.told, told=moment, due=self.due + max(weeks, 1) * WEEK)


class Digests:
    """The active digests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, channel: MessageRef) -> Digest | None:
        """Return the digest of a channel, or None if it is off."""
        async with self._database.read() as session:
            row = (
                await session.execute(_whole().where(ChannelRow.platform == channel.platform, ChannelRow.key == channel.channel))
            ).first()
        return None if row is None else _digest(*row)

    async def want(self, channel: str, message: str, user: str | None) -> None:
        """Turn on the digest of a channel, by its id, first sent in a week; `message` locates the request in the channel.

        A digest that is already on keeps its schedule.
        """
        moment = now()
        row = {"place_id": channel, "person_id": user, "message": message, "since": moment, "told": moment, "due": moment + WEEK}
        async with self._database.write() as session:
            if not await add_if_new(session, DigestRow, row):
                changed = update(DigestRow).where(DigestRow.place_id == channel).values(person_id=user, message=message)
                await session.execute(changed)

    async def end(self, channel: MessageRef) -> None:
        """Turn off the digest of a channel."""
        here = select(ChannelRow.id).where(ChannelRow.platform == channel.platform, ChannelRow.key == channel.channel)
        async with self._database.write() as session:
            await session.execute(delete(DigestRow).where(DigestRow.place_id.in_(here)))

    async def due(self, platforms: Sequence[str]) -> tuple[Digest, ...]:
        """Return the due digests of some platforms, the longest overdue first."""
        wanted = _whole().where(ChannelRow.platform.in_(platforms), DigestRow.due <= self._database.moment())
        async with self._database.read() as session:
            return tuple(_digest(*row) for row in await session.execute(wanted.order_by(DigestRow.due)))

    async def claim(self, one: Digest, taken: Digest) -> bool:
        """Claim a due digest by setting it to its `next`; False if another process was quicker, or it was turned off."""
        return await self._set(one, taken)

    async def put_back(self, one: Digest, taken: Digest) -> None:
        """Make a claimed digest due again that could not be sent."""
        await self._set(taken, one)

    async def _set(self, old: Digest, new: Digest) -> bool:
        """Change a digest if it is unchanged; of several concurrent changes one succeeds."""
        same = update(DigestRow).where(DigestRow.place_id == old.channel, DigestRow.due == old.due)
        changed = same.values(since=new.since, told=new.told, due=new.due).returning(DigestRow.place_id)
        async with self._database.write() as session:
            return (await session.execute(changed)).first() is not None


async def move(session: AsyncSession, old: str, new: str) -> None:
    """Move the digest of a replaced channel to its successor, unless that has its own. Call it inside a transaction."""
    own = aliased(DigestRow)
    is_told = select(own.place_id).where(own.place_id == new).exists()
    moved = update(DigestRow).where(DigestRow.place_id == old, ~is_told).values(place_id=new)
    for change in (moved, delete(DigestRow).where(DigestRow.place_id == old)):
        await session.execute(change.execution_options(synchronize_session=False))


async def renamed(session: AsyncSession, channel: str, called: Callable[[str], str]) -> None:
    """Update the message id of a digest, after the platform changed the ids of its messages."""
    row = await session.get(DigestRow, channel)
    if row is not None:
        row.message = called(row.message)
        await session.flush()


async def part(session: AsyncSession, user: str, platforms: Collection[str]) -> None:
    """Turn off digests of a user on platforms whose accounts now belong to another user. Call it inside a transaction."""
    there = select(ChannelRow.id).where(ChannelRow.platform.in_(platforms))
    gone = delete(DigestRow).where(DigestRow.person_id == user, DigestRow.place_id.in_(there))
    await session.execute(gone.execution_options(synchronize_session=False))


def _whole() -> Select[DigestRow, str, str]:
    return select(DigestRow, ChannelRow.platform, ChannelRow.key).join(ChannelRow, ChannelRow.id == DigestRow.place_id)


def _digest(row: DigestRow, platform: str, key: str) -> Digest:
    return Digest(
        channel=row.place_id,
        address=MessageRef(platform, key, row.message),
        user=row.person_id,
        since=row.since,
        told=row.told,
        due=row.due,
    )
