"""Store pictures as files named by their content, in a folder or any other fsspec file system."""

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
from bot.core.folders import make_private
from bot.core.values import new_id

log = logging.getLogger("easel.files")

#: A file's key: the digest of its content, and its picture format.
KEY = re.compile(r"[0-9a-f]{64}\.(png|jpg|webp)")

#: A file's folder: the first letters of its key.
_FOLDER = re.compile(r"[0-9a-f]{2}")

#: The name of a file while it is written, and while it is checked a last time before its deletion.
_UNFINISHED = (".part", ".gone")

#: How long a measurement of the free disk space is valid.
_LOOK_SECONDS = 5.0

#: A file store without modification times gets every file again; others only if the stored file is this old.
_FRESH_SECONDS = 3600.0

#: The size of the pieces in which a picture is read for a slow reader.
_PIECE = 2**18

_STARTS = {"png": rb"\x89PNG\r\n\x1a\n", "jpg": rb"\xff\xd8\xff", "webp": rb"RIFF....WEBP"}


class BlobStore:
    """The file store. `url` is a folder, or any fsspec URL such as `s3://bucket/easel`; raises `BadConfig` for anything else.

    Equal content is stored once. A file is complete or absent.
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
        """Return the key of a picture, stored or not; raises `ValueError` if the data is not a picture."""
        kind = next((kind for kind, start in _STARTS.items() if re.match(start, data, re.DOTALL)), None)
        if kind is None:
            raise ValueError("only PNG, JPEG and WebP files are stored")
        return f"{hashlib.sha256(data).hexdigest()}.{kind}"

    async def put(self, data: bytes) -> str:
        """Store a picture and return its key; raises `ValueError` if the data is not a picture, and `BadOutput` if the disk is full."""
        key = self.key_of(data)
        try:
            await asyncio.to_thread(self._write, key, data)
        except OSError as error:
            log.error("file.unkept file=%s reason=%s", key, error)
            raise BadOutput("output-unkept", reason=error.strerror or type(error).__name__) from None
        return key

    async def get(self, key: str) -> bytes:
        """Return a picture; raises `FileNotFoundError` if the key is unknown or invalid."""
        data: bytes = await asyncio.to_thread(self._system.cat_file, self._path(key))
        return data

    async def size(self, key: str) -> int:
        """Return the size of a picture in bytes; raises `FileNotFoundError` if the key is unknown or invalid."""
        return int(await asyncio.to_thread(self._system.size, self._path(key)))

    async def pieces(self, key: str) -> AsyncIterator[bytes]:
        """Yield a picture piece by piece; each is read when it is asked for."""
        path, size = self._path(key), await self.size(key)
        for start in range(0, size, _PIECE):
            yield await asyncio.to_thread(self._system.cat_file, path, start, min(size, start + _PIECE))

    async def delete(self, key: str) -> None:
        """Delete a picture, if it exists."""
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(self._system.rm_file, self._path(key))

    async def free_bytes(self) -> int | None:
        """Return the free bytes of the disk, or None if the pictures are not on a local disk or the size is unknown."""
        if not isinstance(self._system, LocalFileSystem):
            return None
        with contextlib.suppress(OSError):
            return await asyncio.to_thread(_free, Path(self._root))
        return None

    async def room(self, least: int) -> bool:
        """Return whether the disk has at least `least` free bytes, as of a few seconds ago; 0 skips the check."""
        if least and monotonic() - self._looked >= _LOOK_SECONDS:
            free = await self.free_bytes()
            self._looked, self._free = monotonic(), least if free is None else free
        return not least or self._free >= least

    async def listed(self) -> AsyncIterator[tuple[str, ...]]:
        """Yield the keys of all stored pictures, folder by folder."""
        for folder in await asyncio.to_thread(self._names, self._root):
            if _FOLDER.fullmatch(folder):
                yield tuple([name for name in await asyncio.to_thread(self._names, f"{self._root}/{folder}") if KEY.fullmatch(name)])

    async def discard(self, key: str, seconds: float) -> bool:
        """Delete a picture that was not stored again for `seconds`; return whether it was deleted.

        A concurrent `put` of the same picture preserves it.
        """
        return await asyncio.to_thread(self._discard, self._path(key), seconds)

    async def tidy(self, seconds: float) -> int:
        """Delete unfinished files older than `seconds`, and return how many there were. Remote stores have no such files."""
        return await asyncio.to_thread(_tidy, Path(self._root), seconds) if isinstance(self._system, LocalFileSystem) else 0

    async def note(self, folder: str, name: str, words: str) -> None:
        """Store a short text beside the pictures, for data that must outlive the database; an existing note of the name is overwritten."""
        path = f"{self._root}/{folder}/{name}"
        if isinstance(self._system, LocalFileSystem):
            await asyncio.to_thread(make_private, Path(self._root))
            await asyncio.to_thread(_write_whole, Path(path), words.encode())
        else:
            await asyncio.to_thread(self._system.pipe_file, path, words.encode())

    async def notes(self, folder: str) -> dict[str, str]:
        """Return all notes in a folder, by name."""
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
            # Moved away first: a later `put` writes the file again. An earlier `put` has changed its age.
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
            # An existing file gets a new modification time, so that it is not taken for abandoned.
            with contextlib.suppress(FileNotFoundError):
                os.utime(path)
                # Checked again: the file may have been moved away for deletion while its age was changed.
                os.stat(path)
                return
            make_private(Path(self._root))
            _write_whole(Path(path), data)
        elif not self._is_fresh(path):
            # Object stores show a file only when it is complete.
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(path, data)

    def _is_fresh(self, path: str) -> bool:
        with contextlib.suppress(FileNotFoundError, NotImplementedError):
            return bool(self._system.exists(path)) and self._age(path) < _FRESH_SECONDS
        return False


def _free(path: Path) -> int:
    """Return the free bytes of the disk of a folder, which need not exist yet."""
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
    """Write a file atomically and durably: it survives a power failure."""
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
    # A file can be durable before its name is: the name is stored with the folder.
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
