"""How the words of what was deleted leave the indexes of words that SQLite keeps: until then they are only marked as gone there.

From some version on SQLite wipes them as they are deleted, once it is told to; before, an index is written anew as a whole. PostgreSQL
does so by itself when it tidies up; the words that its index knows lead to nothing and nobody.
"""

import sqlite3

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store.database import Database

#: 3.42 brought it, and later ones mended it: https://sqlite.org/fts5.html#the_secure_delete_configuration_option
_WIPES = (3, 46, 0)

_INDEXES = ("picture_search", "preset_search")

#: So many pages of an index are put together in one transaction: some hundredths of a second.
_PAGES_AT_ONCE = 400


async def clean(database: Database) -> None:
    """Leave no word of what was deleted in any file."""
    if database.is_sqlite:
        for index in _INDEXES:
            if not await _is_wiped(database, index):
                # What was deleted before is wiped this once: all of the index in one piece, but not in one go, for others write meanwhile.
                pages = -_PAGES_AT_ONCE
                while await _merged(database, index, pages):
                    pages = _PAGES_AT_ONCE
    await database.fold()


async def _is_wiped(database: Database, index: str) -> bool:
    """Return whether SQLite wipes what is deleted from an index since long; from now on it does, where it can."""
    async with database.write() as session:
        if await _wipes(session, index):
            return True
        if sqlite3.sqlite_version_info >= _WIPES:
            await session.execute(text(f"INSERT INTO {index} ({index}, rank) VALUES ('secure-delete', 1)"))
    return False


async def _merged(database: Database, index: str, pages: int) -> bool:
    """Put so many pages of an index together, below 0 all anew; return whether more are left: https://sqlite.org/fts5.html#the_merge_command."""
    changes = text("SELECT total_changes()")
    async with database.write() as session:
        before = await session.scalar(changes) or 0
        await session.execute(text(f"INSERT INTO {index} ({index}, rank) VALUES ('merge', {pages})"))
        # The command itself counts as one.
        return (await session.scalar(changes) or 0) - before > 1


async def prepare(database: Database) -> None:
    """Have an older SQLite read what a newer one kept: to it an index that was wiped in is none, and nothing could be painted."""
    if database.is_sqlite and sqlite3.sqlite_version_info < _WIPES:
        async with database.write() as session:
            for index in _INDEXES:
                if await _wipes(session, index):
                    await session.execute(text(f"DELETE FROM {index}_config WHERE k = 'secure-delete'"))
                    # The format that every SQLite knows; what is in it is made anew at once.
                    await session.execute(text(f"UPDATE {index}_config SET v = 4 WHERE k = 'version'"))
                    await session.execute(text(f"INSERT INTO {index} ({index}) VALUES ('rebuild')"))


async def _wipes(session: AsyncSession, index: str) -> bool:
    return bool(await session.scalar(text(f"SELECT v FROM {index}_config WHERE k = 'secure-delete'")))
