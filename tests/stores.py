"""Stores to test with: the same tests run on SQLite and, where a server is named, on PostgreSQL."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import msgspec
import psycopg
import pytest
from PIL import Image
from sqlalchemy import make_url, update
from sqlalchemy.util import LRUCache

from bot.core.quota import Policy, Tier
from bot.core.values import InputFile, MessageRef, UserRef, new_id
from bot.presets.template import Body
from bot.store import database as session
from bot.store import schema
from bot.store.billing import ledger
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.jobs.job import NewJob, Painted
from bot.store.store import Store
from bot.store.tables.columns import now
from bot.store.tables.core import Base, JobRow, UserRow
from inference.contract.inputs import Role
from inference.contract.request import PictureRequest, Prompt

#: Whether everything is tried that is worth trying: `make test-all`. Otherwise the sweeps and races are thinned, and what has no SQL
#: of its own that the databases could take differently runs on SQLite alone.
ALL = os.environ.get("EASEL_TEST_ALL") == "1"

#: Names the PostgreSQL server to test with, as `[store] url` would; without it the tests of PostgreSQL are skipped.
SERVER = "EASEL_TEST_POSTGRES_URL"


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request):
    """Give the kind of database that a test runs on."""
    return request.param


@pytest.fixture(params=["sqlite", "postgresql"] if ALL else ["sqlite"])
def usual_server(request):
    """Give the kind of database for tests of what is above the SQL; imported as `server` in their file or folder."""
    return request.param


@pytest.fixture
def url(server, tmp_path):
    """Give the address of a blank database that goes when the test is over."""
    with blank(server, tmp_path) as address:
        yield address


@pytest.fixture
async def database(server, tmp_path):
    """Give a database with its tables, which are empty."""
    with emptied(server, tmp_path) as address:
        async with Database(address) as opened:
            yield opened


@pytest.fixture
def store(database, tmp_path):
    """Give an empty store."""
    return Store.of(database, BlobStore(str(tmp_path / "files")))


class _Compiled(LRUCache):
    """Statements that were compiled, by database and no longer by engine: each test opens an engine of its own."""

    def __getitem__(self, key):
        return super().__getitem__(_without_engine(key))

    def __setitem__(self, key, compiled):
        super().__setitem__(_without_engine(key), compiled)

    def get(self, key, default=None):
        """Return what is known of a statement."""
        return super().get(_without_engine(key), default)


def _without_engine(key):
    """Return the key of a compiled statement with the name of its dialect; the dialect itself belongs to one engine."""
    return key[0].name, *key[1:]


@contextmanager
def compiled_once():
    """Have all databases of this process share what they have compiled: that takes half the time of many tests."""
    compiled, create = _Compiled(5000), session.create_async_engine

    def create_with_it(*given, **more):
        engine = create(*given, **more)
        engine.sync_engine._compiled_cache = compiled
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_async_engine", create_with_it)
        yield


def init(file):
    """Return the inputs of a job that starts from one picture."""
    return (InputFile(Role.INIT, file),)


def init_of(job):
    """Return the file of the picture that a job starts from, or nothing."""
    return next(iter(job.files(Role.INIT)), None)


@cache
def _made():
    """Return what is in the file of a database that was just made, as every start makes one."""

    async def make(file):
        async with Database(f"sqlite+aiosqlite:///{file}") as database:
            await schema.prepare(database)

    with TemporaryDirectory() as folder:
        _beside(make, f"{folder}/easel.db")
        return Path(folder, "easel.db").read_bytes()


def _beside(doing, *given):
    """Run a coroutine function in a loop of its own, also inside another loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(doing(*given))).result()


def ready_made(file):
    """Put a database with its tables there, where there is none: what it takes to make one is tested elsewhere."""
    file = Path(file)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_made())


@contextmanager
def emptied(kind, folder):
    """Give the address of a database with its tables, in which nothing is."""
    if kind == "sqlite":
        file = Path(folder, f"{new_id()}.db")
        ready_made(file)
        yield f"sqlite+aiosqlite:///{file}"
        return
    with _own().emptied() as address:
        yield address


@contextmanager
def blank(kind, folder):
    """Give the address of a blank database of a kind."""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/{new_id()}.db"
        return
    with _own().blank() as address:
        yield address


