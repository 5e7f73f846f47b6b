"""Backups under load: every job accepted before a backup began is in it, and the books are right."""

import asyncio
import os
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url, select, text

from bot.store import schema
from bot.store.billing import ledger
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from bot.store.tables.core import JobRow
from tests.stores import blank, new_job, under, user_of, whole

#: The number of concurrent users, each in a private channel and in a shared channel.
_ASKERS = 4

#: Requests that are accepted before the backup begins.
_BEFORE = 40


async def asking(store, user, told):
    """Submit jobs without end, and cancel or finish some of them; `told` gets the id of each accepted job."""
    while True:
        first, second = await store.jobs.accept([new_job(user, credits=100, channel=channel) for channel in (user, "group")])
        told.append(first.id)
        told.append(second.id)
        await store.jobs.cancel(first.id)
        if (job := await store.attempts.claim("a runner")) is not None:
            await store.attempts.finish(job, [whole()], 0.1)
        await asyncio.sleep(0)


async def under_load(url, folder, take):
    """Take a backup under load; return the ids of the jobs accepted before it began, and the number of all accepted jobs."""
    async with Database(url) as database:
        await schema.prepare(database)
        store = under(Store.of(database, BlobStore(str(folder / "files"))), 10**9, channel=10**9, most_open=10**9)
        told = []
        askers = [asyncio.create_task(asking(store, await user_of(store, f"asker {number}"), told)) for number in range(_ASKERS)]
        try:
            async with asyncio.timeout(60):
                while len(told) < _BEFORE:  # noqa: ASYNC110  # no event exists for this
                    await asyncio.sleep(0.01)
            before = set(told)
            await asyncio.to_thread(take)
            # The store was in use: more jobs were accepted during the backup, or right after it.
            async with asyncio.timeout(60):
                while len(told) < len(before) + 4:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        finally:
            for requester in askers:
                requester.cancel()
            await asyncio.gather(*askers, return_exceptions=True)
    assert not [one.exception() for one in askers if not one.cancelled()]
    return before, len(told)


async def check(url, folder, before):
    """Assert that a restored backup is complete, and that work continues in it."""
    async with Database(url) as database:
        assert (await schema.state(database)).standing == "current"
        assert await schema.differences(database) == ()
        assert await ledger.mistakes(database) == ()
        store = Store.of(database, BlobStore(str(folder / "files")))
        async with database.read() as session:
            there = set(await session.scalars(select(JobRow.id)))
            assert before <= there
            if database.is_sqlite:
                assert (await session.scalar(text("PRAGMA integrity_check"))) == "ok"
                assert (await session.execute(text("PRAGMA foreign_key_check"))).first() is None
        job = await store.attempts.claim("the next runner")
        assert job is not None
        assert await store.attempts.finish(job, [whole()], 0.1)
        await store.outbox.claim("the next runner", ["web"])
        assert await ledger.mistakes(database) == ()


def by_api(source, target):
    """Copy as `sqlite3 FILE .backup` does."""
    with closing(sqlite3.connect(source, timeout=30)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def by_vacuum(source, target):
    """Copy as `VACUUM INTO` does."""
    with closing(sqlite3.connect(source, timeout=30)) as one:
        one.execute("VACUUM INTO ?", (str(target),))


@pytest.mark.parametrize("take", [by_api, by_vacuum])
async def test_a_copy_of_sqlite_under_load_is_whole(tmp_path, take):
    """A copy that SQLite makes of a database in use has all jobs accepted before it, complete and in order."""
    source, target = tmp_path / "easel.db", tmp_path / "backup.db"
    before, _ = await under_load(f"sqlite+aiosqlite:///{source}", tmp_path, lambda: take(source, target))

    await check(f"sqlite+aiosqlite:///{target}", tmp_path, before)


def tools():
    """Return the folder of PostgreSQL's own tools, of the newest installed version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name))
    if not folders or not (folders[-1] / "pg_dump").exists():
        pytest.skip("pg_dump and pg_restore are not installed here")
    return folders[-1]


async def test_a_dump_of_postgresql_under_load_is_whole(tmp_path):
    """A dump of a PostgreSQL database in use, restored into another, has all jobs accepted before it, complete and in order."""
    folder, restored = tools(), f"easel_restored_{uuid4().hex}"
    with blank("postgresql", tmp_path) as url:
        name = make_url(url).query["options"].removeprefix("-csearch_path=")
        plain = make_url(url).set(drivername="postgresql", query={})
        other = plain.set(database=restored)

        def run(tool, *words):
            environment = {**os.environ, "PGPASSWORD": plain.password or ""}
            subprocess.run([str(folder / tool), *words], check=True, capture_output=True, timeout=60, env=environment)

        def address(one):
            return one.set(password=None).render_as_string()

        def take():
            run("pg_dump", "--format=custom", f"--schema={name}", f"--file={tmp_path / 'backup'}", address(plain))

        before, _ = await under_load(url, tmp_path, take)
        with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{restored}"')
            try:
                run("pg_restore", "--exit-on-error", f"--dbname={address(other)}", str(tmp_path / "backup"))
                await check(make_url(url).set(database=restored).render_as_string(hide_password=False), tmp_path, before)
            finally:
                with suppress(psycopg.Error):
                    connection.execute(f'DROP DATABASE "{restored}" WITH (FORCE)')
