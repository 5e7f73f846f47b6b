"""Database connections: many readers, and with SQLite one writer at a time; and the column types that both databases share.

Times are stored in UTC, and texts without characters that a database rejects.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, ClassVar, Self
from weakref import WeakSet

import aiosqlite
from sqlalchemy import URL, ColumnElement, Connection, DateTime, Dialect, MetaData, String, event, func, literal, make_url, select, text
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from bot.core.errors import BadConfig, BadStore
from bot.core.folders import make_private

log = logging.getLogger("easel.store")


class Utc(TypeDecorator[datetime]):
    """A time in UTC: SQLite stores no time zones, so they are removed on writing and restored on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Reject times without a zone: the intended zone cannot be determined later."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the time with its zone."""
        del dialect
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def storable(text: str) -> str:
    """Return a text without characters that no database can store."""
    return text.replace("\0", "").encode(errors="replace").decode()


class Plain(TypeDecorator[str]):
    """Text from users, made storable: PostgreSQL rejects NUL, and both databases reject unpaired surrogates."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Remove characters that no database can store."""
        del dialect
        return value if value is None else storable(value)


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def microseconds(moment: datetime) -> int:
    """Return a time in microseconds, which order events of the same second."""
    return int(moment.timestamp() * 1_000_000)


#: The key in `Index.info` for the condition of a partial index.
WHERE = "where"


class Base(DeclarativeBase):
    """Base class of all tables: a map from Python types to columns, and names for constraints, so that migrations can drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: Utc(), str: Plain()}


#: How long a writer waits for a writer of another process.
_BUSY_SECONDS = 15

#: SQLite settings for a file that several readers and one writer share. FULL: accepted jobs survive a power failure.
#: Deleted data is overwritten, however SQLite was built.
_PRAGMAS = (
    *(f"busy_timeout = {_BUSY_SECONDS * 1000}", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY"),
    "secure_delete = ON",
)

#: How long to wait for a PostgreSQL server that does not answer.
_CONNECT_SECONDS = 10

#: How long a connection's thread may take to close it.
_END_SECONDS = 2.0

#: Execution options that mark the connections of writers, and of migrations.
_WRITES, _MIGRATES = "easel_writes", "easel_migrates"

#: The channel on which processes that share a PostgreSQL notify each other of changes.
CHANNEL = "easel"

_DRIVERS = ("sqlite+aiosqlite", "postgresql+psycopg")


class Database:
    """The store's connections; an async context manager. `url` is `sqlite+aiosqlite:///FILE` or `postgresql+psycopg://…`.

    Raises `BadConfig` for any other URL, and `BadStore` if the folder for SQLite cannot be created.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.is_sqlite = parsed.drivername.startswith("sqlite")
        self.url = url
        #: The URL without its secrets, for display.
        self.name = parsed.database or "" if self.is_sqlite else _without_secrets(parsed)
        if self.is_sqlite:
            _make_folder(self.name)
        self._threads = Threads()
        self._file: tuple[int, int] | None = None
        self.engine = _sqlite(parsed, self._threads) if self.is_sqlite else _postgresql(parsed)
        # SQLite has one writer: waiting on a lock here is fair and fast, waiting in SQLite is neither.
        self._writing: asyncio.Lock | nullcontext[None] = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._migrator = self.engine.execution_options(**{_WRITES: True, _MIGRATES: True})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.engine.dispose()
        await self._threads.end()

    def reason(self, error: DBAPIError) -> str:
        """Return the database's reason for an error, as one line without the password."""
        # A server's own message follows its severity; before it the driver names the address, which we name ourselves.
        said = str(error.orig).strip().rpartition("FATAL:")[2].strip()
        line = " ".join((said.splitlines() or [type(error.orig).__name__])[0].split()).rstrip(".")
        password = make_url(self.url).password
        return line.replace(str(password), "***") if password else line

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Yield a session for reading; its changes are discarded."""
        with self._explained():
            async with AsyncSession(self.engine, expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Yield a session whose changes are committed at the end, or rolled back if an exception is raised."""
        with self._explained():
            async with self._writing, AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
                self.check_file()
                yield session

    def check_file(self) -> None:
        """Raise `BadStore` if SQLite's file was deleted or replaced since its first use: what is written to it would be lost."""
        if not self.is_sqlite:
            return
        found = _identity(self.name)
        if self._file is None:
            self._file = found
        elif found != self._file:
            raise BadStore("db-gone")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise `BadStore` instead of an error that says that the database does not answer, is locked or has no disk space."""
        try:
            yield
        except DBAPIError as error:
            if not is_outage(error):
                raise
            log.error("store.away reason=%r", self.reason(error))
            raise BadStore("db-full" if _is_full(error) else "db-away") from error
        except PoolTimeout as error:
            log.error("store.away reason=%r", "every connection is in use")
            raise BadStore("db-away") from error

    def moment(self, later: timedelta = timedelta()) -> ColumnElement[datetime]:
        """Return the current time, or a later time, as an SQL expression: the server's clock is the same for all processes."""
        if self.is_sqlite:
            return literal(now() + later, Utc())
        return func.clock_timestamp(type_=DateTime(timezone=True)) + later

    async def ring(self, session: AsyncSession, news: str) -> None:
        """Notify other processes when this transaction commits; processes on a shared SQLite file poll instead."""
        if not self.is_sqlite:
            await session.execute(select(func.pg_notify(CHANNEL, news)))

    async def fold(self) -> None:
        """Write SQLite's log into its file and truncate it, as far as no reader needs it: deleted data is then in neither."""
        if self.is_sqlite:
            async with self._writing, self.engine.connect() as connection:
                # Outside SQLAlchemy, which would begin a transaction first.
                bare = (await connection.get_raw_connection()).driver_connection
                assert bare is not None
                await bare.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Yield a bare connection inside a writing transaction, for migrations: SQLite does not check foreign keys in it."""
        async with self._writing, self._migrator.connect() as connection:
            try:
                async with connection.begin():
                    yield connection
            finally:
                # The foreign-key mode belongs to the connection, so the connection must not return to the pool.
                await connection.invalidate()


def is_outage(error: DBAPIError) -> bool:
    """Return whether an error is about the database itself and not about a statement."""
    # The bare class means a file that is no SQLite database.
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def _is_full(error: DBAPIError) -> bool:
    """Return whether the disk of the database is full: as SQLite says it, and by PostgreSQL's code for it."""
    return "disk is full" in str(error.orig) or getattr(error.orig, "sqlstate", "") == "53100"


