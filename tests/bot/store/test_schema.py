"""The tables in the database against the tables that this version needs."""

import asyncio
import os
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import insert, make_url, text

from bot.errors import BadInput, BadStore
from bot.store import schema
from bot.store.models import Base, PersonRow
from bot.store.session import Database
from bot.texts import tell
from tests.stores import SERVER, blank


@pytest.fixture
async def fresh(url):
    """Give a database without any tables."""
    async with Database(url) as opened:
        yield opened


async def said_by(doing):
    """Return the sentence that something raises."""
    with pytest.raises((BadStore, BadInput)) as refused:
        await doing
    return tell(refused.value.problem)


async def change(database, *statements):
    """Change a database behind Easel's back."""
    async with database.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))


def test_the_newest_revision_is_the_one_that_is_needed():
    """The constant that start-up compares with is the newest file of the migrations, and each file is named as its revision."""
    files = sorted(path.stem for path in (schema.MIGRATIONS / "versions").glob("2*.py"))
    assert list(schema._revisions()) == files
    assert files[-1] == schema.HEAD


async def test_a_blank_database_becomes_what_is_needed(fresh):
    """All steps together make exactly the tables that the models describe."""
    assert (await schema.state(fresh)).standing == "blank"
    assert set(await schema.differences(fresh)) == set(Base.metadata.tables)
    await schema.prepare(fresh)
    assert await schema.state(fresh) == schema.Schema(schema.HEAD, schema.HEAD, "current")
    assert await schema.differences(fresh) == ()
    await schema.prepare(fresh)


async def test_every_step_goes_back_and_forth(fresh):
    """Each revision can be taken back and made again, and leaves nothing behind where it ends."""
    steps = schema._revisions()
    for revision in steps:
        await schema.upgrade(fresh, revision)
        await schema.downgrade(fresh, "-1")
        assert (await schema.upgrade(fresh, revision)).current == revision
    assert await schema.differences(fresh) == ()
    assert (await schema.downgrade(fresh, "base")).standing == "blank"
    assert set(await schema.differences(fresh)) == set(Base.metadata.tables)


async def test_a_step_that_breaks_leaves_everything_as_it_was(fresh):
    """Tables are changed wholly or not at all."""
    await change(fresh, "CREATE TABLE ix_job_open (id INTEGER)")
    with pytest.raises(Exception, match="ix_job_open"):
        await schema.upgrade(fresh)
    assert (await schema.state(fresh)).standing == "blank"


async def test_a_start_with_current_tables_stays_light(fresh):
    """Alembic is not imported to find that nothing has to be done."""
    await schema.prepare(fresh)
    code = (
        "import asyncio, sys\nfrom bot.store import schema\nfrom bot.store.session import Database\n"
        "async def main():\n    async with Database(sys.argv[1]) as database:\n        await schema.prepare(database)\n"
        "asyncio.run(main())\nprint('alembic' in sys.modules)"
    )
    told = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, fresh.url], capture_output=True, check=True, timeout=120)
    assert told.stdout == b"False\n"


