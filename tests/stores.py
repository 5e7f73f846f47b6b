"""Stores for tests: the same tests run on SQLite and, if a server is configured, on PostgreSQL."""

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

from bot.core.limits import Policy, Tier
from bot.core.values import InputFile, MessageRef, UserRef, new_id
from bot.presets.template import Body
from bot.store import database as session
from bot.store import schema
from bot.store.billing import ledger
from bot.store.database import Database, now
from bot.store.images.blobs import BlobStore
from bot.store.jobs.job import NewJob, Painted
from bot.store.store import Store
from bot.store.tables.core import Base, JobRow, UserRow
from inference.contract.inputs import Role
from inference.contract.request import PictureRequest, Prompt

#: Whether everything is tested (`make test-all`). Otherwise there are fewer sweeps and races, and tests of code without SQL of its own,
#: which the databases could not execute differently, run on SQLite alone.
ALL = os.environ.get("EASEL_TEST_ALL") == "1"

#: The environment variable with the URL of the PostgreSQL server, as in `[store] url`. Without it the PostgreSQL tests are skipped.
SERVER = "EASEL_TEST_POSTGRES_URL"


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request):
    """Return the kind of database that a test runs on."""
    return request.param


@pytest.fixture(params=["sqlite", "postgresql"] if ALL else ["sqlite"])
def usual_server(request):
    """Return the kind of database for tests of code above the SQL; imported as `server` in their file or folder."""
    return request.param


@pytest.fixture
def url(server, tmp_path):
    """Yield the URL of a blank database, which is removed after the test."""
    with blank(server, tmp_path) as address:
        yield address


@pytest.fixture
async def database(server, tmp_path):
    """Yield a database with empty tables."""
    with emptied(server, tmp_path) as address:
        async with Database(address) as opened:
            yield opened


@pytest.fixture
def store(database, tmp_path):
    """Return an empty store."""
    return Store.of(database, BlobStore(str(tmp_path / "files")))


class _Compiled(LRUCache):
    """Compiled statements, keyed by dialect name instead of by engine: each test opens its own engine."""

    def __getitem__(self, key):
        return super().__getitem__(_without_engine(key))

    def __setitem__(self, key, compiled):
        super().__setitem__(_without_engine(key), compiled)

    def get(self, key, default=None):
        """Return the compiled form of a statement, or the default."""
        return super().get(_without_engine(key), default)


def _without_engine(key):
    """Return the key of a compiled statement with the name of its dialect; the dialect object belongs to one engine."""
    return key[0].name, *key[1:]


@contextmanager
def compiled_once():
    """Share compiled statements among all databases of this process, which halves the time of many tests."""
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
    """Return the file of the picture that a job starts from, or None."""
    return next(iter(job.files(Role.INIT)), None)


@cache
def _made():
    """Return the bytes of a new database file, prepared as on every start."""

    async def make(file):
        async with Database(f"sqlite+aiosqlite:///{file}") as database:
            await schema.prepare(database)

    with TemporaryDirectory() as folder:
        _beside(make, f"{folder}/easel.db")
        return Path(folder, "easel.db").read_bytes()


