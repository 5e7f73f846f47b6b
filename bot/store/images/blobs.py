"""Pictures as files, named by their content, in a folder or whatever else fsspec reaches."""

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from bot.core.errors import BadConfig, BadOutput
from bot.core.values import new_id

log = logging.getLogger("easel.files")

#: A file's key: the digest of its content, and what kind of picture it is.
KEY = re.compile(r"[0-9a-f]{64}\.(png|jpg|webp)")

#: A file's folder: the first letters of its key.
_FOLDER = re.compile(r"[0-9a-f]{2}")

#: What a file is called while it is written, and while it is looked at for the last time before it goes.
_UNFINISHED = (".part", ".gone")

#: How long a look at the disk is believed.
_LOOK_SECONDS = 5.0

#: A file store that cannot say when a file was put gets it anew; another one only where that was so long ago.
_FRESH_SECONDS = 3600.0

_STARTS = {"png": rb"\x89PNG\r\n\x1a\n", "jpg": rb"\xff\xd8\xff", "webp": rb"RIFF....WEBP"}


class BlobStore:
    """The file store. `url` is a folder, or any address of fsspec such as `s3://bucket/easel`; raises `BadConfig` for another.

    The same content is one file. A file is whole or not there.
    """

    def __init__(self, url: str) -> None:
        try:
            system, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError, OSError) as error:
            raise BadConfig("config-files", reason=str(error)) from None
        self._system: Any = system
        self._root: str = root.rstrip("/")
        self._looked, self._free = -_LOOK_SECONDS, 0

    @staticmethod
    def key_of(data: bytes) -> str:
        """Return the key that a picture is kept under, kept or not; raises `ValueError` for what is none."""
        kind = next((kind for kind, start in _STARTS.items() if re.match(start, data, re.DOTALL)), None)
        if kind is None:
            raise ValueError("only PNG, JPEG and WebP files are stored")
        return f"{hashlib.sha256(data).hexdigest()}.{kind}"

    async def put(self, data: bytes) -> str:
        """Keep a picture and return its key; raises `ValueError` for what is none, and `BadOutput` where the disk takes no more."""
        key = self.key_of(data)
        try:
            await asyncio.to_thread(self._write, key, data)
        except OSError as error:
            log.error("file.unkept file=%s reason=%s", key, error)
            raise BadOutput("output-unkept", reason=error.strerror or type(error).__name__) from None
        return key

    async def get(self, key: str) -> bytes:
        """Return a picture; raises `FileNotFoundError` where there is none of this key, or where this is no key."""
        data: bytes = await asyncio.to_thread(self._system.cat_file, self._path(key))
        return data

    async def delete(self, key: str) -> None:
        """Remove a picture, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(self._system.rm_file, self._path(key))

    async def free_bytes(self) -> int | None:
        """Return how many bytes the disk has left, or nothing where the pictures are somewhere else or nobody can say."""
        if not isinstance(self._system, LocalFileSystem):
            return None
        with contextlib.suppress(OSError):
            return await asyncio.to_thread(_free, Path(self._root))
        return None

    async def room(self, least: int) -> bool:
        """Return whether the disk has at least so many bytes left, as of a few seconds ago; 0 does not look."""
        if least and monotonic() - self._looked >= _LOOK_SECONDS:
            free = await self.free_bytes()
            self._looked, self._free = monotonic(), least if free is None else free
        return not least or self._free >= least

    async def listed(self) -> AsyncIterator[tuple[str, ...]]:
        """Yield the keys of all pictures that are kept, folder by folder."""
        for folder in await asyncio.to_thread(self._names, self._root):
            if _FOLDER.fullmatch(folder):
                yield tuple([name for name in await asyncio.to_thread(self._names, f"{self._root}/{folder}") if KEY.fullmatch(name)])

    async def discard(self, key: str, seconds: float) -> bool:
        """Remove a picture that nobody has put for so long; return whether it was removed.

        Whoever puts the same picture in this very moment keeps it.
        """
        return await asyncio.to_thread(self._discard, self._path(key), seconds)

    async def tidy(self, seconds: float) -> int:
        """Remove what was left behind half written so long ago, and return how many files that were. Other stores keep no such."""
        return await asyncio.to_thread(_tidy, Path(self._root), seconds) if isinstance(self._system, LocalFileSystem) else 0

    async def note(self, folder: str, name: str, words: str) -> None:
        """Keep a few words beside the pictures, for what has to outlive the database; the same name is written over."""
        path = f"{self._root}/{folder}/{name}"
        if isinstance(self._system, LocalFileSystem):
            await asyncio.to_thread(_write_whole, Path(path), words.encode())
        else:
            await asyncio.to_thread(self._system.pipe_file, path, words.encode())

    async def notes(self, folder: str) -> dict[str, str]:
        """Return all words that are kept in a folder, by their names."""
        names = await asyncio.to_thread(self._names, f"{self._root}/{folder}")
        found = {name: f"{self._root}/{folder}/{name}" for name in names if not name.endswith(_UNFINISHED)}
        return {name: (await asyncio.to_thread(self._system.cat_file, path)).decode() for name, path in found.items()}

    def _names(self, folder: str) -> list[str]:
        self._system.invalidate_cache()
        try:
            return sorted(path.rstrip("/").rpartition("/")[2] for path in self._system.ls(folder, detail=False))
        except FileNotFoundError:
            return []

    def _discard(self, path: str, seconds: float) -> bool:
        with contextlib.suppress(FileNotFoundError, NotImplementedError):
            if self._age(path) < seconds:
                return False
            if not isinstance(self._system, LocalFileSystem):
                self._system.rm_file(path)
                return True
            # Out of the way first: whoever puts it from now on writes it anew. Who did just before has changed its age.
            away = f"{path}.{new_id()}.gone"
            Path(path).rename(away)
            if self._age(away) < seconds:
                Path(away).rename(path)
                return False
            Path(away).unlink()
            return True
        return False

    def _age(self, path: str) -> float:
        modified: datetime = self._system.modified(path)
        return (datetime.now(UTC) - (modified if modified.tzinfo else modified.replace(tzinfo=UTC))).total_seconds()

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise FileNotFoundError(key)
        return f"{self._root}/{key[:2]}/{key}"

    def _write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        if isinstance(self._system, LocalFileSystem):
            # What is there already becomes as young as if it were new: nobody may take it for forgotten now.
            with contextlib.suppress(FileNotFoundError):
                os.utime(path)
                # Looked at once more: it may have been on its way out while its age was changed.
                os.stat(path)
                return
            _write_whole(Path(path), data)
        elif not self._is_fresh(path):
            # Object stores show a file only when it is whole.
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(path, data)

    def _is_fresh(self, path: str) -> bool:
        with contextlib.suppress(FileNotFoundError, NotImplementedError):
            return bool(self._system.exists(path)) and self._age(path) < _FRESH_SECONDS
        return False


def _free(path: Path) -> int:
    """Return the free bytes of the disk that a folder is on, or will be."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def _tidy(root: Path, seconds: float) -> int:
    before, removed = datetime.now(UTC).timestamp() - seconds, 0
    for path in root.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):
            if path.name.endswith(_UNFINISHED) and path.stat().st_mtime < before:
                path.unlink()
                removed += 1
    return removed


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is whole or not there, and still there after a power failure."""
    is_new_folder = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{new_id()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _keep_names(path.parent)
    if is_new_folder:
        _keep_names(path.parent.parent)


def _keep_names(folder: Path) -> None:
    # A file can be safe on the disk while its name is not: that is kept with the folder.
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
