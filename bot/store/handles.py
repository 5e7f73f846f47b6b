"""Handles: what a platform calls a picture that it was sent once, so that it can be shown again without being sent."""

from collections.abc import Iterable, Mapping

from sqlalchemy import select, update

from bot.store.models import HandleRow, PictureRow
from bot.store.session import Database, add_if_new


class Handles:
    """The handles of pictures, by platform."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, platform: str, handles: Mapping[str, str]) -> None:
        """Remember what a platform calls pictures; of one that was deleted meanwhile nothing is kept."""
        async with self._database.write() as session:
            there = await session.scalars(select(PictureRow.id).where(PictureRow.id.in_(handles)).with_for_update(read=True))
            for picture in sorted(there):
                row = {"platform": platform, "picture_id": picture}
                if not await add_if_new(session, HandleRow, {**row, "handle": handles[picture]}):
                    await session.execute(update(HandleRow).filter_by(**row).values(handle=handles[picture]))

    async def of(self, platform: str, pictures: Iterable[str]) -> dict[str, str]:
        """Return what a platform calls pictures, where it has seen them."""
        wanted = HandleRow.platform == platform, HandleRow.picture_id.in_(tuple(pictures))
        async with self._database.read() as session:
            return {row.picture_id: row.handle for row in await session.scalars(select(HandleRow).where(*wanted))}
