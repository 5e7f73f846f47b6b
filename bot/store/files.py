"""Pictures as files, named by their content, in a folder or whatever else fsspec reaches."""

import asyncio
import contextlib
import hashlib
import logging
import os
import re
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from bot.errors import BadConfig, BadOutput
from bot.values import new_id

log = logging.getLogger("easel.files")

#: A file's key: the digest of its content, and what kind of picture it is.
KEY = re.compile(r"[0-9a-f]{64}\.(png|jpg|webp)")

_STARTS = {"png": rb"\x89PNG\r\n\x1a\n", "jpg": rb"\xff\xd8\xff", "webp": rb"RIFF....WEBP"}


class Files:
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

    @staticmethod
    def key_of(data: bytes) -> str:
        """Return the key that a picture is kept under, kept or not; raises `ValueError` for what is none."""
        kind = next((kind for kind, start in _STARTS.items() if re.match(start, data, re.DOTALL)), None)
        if kind is None:
            raise ValueError("only PNG, JPEG and WebP files are kept")
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

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise FileNotFoundError(key)
        return f"{self._root}/{key[:2]}/{key}"

    def _write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        if isinstance(self._system, LocalFileSystem):
            _write_whole(Path(path), data)
        elif not self._system.exists(path):
            # Object stores show a file only when it is whole.
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(path, data)


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is whole or not there, and still there after a power failure."""
    if path.exists():
        return
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
