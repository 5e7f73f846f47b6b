"""The tables in the database compared with the tables that this version needs."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest
from sqlalchemy import MetaData, Table, insert, make_url, text

from bot.core.errors import BadInput, BadStore
from bot.core.values import InputFile, UserRef
from bot.i18n.translate import tell
from bot.store import schema
from bot.store.database import Database
from bot.store.images import search_terms
from bot.store.store import Store
from bot.store.tables.core import Base, UserRow
from bot.store.users.tokens import digest
from inference.contract.errors import Problem
from inference.contract.inputs import Role
from tests.stores import ALL, SERVER, accepted, blank, init, painted, request_of, some


@pytest.fixture
async def fresh(url):
    """Return a database without any tables."""
    async with Database(url) as opened:
        yield opened


async def said_by(doing):
    """Return the sentence of the error that a call raises."""
    with pytest.raises((BadStore, BadInput)) as refused:
        await doing
    return tell(refused.value.problem)


async def change(database, *statements):
    """Change a database without Easel."""
    async with database.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))


def test_the_newest_revision_is_the_one_that_is_needed():
    """The constant that start-up compares with is the newest migration, and each file is named after its revision."""
    files = sorted(path.stem for path in (schema.MIGRATIONS / "versions").glob("2*.py"))
    assert list(schema._revisions()) == files
    assert files[-1] == schema.HEAD


async def test_a_blank_database_becomes_what_is_needed(fresh):
    """All migrations together create exactly the tables that the models describe."""
    assert (await schema.state(fresh)).standing == "blank"
    assert set(await schema.differences(fresh)) == set(Base.metadata.tables)
    await schema.prepare(fresh)
    assert await schema.state(fresh) == schema.Schema(schema.HEAD, schema.HEAD, "current")
    assert await schema.differences(fresh) == ()
    await schema.prepare(fresh)


async def test_every_step_goes_back_and_forth(fresh):
    """Each migration can be reverted and applied again, and leaves nothing behind after its downgrade."""
    steps = schema._revisions()
    for revision in steps:
        await schema.upgrade(fresh, revision)
        await schema.downgrade(fresh, "-1")
        assert (await schema.upgrade(fresh, revision)).current == revision
    assert await schema.differences(fresh) == ()
    assert (await schema.downgrade(fresh, "base")).standing == "blank"
    assert set(await schema.differences(fresh)) == set(Base.metadata.tables)


def rows_of_the_first_revision():
    """Return users' rows in the tables of the first revision, by table."""
    moment = datetime(2026, 11, 1, 12, tzinfo=UTC)
    users = ["ann", "bob", "eve"]
    states = ["running", *["waiting"] * 12, *["done"] * 40, *["failed"] * 5, *["cancelled"] * 5]
    jobs = [
        {
            **{"id": f"j{number:02}", "person_id": users[number % 3], "place_id": "here", "message": "", "key": None, "state": state},
            **{"line": f"/imagine {number}", "wish": "{}", "source": None, "attempt": 1, "tries": 1, "device_seconds": None},
            "request": msgspec.msgpack.encode(request_of(str(number))),
            **{"runner": "dead" if state == "running" else None, "lease": moment if state == "running" else None},
            "problem": msgspec.msgpack.encode(Problem("memory-spent")) if state == "failed" else None,
            **{"created": moment + timedelta(minutes=number), "started": None},
            "ended": None if state in ("waiting", "running") else moment + timedelta(hours=9),
        }
        for number, state in enumerate(states)
    ]
    pictures = [
        {**{"id": f"p{job['id']}", "job_id": job["id"], "person_id": job["person_id"], "index": 0, "seed": 2**32 - 1}}
        | {"width": 8, "height": 8, "bytes": 70, "file": "f", "thumbnail": "t", "words": "a red circle", "created": moment}
        for job in jobs
        if job["state"] == "done"
    ]
    return {
        "person": [{"id": name, "name": name, "created": moment} for name in users],
        "identity": [{"platform": "web", "id": name, "person_id": name, "created": moment} for name in users],
        "place": [{"id": "here", "platform": "web", "key": "here", "created": moment}],
        "api_token": [{"digest": digest("secret"), "id": "t1", "person_id": "ann", "name": "ann", "created": moment}],
        "job": jobs,
        "picture": pictures,
    }


