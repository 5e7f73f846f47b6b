"""However many jobs have ended, the next job is found by an index that contains only open jobs."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, text

from bot.core.values import MessageRef
from bot.store import inbox
from bot.store.billing import usage
from bot.store.database import Database, now
from bot.store.jobs import attempts, fair_queue, outbox
from bot.store.sharing import boards
from bot.store.store import Store
from bot.store.tables.core import ChannelRow, DeliveryRow, InboxRow, JobRow, SettingRow, TurnRow, UserRow
from bot.store.users import users as settings
from tests.stores import blank, new_job

OVER, OPEN = 4000, 40

#: The frequent queries, by the index that answers each.
QUESTIONS = {
    "ix_turn_next": lambda _: fair_queue._heads(),
    "ix_job_line": lambda _: fair_queue._line("p1"),
    "ix_job_lease": lambda database: fair_queue._silent(database),
    "ix_job_unsettled": lambda database: attempts._unsettled(database),
    "ix_job_person_id_place_id_day": lambda _: usage._by_jobs("p1", "here", "2026-11-21"),
    "ix_delivery_due": lambda database: outbox._due(database, ["web", "other"], 8),
    "ix_inbox_open": lambda _: inbox._open("web", 100),
}


async def fill(database):
    """Add thousands of ended jobs, and some open jobs."""
    long_ago = now() - timedelta(days=9)
    usual = {"place_id": "here", "line": "", "params": "", "request": b"", "model": "demo", "cost": 1.0}
    users = [f"p{number}" for number in range(OVER)]
    states = ["done"] * OVER + ["waiting"] * OPEN + ["running"] * OPEN + ["cancelled"]
    jobs = [
        {
            **usual,
            **{"id": f"j{number}", "person_id": users[number % (10 if state == "waiting" else 100)], "state": state},
            **{"rank": number, "ended": None if state in ("waiting", "running") else long_ago, "charged": 0 if state == "done" else None},
            "lease": now() if state == "running" else None,
        }
        for number, state in enumerate(states)
    ]
    sent = [{"id": f"d{number}", "job_id": f"j{number}", "platform": "web", "state": "sent", "due": long_ago} for number in range(OVER)]
    inbox_updates = [{"platform": "web", "update": f"{number}", "body": b"", "done": long_ago} for number in range(OVER)]
    async with database.write() as session:
        await session.execute(insert(ChannelRow).values(id="here", platform="web", key="here"))
        await session.execute(insert(UserRow), [{"id": one} for one in users])
        await session.execute(insert(ChannelRow), [{"id": f"l{number}", "platform": "web", "key": f"{number}"} for number in range(OVER)])
        await session.execute(insert(SettingRow), [{"id": f"s{one}", "person_id": one, "given": "{}"} for one in users])
        await session.execute(insert(SettingRow), [{"id": f"t{number}", "place_id": f"l{number}", "given": "{}"} for number in range(OVER)])
        await session.execute(
            insert(TurnRow), [{"person_id": one, "tag": 1.0, "waiting": channel < 10} for channel, one in enumerate(users)]
        )
        await session.execute(insert(JobRow), jobs)
        await session.execute(insert(DeliveryRow), [*sent, {**sent[0], "id": "due", "job_id": f"j{OVER + 2 * OPEN}", "state": "todo"}])
        await session.execute(insert(InboxRow), [*inbox_updates, {**inbox_updates[0], "update": "open", "done": None}])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory):
    """Return the URL of a database with many ended jobs."""
    with blank(request.param, tmp_path_factory.mktemp("filled")) as url:
        yield url


@pytest.fixture
async def database(filled):
    """Return that database, filled by the first test that uses it, with its statistics collected."""
    async with Database(filled) as opened:
        async with opened.connect() as connection:
            await connection.run_sync(JobRow.metadata.create_all)
        async with opened.read() as session:
            is_filled = await session.get(ChannelRow, "here") is not None
        if not is_filled:
            await fill(opened)
            async with opened.write() as session:
                # Each of its own tables, not those that other tests have locked in the meantime.
                for table in JobRow.metadata.tables:
                    await session.execute(text(f'ANALYZE "{table}"'))
        yield opened


async def planned(database, question):
    """Return the query plan of a database for a query."""
    asked = question.compile(database.engine.sync_engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    async with database.read() as session:
        return [row[-1] for row in await session.execute(text(f"{explain} {str(asked).replace(':', chr(92) + ':')}"))]


@pytest.mark.parametrize("index", QUESTIONS)
async def test_what_is_next_is_found_by_its_index(database, index):
    """The plan of each frequent query names its index, and scans no table."""
    plan = await planned(database, QUESTIONS[index](database))
    assert any(index in step for step in plan), plan
    whole = [step for step in plan if "Seq Scan" in step or (step.startswith("SCAN") and index not in step)]
    assert [step for step in whole if "person" not in step] == [], plan


async def test_boards_are_found_however_much_somebody_asked_for(database):
    """The channels of a user are found one by one in an index, without scanning their jobs."""
    plan = await planned(database, boards._of_person("p1"))
    assert any("ix_job_person_id_place_id_day" in step for step in plan), plan
    assert [step for step in plan if "Seq Scan on job" in step or step.startswith("SCAN job")] == [], plan


async def test_what_somebody_wants_is_found_however_many_want_something(database):
    """The settings of a user and of a channel are found by indexes, and no table is scanned."""
    plan = await planned(database, settings._saved("p1", MessageRef("web", "77")))
    named = (
        {"sqlite_autoindex_setting_2", "sqlite_autoindex_setting_3"}
        if database.is_sqlite
        else {"uq_setting_person_id", "uq_setting_place_id"}
    )
    assert {index for index in named if any(index in step for step in plan)} == named, plan
    assert [step for step in plan if "Seq Scan" in step or step.startswith("SCAN")] == [], plan


async def test_among_much_that_is_over_the_right_one_is_found(database):
    """Among thousands of ended jobs, the claimed job is the first waiting one."""
    store = Store.of(database, None)
    assert (await store.outbox.claim("me", ["web"]))[0].id == "due"
    assert [one.update for one in await store.inbox.open("web")] == ["open"]
    assert await store.work.queues()
    new = new_job("p3999")
    (job,) = await store.jobs.accept([new])
    assert await store.line.before(job) == (0, 0.0)
