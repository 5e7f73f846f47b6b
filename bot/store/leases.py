"""Leases: what only one process may do at a time, such as asking a platform for news; another takes over when that one is gone."""

from datetime import timedelta

from sqlalchemy import and_, delete, or_, select, update

from bot.jobs.runners import is_gone
from bot.store.models import LeaseRow
from bot.store.session import Database, add_if_new

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
