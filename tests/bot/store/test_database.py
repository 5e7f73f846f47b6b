"""Connections to the store, and its column types."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import StatementError

from bot.core.errors import BadConfig, BadStore
from bot.core.values import new_id
from bot.i18n.translate import tell
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.tables.core import UserRow
from tests.stores import accepted, blank, png, user_of


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "mysql://h/d",
        "sqlite:///a.db",
        "postgresql://h/d",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "postgresql+psycopg://u:secret@h:x/d",
    ],
)
def test_other_addresses_are_refused(url):
    """A URL of another kind of database, or of one in memory, gives a sentence about the configuration, without its secret."""
    with pytest.raises(BadConfig) as refused:
        Database(url)
    assert refused.value.problem.key == "config-store"
    assert "secret" not in tell(refused.value.problem)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    """If SQLite's folder cannot be created, the error names the folder and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(BadStore) as refused:
        Database(f"sqlite+aiosqlite:///{tmp_path}/file/below/easel.db")
    assert str(tmp_path / "file") in tell(refused.value.problem)


async def test_new_folders_are_private_and_old_ones_stay(tmp_path):
    """Folders that Easel creates for its data are readable by its own account alone; a folder that exists keeps its mode."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    Database(f"sqlite+aiosqlite:///{shared}/data/store/easel.db")
    key = await BlobStore(str(shared / "pictures")).put(png("red"))
    modes = {str(one.relative_to(shared)): one.stat().st_mode & 0o777 for one in shared.rglob("*") if one.is_dir()}
    assert {modes[name] for name in ("data", "data/store", "pictures")} == {0o700}
    assert shared.stat().st_mode & 0o777 == 0o755
    assert (shared / "pictures" / key[:2] / key).exists()


async def test_a_failure_keeps_nothing(database):
    """An exception in a write session rolls back everything written in it."""

    async def break_off():
        async with database.write() as session:
            session.add(UserRow(id="ann"))
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await break_off()
    async with database.read() as session:
        assert await session.get(UserRow, "ann") is None


async def test_reading_changes_nothing(database):
    """Changes in a read session are lost."""
    async with database.read() as session:
        session.add(UserRow(id="ann"))
        await session.flush()
    async with database.read() as session:
        assert await session.get(UserRow, "ann") is None


async def test_who_is_cancelled_leaves_the_writer_free(store):
    """A task cancelled while it writes, or waits to write, blocks no other writer."""
    ann = await user_of(store)
    async with store.database.write() as session:
        await session.execute(update(UserRow).values(name="held"))
        waiting = [asyncio.create_task(accepted(store, ann, str(number))) for number in range(5)]
        await asyncio.sleep(0.02)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert (await accepted(store, ann)).is_open


async def test_who_is_cancelled_in_the_middle_of_writing_lets_go(store):
    """Wherever in its transaction a writer is cancelled, the next writer gets its turn."""
    ann = await user_of(store)
    for number in range(40):
        writing = asyncio.create_task(accepted(store, ann))
        await asyncio.sleep(number / 4000)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert await store.attempts.leave("nobody") == 0


async def test_many_read_while_one_writes(store):
    """Readers do not wait for a writer, and see the state before it."""
    ann = await user_of(store)
    async with store.database.write() as session:
        await session.execute(update(UserRow).values(name="new"))
        async with store.database.read() as other:
            assert await other.scalar(select(UserRow.name).where(UserRow.id == ann)) == "ann"


async def test_two_processes_write_in_turns(store):
    """Writers in separate processes wait for each other instead of failing."""
    ann = await user_of(store)
    async with Database(store.database.url) as second:
        other = type(store).of(second, store.files)
        jobs = await asyncio.gather(*(accepted(one, ann, str(number)) for number in range(15) for one in (store, other)))
    assert len({job.id for job in jobs}) == 30


async def test_sqlite_is_set_for_sharing(tmp_path):
    """A SQLite file uses write-ahead logging, is safe against power failures, and enforces foreign keys."""
    with blank("sqlite", tmp_path) as url:
        async with Database(url) as database, database.read() as session:
            found = {
                name: await session.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15_000}


async def test_moments_are_utc(database):
    """A moment is read back as the same moment in UTC, whatever its time zone was, and one without a time zone is refused."""
    moment = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    async with database.write() as session:
        session.add(UserRow(id="ann", created=moment))
    async with database.read() as session:
        found = (await session.get_one(UserRow, "ann")).created
        assert (found, found.tzinfo) == (moment, UTC)
        assert await session.scalar(select(UserRow.id).where(UserRow.created == moment)) == "ann"
    with pytest.raises(StatementError, match="time zone"):
        async with database.write() as session:
            session.add(UserRow(id="bob", created=datetime(2026, 7, 1)))


async def test_parameters_are_in_no_error(store):
    """Users' texts are not part of database errors, and so are in no log."""
    ann = await user_of(store)
    secret = new_id()

    async def add():
        async with store.database.write() as session:
            session.add(UserRow(id=ann, name=secret))

    with pytest.raises(Exception, match=r"(?i)unique") as failed:
        await add()
    assert secret not in str(failed.value)
