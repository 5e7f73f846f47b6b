"""Finished pictures as values."""

from datetime import datetime

import msgspec

from bot.store.tables.core import PictureRow


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


def kept(row: PictureRow) -> StoredImage:
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
