"""Digests: places that want to be told once a week what is new on their boards."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.core.values import MessageRef
from bot.store.database import Database, add_if_new
from bot.store.tables.columns import now
from bot.store.tables.core import ChannelRow
from bot.store.tables.sharing import DigestRow

#: How often a place is told.
WEEK = timedelta(days=7)


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """That a place wants to be told. `person` is whose conversation it is, nobody for a group; `place` is its id here.

    What was told last came after `since` and until `told`; both are when it was switched on where nothing was told yet. `due` is when
    the next one comes.
    """

    channel: str
    address: MessageRef
    user: str | None
    since: datetime
    told: datetime
    due: datetime

    @property
    def key(self) -> str:
        """Return what the one that was told last is known by."""
        return f"{self.channel}{int(self.told.timestamp()):x}"

    def next(self) -> "Digest":
        """Return what this one is when it has been told now.

        The next one comes on the same day of the week, at the same time, however late this one is.
        """
        moment = now()
        weeks = (moment - self.due) // WEEK + 1
        return msgspec.structs.replace(self, since=self.told, told=moment, due=self.due + max(weeks, 1) * WEEK)


class Digests:
    """The digests that are wanted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, channel: MessageRef) -> Digest | None:
        """Return the digest of a place, or nothing where none is wanted."""
        async with self._database.read() as session:
            row = (
                await session.execute(_whole().where(ChannelRow.platform == channel.platform, ChannelRow.key == channel.channel))
            ).first()
        return None if row is None else _digest(*row)

    async def want(self, channel: str, message: str, user: str | None) -> None:
        """Have a place, by its id, told from now on, the first time in a week, where in it that was asked for.

        One that is told already goes on being told when it was.
        """
        moment = now()
        row = {"place_id": channel, "person_id": user, "message": message, "since": moment, "told": moment, "due": moment + WEEK}
        async with self._database.write() as session:
            if not await add_if_new(session, DigestRow, row):
                changed = update(DigestRow).where(DigestRow.place_id == channel).values(person_id=user, message=message)
                await session.execute(changed)

    async def end(self, channel: MessageRef) -> None:
        """Have a place told no more."""
        here = select(ChannelRow.id).where(ChannelRow.platform == channel.platform, ChannelRow.key == channel.channel)
        async with self._database.write() as session:
            await session.execute(delete(DigestRow).where(DigestRow.place_id.in_(here)))

    async def due(self, platforms: Sequence[str]) -> tuple[Digest, ...]:
        """Return what is to be told by now on some platforms, the longest overdue first."""
        wanted = _whole().where(ChannelRow.platform.in_(platforms), DigestRow.due <= self._database.moment())
        async with self._database.read() as session:
            return tuple(_digest(*row) for row in await session.execute(wanted.order_by(DigestRow.due)))

    async def claim(self, one: Digest, taken: Digest) -> bool:
        """Take a digest that is due, as what its `next` is; return no where another process was quicker, or nobody wants it."""
        return await self._set(one, taken)

    async def put_back(self, one: Digest, taken: Digest) -> None:
        """Have a digest be due again that was taken and could not be told."""
        await self._set(taken, one)

    async def _set(self, old: Digest, new: Digest) -> bool:
        """Change a digest that is still what it was; of several processes that do so at once, one does."""
        same = update(DigestRow).where(DigestRow.place_id == old.channel, DigestRow.due == old.due)
        changed = same.values(since=new.since, told=new.told, due=new.due).returning(DigestRow.place_id)
        async with self._database.write() as session:
            return (await session.execute(changed)).first() is not None


async def move(session: AsyncSession, old: str, new: str) -> None:
    """Have one place told in place of another, which is none any more; what it wants itself stays. To be called in a transaction."""
    own = aliased(DigestRow)
    is_told = select(own.place_id).where(own.place_id == new).exists()
    moved = update(DigestRow).where(DigestRow.place_id == old, ~is_told).values(place_id=new)
    for change in (moved, delete(DigestRow).where(DigestRow.place_id == old)):
        await session.execute(change.execution_options(synchronize_session=False))


async def renamed(session: AsyncSession, channel: str, called: Callable[[str], str]) -> None:
    """Have a place be told where its platform, which calls its messages otherwise now, has what it was asked for in."""
    row = await session.get(DigestRow, channel)
    if row is not None:
        row.message = called(row.message)
        await session.flush()


async def part(session: AsyncSession, user: str, platforms: Collection[str]) -> None:
    """Have a person told no more where a platform will take them for somebody else. To be called in a transaction."""
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
