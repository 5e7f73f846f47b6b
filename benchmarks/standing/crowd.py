"""Full stores: enough jobs for their number to matter, inserted by the database itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from sqlalchemy import text

from benchmarks.standing.filling import filling, numbers
from bot.store.database import Database
from bot.store.tables.core import Base
from inference.contract.request import PictureRequest, Prompt

#: The credits of a user, and the cost of each of their jobs, in thousandths.
ALLOWED, COST = 10**12, 700

#: Jobs that wait if most jobs have ended, whatever else there is, and how many users they belong to.
WAITING, WAITERS = 800, 100

#: Jobs per user.
_OF_ONE = 20

_REQUEST = PictureRequest(
    prompt=Prompt.plain("a red circle on blue"), model="m0", width=512, height=512, steps=30, guidance=7.0, scheduler="euler", seed=7
)


class Crowd(msgspec.Struct, frozen=True):
    """`rows` jobs: either all of them wait, or all but a few have ended."""

    rows: int
    all_wait: bool

    @property
    def users(self) -> int:
        """Return how many users submitted them."""
        return max(WAITERS, self.rows // _OF_ONE)

    @property
    def user(self) -> str:
        """Return the user of the i-th job, as SQL: if most jobs have ended, the waiting jobs always belong to the same users."""
        return f"i % {self.users}" if self.all_wait else f"CASE WHEN i < {WAITING} THEN i % {WAITERS} ELSE i % {self.users} END"

    @property
    def state(self) -> str:
        """Return the state of the i-th job, as SQL."""
        return "'waiting'" if self.all_wait else f"CASE WHEN i < {WAITING} THEN 'waiting' ELSE 'done' END"


@asynccontextmanager
async def crowded(url: str, crowd: Crowd) -> AsyncIterator[Database]:
    """Yield a database with that many jobs."""
    async with Database(url) as database:
        async with database.connect() as connection:
            await connection.run_sync(Base.metadata.create_all)
        for statement in _filling(crowd, database.is_sqlite):
            async with database.write() as session:
                await session.execute(text(statement), {"request": msgspec.msgpack.encode(_REQUEST)} if ":request" in statement else {})
        await settled(database)
        yield database


def _filling(crowd: Crowd, is_sqlite: bool) -> tuple[str, ...]:
    """Return the statements that fill a blank database."""
    moment = (
        "strftime('%Y-%m-%d %H:%M:%f', 1700000000 + i * 0.01, 'unixepoch') || '000'" if is_sqlite else "to_timestamp(1700000000 + i * 0.01)"
    )
    yes = "1" if is_sqlite else "true"
    jobs, users = numbers(crowd.rows, is_sqlite), numbers(crowd.users, is_sqlite)
    done = f"{crowd.state} = 'done'"
    job = {
        "id": "'j' || i",
        "person_id": f"'p' || ({crowd.user})",
        "place_id": f"'c' || ({crowd.user})",
        "key": "'k' || i",
        "line": "'/imagine a red circle on blue'",
        "wish": "'{}'",
        "request": ":request",
        "state": crowd.state,
        "model": "'m' || (i % 3)",
        "cost": "1.0",
        "rank": "i",
        "credits": str(COST),
        "charged": f"CASE WHEN {done} THEN {COST} END",
        "created": moment,
        "ended": f"CASE WHEN {done} THEN {moment} END",
    }
    return (
        filling("person", {"id": "'p' || i", "created": moment}, users, is_sqlite),
        filling("place", {"id": "'c' || i", "platform": "'web'", "key": "'c' || i", "created": moment}, users, is_sqlite),
        filling("job", job, jobs, is_sqlite),
        "INSERT INTO account (id, person_id, day, allowance, left, extra)".replace("left", '"left"')
        + f" SELECT 'a' || person_id, person_id, '2026-11-21', {ALLOWED}, {ALLOWED} - {COST} * count(*), 0 FROM job GROUP BY person_id",
        "INSERT INTO ledger (id, account_id, kind, day, amount, extra, at) SELECT 'd' || id, id, 'day', day, allowance, 0,"
        " (SELECT min(created) FROM person) FROM account",
        "INSERT INTO ledger (id, account_id, job_id, kind, day, amount, extra, at)"
        f" SELECT 'l' || id, 'a' || person_id, id, 'hold', '2026-11-21', -{COST}, 0, created FROM job",
        "INSERT INTO clock (id, now) VALUES (1, 0.0)",
        "INSERT INTO turn (person_id, tag, since, waiting)"
        f" SELECT 'p' || i, (i * 7919 % 10007) / 10.0, i, {yes if crowd.all_wait else f'i < {WAITERS}'} FROM {users}",
        # For the peer: first come, first served.
        "CREATE INDEX ix_first ON job (created) WHERE state = 'waiting'",
    )


async def settled(database: Database) -> None:
    """Do what a server does on its own in the first minute: collect table statistics and flush the log."""
    if database.is_sqlite:
        async with database.engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            await raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    async with database.engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.set_autocommit(True)
        # Only these tables, because another process may be working on others.
        tables = ", ".join(f'"{table}"' for table in Base.metadata.tables)
        await raw.execute(f"VACUUM ANALYZE {tables}")
        await raw.execute("CHECKPOINT")