def rows_of_the_queue_revision():
    """Return the same with the additions of the second revision: queue positions, virtual times, credits, deliveries, updates."""
    rows = rows_of_the_first_revision()
    moment = datetime(2026, 11, 2, 12, tzinfo=UTC)
    for rank, job in enumerate(rows["job"], start=1):
        is_open = job["ended"] is None
        job.update({"model": "demo", "rank": rank if is_open else 0, "charged": None if is_open else 0})
    account = {"person_id": "ann", "place_id": None, "day": "2026-11-02", "allowance": 100, "left": 90, "extra": 5}
    line = {"account_id": "a1", "job_id": "j20", "kind": "hold", "day": "2026-11-02", "amount": -10, "extra": 0, "at": moment}
    delivery = {"job_id": "j20", "platform": "web", "state": "sent", "attempt": 1, "unsure": False, "runner": None, "due": moment}
    return rows | {
        "turn": [
            {"person_id": name, "tag": 1.0 if name == "ann" else 0.0, "since": rank, "waiting": True}
            for rank, name in enumerate(("ann", "bob", "eve"), start=1)
        ],
        "account": [{"id": "a1", **account}],
        "ledger": [{"id": "l1", **line}],
        "delivery": [{"id": "d1", **delivery, "message": "m1", "reason": "", "created": moment, "ended": moment}],
        "inbox": [{"platform": "telegram", "update": "1", "body": b"{}", "created": moment, "done": moment}],
        "membership": [{"person_id": "ann", "place_id": "here", "paused": False}],
        "audit": [{"id": "u1", "actor": "eve", "act": "pause", "person_id": "ann", "place_id": "here", "facts": "{}", "at": moment}],
        "timing": [{"model": "demo", "width": 64, "height": 64, "batch": 1, "seconds": 0.1, "count": 3}],
        "tombstone": [{"digest": "0" * 64, "at": moment}],
    }


def rows_of_the_telegram_revision():
    """Return the same with the additions of the third revision: leases and file ids of pictures."""
    lease = {"name": "telegram:7", "holder": "gone", "until": datetime(2026, 11, 2, 12, tzinfo=UTC)}
    handle = {"platform": "telegram", "picture_id": "pj20", "handle": "AgACAg"}
    return rows_of_the_queue_revision() | {"lease": [lease], "handle": [handle]}


def rows_of_the_settings_revision():
    """Return the same with the additions of the fourth revision: defaults."""
    settings = [
        {"id": "s1", "person_id": "ann", "place_id": None, "given": '{"steps": 9}'},
        {"id": "s2", "person_id": None, "place_id": "here", "given": "{}"},
    ]
    return rows_of_the_telegram_revision() | {"setting": settings}


def rows_of_the_sharing_revision():
    """Return the same with the additions of the fifth revision: saved and shared items."""
    moment = datetime(2026, 11, 3, 12, tzinfo=UTC)
    rows, of_ann = rows_of_the_settings_revision(), {"person_id": "ann", "created": moment}
    for job in rows["job"]:
        job["wish"] = '{"prompt": "a red circle", "preset": "poster@1#r1"}' if job["id"] == "j20" else job["wish"]
    body = {"prompt": "a poster of {title}", "negative": "", "settings": {}, "locked": [], "most": {}}
    preset = {"board_id": None, "forked_from": None, "uses": 3, "picture_id": None, "archived": False, **of_ann}
    share = {"board_id": "b1", "words": "a red circle", "pinned": False, "removed": False, "uses": 0, "votes": 1, **of_ann}
    return rows | {
        "board": [{"id": "b1", "created": moment}],
        "board_place": [{"place_id": "here", "board_id": "b1"}],
        "digest": [{"place_id": "here", "person_id": "ann", "message": "", "since": moment, "told": moment, "due": moment}],
        "preset": [
            {"id": "r1", "shelf": "ann", "key": "poster", "name": "Poster", "head": 1, "tags": "film night", **preset},
            {"id": "r2", "shelf": "public", "key": "bare", "name": "bare", "head": 1, "tags": "", **preset, "forked_from": "r1"},
        ],
        "preset_version": [
            {"preset_id": id, "number": 1, "body": msgspec.json.encode(body).decode(), "created": moment} for id in ("r1", "r2")
        ],
        "share": [{"id": "h1", "picture_id": "pj20", "preset_id": None, "wish": "{}", **share}],
        "vote": [{"share_id": "h1", "person_id": "bob", "created": moment}],
        "report": [{"share_id": "h1", "person_id": "eve", "reason": "dull", "created": moment}],
        "link_code": [{"digest": "1" * 64, "person_id": "ann", "asker_id": None, "board_id": None, "until": moment}],
        "favourite": [{"picture_id": "pj20", "folder": "best", **of_ann}],
    }


