"""Several processes on one PostgreSQL: each learns of changes by the others at once, and the notification can be missed."""

import asyncio
import contextlib

import pytest
from sqlalchemy import func, select, text

from bot.store import database_notify
from bot.store.database import Database
from bot.store.jobs.job import CANCELLED, DONE, RUNNING
from bot.store.store import Store
from tests.dispatching import PAINTED, Script, Wall, dispatching, until
from tests.stores import accepted, user_of

pytestmark = pytest.mark.parametrize("server", ["postgresql"])

#: No process polls while a test runs.
NEVER = {"poll_seconds": 3600.0, "beat_seconds": 3600.0}


@contextlib.asynccontextmanager
async def neighbour(store):
    """Return the store as another process opens it."""
    async with Database(store.database.url) as database:
        yield Store.of(database, store.files, store.policy)


async def listening(store, count=2):
    """Wait until this many connections listen, as the server reports it."""
    listens = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN easel' AND state = 'idle'")
    async with asyncio.timeout(60), store.database.engine.connect() as connection:
        while await connection.scalar(listens) < count:  # no notification exists for this
            # Within one transaction the result stays the same.
            await connection.rollback()
            await asyncio.sleep(0.01)


async def test_one_paints_what_another_accepted_and_the_other_delivers(store):
    """A process without an engine and a process without a platform work together: jobs and results are announced."""
    here, there = Wall(), Wall()
    async with (
        neighbour(store) as other,
        dispatching(store, Script(), here, most=0, **NEVER),
        dispatching(other, Script(), there, platforms=[], **NEVER),
    ):
        await listening(store)
        job = await accepted(store, await user_of(store))
        async with asyncio.timeout(60):
            await here.until(job.id, DONE)
    assert (await store.outbox.of_job(job.id)).state == "sent"


async def test_pages_of_every_process_see_the_end(store):
    """A page open in another process sees a job begin and end, whichever process delivers it."""
    here, there = Wall(), Wall()
    async with (
        neighbour(store) as other,
        dispatching(store, Script(), here, most=0, **NEVER),
        dispatching(other, Script(), there, **NEVER),
    ):
        await listening(store)
        job = await accepted(store, await user_of(store))
        async with asyncio.timeout(60):
            await asyncio.gather(here.until(job.id, DONE), there.until(job.id, DONE))
    assert {card.state for card in here.of(job.id)} <= {RUNNING, DONE}


async def test_a_cancellation_reaches_who_paints(store):
    """A job cancelled in one process stops at once in the process that runs it."""
    held, here, there = asyncio.Event(), Wall(), Wall()
    script = Script(endless=[(held, *PAINTED)])
    async with (
        neighbour(store) as other,
        dispatching(store, Script(), here, most=0, **NEVER) as mine,
        dispatching(other, script, there, platforms=[], **NEVER),
    ):
        await listening(store)
        job = await accepted(store, await user_of(store), "endless")
        async with asyncio.timeout(60):
            await script.running.wait()
            assert await store.jobs.cancel(job.id)
            mine.wake()
            await here.until(job.id, CANCELLED)
            await until(lambda: script.closed)


async def test_who_listens_leaves_no_odd_connection(store):
    """After a listener breaks, every connection has transactions again: partial work is not kept."""
    heard = asyncio.Event()

    def broken(_news):
        heard.set()
        raise ZeroDivisionError

    ear = asyncio.create_task(database_notify.listen(store.database, broken))
    await heard.wait()
    for _ in range(10):
        with contextlib.suppress(ZeroDivisionError):
            async with store.database.write() as session:
                await store.database.ring(session, "work")
                await session.execute(select(func.set_config("easel.test", "1", True)))
                raise ZeroDivisionError
        async with store.database.engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert not raw.autocommit
    ear.cancel()
    await asyncio.gather(ear, return_exceptions=True)
