"""Prepares images as files of a message: unchanged if they fit, else smaller, else only named."""

import asyncio
import io
from collections.abc import Sequence

import discord
import msgspec
from PIL import Image

from bot.framework.reply import Shown
from bot.store.images.blobs import BlobStore

#: A message takes so many files, and so many bytes of them with everything else in it.
MOST_FILES, _MOST_BYTES = 10, 24 * 2**20

#: The alt text of a file.
MOST_ALT = 1024

#: How pictures get smaller, step by step: the quality, and the longest side where that is bounded.
_LADDER: tuple[tuple[int, int], ...] = ((92, 0), (80, 0), (75, 1024), (70, 512))

#: How small pictures, for lists, begin; Discord goes by the name of a file.
_JPEG = b"\xff\xd8\xff"

#: Steps of the ladder, the pictures as they are before the first, and none at all after the last.
STEPS = len(_LADDER) + 2


class File(msgspec.Struct, frozen=True):
    """A file of a message, which can be sent several times. `covered`: the image is hidden until a user presses on it."""

    name: str
    data: bytes
    words: str = ""
    covered: bool = False

    @property
    def uri(self) -> str:
        """Return what a part of the message calls it by; Discord goes by the name of what is covered, too."""
        return self.opened().uri

    def opened(self) -> discord.File:
        """Return it as the library takes it; each one is sent once."""
        return discord.File(io.BytesIO(self.data), self.name, spoiler=self.covered, description=self.words[:MOST_ALT] or None)


class Packed(msgspec.Struct, frozen=True):
    """Files that fit, and the step of the ladder on which they do; on the last one there are none."""

    files: tuple[File, ...]
    step: int


async def pack(files: BlobStore, pictures: Sequence[Shown], limit: int, step: int = 0) -> Packed:
    """Return pictures of the store on the first step, from the given one on, on which each has at most `limit` bytes."""
    kept = [(one, data) for one in pictures[:MOST_FILES] if (data := await _kept(files, one.file)) is not None]
    while step < STEPS - 1:
        packed = tuple([await _packed(one, data, limit, step) for one, data in kept])
        if all(len(file.data) <= limit for file in packed) and sum(len(file.data) for file in packed) <= _MOST_BYTES:
            return Packed(packed, step)
        step += 1
    return Packed((), STEPS - 1)


async def _kept(files: BlobStore, key: str) -> bytes | None:
    """Return an image, or `None` if it was deleted at this moment."""
    try:
        return await files.get(key)
    except FileNotFoundError:
        return None


async def _packed(one: Shown, data: bytes, limit: int, step: int) -> File:
    name = f"{one.index}-{one.id}"
    # On the first step down only those that are too large: the others lose nothing.
    if step == 0 or (step == 1 and len(data) <= limit):
        return File(f"{name}.{'jpg' if data.startswith(_JPEG) else 'png'}", data, one.words, one.covered)
    quality, side = _LADDER[step - 1]
    return File(f"{name}.webp", await asyncio.to_thread(_smaller, data, quality, side), one.words, one.covered)


def _smaller(data: bytes, quality: int, side: int) -> bytes:
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
        image = picture.convert("RGB")
    if side:
        # Not above: on the first steps only the coding loses something.
        image.thumbnail((side, side))
    made = io.BytesIO()
    image.save(made, "WEBP", quality=quality)
    return made.getvalue()