def rows_of_the_search_revision():
    """Return the same with search terms and source pictures: jobs in every state, two with the same picture."""
    rows = rows_of_the_sharing_revision()
    for picture in rows["picture"]:
        picture["terms"] = search_terms.of_picture(picture["words"], "demo", "", picture["seed"])
    for job in rows["job"]:
        job["source"] = SOURCES.get(job["id"])
    return rows


def rows_of_the_inputs_revision():
    """Return the same with the source pictures in a table of their own."""
    rows = rows_of_the_search_revision()
    for job in rows["job"]:
        del job["source"]
    return rows | {"job_input": [{"job_id": job, "role": "init", "position": 0, "file": file} for job, file in SOURCES.items()]}


#: The source pictures of jobs of the revision before inputs: one job runs, two wait, the others have ended.
SOURCES = {"j00": "a.png", "j01": "b.png", "j03": "b.png", "j20": "c.png", "j53": "d.png"}


#: The rows in the tables of each earlier revision.
ROWS = {
    "2026_11_21_first": rows_of_the_first_revision,
    "2026_11_21_queue": rows_of_the_queue_revision,
    "2026_11_21_telegram": rows_of_the_telegram_revision,
    "2026_11_22_settings": rows_of_the_settings_revision,
    "2026_11_22_sharing": rows_of_the_sharing_revision,
    "2026_11_23_search": rows_of_the_search_revision,
    "2026_11_24_inputs": rows_of_the_inputs_revision,
}


#: The revisions that a database may have before it is upgraded, oldest first.
EARLIER = schema._revisions()[:-1]


async def fill(database, rows):
    """Insert rows into the tables as they are."""

    def add(connection):
        for name, filled in rows.items():
            connection.execute(Table(name, MetaData(), autoload_with=connection).insert(), filled)

    async with database.connect() as connection:
        await connection.run_sync(add)


async def counted(database, tables):
    """Return the number of rows of each table."""
    async with database.read() as session:
        return {name: await session.scalar(text(f"SELECT count(*) FROM {name}")) for name in tables}


async def lived_in(database):
    """Read all data that existed before an upgrade, and run the open jobs; return the ids of the claimed jobs, in order."""
    store = Store.of(database, None)
    assert (await store.tokens.holder("secret")).id == "ann"
    assert (await store.people.find(UserRef("web", "eve"))).id == "eve"
    assert len(await store.finding.own("ann", "red", 1, 1000)) > 10
    assert all(job.request.prompt.text == job.line.split()[1] for job in await store.jobs.open_of("ann"))
    order = []
    while (job := await store.attempts.claim("me", {"demo"})) is not None:
        order.append(job.id)
    return order


@pytest.mark.parametrize("revision", EARLIER)
async def test_an_upgrade_loses_nothing_and_goes_back(fresh, revision):
    """From every earlier revision, all kinds of rows survive the upgrade and the downgrade after it."""
    rows = ROWS[revision]()
    await schema.upgrade(fresh, revision)
    await fill(fresh, rows)
    expected = {name: len(filled) for name, filled in rows.items()}
    assert await counted(fresh, rows) == expected
    for _ in range(2 if ALL else 1):
        assert (await schema.upgrade(fresh)).standing == "current"
        assert await schema.differences(fresh) == ()
        assert await counted(fresh, rows) == expected
        await schema.downgrade(fresh, revision)
        assert await counted(fresh, rows) == expected


@pytest.mark.parametrize("revision", some(EARLIER, 5))
async def test_what_was_open_is_painted_in_its_old_order_after_an_upgrade(fresh, revision):
    """After an upgrade the running jobs continue, then all open jobs are claimed fairly, each user's in their old order; none is left."""
    await schema.upgrade(fresh, revision)
    await fill(fresh, ROWS[revision]())
    await schema.upgrade(fresh)
    assert await lived_in(fresh) == [f"j{number:02}" for number in range(13)]