def _identity(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


async def add_if_new(session: AsyncSession, table: type[Base], values: Mapping[str, object]) -> bool:
    """Add a row unless its key exists; return whether it was added. Waits for concurrent transactions that add the same key."""
    added = await session.execute(_insert(session)(table).values(values).on_conflict_do_nothing().returning(*table.__mapper__.primary_key))
    return added.first() is not None


def _insert(session: AsyncSession) -> Any:
    """Return the `insert` of the session's dialect: both have the same syntax, but SQLAlchemy has two modules for it."""
    # Imported lazily: the other dialect's module takes a twentieth of the start-up time.
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
    # An in-memory database would lose its data, and its connections would share one transaction.
    if parsed.drivername not in _DRIVERS or (parsed.drivername.startswith("sqlite") and parsed.database in (None, "", ":memory:")):
        raise BadConfig("config-store", offered=", ".join(_DRIVERS))
    return parsed


def _without_secrets(parsed: URL) -> str:
    """Return a URL for display: without the password and the query, which can hold a password too."""
    return URL.create(parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database).render_as_string()


def _make_folder(file: str) -> None:
    folder = Path(file).parent
    try:
        make_private(folder)
    except OSError as error:
        raise BadStore("db-folder", folder=str(folder), reason=error.strerror or type(error).__name__) from None


class Threads:
    """The threads of SQLite's connections. If the user of a connection was cancelled, its thread closes it in its own time."""

    def __init__(self) -> None:
        self._living: WeakSet[Thread] = WeakSet()

    def connection(self, *given: Any, **named: Any) -> aiosqlite.Connection:
        """Return a connection that is not open yet, as SQLAlchemy requires."""
        connection = aiosqlite.connect(*given, **named)
        # SQLAlchemy accesses it too: a thread that hangs must not keep the process from ending.
        connection._thread.daemon = True
        self._living.add(connection._thread)
        return connection

    async def end(self) -> None:
        """Wait until they have ended: they use the event loop to the last."""
        for thread in tuple(self._living):
            await asyncio.to_thread(thread.join, _END_SECONDS)


def _speak_postgresql() -> None:
    """Set the conditions of the partial indexes for PostgreSQL too."""
    for table in Base.metadata.tables.values():
        for index in table.indexes:
            if WHERE in index.info:
                index.dialect_kwargs["postgresql_where"] = text(index.info[WHERE])


def _postgresql(parsed: URL) -> AsyncEngine:
    _speak_postgresql()
    waiting = {} if "connect_timeout" in parsed.query else {"connect_timeout": _CONNECT_SECONDS}
    return create_async_engine(parsed, pool_pre_ping=True, hide_parameters=True, isolation_level="READ COMMITTED", connect_args=waiting)


def _sqlite(parsed: URL, threads: Threads) -> AsyncEngine:
    # Parameters contain users' texts, which must not be logged.
    given = {"async_creator_fn": threads.connection, "factory": _Connection}
    engine = create_async_engine(parsed, hide_parameters=True, connect_args=given)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


class _Connection(sqlite3.Connection):
    """A connection that releases its lock on close, even during a write whose user was cancelled.

    SQLite itself keeps a closed connection, and the lock with it, as long as one of its cursors exists.
    """

    def close(self) -> None:
        """Roll back, then close."""
        if self.in_transaction:
            self.rollback()
        super().close()


def _prepare(connection: Any, _record: object) -> None:
    # Python's driver would begin transactions by its own rules; `_begin` does it instead.
    connection.isolation_level = None
    # SQLite's own `lower` handles only English letters, so every search would too.
    connection.create_function("lower", 1, _lower, deterministic=True)
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        _share(cursor)
    except BaseException:
        # No other task knows this connection yet, and it has its own thread.
        connection.close()
        raise
    cursor.close()


def _share(cursor: Any) -> None:
    """Turn on the write-ahead log. SQLite does not wait for the lock here, so two processes that start at once must retry."""
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
        # Altering a table means rebuilding it, and dropping the old table must not delete the rows that refer to it.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    # A writer takes its lock first: a transaction that reads first and writes later can be refused midway.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")