#: Ends the connections that hold a table of a schema.
_LET_GO = """
    SELECT pg_terminate_backend(held.pid) FROM (
        SELECT DISTINCT pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation
        WHERE relnamespace = to_regnamespace(%s) AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS held WHERE held.pid <> pg_backend_pid()
"""


class _Own:
    """The database of this process on the PostgreSQL server: its tables are made once, and emptied after each test."""

    #: The schema with the tables that are made once.
    READY = "ready"

    def __init__(self, server):
        self.server = server
        self.name = f"easel_test_{uuid4().hex}"
        with self._connected(server) as connection:
            connection.execute(f'CREATE DATABASE "{self.name}"')
            # Nothing that the tests promise needs the server's disk.
            connection.execute(f'ALTER DATABASE "{self.name}" SET synchronous_commit = off')
        self.connection = self._connected(server.set(database=self.name))
        self._is_made = self._is_taken = False

    def _connected(self, address):
        plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(plain, autocommit=True)

    def _address(self, schema):
        own = self.server.set(database=self.name).update_query_dict({"options": f"-csearch_path={schema}"})
        return own.render_as_string(hide_password=False)

    @contextmanager
    def blank(self):
        """Give the address of a blank schema."""
        schema = f"test_{uuid4().hex}"
        self.connection.execute(f'CREATE SCHEMA "{schema}"')
        try:
            yield self._address(schema)
        finally:
            # A connection that a cancelled task is still giving back holds its locks as long as we would wait for them here.
            self.connection.execute(_LET_GO, [schema])
            self.connection.execute(f'DROP SCHEMA "{schema}" CASCADE')

    @contextmanager
    def emptied(self):
        """Give the address of the tables that are made once, while they are empty."""
        assert not self._is_taken, "another test of this process uses these tables"
        if not self._is_made:
            self.connection.execute(f"CREATE SCHEMA {self.READY}")
            _beside(self._make)
            self._is_made = True
        self._is_taken = True
        try:
            yield self._address(self.READY)
        finally:
            self.connection.execute(_LET_GO, [self.READY])
            # TRUNCATE makes a new file for each table and each index, and takes forty times as long. No table counts its rows.
            tables = (f'DELETE FROM {self.READY}."{table.name}"' for table in reversed(Base.metadata.sorted_tables))
            self.connection.execute("; ".join(tables))
            self._is_taken = False

    async def _make(self):
        async with Database(self._address(self.READY)) as database, database.connect() as connection:
            await connection.run_sync(Base.metadata.create_all)

    def drop(self):
        """Leave nothing on the server."""
        self.connection.close()
        with self._connected(self.server) as connection:
            connection.execute(f'DROP DATABASE "{self.name}" WITH (FORCE)')


@cache
def _own():
    """Return this process's database on the PostgreSQL server; skip the test if no server is named."""
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    return _Own(make_url(os.environ[SERVER]))


def tidy():
    """Remove this process's database from the PostgreSQL server, if there is one."""
    if _own.cache_info().currsize:
        _own().drop()
        _own.cache_clear()


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
    async with store.database.write() as writing:
        await writing.execute(update(JobRow).where(JobRow.id == job_id).values(lease=now() - timedelta(seconds=1)))


#: How often a race is run where that takes its time; the brief of a nightly run is 200.
ROUNDS = int(os.environ.get("EASEL_TEST_ROUNDS", "20" if ALL else "8"))


def tries(whole):
    """Return how many of so many random histories are tried."""
    return whole if ALL else max(20, whole // 5)


def under(store, credits=None, *, channel=None, tiers=None, **more):
    """Return the same store under an operator's rules: `credits` (thousandths) a day for everybody, and `tiers` by name."""
    rules = Policy(tiers={"": Tier(credits=credits, **more), **(tiers or {})}, channel=channel)
    return Store.of(store.database, store.files, rules)


def whole(index=0):
    """Return a finished picture of the size that `request_of` asks for."""
    return msgspec.structs.replace(painted(index), width=64, height=64)


async def change_person(store, user, **changed):
    """Change the row of a person."""
    async with store.database.write() as writing:
        await writing.execute(update(UserRow).where(UserRow.id == user).values(**changed))


async def books_are_right(store):
    """Return whether every account is what its ledger sums to."""
    return await ledger.mistakes(store.database) == ()
