"""Connections to the store: many readers, and with SQLite one writer at a time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

import aiosqlite
from sqlalchemy import URL, ColumnElement, Connection, DateTime, event, func, literal, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from bot.core.errors import BadConfig, BadStore
from bot.store.tables.columns import Base, Utc, now

#: How long a writer waits for a writer of another process.
_BUSY_SECONDS = 15

#: SQLite's settings for a file that several readers and one writer share. FULL: what was accepted survives a power failure.
#: What is deleted is written over, however SQLite was built.
_PRAGMAS = (
    *(f"busy_timeout = {_BUSY_SECONDS * 1000}", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY"),
    "secure_delete = ON",
)

#: How long to wait for a PostgreSQL server that does not answer.
_CONNECT_SECONDS = 10

#: How long the thread of a connection may take to close it.
_END_SECONDS = 2.0

#: The execution options that mark connections of writers, and of migrations.
_WRITES, _MIGRATES = "easel_writes", "easel_migrates"

#: Where processes that share a PostgreSQL tell each other what has changed.
CHANNEL = "easel"

_DRIVERS = ("sqlite+aiosqlite", "postgresql+psycopg")


class Database:
    """The store's connections; an async context manager. `url` is `sqlite+aiosqlite:///FILE` or `postgresql+psycopg://…`.

    Raises `BadConfig` for another kind of address, and `BadStore` where SQLite's folder cannot be made.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.is_sqlite = parsed.drivername.startswith("sqlite")
        self.url = url
        #: The address as people may see it, without its secrets.
        self.name = parsed.database or "" if self.is_sqlite else _without_secrets(parsed)
        if self.is_sqlite:
            _make_folder(self.name)
        self._threads = Threads()
        self.engine = _sqlite(parsed, self._threads) if self.is_sqlite else _postgresql(parsed)
        # SQLite has one writer: waiting in line here is fair and quick, waiting in SQLite is neither.
        self._writing: asyncio.Lock | nullcontext[None] = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._migrator = self.engine.execution_options(**{_WRITES: True, _MIGRATES: True})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.engine.dispose()
        await self._threads.end()

    def reason(self, error: DBAPIError) -> str:
        """Return what the database gave as its reason, as one line without the password."""
        # What a server says itself comes after its word for how grave it is; before it the driver tells the address, which we name.
        said = str(error.orig).strip().rpartition("FATAL:")[2].strip()
        line = " ".join((said.splitlines() or [type(error.orig).__name__])[0].split()).rstrip(".")
        password = make_url(self.url).password
        return line.replace(str(password), "***") if password else line

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Give a session to read with; what it changes is lost."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose changes are kept together at the end, or not at all where something is raised."""
        async with self._writing, AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def moment(self, later: timedelta = timedelta()) -> ColumnElement[datetime]:
        """Return this moment, or a later one, for a statement: by the server's clock, which is the same for all who share it."""
        if self.is_sqlite:
            return literal(now() + later, Utc())
        return func.clock_timestamp(type_=DateTime(timezone=True)) + later

    async def ring(self, session: AsyncSession, news: str) -> None:
        """Tell other processes something short when this transaction is kept; those on one SQLite file find out by looking."""
        if not self.is_sqlite:
            await session.execute(select(func.pg_notify(CHANNEL, news)))

    async def fold(self) -> None:
        """Write SQLite's log into its file and empty it, as far as nobody reads from it now: what was deleted is in neither then."""
        if self.is_sqlite:
            async with self._writing, self.engine.connect() as connection:
                # Beside SQLAlchemy, which would begin a transaction first.
                bare = (await connection.get_raw_connection()).driver_connection
                assert bare is not None
                await bare.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Give a bare connection inside a writing transaction, for migrations: SQLite's references are not watched in it."""
        async with self._writing, self._migrator.connect() as connection:
            try:
                async with connection.begin():
                    yield connection
            finally:
                # How SQLite treats references belongs to the connection: nobody else must get this one.
                await connection.invalidate()


