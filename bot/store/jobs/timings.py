"""Learned durations of steps, stored across restarts."""

import msgspec
from sqlalchemy import select, update

from bot.core.scheduling import Timing
from bot.store.database import Database, add_if_new
from bot.store.tables.core import TimingRow


class Timings:
    """The learned timings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> tuple[Timing, ...]:
        """Return all learned timings."""
        async with self._database.read() as session:
            rows = await session.scalars(select(TimingRow))
            return tuple(Timing(row.model, row.width, row.height, row.batch, row.seconds, row.count) for row in rows)

    async def keep(self, timing: Timing) -> None:
        """Store the latest timing; of two concurrent writes the later counts."""
        row = msgspec.structs.asdict(timing)
        learned = {name: row.pop(name) for name in ("seconds", "count")}
        async with self._database.write() as session:
            if not await add_if_new(session, TimingRow, row | learned):
                await session.execute(update(TimingRow).filter_by(**row).values(learned))
