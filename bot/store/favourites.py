"""Pictures that somebody marked, each in a folder or in none."""

from sqlalchemy import delete, select, update

from bot.store.models import FavouriteRow
from bot.store.session import Database, add_if_new


class Favourites:
    """The marks that people put on pictures; nobody sees those of others."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def folder(self, person: str, picture: str) -> str | None:
        """Return the folder that a picture is marked in, empty for none; nothing where it is not marked."""
        async with self._database.read() as session:
            return await session.scalar(
                select(FavouriteRow.folder).where(FavouriteRow.person_id == person, FavouriteRow.picture_id == picture)
            )

    async def mark(self, person: str, picture: str, folder: str) -> None:
        """Mark a picture, in a folder or in none; one that is marked moves there."""
        async with self._database.write() as session:
            row = {"person_id": person, "picture_id": picture, "folder": folder}
            if not await add_if_new(session, FavouriteRow, row):
                marked = FavouriteRow.person_id == person, FavouriteRow.picture_id == picture
                await session.execute(update(FavouriteRow).where(*marked).values(folder=folder))

    async def unmark(self, person: str, picture: str) -> None:
        """Take a mark off, if there is one."""
        async with self._database.write() as session:
            await session.execute(delete(FavouriteRow).where(FavouriteRow.person_id == person, FavouriteRow.picture_id == picture))