def _beside(doing, *given):
    """Run a coroutine function in a new event loop, even from inside another loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(doing(*given))).result()


def ready_made(file):
    """Create a database with its tables in a file that does not exist yet; creating the tables is tested elsewhere."""
    file = Path(file)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_made())


@contextmanager
def emptied(kind, folder):
    """Yield the URL of a database with empty tables."""
    if kind == "sqlite":
        file = Path(folder, f"{new_id()}.db")
        ready_made(file)
        yield f"sqlite+aiosqlite:///{file}"
        return
    with _own().emptied() as address:
        yield address


@contextmanager
def blank(kind, folder):
    """Yield the URL of a blank database of a kind."""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/{new_id()}.db"
        return
    with _own().blank() as address:
        yield address


#: Ends the connections that hold locks on tables of a schema.
_LET_GO = """
    SELECT pg_terminate_backend(held.pid) FROM (
        SELECT DISTINCT pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation
        WHERE relnamespace = to_regnamespace(%s) AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS held WHERE held.pid <> pg_backend_pid()
"""


class _Own:
    """This process's database on the PostgreSQL server: its tables are created once, and emptied after each test."""

    #: The schema with the tables that are created once.
    READY = "ready"

    def __init__(self, server):
        self.server = server
        self.name = f"easel_test_{uuid4().hex}"
        with self._connected(server) as connection:
            connection.execute(f'CREATE DATABASE "{self.name}"')
            # No test relies on the durability of the server's disk.
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
        """Yield the URL of a blank schema."""
        schema = f"test_{uuid4().hex}"
        self.connection.execute(f'CREATE SCHEMA "{schema}"')
        try:
            yield self._address(schema)
        finally:
            # A connection that a cancelled task is still returning holds its locks, and would block the statement below.
            self.connection.execute(_LET_GO, [schema])
            self.connection.execute(f'DROP SCHEMA "{schema}" CASCADE')

    @contextmanager
    def emptied(self):
        """Yield the URL of the tables that are created once; they are empty."""
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
            # TRUNCATE creates a new file for each table and index and takes 40 times as long as DELETE. No table has a counter to reset.
            tables = (f'DELETE FROM {self.READY}."{table.name}"' for table in reversed(Base.metadata.sorted_tables))
            self.connection.execute("; ".join(tables))
            self._is_taken = False

    async def _make(self):
        async with Database(self._address(self.READY)) as database, database.connect() as connection:
            await connection.run_sync(Base.metadata.create_all)

    def drop(self):
        """Drop the database from the server."""
        self.connection.close()
        with self._connected(self.server) as connection:
            connection.execute(f'DROP DATABASE "{self.name}" WITH (FORCE)')


@cache
def _own():
    """Return this process's database on the PostgreSQL server; skip the test if no server is configured."""
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    return _Own(make_url(os.environ[SERVER]))


def tidy():
    """Drop this process's database from the PostgreSQL server, if there is one."""
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
    """Return the id of a user."""
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
    """Share a preset and a prompt of a user in a channel; return the preset's name and the prompt's code."""
    made = await store.presets.save(user, "calm", Body(prompt="a blue {prompt}"))
    await store.presets.show(made, channel)
    shared = await store.boards.share(channel, user, "a red circle", '{"prompt": "a red circle"}')
    return made.name, shared.id


async def linked(store, channel):
    """Link another group to the board of a channel."""
    assert await store.boards.join(await store.boards.opened(channel), await store.boards.opened(MessageRef("elsewhere", new_id())))


async def run_out(store, job_id):
    """Let the lease of a job expire."""
    async with store.database.write() as writing:
        await writing.execute(update(JobRow).where(JobRow.id == job_id).values(lease=now() - timedelta(seconds=1)))


#: Number of rounds of slow race tests; a nightly run should use 200.
ROUNDS = int(os.environ.get("EASEL_TEST_ROUNDS", "20" if ALL else "5"))


def some(cases, every, first=0):
    """Return every n-th case, beginning with the given one; all cases in a full run."""
    return list(cases) if ALL else list(cases)[first::every]


def tries(whole):
    """Return how many of the given number of random histories are tried."""
    return whole if ALL else max(20, whole // 8)


def under(store, credits=None, *, channel=None, tiers=None, **more):
    """Return the same store under an operator's rules: `credits` (thousandths) per day for every user, and `tiers` by name."""
    rules = Policy(tiers={"": Tier(credits=credits, **more), **(tiers or {})}, channel=channel)
    return Store.of(store.database, store.files, rules)


def whole(index=0):
    """Return a finished picture of the size that `request_of` asks for."""
    return msgspec.structs.replace(painted(index), width=64, height=64)


async def change_person(store, user, **changed):
    """Change the row of a user."""
    async with store.database.write() as writing:
        await writing.execute(update(UserRow).where(UserRow.id == user).values(**changed))


async def books_are_right(store):
    """Return whether each account equals the sum of its ledger."""
    return await ledger.mistakes(store.database) == ()
