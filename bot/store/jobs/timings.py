"""What was learned about how long steps take, kept over restarts."""

import msgspec
from sqlalchemy import select, update

from bot.core.cost_model import Timing
from bot.store.database import Database, add_if_new
from bot.store.tables.core import TimingRow


class Timings:
    """The learned times."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> tuple[Timing, ...]:
        """Return all that was learned."""
        async with self._database.read() as session:
            rows = await session.scalars(select(TimingRow))
            return tuple(Timing(row.model, row.width, row.height, row.batch, row.seconds, row.count) for row in rows)

    async def keep(self, timing: Timing) -> None:
        """Remember what was learned last; of two who learn at once the later one counts."""
        row = msgspec.structs.asdict(timing)
        learned = {name: row.pop(name) for name in ("seconds", "count")}
        async with self._database.write() as session:
            if not await add_if_new(session, TimingRow, row | learned):
                await session.execute(update(TimingRow).filter_by(**row).values(learned))
