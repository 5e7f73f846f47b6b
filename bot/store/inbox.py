"""Inbox of platform updates, stored before they are acknowledged: no update is lost or handled twice if the process dies."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Select, and_, delete, or_, select, text, update

from bot.core.process_id import is_gone
from bot.store.database import Database, add_if_new, now
from bot.store.tables.core import InboxRow, LeaseRow

_IS_OPEN = text("inbox.done IS NULL")


class InboxUpdate(msgspec.Struct, frozen=True):
    """A stored update: the platform's own number of it, and its raw body."""

    platform: str
    update: str
    body: bytes
    created: datetime


class Inbox:
    """The stored updates. A repeated update is stored once: `(platform, update)` is unique.

    An update belongs to its runner as long as that process holds any lease; no other process handles it meanwhile.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, platform: str, inbox_updates: Iterable[tuple[str, bytes]], runner: str | None = None) -> tuple[str, ...]:
        """Store updates, each a number and a body; after this returns they survive any failure. Returns the numbers of the new updates.

        They belong to the `runner`, or are free.
        """
        moment = now()
        # A microsecond apart: updates are handled in their order of arrival.
        came = {number: (body, moment + timedelta(microseconds=position)) for position, (number, body) in enumerate(inbox_updates)}
        new = set()
        async with self._database.write() as session:
            # In the order of their numbers, so that two processes that store the same updates do not deadlock.
            for number, (body, created) in sorted(came.items()):
                row = {"platform": platform, "update": number, "body": body, "created": created, "runner": runner}
                if await add_if_new(session, InboxRow, row):
                    new.add(number)
        return tuple(number for number in came if number in new)

    async def open(self, platform: str, most: int = 100, after: InboxUpdate | None = None) -> tuple[InboxUpdate, ...]:
        """Return unhandled updates in their order of arrival; only those that arrived after `after`, if given."""
        found = _open(platform, most)
        if after is not None:
            is_later = and_(InboxRow.created == after.created, InboxRow.update > after.update)
            found = found.where(or_(InboxRow.created > after.created, is_later))
        async with self._database.read() as session:
            rows = await session.scalars(found)
            return tuple(InboxUpdate(row.platform, row.update, row.body, row.created) for row in rows)

    async def claim(self, platform: str, runner: str, most: int = 100) -> tuple[InboxUpdate, ...]:
        """Give a runner free updates, in their order of arrival: those without a runner, or whose runner holds no lease any more."""
        holders = select(InboxRow.runner).where(_IS_OPEN, InboxRow.platform == platform, InboxRow.runner.is_not(None)).distinct()
        alive = select(LeaseRow.holder).where(LeaseRow.until > self._database.moment())
        async with self._database.write() as session:
            gone = [one for one in await session.scalars(holders) if one is not None and is_gone(one)]
            is_left = and_(InboxRow.runner != runner, or_(InboxRow.runner.in_(gone), InboxRow.runner.not_in(alive)))
            is_free = or_(InboxRow.runner.is_(None), is_left)
            rows = (await session.scalars(_open(platform, most).where(is_free).with_for_update(skip_locked=True))).all()
            for row in rows:
                row.runner = runner
            return tuple(InboxUpdate(row.platform, row.update, row.body, row.created) for row in rows)

    async def release(self, platform: str, runner: str) -> None:
        """Release a runner's unhandled updates."""
        held = InboxRow.platform == platform, InboxRow.runner == runner, _IS_OPEN
        async with self._database.write() as session:
            await session.execute(update(InboxRow).where(*held).values(runner=None))

    async def done(self, platform: str, number: str) -> bool:
        """Mark an update as handled and drop its body. False if it was marked before."""
        changed = update(InboxRow).where(InboxRow.platform == platform, InboxRow.update == number, _IS_OPEN).values(done=now(), body=b"")
        async with self._database.write() as session:
            return (await session.execute(changed.returning(InboxRow.update))).first() is not None

    async def sweep(self, before: datetime) -> int:
        """Delete updates that were handled before a moment: no platform repeats itself after days. Returns how many."""
        async with self._database.write() as session:
            gone = await session.scalars(delete(InboxRow).where(InboxRow.done < before).returning(InboxRow.update))
            return len(gone.all())


def _open(platform: str, most: int) -> Select[InboxRow]:
    return select(InboxRow).where(_IS_OPEN, InboxRow.platform == platform).order_by(InboxRow.created, InboxRow.update).limit(most)


#: A lease that expired this long ago is deleted.
_LONG_OVER = timedelta(days=1)


class Leases:
    """The leases, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, holder: str, seconds: float) -> bool:
        """Take or extend a lease for `seconds` from now; False while another process holds it."""
        until = self._database.moment(timedelta(seconds=seconds))
        async with self._database.write() as session:
            if await add_if_new(session, LeaseRow, {"name": name, "holder": holder, "until": until}):
                return True
            known = await session.scalar(select(LeaseRow.holder).where(LeaseRow.name == name))
            # A dead process on this computer is detected at once; a restarted process need not wait.
            held_by = {holder, known} if known is not None and is_gone(known) else {holder}
            is_free = or_(LeaseRow.holder.in_(held_by), LeaseRow.until < self._database.moment())
            taken = update(LeaseRow).where(LeaseRow.name == name, is_free).values(holder=holder, until=until)
            return (await session.execute(taken.returning(LeaseRow.name))).first() is not None

    async def leave(self, name: str, holder: str) -> None:
        """Give up a lease if it is still this holder's; leases that expired long ago are deleted too."""
        long_ago = self._database.moment(-_LONG_OVER)
        async with self._database.write() as session:
            mine = and_(LeaseRow.name == name, LeaseRow.holder == holder)
            await session.execute(delete(LeaseRow).where(or_(mine, LeaseRow.until < long_ago)))