async def add_if_new(session: AsyncSession, table: type[Base], values: Mapping[str, object]) -> bool:
    """Add a row, unless one with the same key is there; return whether it was added. Waits for others who add the same one now."""
    added = await session.execute(_insert(session)(table).values(values).on_conflict_do_nothing().returning(*table.__mapper__.primary_key))
    return added.first() is not None


def _insert(session: AsyncSession) -> Any:
    """Return the `insert` of the session's database: both say it in the same words, which SQLAlchemy keeps in two places."""
    # Here and not above: the other database's place takes a twentieth of a start to read.
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise BadConfig("config-store", offered=", ".join(_DRIVERS)) from None
    # A database that lives in memory would forget what it promised to keep, and its connections would share one transaction.
    if parsed.drivername not in _DRIVERS or (parsed.drivername.startswith("sqlite") and parsed.database in (None, "", ":memory:")):
        raise BadConfig("config-store", offered=", ".join(_DRIVERS))
    return parsed


def _without_secrets(parsed: URL) -> str:
    """Return an address that may be shown: neither the password nor the query, which can hold one too."""
    return URL.create(parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database).render_as_string()


def _make_folder(file: str) -> None:
    folder = Path(file).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadStore("db-folder", folder=str(folder), reason=error.strerror or type(error).__name__) from None


class Threads:
    """The threads of SQLite's connections. A connection whose user was cancelled is closed by its thread, in its own time."""

    def __init__(self) -> None:
        self._living: WeakSet[Thread] = WeakSet()

    def connection(self, *given: Any, **named: Any) -> aiosqlite.Connection:
        """Return a connection that is not open yet, as SQLAlchemy wants it."""
        connection = aiosqlite.connect(*given, **named)
        # SQLAlchemy reaches for it too: a thread that hangs must not keep the process from ending.
        connection._thread.daemon = True
        self._living.add(connection._thread)
        return connection

    async def end(self) -> None:
        """Wait until they have ended: they speak to the event loop to the last."""
        for thread in tuple(self._living):
            await asyncio.to_thread(thread.join, _END_SECONDS)


def _postgresql(parsed: URL) -> AsyncEngine:
    # Here and not above: the tables know of this module's types only.
    from bot.store.tables.core import speak_postgresql

    speak_postgresql()
    waiting = {} if "connect_timeout" in parsed.query else {"connect_timeout": _CONNECT_SECONDS}
    return create_async_engine(parsed, pool_pre_ping=True, hide_parameters=True, isolation_level="READ COMMITTED", connect_args=waiting)


def _sqlite(parsed: URL, threads: Threads) -> AsyncEngine:
    # Parameters are what people wrote: they belong in no log.
    given = {"async_creator_fn": threads.connection, "factory": _Connection}
    engine = create_async_engine(parsed, hide_parameters=True, connect_args=given)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


class _Connection(sqlite3.Connection):
    """A connection that lets go of its lock when it is closed, also in the middle of what its cancelled user wrote.

    SQLite itself keeps a closed connection, and the lock with it, for as long as somebody still holds one of its cursors.
    """

    def close(self) -> None:
        """Take back what was begun, then close."""
        if self.in_transaction:
            self.rollback()
        super().close()


def _prepare(connection: Any, _record: object) -> None:
    # Python's driver would begin transactions by rules of its own; `_begin` does it instead.
    connection.isolation_level = None
    # SQLite's own `lower` knows the letters of English only, and so would every search.
    connection.create_function("lower", 1, _lower, deterministic=True)
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        _share(cursor)
    except BaseException:
        # Nobody else knows of this connection yet, and it has a thread of its own.
        connection.close()
        raise
    cursor.close()


def _share(cursor: Any) -> None:
    """Turn the write-ahead log on. SQLite does not wait for its turn here, so two processes that begin at once have to."""
    until = monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if monotonic() > until:
                raise
            sleep(0.02)
        else:
            return


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_MIGRATES):
        # Changing a table means making it anew, and dropping the old one must not take along what refers to it.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    # A writer says so at once: a transaction that reads first and writes later can be refused in the middle.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")