@pytest.mark.parametrize("revision", some(EARLIER, 5))
async def test_what_came_after_an_upgrade_survives_the_way_back(fresh, revision):
    """Jobs accepted, paused or finished by the newer version exist after the downgrade, in states that the older version knows."""
    await schema.upgrade(fresh, revision)
    await fill(fresh, ROWS[revision]())
    rows = rows_of_the_first_revision()
    await schema.upgrade(fresh)
    store = Store.of(fresh, None)
    await store.line.pause_person("bob", paused=True)
    new = await accepted(store, "bob")
    assert await store.jobs.retry("j53")
    assert await store.attempts.finish(await store.attempts.claim("me"), [painted()], 1.0)
    await schema.downgrade(fresh, revision)
    assert await counted(fresh, rows) == {**{name: len(filled) for name, filled in rows.items()}, "job": 64, "picture": 41}
    async with fresh.read() as session:
        held_back = await session.scalar(text("SELECT count(*) FROM job WHERE state = 'paused'"))
        assert held_back == (0 if revision == "2026_11_21_first" else 5)
        state = await session.scalar(text(f"SELECT state FROM job WHERE id = '{new.id}'"))
        assert state == ("paused" if held_back else "waiting")
    await schema.upgrade(fresh)
    await store.line.pause_person("bob", paused=False)
    order = await lived_in(fresh)
    assert len(order) == 14
    # The latest request waits longest among those of its user: bob's new job behind j10, eve's retry behind j11.
    assert order.index(new.id) > order.index("j10")
    assert order.index("j53") > order.index("j11")


async def test_what_jobs_start_from_becomes_their_init_and_goes_back(fresh):
    """A job's source picture is its only `init` input after an upgrade, and is in its old column after the downgrade."""

    async def sources():
        async with fresh.read() as session:
            return dict(list(await session.execute(text("SELECT id, source FROM job WHERE source IS NOT NULL"))))

    await schema.upgrade(fresh, "2026_11_23_search")
    await fill(fresh, rows_of_the_search_revision())
    await schema.upgrade(fresh)
    store = Store.of(fresh, None)
    jobs = [await store.jobs.get(f"j{number:02}") for number in range(63)]
    assert {job.id: job.inputs for job in jobs if job.inputs} == {id: init(file) for id, file in SOURCES.items()}
    assert (await store.attempts.claim("me", {"demo"})).inputs == init("a.png")
    assert await store.pictures.unneeded(["a.png", "b.png", "e.png"]) == ("e.png",)
    await accepted(store, "bob", inputs=(*init("f.png"), InputFile(Role.MASK, "g.png")))
    await schema.downgrade(fresh, "2026_11_23_search")
    assert sorted((await sources()).values()) == [*sorted(SOURCES.values()), "f.png"]
    await schema.upgrade(fresh)
    assert {job.id: job.inputs for job in [await store.jobs.get(id) for id in SOURCES]} == {id: init(file) for id, file in SOURCES.items()}


async def test_a_step_that_breaks_leaves_everything_as_it_was(fresh):
    """A failed migration leaves the tables as they were."""
    await change(fresh, "CREATE TABLE ix_job_open (id INTEGER)")
    with pytest.raises(Exception, match="ix_job_open"):
        await schema.upgrade(fresh)
    assert (await schema.state(fresh)).standing == "blank"


async def test_a_start_with_current_tables_stays_light(fresh):
    """Start-up does not import Alembic to find that nothing has to be done."""
    await schema.prepare(fresh)
    code = (
        "import asyncio, sys\nfrom bot.store import schema\nfrom bot.store.database import Database\n"
        "async def main():\n    async with Database(sys.argv[1]) as database:\n        await schema.prepare(database)\n"
        "asyncio.run(main())\nprint('alembic' in sys.modules)"
    )
    told = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, fresh.url], capture_output=True, check=True, timeout=120)
    assert told.stdout == b"False\n"


