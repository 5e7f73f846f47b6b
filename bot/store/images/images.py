"""Read and delete finished pictures; searching is in `search`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import BigInteger, ColumnElement, SQLColumnExpression, case, delete, exists, false, func, or_, select, update

from bot.store.database import Database, add_if_new
from bot.store.jobs.job import CANCELLED, IS_OPEN
from bot.store.tables.core import FavouriteRow, FileIdRow, JobInputRow, JobRow, PictureRow


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """A stored picture. `file` and `thumbnail` are keys of the file store."""

    id: str
    job: str
    user: str
    index: int
    seed: int
    width: int
    height: int
    bytes: int
    file: str
    thumbnail: str
    words: str
    created: datetime


def stored_image(row: PictureRow) -> StoredImage:
    """Return a picture from its row."""
    return StoredImage(
        id=row.id,
        job=row.job_id,
        user=row.person_id,
        index=row.index,
        seed=row.seed,
        width=row.width,
        height=row.height,
        bytes=row.bytes,
        file=row.file,
        thumbnail=row.thumbnail,
        words=row.words,
        created=row.created,
    )


#: The number of files per query, and of overdue pictures per call; callers repeat the call.
_MOST_ASKED, _MOST_OVERDUE = 500, 10_000


class Images:
    """The finished pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, picture_id: str) -> StoredImage | None:
        """Return a picture, or None."""
        async with self._database.read() as session:
            row = await session.get(PictureRow, picture_id)
        return None if row is None else stored_image(row)

    async def some(self, picture_ids: Collection[str]) -> dict[str, StoredImage]:
        """Return pictures by their ids; missing pictures are left out."""
        async with self._database.read() as session:
            rows = await session.scalars(select(PictureRow).where(PictureRow.id.in_(picture_ids)))
            return {row.id: stored_image(row) for row in rows}

    async def of_jobs(self, job_ids: Sequence[str]) -> dict[str, tuple[StoredImage, ...]]:
        """Return the pictures of several jobs, in order within each job."""
        async with self._database.read() as session:
            rows = await session.scalars(
                select(PictureRow).where(PictureRow.job_id.in_(job_ids)).order_by(PictureRow.job_id, PictureRow.index)
            )
            found: dict[str, list[StoredImage]] = {job_id: [] for job_id in job_ids}
            for row in rows:
                found[row.job_id].append(stored_image(row))
        return {job_id: tuple(some) for job_id, some in found.items()}

    async def holder(self, file: str) -> tuple[StoredImage, ...]:
        """Return the pictures that use a file, as the picture or as its thumbnail."""
        async with self._database.read() as session:
            rows = await session.scalars(select(PictureRow).where(or_(PictureRow.file == file, PictureRow.thumbnail == file)))
            return tuple(stored_image(row) for row in rows)

    async def delete(self, picture_id: str) -> tuple[str, ...]:
        """Delete a picture and return the keys of its files that are no longer referenced."""
        gone = delete(PictureRow).where(PictureRow.id == picture_id).returning(PictureRow.file, PictureRow.thumbnail)
        async with self._database.write() as session:
            files = (await session.execute(gone)).one_or_none()
        if files is None:
            return ()
        # Checked after the deletion: if two pictures of one file are deleted at once, at least the later deletion sees an unused file.
        return await self.unneeded(files)

    async def unneeded(self, files: Iterable[str]) -> tuple[str, ...]:
        """Return those of some files that no picture uses and no job has as an input."""
        asked = tuple(dict.fromkeys(files))
        needed: set[str] = set()
        async with self._database.read() as session:
            for first in range(0, len(asked), _MOST_ASKED):
                some = asked[first : first + _MOST_ASKED]
                for column in (PictureRow.file, PictureRow.thumbnail, JobInputRow.file):
                    needed.update(await session.scalars(select(column).where(column.in_(some))))
        return tuple(file for file in asked if file not in needed)

    async def overdue(self, before: datetime | None, most_bytes: int | None) -> tuple[str, ...]:
        """Return the ids of expired pictures, oldest first: those from before a moment, and those beyond `most_bytes`."""
        too_old = PictureRow.created < before if before is not None else false()
        size = func.sum(PictureRow.bytes, type_=BigInteger).over(order_by=(PictureRow.created.desc(), PictureRow.id.desc()))
        sized = select(PictureRow.id, PictureRow.created, too_old.label("is_old"), size.label("size")).subquery()
        beyond = sized.c.size > most_bytes if most_bytes is not None else false()
        wanted = select(sized.c.id).where(or_(sized.c.is_old, beyond)).order_by(sized.c.created, sized.c.id).limit(_MOST_OVERDUE)
        async with self._database.read() as session:
            return tuple(await session.scalars(wanted))

    async def left_inputs(self, since: datetime | None, before: datetime) -> tuple[str, ...]:
        """Return input files of jobs, last used between two moments, that no picture uses."""
        last = func.max(JobRow.created)
        wanted = select(JobInputRow.file).join(JobRow).group_by(JobInputRow.file).having(last < before)
        if since is not None:
            wanted = wanted.having(last >= since)
        async with self._database.read() as session:
            return tuple(await session.scalars(wanted.where(~_is_result(JobInputRow.file))))

    async def brought(self, user: str, since: datetime) -> dict[str, int]:
        """Return the sizes of the pictures that a user has brought since a moment, by their keys."""
        size = func.max(JobInputRow.bytes)
        wanted = select(JobInputRow.file, size).join(JobRow).where(JobRow.person_id == user, JobRow.created > since)
        async with self._database.read() as session:
            return {file: bytes for file, bytes in await session.execute(wanted.group_by(JobInputRow.file).having(size > 0))}

    async def brought_bytes(self) -> int:
        """Return the size of all stored pictures that users brought."""
        sizes = select(func.max(JobInputRow.bytes).label("bytes")).group_by(JobInputRow.file).subquery()
        async with self._database.read() as session:
            return int(await session.scalar(select(func.coalesce(func.sum(sizes.c.bytes), 0))) or 0)

    async def overdue_inputs(self, most_bytes: int) -> tuple[str, ...]:
        """Return the pictures that users brought beyond `most_bytes`, those first that were used least recently.

        Pictures that an open job needs, or that are results too, are not returned.
        """
        last, size = func.max(JobRow.created).label("last"), func.max(JobInputRow.bytes).label("bytes")
        files = select(JobInputRow.file, last, size).join(JobRow).group_by(JobInputRow.file).having(size > 0).subquery()
        sums = func.sum(files.c.bytes, type_=BigInteger).over(order_by=(files.c.last.desc(), files.c.file))
        sized = select(files.c.file, files.c.last, sums.label("sum")).subquery()
        wanted = select(sized.c.file).where(sized.c.sum > most_bytes, ~_is_result(sized.c.file), ~_is_needed(sized.c.file))
        async with self._database.read() as session:
            return tuple(await session.scalars(wanted.order_by(sized.c.last, sized.c.file).limit(_MOST_OVERDUE)))

    async def released_inputs(self, since: datetime | None, before: datetime) -> tuple[str, ...]:
        """Return pictures that only cancelled jobs started from, the last of which ended between two moments."""
        last = func.max(JobRow.ended)
        wanted = select(JobInputRow.file).join(JobRow).group_by(JobInputRow.file)
        wanted = wanted.having(func.count() == func.sum(case((JobRow.state == CANCELLED, 1), else_=0)), last < before)
        if since is not None:
            wanted = wanted.having(last >= since)
        async with self._database.read() as session:
            return tuple(await session.scalars(wanted.where(~_is_result(JobInputRow.file))))

    async def deleted_inputs(self, files: Collection[str]) -> None:
        """Note that pictures that users brought were deleted: they no longer count."""
        async with self._database.write() as session:
            await session.execute(update(JobInputRow).where(JobInputRow.file.in_(files)).values(bytes=0))

    async def drop(self, picture_ids: Sequence[str]) -> tuple[str, ...]:
        """Delete several pictures, and return the keys of their files that are no longer referenced."""
        async with self._database.write() as session:
            gone = delete(PictureRow).where(PictureRow.id.in_(picture_ids)).returning(PictureRow.file, PictureRow.thumbnail)
            files = [file for row in await session.execute(gone) for file in row]
        return await self.unneeded(files)


