"""Stores to test with: the same tests run on SQLite and, where a server is named, on PostgreSQL."""

import asyncio
import os
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from uuid import uuid4

import msgspec
import psycopg
import pytest
from PIL import Image
from sqlalchemy import make_url, update

from bot.core.quota import Policy, Tier
from bot.core.values import MessageRef, UserRef, new_id
from bot.presets.template import Body
from bot.store import schema
from bot.store.billing import ledger
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.jobs.job import NewJob, Painted
from bot.store.store import Store
from bot.store.tables.columns import now
from bot.store.tables.core import Base, JobRow, UserRow
from inference.contract.request import PictureRequest, Prompt

#: Names the PostgreSQL server to test with, as `[store] url` would; without it the tests of PostgreSQL are skipped.
SERVER = "EASEL_TEST_POSTGRES_URL"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Give the address of a blank database that goes when the test is over."""
    with blank(request.param, tmp_path) as address:
        yield address


@pytest.fixture
async def database(url):
    """Give a database with its tables."""
    is_sqlite = url.startswith("sqlite")
    if is_sqlite:
        ready_made(url.partition("///")[2])
    async with Database(url) as opened:
        if not is_sqlite:
            async with opened.connect() as connection:
                await connection.run_sync(Base.metadata.create_all)
        yield opened


@pytest.fixture
def store(database, tmp_path):
    """Give an empty store."""
    return Store.of(database, BlobStore(str(tmp_path / "files")))


@cache
def _made():
    """Return what is in the file of a database that was just made, as every start makes one."""

    async def make(file):
        async with Database(f"sqlite+aiosqlite:///{file}") as database:
            await schema.prepare(database)

    with TemporaryDirectory() as folder:
        # In a thread: whoever needs it may be inside a loop.
        made = Thread(target=lambda: asyncio.run(make(f"{folder}/easel.db")))
        made.start()
        made.join()
        return Path(folder, "easel.db").read_bytes()


def ready_made(file):
    """Put a database with its tables there, where there is none: what it takes to make one is tested elsewhere."""
    file = Path(file)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_made())


#: Ends whoever holds a table of a schema.
_LET_GO = """
    SELECT pg_terminate_backend(held.pid) FROM (
        SELECT DISTINCT pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation WHERE relnamespace = to_regnamespace(%s)
    ) AS held WHERE held.pid <> pg_backend_pid()
"""


@contextmanager
def blank(kind, folder):
    """Give the address of a blank database of a kind."""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/{new_id()}.db"
        return
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    server, schema = make_url(os.environ[SERVER]), f"test_{uuid4().hex}"
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
        try:
            yield server.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False)
        finally:
            # A connection that a cancelled task is still giving back holds its locks as long as we would wait for them here.
            connection.execute(_LET_GO, [schema])
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')


def request_of(words="a red circle", **changes):
    """Return a small request."""
    usual = {"model": "demo", "width": 64, "height": 64, "steps": 4, "guidance": 5.0, "scheduler": "euler", "seed": 7}
    return PictureRequest(prompt=Prompt.plain(words), **{**usual, **changes})


def new_job(user, words="a red circle", *, channel="here", platform="web", **changes):
    """Return a job to accept."""
    usual = {"address": MessageRef(platform, channel), "line": f"/imagine {words}", "params": "{}", "request": request_of(words)}
    return NewJob(id=new_id(), user=user, **{**usual, **changes})


async def user_of(store, name="ann", platform="web"):
    """Return the id of somebody."""
    return (await store.people.user(UserRef(platform, name, name))).id


async def accepted(store, user, words="a red circle", **changes):
    """Accept one job and return it."""
    (job,) = await store.jobs.accept([new_job(user, words, **changes)])
    return job


def png(colour="red"):
    """Return a small PNG."""
    file = BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def painted(index=0, *, file="a" * 64 + ".png", thumbnail="b" * 64 + ".jpg"):
    """Return a finished picture."""
    return Painted(index=index, seed=2**32 - 1 - index, width=8, height=8, bytes=70, file=file, thumbnail=thumbnail)


async def done(store, user, words="a red circle", pictures=None, **changes):
    """Have a job accepted and finished, and return its pictures."""
    (job,) = await store.jobs.accept([new_job(user, words, **changes)], "a runner")
    assert await store.attempts.finish(job, [painted()] if pictures is None else pictures, 1.0)
    return (await store.pictures.of_jobs([job.id]))[job.id]


async def on_board(store, user, channel):
    """Share a preset and a prompt of somebody's in a place; return the preset's name and the prompt's code."""
    made = await store.presets.save(user, "calm", Body(prompt="a blue {prompt}"))
    await store.presets.show(made, channel)
    shared = await store.boards.share(channel, user, "a red circle", '{"prompt": "a red circle"}')
    return made.name, shared.id


async def linked(store, channel):
    """Have another group look at the board of a place, too."""
    assert await store.boards.join(await store.boards.opened(channel), await store.boards.opened(MessageRef("elsewhere", new_id())))


async def run_out(store, job_id):
    """Let time pass until a job's lease is over."""
    async with store.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == job_id).values(lease=now() - timedelta(seconds=1)))


#: How often a race is run where that takes its time; the brief of a nightly run is 200.
ROUNDS = int(os.environ.get("EASEL_TEST_ROUNDS", "20"))


def under(store, credits=None, *, channel=None, tiers=None, **more):
    """Return the same store under an operator's rules: `credits` (thousandths) a day for everybody, and `tiers` by name."""
    rules = Policy(tiers={"": Tier(credits=credits, **more), **(tiers or {})}, channel=channel)
    return Store.of(store.database, store.files, rules)


def whole(index=0):
    """Return a finished picture of the size that `request_of` asks for."""
    return msgspec.structs.replace(painted(index), width=64, height=64)


async def change_person(store, user, **changed):
    """Change the row of a person."""
    async with store.database.write() as session:
        await session.execute(update(UserRow).where(UserRow.id == user).values(**changed))


async def books_are_right(store):
    """Return whether every account is what its ledger sums to."""
    return await ledger.mistakes(store.database) == ()
