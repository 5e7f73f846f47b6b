"""The disk of the files: free space, deletable files, and the small notes beside the pictures."""

import os
import shutil
import time
from collections import namedtuple

import pytest

from bot.store.images import blobs as module
from bot.store.images.blobs import BlobStore
from tests.stores import png

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def files(tmp_path):
    """Return a file store in a folder that does not exist yet."""
    return BlobStore(str(tmp_path / "not" / "yet" / "there"))


@pytest.fixture(params=["folder", "elsewhere"])
def either(request, tmp_path):
    """Return a file store in a folder, and one in an object store."""
    return BlobStore(str(tmp_path / "files") if request.param == "folder" else f"memory://{tmp_path.name}")


@pytest.fixture
def disk(monkeypatch):
    """Return a disk with a settable number of free bytes, and count the queries of it."""
    looks = []

    def set_free(free):
        def usage(path):
            looks.append(path)
            if isinstance(free, Exception):
                raise free
            return Usage(10**12, 0, free)

        monkeypatch.setattr(shutil, "disk_usage", usage)
        return looks

    return set_free


async def test_room_is_what_the_disk_has(files, disk, monkeypatch):
    """There is room down to the bytes that must stay free, and not below."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    disk(2 * 2**30)
    assert await files.room(2 * 2**30)
    disk(2 * 2**30 - 1)
    assert not await files.room(2 * 2**30)
    assert await files.free_bytes() == 2 * 2**30 - 1


async def test_the_disk_is_looked_at_now_and_then(files, disk):
    """However many requests come, the disk is queried once in a few seconds, and a request for no bytes does not query it."""
    looks = disk(100)
    assert await files.room(0)
    assert not looks
    assert [await files.room(least) for least in (50, 100, 200) for _ in range(10)] == [True] * 20 + [False] * 10
    assert len(looks) == 1


async def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_the_next_one(files, tmp_path, disk):
    """Before the first file the disk is that of the parent folder."""
    looks = disk(100)
    assert await files.free_bytes() == 100
    assert looks == [tmp_path]


async def test_nobody_is_refused_where_nobody_can_say(disk, files):
    """An object store always has room, and so has a disk that cannot be queried: a failure is reported when it happens."""
    elsewhere = BlobStore("memory://bucket")
    assert await elsewhere.free_bytes() is None
    assert await elsewhere.room(10**15)
    disk(OSError("away"))
    assert await files.room(10**15)


async def test_discarding_takes_only_what_is_old(either):
    """A file is deleted only if it was not stored for a given time, and storing it again resets its age."""
    key = await either.put(png())
    assert not await either.discard(key, 60)
    assert await either.get(key) == png()
    assert await either.discard(key, 0)
    assert not await either.discard(key, 0)
    with pytest.raises(FileNotFoundError):
        await either.get(key)


async def test_what_is_put_again_is_young(tmp_path):
    """An old file that is stored once more counts as new."""
    files = BlobStore(str(tmp_path))
    key = await files.put(png())
    os.utime(files._path(key), (time.time() - 10**6,) * 2)
    await files.put(png())
    assert not await files.discard(key, 60)


async def test_all_pictures_are_listed(either):
    """Every picture is listed once, and no other file."""
    keys = {await either.put(png(colour)) for colour in ("red", "green", "blue")}
    await either.note("forgotten", "a", "b")
    found = [key async for some in either.listed() for key in some]
    assert sorted(found) == sorted(keys)


async def test_an_empty_store_lists_nothing(either):
    """If nothing was ever stored, the list is empty, and there is nothing to clean up."""
    assert [key async for some in either.listed() for key in some] == []
    assert await either.tidy(0) == 0
    assert await either.notes("forgotten") == {}


async def test_words_are_kept_beside_pictures(either):
    """A note is stored under its name, and the last version counts."""
    await either.note("forgotten", "one", "first")
    await either.note("forgotten", "two", "second")
    await either.note("forgotten", "one", "third")
    assert await either.notes("forgotten") == {"one": "third", "two": "second"}
