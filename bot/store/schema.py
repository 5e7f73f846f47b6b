"""Compare the tables in the database with the tables that this version of Easel needs, and migrate them.

Alembic is imported only to change or explain something: a start with current tables does not need it.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from bot.core.errors import BadInput, BadStore
from bot.store.database import Database, is_outage
from bot.store.tables import search_index
from bot.store.tables.core import Base
from bot.store.users import privacy_sqlite
from inference.contract.errors import Problem

if TYPE_CHECKING:
    from alembic.config import Config

#: The newest revision; a test keeps it equal to the newest file of `migrations/versions`.
HEAD = "2026_12_01_input_bytes"

#: The migrations: beside the package `bot`, both in a clone and in an installation.
MIGRATIONS = Path(__file__).parents[2] / "migrations"

#: The table in which Alembic stores the revision of a database.
_VERSIONS = "alembic_version"

#: The PostgreSQL lock number that lets only one process change the tables at a time: the letters `easel`.
_LOCK = 0x656173656C

#: A relative revision: steps up or down from the current revision.
_STEPS = re.compile(r"[+-][1-9]\d{0,2}")

Standing = Literal["current", "blank", "behind", "ahead", "foreign"]


class Schema(msgspec.Struct, frozen=True):
    """The state of a database: its revision, the required revision, and the conclusion.

    `blank` has no tables; `ahead` has a revision unknown to this version; `foreign` has tables with names that Easel
    needs and no revision.
    """

    current: str | None
    head: str
    standing: Standing

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return the problems to be fixed before Easel can use the database."""
        if self.standing in ("current", "blank"):
            return ()
        return (Problem(f"db-{self.standing}", {"current": self.current or "", "head": self.head}),)


async def state(database: Database) -> Schema:
    """Return the state of a database. Raises `BadStore` if it cannot be used at all."""
    async with _told(database), database.engine.connect() as connection:
        return await connection.run_sync(_state)


async def prepare(database: Database) -> None:
    """Prepare the tables for work: a blank database gets them, and SQLite's tables are upgraded.

    Raises `BadStore` for an outdated PostgreSQL (the operator upgrades it, after a backup), for a database of a
    newer version, and for an unusable database.
    """
    found = await state(database)
    if found.standing == "blank" or (found.standing == "behind" and database.is_sqlite):
        await upgrade(database)
    elif found.problems:
        raise _refused(found.problems[0])
    await privacy_sqlite.prepare(database)


async def upgrade(database: Database, revision: str = "head") -> Schema:
    """Upgrade the tables to a revision, completely or not at all, and return the new state of the database.

    Raises `BadStore` if it is `ahead` or `foreign`, and `BadInput` for an unknown revision.
    """
    from alembic import command

    return await _walk(database, revision, lambda config: command.upgrade(config, revision))


async def downgrade(database: Database, revision: str) -> Schema:
    """Downgrade the tables to an older revision (`base` removes them all); raises what `upgrade` raises."""
    from alembic import command

    return await _walk(database, revision, lambda config: command.downgrade(config, revision))


async def differences(database: Database) -> tuple[str, ...]:
    """Return the differences from the tables that this version needs, such as `job.tries`; unrelated tables are ignored."""
    async with _told(database), database.engine.connect() as connection:
        return await connection.run_sync(_differences)


def alembic(connection: Connection) -> "Config":
    """Return Alembic's configuration for an open connection."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


async def _walk(database: Database, revision: str, step: "Callable[[Config], None]") -> Schema:
    from alembic.util.exc import CommandError

    offered = _revisions()
    if revision not in ("head", "base", *offered) and not _STEPS.fullmatch(revision):
        raise BadInput("input-revision", given=revision, offered=", ".join(("base", *offered)))

    def walk(connection: Connection) -> Schema:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _state(connection)
        if found.standing in ("ahead", "foreign"):
            raise _refused(found.problems[0])
        step(alembic(connection))
        if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
            raise AssertionError("a migration left rows with broken foreign keys")
        return _state(connection)

    async with _told(database), database.connect() as connection:
        try:
            return await connection.run_sync(walk)
        except CommandError:
            # More steps than exist, or a downgrade to a revision that is not reached yet.
            raise BadInput("input-revision", given=revision, offered=", ".join(("base", *offered))) from None


def _state(connection: Connection) -> Schema:
    tables = set(inspect(connection).get_table_names())
    versions = connection.scalars(text(f"SELECT version_num FROM {_VERSIONS}")).all() if _VERSIONS in tables else ()
    current = versions[0] if versions else None
    return Schema(current, HEAD, _standing(current, tables))


def _standing(current: str | None, tables: set[str]) -> Standing:
    if current == HEAD:
        return "current"
    if current is None:
        return "foreign" if tables & set(Base.metadata.tables) else "blank"
    return "behind" if current in _revisions() else "ahead"


def _revisions() -> tuple[str, ...]:
    """Return the names of all revisions, oldest first."""
    from alembic.script import ScriptDirectory

    return tuple(reversed([step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]))


def _differences(connection: Connection) -> tuple[str, ...]:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    def is_ours(_thing: object, name: str | None, kind: str, reflected: bool, ours: object) -> bool:
        # The models do not contain the search indexes: they are looked up by their own names.
        return not (reflected and ours is None and (kind == "table" or name in search_index.NAMES))

    context = MigrationContext.configure(connection, opts={"include_object": is_ours})
    found = [one[0] if isinstance(one, list) else one for one in compare_metadata(context, Base.metadata)]
    # A missing table implies that all of its indexes are missing.
    missing = {one[1].name for one in found if one[0] == "add_table"}
    said = [_where(one) for one in found if one[0] != "add_index" or one[1].table.name not in missing]
    return tuple(dict.fromkeys((*said, *search_index.missing(connection))))


def _where(difference: "tuple[Any, ...]") -> str:
    """Return the object that an Alembic difference is about."""
    match difference:
        case (str(), _, str(table), str(column), *_):
            return f"{table}.{column}"
        case (str(), _, str(table), column):
            return f"{table}.{column.name}"
        case (_, thing, *_):
            return str(thing.name)
    return str(difference)


def _refused(problem: Problem) -> BadStore:
    return BadStore(problem.key, **problem.facts)


@asynccontextmanager
async def _told(database: Database) -> AsyncIterator[None]:
    """Explain in one sentence, without secrets, why a database cannot be used."""
    try:
        yield
    except DBAPIError as error:
        # A missing right to create tables has the code 42501.
        if not is_outage(error) and getattr(error.orig, "sqlstate", "") != "42501":
            raise
        raise BadStore("db-unusable", database=database.name, reason=database.reason(error)) from None
