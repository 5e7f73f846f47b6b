"""Channels by their platform keys."""

from sqlalchemy import ColumnElement, SQLColumnExpression, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.core.values import new_id
from bot.store.database import add_if_new
from bot.store.tables.core import AccountRow, ChannelRow


def is_theirs(user: str, platform: str | SQLColumnExpression[str], key: str | SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Return the condition for a user's private channel: platforms give it the same key as the user."""
    return select(AccountRow.id).where(AccountRow.person_id == user, AccountRow.platform == platform, AccountRow.id == key).exists()


async def place_id(session: AsyncSession, platform: str, key: str) -> str:
    """Return the id of a channel, which is added if it is new. Call it inside a writing transaction."""
    known = select(ChannelRow.id).where(ChannelRow.platform == platform, ChannelRow.key == key)
    if (found := await session.scalar(known)) is not None:
        return found
    await add_if_new(session, ChannelRow, {"id": new_id(), "platform": platform, "key": key})
    return (await session.scalars(known)).one()
