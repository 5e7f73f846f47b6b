"""Pictures as files of a message: the steps from the original down to no file."""

import io

import numpy
import pytest
from PIL import Image

from adapters.discord import render as packing
from adapters.discord.render import MOST_FILES, STEPS, pack
from bot.framework.reply import Shown
from bot.store.images.blobs import BlobStore


@pytest.fixture
def files(tmp_path):
    """Return an empty file store."""
    return BlobStore(str(tmp_path))


async def shown(files, count, side=256):
    """Return pictures of noise, which hardly compress."""
    made = []
    for index in range(count):
        noise = numpy.random.default_rng(index).integers(0, 256, (side, side, 3), numpy.uint8)
        data = io.BytesIO()
        Image.fromarray(noise).save(data, "PNG")
        key = await files.put(data.getvalue())
        made.append(Shown(f"picture{index}", index, index, side, side, key, key, f"words {index}"))
    return made


async def test_what_fits_is_sent_as_it_is(files):
    """Pictures that fit are sent as originals, byte for byte, with their prompts as alt text."""
    (one,) = await shown(files, 1)
    packed = await pack(files, [one], 10 * 2**20)
    assert packed.step == 0
    assert packed.files[0].data == await files.get(one.file)
    assert packed.files[0].opened().description == "words 0"


async def test_what_is_too_large_becomes_smaller_and_the_others_do_not(files):
    """A picture over the limit is re-encoded, and the others are sent as they are."""
    large, *small = [*await shown(files, 1, 512), *await shown(files, 2, 64)]
    packed = await pack(files, [large, *small], 600_000)
    assert packed.step == 1
    assert [one.name.rpartition(".")[2] for one in packed.files] == ["webp", "png", "png"]
    with Image.open(io.BytesIO(packed.files[0].data)) as picture:
        assert picture.size == (512, 512)


@pytest.mark.parametrize("limit", [500_000, 200_000, 60_000, 20_000, 100])
async def test_every_file_is_within_the_limit(files, limit):
    """No file exceeds the limit, however small it is; if no encoding fits, there are no files."""
    packed = await pack(files, await shown(files, 2, 512), limit)
    assert all(len(one.data) <= limit for one in packed.files)
    assert bool(packed.files) == (packed.step < STEPS - 1)


async def test_the_whole_message_has_a_limit_too(files, monkeypatch):
    """Pictures that each fit but are too large together become smaller."""
    monkeypatch.setattr(packing, "_MOST_BYTES", 500_000)
    packed = await pack(files, await shown(files, 4), 10 * 2**20)
    assert packed.step > 0
    assert 0 < sum(len(one.data) for one in packed.files) <= 500_000


async def test_a_message_takes_ten(files):
    """Of too many pictures, the first ones are sent."""
    packed = await pack(files, await shown(files, MOST_FILES + 2, 16), 10 * 2**20)
    assert len(packed.files) == MOST_FILES


async def test_a_deleted_picture_is_left_out(files):
    """A picture whose file is missing is left out, and the others are sent."""
    first, second = await shown(files, 2, 16)
    await files.delete(first.file)
    packed = await pack(files, [first, second], 10 * 2**20)
    assert [one.words for one in packed.files] == ["words 1"]