def _is_result(file: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Return the condition that a file is also a finished picture or its thumbnail."""
    return exists().where(or_(PictureRow.file == file, PictureRow.thumbnail == file))


def _is_needed(file: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Return the condition that an open job starts from a file."""
    return exists(select(JobRow.id).join(JobInputRow).where(JobInputRow.file == file, IS_OPEN))


class Favourites:
    """Favourites: private marks of users on pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def folder(self, user: str, picture: str) -> str | None:
        """Return the folder of a favourite, empty for none; None if the picture is not a favourite."""
        async with self._database.read() as session:
            return await session.scalar(
                select(FavouriteRow.folder).where(FavouriteRow.person_id == user, FavouriteRow.picture_id == picture)
            )

    async def mark(self, user: str, picture: str, folder: str) -> None:
        """Mark a picture as a favourite, in a folder or in none; an existing favourite moves there."""
        async with self._database.write() as session:
            row = {"person_id": user, "picture_id": picture, "folder": folder}
            if not await add_if_new(session, FavouriteRow, row):
                marked = FavouriteRow.person_id == user, FavouriteRow.picture_id == picture
                await session.execute(update(FavouriteRow).where(*marked).values(folder=folder))

    async def unmark(self, user: str, picture: str) -> None:
        """Remove a favourite, if it exists."""
        async with self._database.write() as session:
            await session.execute(delete(FavouriteRow).where(FavouriteRow.person_id == user, FavouriteRow.picture_id == picture))


class FileIds:
    """Platform file ids of pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, platform: str, handles: Mapping[str, str]) -> None:
        """Store a platform's file ids of pictures; deleted pictures are skipped."""
        async with self._database.write() as session:
            there = await session.scalars(select(PictureRow.id).where(PictureRow.id.in_(handles)).with_for_update(read=True))
            for picture in sorted(there):
                row = {"platform": platform, "picture_id": picture}
                if not await add_if_new(session, FileIdRow, {**row, "handle": handles[picture]}):
                    await session.execute(update(FileIdRow).filter_by(**row).values(handle=handles[picture]))

    async def of(self, platform: str, pictures: Iterable[str]) -> dict[str, str]:
        """Return a platform's file ids of pictures, as far as known."""
        wanted = FileIdRow.platform == platform, FileIdRow.picture_id.in_(tuple(pictures))
        async with self._database.read() as session:
            return {row.picture_id: row.handle for row in await session.scalars(select(FileIdRow).where(*wanted))}
