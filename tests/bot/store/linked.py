"""Shared helpers of the tests of linked users."""

from sqlalchemy import func, select

from bot.core.values import MessageRef
from bot.store.tables.core import Base
from tests.stores import user_of

HERE = MessageRef("web", "here")


async def two(store):
    """Return the ids of Ann, known on one platform, and of Eve, known on another."""
    return await user_of(store, "ann", "discord"), await user_of(store, "eve", "telegram")


async def agreed(store, ann, eve):
    """Let Eve type a code of Ann's, who confirms; return whether they were linked."""
    assert await store.linking.ask(await store.linking.make(ann), eve)
    return await store.linking.join(ann, eve)


async def count(store, table, *where):
    """Return the number of rows of a table."""
    async with store.database.read() as session:
        return await session.scalar(select(func.count()).select_from(table).where(*where))


async def holds_nothing_of(store, user):
    """Return whether no row of any table refers to a user."""
    async with store.database.read() as session:
        for table in Base.metadata.sorted_tables:
            rows = await session.execute(select(table))
            if any(isinstance(value, str) and value == user for row in rows for value in row):
                return False
    return True