def test_two_starts_at_once_both_succeed(url):
    """Processes that find a blank database together make its tables once."""
    code = (
        "import asyncio, sys\nfrom bot.store import schema\nfrom bot.store.session import Database\n"
        "async def main():\n    async with Database(sys.argv[1]) as database:\n        sys.stdin.readline()\n"
        "        await schema.prepare(database)\n        print((await schema.state(database)).standing)\nasyncio.run(main())"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for one in both:
        one.stdin.write("\n")
        one.stdin.flush()
    assert [one.communicate(timeout=120) for one in both] == [("current\n", "")] * 2


async def test_tasks_that_prepare_at_once_all_succeed(fresh):
    """The same within one process."""
    await asyncio.gather(*(schema.prepare(fresh) for _ in range(5)))
    assert await schema.differences(fresh) == ()


async def test_an_older_database_is_changed_only_where_that_is_safe(fresh, monkeypatch):
    """SQLite is brought up to date by itself; a PostgreSQL that is behind waits for its operator."""
    await schema.prepare(fresh)
    monkeypatch.setattr(schema, "HEAD", "2999_01_01_newer")
    assert (await schema.state(fresh)).standing == "behind"
    if fresh.is_sqlite:
        await schema.prepare(fresh)
    else:
        assert "easel db upgrade" in await said_by(schema.prepare(fresh))


async def test_a_newer_database_is_left_alone(fresh):
    """Tables of a version to come are neither used nor changed."""
    await schema.prepare(fresh)
    await change(fresh, "UPDATE alembic_version SET version_num = '2999_01_01_newer'")
    assert (await schema.state(fresh)).standing == "ahead"
    for refused in (schema.prepare(fresh), schema.upgrade(fresh), schema.downgrade(fresh, "base")):
        assert "Update Easel" in await said_by(refused)


async def test_tables_of_others_are_left_alone(fresh):
    """A database that has tables of the same names from elsewhere is refused; one that has other tables besides is fine."""
    await change(fresh, "CREATE TABLE recipe (id INTEGER)")
    assert (await schema.state(fresh)).standing == "blank"
    await change(fresh, "CREATE TABLE job (id INTEGER)")
    assert (await schema.state(fresh)).standing == "foreign"
    for refused in (schema.prepare(fresh), schema.upgrade(fresh)):
        assert "did not make" in await said_by(refused)
    await change(fresh, "DROP TABLE job")
    await schema.prepare(fresh)
    assert await schema.differences(fresh) == ()


async def test_differences_are_named(fresh):
    """What somebody changed behind Easel's back is named by table and column."""
    await schema.prepare(fresh)
    await change(fresh, "ALTER TABLE job DROP COLUMN wish", "DROP INDEX ix_picture_file", "ALTER TABLE person ADD COLUMN age INTEGER")
    assert set(await schema.differences(fresh)) == {"job.wish", "ix_picture_file", "person.age"}


@pytest.mark.parametrize("revision", ["nonsense", "-9", "+9", "", "2026", "a:b", "heads", "@head", "-0"])
async def test_there_is_no_way_to_other_revisions(fresh, revision):
    """A revision that there is not is named, with those that there are."""
    await schema.prepare(fresh)
    for refused in (schema.upgrade(fresh, revision), schema.downgrade(fresh, revision)):
        assert schema.HEAD in await said_by(refused)


async def test_changing_a_table_loses_nothing_that_refers_to_it(tmp_path):
    """With SQLite a table is made anew to change it; what refers to its rows stays."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    def widen(connection):
        with Operations(MigrationContext.configure(connection)).batch_alter_table("person", recreate="always") as table:
            table.alter_column("name", nullable=True)

    with blank("sqlite", tmp_path) as url:
        async with Database(url) as database:
            await schema.prepare(database)
            async with database.write() as session:
                await session.execute(insert(PersonRow).values(id="ann", name="Ann"))
                await session.execute(text("INSERT INTO identity VALUES ('web', '1', 'ann', '2026-01-01')"))
            async with database.connect() as connection:
                await connection.run_sync(widen)
            async with database.read() as session:
                assert await session.scalar(text("SELECT person_id FROM identity")) == "ann"
                assert await session.scalar(text("PRAGMA foreign_keys")) == 1


@pytest.mark.parametrize("damage", ["a folder", "other content", "cut off"])
async def test_a_file_that_is_no_database_is_named(tmp_path, damage):
    """What is no database of SQLite is one sentence that names it."""
    file = tmp_path / "easel.db"
    if damage == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b"SQLite format 3\0" + b"\xff" * 100 if damage == "cut off" else b"a letter to my aunt " * 100)
    async with Database(f"sqlite+aiosqlite:///{file}") as database:
        assert str(file) in await said_by(schema.prepare(database))


async def test_a_server_that_cannot_be_reached_is_named_without_its_password(unused_tcp_port):
    """Nobody answering, and a name that nobody has, are one sentence each, and it holds no secret."""
    for host in (f"127.0.0.1:{unused_tcp_port}", "nobody.invalid"):
        async with Database(f"postgresql+psycopg://bob:s3cret@{host}/easel?password=s3cret2") as database:
            told = await said_by(schema.prepare(database))
        assert host in told
        assert "s3cret" not in told
        assert "\n" not in told


async def test_a_server_that_refuses_is_named_without_its_password():
    """A server that lets nobody in, or not to this database, is one sentence without a secret."""
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    server = make_url(os.environ[SERVER])
    for changed in (server.set(username="nobody_here", password="s3cret"), server.set(database="nothing_here", password="s3cret")):
        async with Database(changed.render_as_string(hide_password=False)) as database:
            told = await said_by(schema.prepare(database))
        assert "does not exist" in told
        assert "s3cret" not in told


async def test_who_may_not_make_tables_is_told(url):
    """A role without the right to make tables is told so."""
    if not url.startswith("postgresql"):
        pytest.skip("SQLite has no roles")
    server = make_url(url)
    role, plain = f"role_{os.getpid()}", make_url(os.environ[SERVER]).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        try:
            schema_name = server.query["options"].removeprefix("-csearch_path=")
            connection.execute(f"GRANT USAGE ON SCHEMA {schema_name} TO {role}")
            async with Database(server.set(username=role).render_as_string(hide_password=False)) as database:
                assert "permission denied" in await said_by(schema.prepare(database))
        finally:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
