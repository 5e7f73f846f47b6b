"""What platforms brought, kept before they are told that it arrived: nothing is lost or done twice when the process dies between."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Select, and_, delete, or_, select, text, update

from bot.core.process_id import is_gone
from bot.store.database import Database, add_if_new
from bot.store.tables.columns import now
from bot.store.tables.core import InboxRow, LeaseRow

_IS_OPEN = text("inbox.done IS NULL")


class InboxUpdate(msgspec.Struct, frozen=True):
    """Something that arrived: the platform's own number of it, and its body as it came."""

    platform: str
    update: str
    body: bytes
    created: datetime


class Inbox:
    """The letters. A platform that repeats itself is heard once: `(platform, update)` is unique.

    A letter is its runner's for as long as that process has any lease; nobody else acts on it meanwhile.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, platform: str, inbox_updates: Iterable[tuple[str, bytes]], runner: str | None = None) -> tuple[str, ...]:
        """Keep letters, each a number and a body; once this returns they survive anything. Returns the numbers of the new ones.

        They are the `runner`'s, or free.
        """
        moment = now()
        # A microsecond apart: they are acted on in the order in which they came.
        came = {number: (body, moment + timedelta(microseconds=position)) for position, (number, body) in enumerate(inbox_updates)}
        new = set()
        async with self._database.write() as session:
            # In the order of their numbers: of two who bring the same letters, neither waits for the other in the middle.
            for number, (body, created) in sorted(came.items()):
                row = {"platform": platform, "update": number, "body": body, "created": created, "runner": runner}
                if await add_if_new(session, InboxRow, row):
                    new.add(number)
        return tuple(number for number in came if number in new)

    async def open(self, platform: str, most: int = 100, after: InboxUpdate | None = None) -> tuple[InboxUpdate, ...]:
        """Return letters that were not acted on yet, in the order in which they came; those that came `after` one."""
        found = _open(platform, most)
        if after is not None:
            is_later = and_(InboxRow.created == after.created, InboxRow.update > after.update)
            found = found.where(or_(InboxRow.created > after.created, is_later))
        async with self._database.read() as session:
            rows = await session.scalars(found)
            return tuple(InboxUpdate(row.platform, row.update, row.body, row.created) for row in rows)

    async def claim(self, platform: str, runner: str, most: int = 100) -> tuple[InboxUpdate, ...]:
        """Give a runner letters that are free, in the order in which they came: whoever had them is gone, or has no lease any more."""
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
        """Let go of what a runner has not acted on."""
        held = InboxRow.platform == platform, InboxRow.runner == runner, _IS_OPEN
        async with self._database.write() as session:
            await session.execute(update(InboxRow).where(*held).values(runner=None))

    async def done(self, platform: str, number: str) -> bool:
        """Say that a letter was acted on; its body is kept no longer. False where that was said before."""
        changed = update(InboxRow).where(InboxRow.platform == platform, InboxRow.update == number, _IS_OPEN).values(done=now(), body=b"")
        async with self._database.write() as session:
            return (await session.execute(changed.returning(InboxRow.update))).first() is not None

    async def sweep(self, before: datetime) -> int:
        """Forget letters that were acted on before a moment: no platform repeats itself after days. Returns how many."""
        async with self._database.write() as session:
            gone = await session.scalars(delete(InboxRow).where(InboxRow.done < before).returning(InboxRow.update))
            return len(gone.all())


def _open(platform: str, most: int) -> Select[InboxRow]:
    return select(InboxRow).where(_IS_OPEN, InboxRow.platform == platform).order_by(InboxRow.created, InboxRow.update).limit(most)


#: A lease that was over for so long is nobody's any more.
_LONG_OVER = timedelta(days=1)


class Leases:
    """The leases, each by a name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, holder: str, seconds: float) -> bool:
        """Take or keep a lease for so many seconds from now; False while another holds it."""
        until = self._database.moment(timedelta(seconds=seconds))
        async with self._database.write() as session:
            if await add_if_new(session, LeaseRow, {"name": name, "holder": holder, "until": until}):
                return True
            known = await session.scalar(select(LeaseRow.holder).where(LeaseRow.name == name))
            # Of a process of this computer it is known when it is gone; whoever starts again need not wait.
            held_by = {holder, known} if known is not None and is_gone(known) else {holder}
            is_free = or_(LeaseRow.holder.in_(held_by), LeaseRow.until < self._database.moment())
            taken = update(LeaseRow).where(LeaseRow.name == name, is_free).values(holder=holder, until=until)
            return (await session.execute(taken.returning(LeaseRow.name))).first() is not None

    async def leave(self, name: str, holder: str) -> None:
        """Give a lease back, where it is still this one's; those of processes that died long ago go along."""
        long_ago = self._database.moment(-_LONG_OVER)
        async with self._database.write() as session:
            mine = and_(LeaseRow.name == name, LeaseRow.holder == holder)
            await session.execute(delete(LeaseRow).where(or_(mine, LeaseRow.until < long_ago)))
