"""A database that is away, locked, full or deleted: one sentence, no driver's error, and nothing is accepted that would be lost."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from bot.core.errors import BadStore
from bot.i18n.translate import tell
from bot.store import database as module
from bot.store.database import Database
from bot.store.images.blobs import BlobStore
from bot.store.store import Store
from bot.store.tables.core import UserRow
from tests.stores import accepted, emptied, user_of


@pytest.fixture
def url(tmp_path):
    """Yield the URL of an SQLite database with empty tables."""
    with emptied("sqlite", tmp_path) as address:
        yield address


def file_of(url):
    """Return the file of an SQLite database."""
    return Path(url.partition("///")[2])


def store_in(database, tmp_path):
    """Return the store in a database."""
    return Store.of(database, BlobStore(str(tmp_path / "files")))


async def refusal_of(doing):
    """Return the sentence of the refusal that an operation ends with."""
    with pytest.raises(BadStore) as refused:
        await doing
    return refused.value.problem.key, tell(refused.value.problem)


async def test_a_locked_database_is_told(url, tmp_path, monkeypatch):
    """If another program holds the lock of SQLite for too long, the user is asked to try again, and later it works."""
    monkeypatch.setattr(module, "_PRAGMAS", ("busy_timeout = 20", *module._PRAGMAS[1:]))
    async with Database(url) as database:
        store = store_in(database, tmp_path)
        ann = await user_of(store)
        with closing(sqlite3.connect(file_of(url))) as other:
            other.execute("BEGIN IMMEDIATE")
            key, sentence = await refusal_of(accepted(store, ann))
        assert key == "db-away"
        assert "try again" in sentence.lower()
        assert (await accepted(store, ann)).is_open


async def test_a_full_disk_is_told(url, tmp_path, monkeypatch):
    """If the disk of the database is full, the user is told that, and nothing is half accepted."""
    with closing(sqlite3.connect(file_of(url))) as other:
        (pages,) = other.execute("PRAGMA page_count").fetchone()
    monkeypatch.setattr(module, "_PRAGMAS", (*module._PRAGMAS, f"max_page_count = {pages + 2}"))
    async with Database(url) as database:
        store = store_in(database, tmp_path)
        ann = await user_of(store)
        key, _ = await refusal_of(accepted(store, ann, "many words " * 2000))
        assert key == "db-full"
        assert await store.jobs.open_of(ann) == ()


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_deleted_database_is_noticed(url, tmp_path, replaced):
    """After the file was deleted, or replaced by another, nothing more is accepted, and the process is not ready."""
    async with Database(url) as database:
        store = store_in(database, tmp_path)
        ann = await user_of(store)
        copy = shutil.copy(file_of(url), tmp_path / "copy.db")
        file_of(url).unlink()
        if replaced:
            shutil.move(copy, file_of(url))
        key, sentence = await refusal_of(accepted(store, ann))
        assert key == "db-gone"
        assert str(tmp_path) not in sentence
        assert (await refusal_of(store.work.answers()))[0] == "db-gone"


async def test_a_server_that_is_away_is_told(unused_tcp_port, tmp_path):
    """If no PostgreSQL answers, reading and writing end with the same sentence, without the address and the password."""
    async with Database(f"postgresql+psycopg://easel:secret@127.0.0.1:{unused_tcp_port}/easel") as database:
        store = store_in(database, tmp_path)
        for doing in (store.work.answers(), user_of(store)):
            key, sentence = await refusal_of(doing)
            assert key == "db-away"
            assert "secret" not in sentence
            assert "127.0.0.1" not in sentence


async def test_a_wrong_statement_is_no_outage(url):
    """An error in a statement stays what it is: no sentence hides a fault of Easel."""
    async with Database(url) as database:
        for attempt in range(2):
            if attempt:
                with pytest.raises(IntegrityError):
                    await _add(database)
            else:
                await _add(database)


async def _add(database):
    async with database.write() as session:
        session.add(UserRow(id="ann"))
