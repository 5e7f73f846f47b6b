"""Remove deleted words from SQLite's search indexes, where they would otherwise only be marked as deleted.

Recent versions of SQLite wipe words as they are deleted, if configured; for older versions an index is rebuilt as a whole. PostgreSQL
does so in its own vacuum; words that remain in its index lead to no row and no user.
"""

import sqlite3

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store.database import Database

#: Introduced in 3.42 and fixed later: https://sqlite.org/fts5.html#the_secure_delete_configuration_option
_WIPES = (3, 46, 0)

_INDEXES = ("picture_search", "preset_search")

#: Index pages that are merged in one transaction: some hundredths of a second.
_PAGES_AT_ONCE = 400


async def clean(database: Database) -> None:
    """Remove all deleted words from all files."""
    if database.is_sqlite:
        for index in _INDEXES:
            if not await _is_wiped(database, index):
                # Earlier deletions are wiped once: the whole index, but in several transactions, because other writers wait meanwhile.
                pages = -_PAGES_AT_ONCE
                while await _merged(database, index, pages):
                    pages = _PAGES_AT_ONCE
    await database.fold()


async def _is_wiped(database: Database, index: str) -> bool:
    """Return whether SQLite already wiped deletions from an index; from now on it does, if it can."""
    async with database.write() as session:
        if await _wipes(session, index):
            return True
        if sqlite3.sqlite_version_info >= _WIPES:
            await session.execute(text(f"INSERT INTO {index} ({index}, rank) VALUES ('secure-delete', 1)"))
    return False


async def _merged(database: Database, index: str, pages: int) -> bool:
    """Merge that many pages of an index, all if below 0; return whether more are left: https://sqlite.org/fts5.html#the_merge_command."""
    changes = text("SELECT total_changes()")
    async with database.write() as session:
        before = await session.scalar(changes) or 0
        await session.execute(text(f"INSERT INTO {index} ({index}, rank) VALUES ('merge', {pages})"))
        # The command itself counts as a change.
        return (await session.scalar(changes) or 0) - before > 1


async def prepare(database: Database) -> None:
    """Let an older SQLite read the index of a newer version: it rejects an index with wiped words, and no job could be painted."""
    if database.is_sqlite and sqlite3.sqlite_version_info < _WIPES:
        async with database.write() as session:
            for index in _INDEXES:
                if await _wipes(session, index):
                    await session.execute(text(f"DELETE FROM {index}_config WHERE k = 'secure-delete'"))
                    # The format that every SQLite reads; its content is rebuilt immediately.
                    await session.execute(text(f"UPDATE {index}_config SET v = 4 WHERE k = 'version'"))
                    await session.execute(text(f"INSERT INTO {index} ({index}) VALUES ('rebuild')"))


async def _wipes(session: AsyncSession, index: str) -> bool:
    return bool(await session.scalar(text(f"SELECT v FROM {index}_config WHERE k = 'secure-delete'")))