def test_two_starts_at_once_both_succeed(url):
    """Two processes that find a blank database at the same time create its tables once."""
    code = (
        "import asyncio, sys\nfrom bot.store import schema\nfrom bot.store.database import Database\n"
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
    """Several tasks of one process that find a blank database at the same time create its tables once."""
    await asyncio.gather(*(schema.prepare(fresh) for _ in range(5)))
    assert await schema.differences(fresh) == ()


async def test_an_older_database_is_changed_only_where_that_is_safe(fresh, monkeypatch):
    """SQLite is upgraded on start-up; an outdated PostgreSQL waits for its operator."""
    await schema.prepare(fresh)
    monkeypatch.setattr(schema, "HEAD", "2999_01_01_newer")
    assert (await schema.state(fresh)).standing == "behind"
    if fresh.is_sqlite:
        await schema.prepare(fresh)
    else:
        assert "easel db upgrade" in await said_by(schema.prepare(fresh))


async def test_a_newer_database_is_left_alone(fresh):
    """Tables of a newer version are neither used nor changed."""
    await schema.prepare(fresh)
    await change(fresh, "UPDATE alembic_version SET version_num = '2999_01_01_newer'")
    assert (await schema.state(fresh)).standing == "ahead"
    for refused in (schema.prepare(fresh), schema.upgrade(fresh), schema.downgrade(fresh, "base")):
        assert "Update Easel" in await said_by(refused)


async def test_tables_of_others_are_left_alone(fresh):
    """A database with foreign tables of the same names is refused; other tables beside Easel's are fine."""
    await change(fresh, "CREATE TABLE recipe (id INTEGER)")
    assert (await schema.state(fresh)).standing == "blank"
    await change(fresh, "CREATE TABLE job (id INTEGER)")
    assert (await schema.state(fresh)).standing == "foreign"
    for refused in (schema.prepare(fresh), schema.upgrade(fresh)):
        assert "did not create" in await said_by(refused)
    await change(fresh, "DROP TABLE job")
    await schema.prepare(fresh)
    assert await schema.differences(fresh) == ()


async def test_differences_are_named(fresh):
    """Changes made without Easel are named by table and column."""
    await schema.prepare(fresh)
    await change(fresh, "ALTER TABLE job DROP COLUMN wish", "DROP INDEX ix_picture_file", "ALTER TABLE person ADD COLUMN age INTEGER")
    assert set(await schema.differences(fresh)) == {"job.wish", "ix_picture_file", "person.age"}


async def test_there_is_no_way_to_other_revisions(fresh):
    """An unknown revision is refused with the list of revisions."""
    await schema.prepare(fresh)
    for revision in ("nonsense", "-9", "+9", "", "2026", "a:b", "heads", "@head", "-0"):
        for refused in (schema.upgrade(fresh, revision), schema.downgrade(fresh, revision)):
            assert schema.HEAD in await said_by(refused), revision


async def test_changing_a_table_loses_nothing_that_refers_to_it(tmp_path):
    """SQLite rebuilds a table to alter it, and rows that refer to its rows stay."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    def widen(connection):
        with Operations(MigrationContext.configure(connection)).batch_alter_table("person", recreate="always") as table:
            table.alter_column("name", nullable=True)

    with blank("sqlite", tmp_path) as url:
        async with Database(url) as database:
            await schema.prepare(database)
            async with database.write() as session:
                await session.execute(insert(UserRow).values(id="ann", name="Ann"))
                await session.execute(text("INSERT INTO identity VALUES ('web', '1', 'ann', '2026-01-01')"))
            async with database.connect() as connection:
                await connection.run_sync(widen)
            async with database.read() as session:
                assert await session.scalar(text("SELECT person_id FROM identity")) == "ann"
                assert await session.scalar(text("PRAGMA foreign_keys")) == 1


@pytest.mark.parametrize("damage", ["a folder", "other content", "cut off"])
async def test_a_file_that_is_no_database_is_named(tmp_path, damage):
    """A file that is no SQLite database gives one sentence that names it."""
    file = tmp_path / "easel.db"
    if damage == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b"SQLite format 3\0" + b"\xff" * 100 if damage == "cut off" else b"a letter to my aunt " * 100)
    async with Database(f"sqlite+aiosqlite:///{file}") as database:
        assert str(file) in await said_by(schema.prepare(database))


async def test_a_server_that_cannot_be_reached_is_named_without_its_password(unused_tcp_port):
    """A server that does not answer, and an unknown host name, give one sentence each, without a secret."""
    for host in (f"127.0.0.1:{unused_tcp_port}", "nobody.invalid"):
        async with Database(f"postgresql+psycopg://bob:s3cret@{host}/easel?password=s3cret2") as database:
            told = await said_by(schema.prepare(database))
        assert host in told
        assert "s3cret" not in told
        assert "\n" not in told


async def test_a_server_that_refuses_is_named_without_its_password():
    """A server that refuses the user or the database gives one sentence without a secret."""
    if SERVER not in os.environ:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    server = make_url(os.environ[SERVER])
    for changed in (server.set(username="nobody_here", password="s3cret"), server.set(database="nothing_here", password="s3cret")):
        async with Database(changed.render_as_string(hide_password=False)) as database:
            told = await said_by(schema.prepare(database))
        assert "does not exist" in told
        assert "s3cret" not in told


async def test_who_may_not_make_tables_is_told(url):
    """A role without the right to create tables gets an error that names the missing permission."""
    if not url.startswith("postgresql"):
        pytest.skip("SQLite has no roles")
    server = make_url(url)
    role, plain = f"role_{os.getpid()}", server.set(drivername="postgresql", query={}).render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        try:
            schema_name = server.query["options"].removeprefix("-csearch_path=")
            connection.execute(f"GRANT USAGE ON SCHEMA {schema_name} TO {role}")
            async with Database(server.set(username=role).render_as_string(hide_password=False)) as database:
                assert "permission denied" in await said_by(schema.prepare(database))
        finally:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
