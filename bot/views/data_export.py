"""All that is kept of a person as one ZIP file: `data.json` with every row of every table, and the files that the rows name."""

import asyncio
import io
import json
import zipfile
from typing import Any

import msgspec

from bot.core.errors import NotAllowed
from bot.framework.reply import MOST_FILE
from bot.store.database import now
from bot.store.store import Store

#: Rows by table, as `Privacy.rows` gives them.
Rows = dict[str, list[dict[str, Any]]]

#: Of more requests than this the rows alone would be too much for a message.
_MOST_JOBS = 10_000


class Handed(msgspec.Struct, frozen=True):
    """An archive to be handed over in a chat; not `whole` where the pictures themselves would be too much."""

    data: bytes
    jobs: int
    pictures: int
    whole: bool


async def handed(store: Store, user: str) -> Handed:
    """Return all that is kept of a person, small enough for every platform; raises `NotAllowed` where even the rows are too much."""
    jobs, pictures = await store.rights.counts(user)
    if jobs <= _MOST_JOBS:
        for whole in (True, False):
            data = io.BytesIO()
            rows = await store.rights.rows(user)
            with zipfile.ZipFile(data, "w") as archive:
                await pack(store, rows, archive, most=MOST_FILE if whole else 0)
            if data.tell() <= MOST_FILE:
                return Handed(data.getvalue(), jobs, pictures, whole or not (await store.rights.files(user)))
    raise NotAllowed("denied-export")


async def pack(store: Store, rows: Rows, archive: zipfile.ZipFile, most: int | None = None) -> None:
    """Write rows and the files that they name into an archive; no more files once it has more than `most` bytes."""
    names: dict[str, str | None] = {}

    async def packed(key: str | None, folder: str) -> str | None:
        """Return the name of a file in the archive, or nothing where it has been deleted or left out."""
        if key is not None and key not in names:
            names[key] = f"{folder}/{key}" if await _added(store, archive, key, folder, most) else None
        return None if key is None else names[key]

    for picture in rows["picture"]:
        # Made of the picture at any time, and not worth its place.
        picture.pop("thumbnail")
        picture["file"] = await packed(picture["file"], "pictures")
    for one in rows["job_input"]:
        one["file"] = await packed(one["file"], "sources")
    data = {"made": now().isoformat(), "tables": rows}
    await asyncio.to_thread(lambda: archive.writestr("data.json", json.dumps(data, ensure_ascii=False, indent=2), zipfile.ZIP_DEFLATED))


async def _added(store: Store, archive: zipfile.ZipFile, key: str, folder: str, most: int | None) -> bool:
    """Add a file; False where it is not there any more, or there is no room."""
    if most is not None and archive.fp is not None and archive.fp.tell() >= most:
        return False
    try:
        archive.writestr(f"{folder}/{key}", await store.files.get(key))
    except FileNotFoundError:
        return False
    return True
