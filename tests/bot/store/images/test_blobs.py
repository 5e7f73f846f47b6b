"""Pictures as files."""

import asyncio
import errno
import hashlib
import os
from pathlib import Path

import pytest

from bot.core.errors import BadConfig, BadOutput
from bot.core.values import new_id
from bot.i18n.translate import tell
from bot.store.images.blobs import BlobStore
from tests.stores import png

WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 "
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"


@pytest.fixture(params=["folder", "memory"])
def files(request, tmp_path):
    """Return an empty file store, in a folder and in an object store."""
    return BlobStore(str(tmp_path / "deep" / "files") if request.param == "folder" else f"memory://{new_id()}")


@pytest.mark.parametrize(("data", "kind"), [(png(), "png"), (JPEG, "jpg"), (WEBP, "webp")], ids=["png", "jpg", "webp"])
async def test_a_picture_is_kept_by_its_content(files, data, kind):
    """A stored file is found under the digest of its content, and is gone after one or two deletions."""
    key = await files.put(data)
    assert key == f"{hashlib.sha256(data).hexdigest()}.{kind}"
    assert await files.put(data) == key
    assert await files.get(key) == data
    await files.delete(key)
    await files.delete(key)
    with pytest.raises(FileNotFoundError):
        await files.get(key)
    assert await files.put(data) == key
    assert await files.get(key) == data


@pytest.mark.parametrize(
    "key",
    [
        "",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "a.png",
        f"{'a' * 64}.png/../x",
        f"{'A' * 64}.png",
        f"{'a' * 64}.exe",
        f"{'a' * 64}.png\n",
        "\0",
    ],
)
async def test_what_is_no_key_opens_nothing(files, key):
    """Only keys made by the store are looked up."""
    with pytest.raises(FileNotFoundError):
        await files.get(key)
    await files.delete(key)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<svg>", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"\x89PN"])
async def test_what_is_no_picture_is_not_kept(files, data):
    """Files other than PNG, JPEG or WebP are refused."""
    with pytest.raises(ValueError, match="only PNG"):
        await files.put(data)


async def test_many_put_the_same_at_once(files):
    """Twenty concurrent puts of one content give one complete file."""
    data = png("blue") + os.urandom(200_000)
    (key,) = set(await asyncio.gather(*(files.put(data) for _ in range(20))))
    assert await files.get(key) == data


async def test_a_crash_leaves_no_half_file(tmp_path, monkeypatch):
    """A full disk gives one sentence and leaves nothing under the key, and the next attempt succeeds."""
    files = BlobStore(str(tmp_path))

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(BadOutput) as refused:
            await files.put(png())
    assert tell(refused.value.problem) == "The picture couldn't be saved: No space left on device."
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    key = await files.put(png())
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [key]


async def test_the_same_folder_is_the_same_store(tmp_path, monkeypatch):
    """A relative folder is relative to the working folder, and a file stored by one process is found by another."""
    monkeypatch.chdir(tmp_path)
    key = await BlobStore("here").put(png())
    assert (Path("here") / key[:2] / key).read_bytes() == png()
    assert await BlobStore(str(tmp_path / "here")).get(key) == png()


@pytest.mark.parametrize("url", ["nonsense://x", "s3nothing://bucket/easel"])
def test_unknown_addresses_are_refused(url):
    """A URL that fsspec does not know is refused with a sentence about the configuration."""
    with pytest.raises(BadConfig) as refused:
        BlobStore(url)
    assert refused.value.problem.key == "config-files"
