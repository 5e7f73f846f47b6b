"""Converts images for Telegram: to photos, which Telegram recompresses, and to files, which it leaves unchanged."""

import asyncio
import io
from collections.abc import Sequence

import msgspec
from PIL import Image
from telegram.constants import FileSizeLimit, MediaGroupLimit

from bot.framework.reply import Shown
from bot.store.images.blobs import BlobStore

#: Telegram's limits for a photo: bytes, width and height together, and the ratio of the sides.
_MOST_BYTES, _MOST_SIDES, _MOST_RATIO = int(FileSizeLimit.PHOTOSIZE_UPLOAD), 10_000, 20

#: Bytes of one request; Telegram accepts 50 MB, including the text beside the images.
_MOST_REQUEST = 48_000_000

#: Maximum images of an album.
MOST_ALBUM = int(MediaGroupLimit.MAX_MEDIA_LENGTH)

#: The quality of a photo that is too large unchanged, and the longest side of a photo with too many pixels.
_QUALITY, _LONGEST = 92, 4_096

#: The side of the placeholder for a deleted image: an image message cannot become text again.
_TILE = 320

PREVIEW = "preview.jpg"


class File(msgspec.Struct, frozen=True):
    """A file to be sent, or the handle of a file sent before (`known`); `words` are its caption in an album.

    `covered`: the photo is hidden until a user presses on it.
    """

    name: str
    data: bytes = b""
    words: str = ""
    known: str = ""
    covered: bool = False

    @property
    def media(self) -> bytes | str:
        """Return the value that the library takes."""
        return self.known or self.data


async def photo(files: BlobStore, one: Shown, known: str = "") -> File | None:
    """Return an image as a photo, or `None` if it was deleted at this moment."""
    name = f"{one.index}-{one.id}"
    if known:
        return File(f"{name}.png", known=known, covered=one.covered)
    try:
        data = await files.get(one.file)
    except FileNotFoundError:
        return None
    if len(data) <= _MOST_BYTES and one.width + one.height <= _MOST_SIDES and _ratio(one) <= _MOST_RATIO:
        return File(f"{name}.png", data, covered=one.covered)
    return File(f"{name}.jpg", await asyncio.to_thread(_smaller, data), covered=one.covered)


async def original(files: BlobStore, one: Shown) -> File | None:
    """Return an image as it was generated, to the last bit."""
    try:
        return File(f"{one.index}-{one.id}.png", await files.get(one.file))
    except FileNotFoundError:
        return None


async def smaller(file: File) -> File:
    """Return a smaller version of a file that is too large for Telegram, if possible."""
    if not file.data or not file.name.endswith(".png"):
        return file
    return msgspec.structs.replace(file, name=file.name.replace(".png", ".jpg"), data=await asyncio.to_thread(_smaller, file.data))


def chunks(found: Sequence[tuple[Shown, File]]) -> list[list[tuple[Shown, File]]]:
    """Return images as albums: as few as possible, each within Telegram's size limit, and no image alone if that can be avoided."""
    albums: list[list[tuple[Shown, File]]] = []
    for one in found:
        is_full = not albums or len(albums[-1]) == MOST_ALBUM
        if is_full or sum(len(file.data) for _, file in [*albums[-1], one]) > _MOST_REQUEST:
            albums.append([])
        albums[-1].append(one)
    if len(albums) > 1 and len(albums[-1]) == 1 and len(albums[-2]) > 2:
        albums[-1].insert(0, albums[-2].pop())
    return albums


def tile() -> File:
    """Return the placeholder for a deleted image: a grey square."""
    made = io.BytesIO()
    Image.new("RGB", (_TILE, _TILE), (127, 127, 127)).save(made, "PNG")
    return File("deleted.png", made.getvalue())


def _ratio(one: Shown) -> float:
    return max(one.width, one.height) / max(1, min(one.width, one.height))


def _smaller(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        image = picture.convert("RGB")
    image.thumbnail((_LONGEST, _LONGEST))
    wide, high = image.size
    if max(wide, high) > _MOST_RATIO * min(wide, high):
        # A very long image is padded to a valid photo; the file keeps it unchanged.
        ground = Image.new("RGB", (max(wide, -(-high // _MOST_RATIO)), max(high, -(-wide // _MOST_RATIO))))
        ground.paste(image, ((ground.width - wide) // 2, (ground.height - high) // 2))
        image = ground
    made = io.BytesIO()
    image.save(made, "JPEG", quality=_QUALITY)
    return made.getvalue()
