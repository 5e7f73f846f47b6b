"""Finished pictures: history, and taking one away."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from sqlalchemy import Select, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.store.models import JobRow, PictureRow
from bot.store.session import Database

S = TypeVar("S", PictureRow, int)

#: A prompt has no more words than this either, and a database takes only so many conditions.
_MOST_WORDS = 100


class KeptPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A finished picture as it is remembered. `file` and `thumbnail` are keys of the file store."""

    id: str
    job: str
    person: str
    index: int
    seed: int
    width: int
    height: int
    bytes: int
    file: str
    thumbnail: str
    words: str
    created: datetime


class Pictures:
    """The finished pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, picture_id: str) -> KeptPicture | None:
        """Return a picture, or nothing."""
        async with self._database.read() as session:
            row = await session.get(PictureRow, picture_id)
        return None if row is None else _kept(row)

    async def of_jobs(self, job_ids: Sequence[str]) -> dict[str, tuple[KeptPicture, ...]]:
        """Return the pictures of each of several jobs, in their order."""
        async with self._database.read() as session:
            rows = await session.scalars(
                select(PictureRow).where(PictureRow.job_id.in_(job_ids)).order_by(PictureRow.job_id, PictureRow.index)
            )
            found: dict[str, list[KeptPicture]] = {job_id: [] for job_id in job_ids}
            for row in rows:
                found[row.job_id].append(_kept(row))
        return {job_id: tuple(kept) for job_id, kept in found.items()}

    async def search(self, person: str, words: str, page: int, most: int) -> tuple[KeptPicture, ...]:
        """Return a page of a person's pictures, newest first, whose prompts hold every one of the words; pages count from 1."""
        wanted = _with_words(select(PictureRow).where(PictureRow.person_id == person), words)
        async with self._database.read() as session:
            rows = await session.scalars(
                wanted.order_by(PictureRow.created.desc(), PictureRow.job_id, PictureRow.index.desc()).limit(most).offset((page - 1) * most)
            )
            return tuple(_kept(row) for row in rows)

    async def count(self, person: str, words: str) -> int:
        """Return how many of a person's pictures `search` would find on all pages."""
        wanted = _with_words(select(func.count()).select_from(PictureRow).where(PictureRow.person_id == person), words)
        async with self._database.read() as session:
            return await session.scalar(wanted) or 0

    async def holder(self, file: str) -> tuple[KeptPicture, ...]:
        """Return the pictures that are kept in a file, as themselves or as a thumbnail."""
        async with self._database.read() as session:
            rows = await session.scalars(select(PictureRow).where(or_(PictureRow.file == file, PictureRow.thumbnail == file)))
            return tuple(_kept(row) for row in rows)

    async def delete(self, picture_id: str) -> tuple[str, ...]:
        """Forget a picture and return the keys of the files that nobody needs any more."""
        gone = delete(PictureRow).where(PictureRow.id == picture_id).returning(PictureRow.file, PictureRow.thumbnail)
        async with self._database.write() as session:
            files = (await session.execute(gone)).one_or_none()
        if files is None:
            return ()
        # Asked when it is gone for everybody: of two who delete pictures of one file, at least the later one sees that nobody needs it.
        async with self._database.read() as session:
            return tuple([file for file in dict.fromkeys(files) if not await _is_needed(session, file)])


async def _is_needed(session: AsyncSession, file: str) -> bool:
    """Return whether a picture shows a file, or a job starts from it."""
    shown = exists().where(or_(PictureRow.file == file, PictureRow.thumbnail == file))
    started_from = exists().where(JobRow.source == file)
    return bool(await session.scalar(select(or_(shown, started_from))))


def _with_words(wanted: Select[S], words: str) -> Select[S]:
    # `icontains` escapes what LIKE would take for a pattern.
    return wanted.where(*(PictureRow.words.icontains(word, autoescape=True) for word in dict.fromkeys(words.split()[:_MOST_WORDS])))


def _kept(row: PictureRow) -> KeptPicture:
    return KeptPicture(
        id=row.id,
        job=row.job_id,
        person=row.person_id,
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
