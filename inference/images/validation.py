"""Checks encoded pictures by their structure, without decoding the pixels: cheap enough for the chat process."""

import re
import struct
from collections.abc import Callable, Iterator

import msgspec

from inference.contract.errors import BadPicture

MOST_BYTES = 20_000_000
MOST_PIXELS = 16_000_000
#: Of a JPEG, which a decoder can make at a half, a quarter or an eighth of its size. Phones take photos of 12 to 50 million pixels.
MOST_JPEG_PIXELS = 64_000_000
#: Real files have a few thousand parts at most; each part costs a decoder time even if it is empty.
MOST_PARTS = 10_000
#: Each scan of a JPEG makes a decoder go over all pixels, even if it has only a few bytes. Progressive photographs have about ten.
MOST_SCANS = 64
FORMATS = ("PNG", "JPEG", "WEBP")

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_SIZE_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
#: The end of a scan: a marker that is not a restart (inside a scan 0xFF is written as 0xFF 0x00).
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
#: The marker of the segment that holds EXIF, the tag that says which side is up, and how many tags are read. Cameras write about ten
#: into the first directory.
_APPLICATION_1, _ORIENTATION, _MOST_TAGS = 0xE1, 0x0112, 100
_EXIF = b"Exif\0\0"
#: The flag of an extended WebP that says that it holds EXIF.
_WEBP_HAS_EXIF = 0x08
#: Markers that no length follows: restarts, start and end of the image, and an escaped 0xFF out of place.
_LONE = frozenset((0x00, 0x01, *range(0xD0, 0xDA)))


class Header(msgspec.Struct, frozen=True):
    """Format and size as the file claims them; the size is that of the upright picture if EXIF says that it is turned."""

    format: str
    width: int
    height: int


def check_bytes(data: bytes) -> Header:
    """Return the header of a picture that may be decoded.

    Raises `BadPicture` for a file that is too large in bytes, pixels or parts, or is not PNG, JPEG or WebP. It reads only the
    structure of the file: a picture that passes can still have broken pixel data.
    """
    if len(data) > MOST_BYTES:
        raise BadPicture("picture-bytes", given=len(data), most=MOST_BYTES)
    name, find = _reader(data)
    try:
        width, height = find(data)
    except (struct.error, IndexError) as error:
        raise BadPicture("picture-broken", format=name) from error
    if not width * height:
        raise BadPicture("picture-broken", format=name)
    check_pixels(width, height, most_pixels(name))
    return Header(name, width, height)


def most_pixels(format: str) -> int:
    """Return how many pixels a picture of a format may have."""
    return MOST_JPEG_PIXELS if format == "JPEG" else MOST_PIXELS


def check_pixels(width: int, height: int, most: int = MOST_PIXELS) -> None:
    """Raise `BadPicture` if a picture has too many pixels."""
    if width * height > most:
        raise BadPicture("picture-pixels", width=width, height=height, most=most)


def _reader(data: bytes) -> tuple[str, Callable[[bytes], tuple[int, int]]]:
    if data.startswith(_PNG):
        return "PNG", _png_size
    if data.startswith(_JPEG):
        return "JPEG", _jpeg_size
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP", _webp_size
    raise BadPicture("picture-format", offered=", ".join(FORMATS))


def _png_size(data: bytes) -> tuple[int, int]:
    exif: bytes | None = None
    for number, (kind, start, length) in enumerate(_png_parts(data)):
        _check_parts(number)
        if number == 0 and kind != b"IHDR":
            raise BadPicture("picture-broken", format="PNG")
        if exif is None and kind == b"eXIf":
            exif = data[start : start + length]
    return _upright(*_two(">II", data, 16), exif)


def _png_parts(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk, and the place and the length of its content."""
    at, kind = len(_PNG), b""
    while at + 8 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at + 8, length
        at += 12 + length


def _jpeg_size(data: bytes) -> tuple[int, int]:
    width = height = scans = 0
    exif: bytes | None = None
    for number, (marker, start) in enumerate(_jpeg_parts(data)):
        _check_parts(number)
        scans += marker == _START_OF_SCAN
        if scans > MOST_SCANS:
            raise BadPicture("picture-scans", most=MOST_SCANS)
        if marker in _SIZE_OF_FRAME:
            height, width = _two(">HH", data, start + 1)
            check_pixels(width, height, MOST_JPEG_PIXELS)
        # Only the first counts, as for decoders: a file of thousands would otherwise cost seconds.
        if exif is None and marker == _APPLICATION_1 and data.startswith(_EXIF, start):
            (length,) = struct.unpack_from(">H", data, start - 2)
            exif = data[start : start - 2 + length]
    if scans * width * height > MOST_SCANS * MOST_PIXELS:
        raise BadPicture("picture-scans", most=MOST_SCANS * MOST_PIXELS // (width * height))
    return _upright(width, height, exif)


def _upright(width: int, height: int, exif: bytes | None) -> tuple[int, int]:
    """Return the size of a picture after the turn that its EXIF asks for."""
    return (height, width) if exif is not None and _is_turned(exif) else (width, height)


def _is_turned(exif: bytes) -> bool:
    """Return whether EXIF asks for a quarter turn (orientation 5 to 8); EXIF that cannot be read asks for nothing."""
    tiff = exif.removeprefix(_EXIF)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return False
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for number in range(min(count, _MOST_TAGS)):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, first + 2 + 12 * number)
            if tag == _ORIENTATION:
                return bool(5 <= value <= 8)
    except struct.error:
        pass
    return False


def _jpeg_parts(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the marker and the position of each segment up to the end of the image. Stray bytes before a scan count as segments.

    A phone may append a video or a second picture after the end; it is never read.
    """
    at, marker = 2, 0
    while marker != _END_OF_IMAGE:
        marker = data[at + 1] if data[at] == 0xFF else 0xFF
        yield marker, at + 4
        if marker == 0xFF:  # a fill byte, or a stray one, that decoders pass over one by one
            at += 1
        elif marker in _LONE:
            at += 2
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + length
        if marker == _START_OF_SCAN:
            found = _AFTER_SCAN.search(data, at)
            if found is None:
                return
            at = found.start()


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return the canvas size, which each of the three kinds of WebP stores differently."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(_cut(data, at, 3), "little") for at in (24, 27))
        return _upright(width, height, _webp_exif(data) if data[20] & _WEBP_HAS_EXIF else None)
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(_cut(data, 21, 4), "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = _two("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise BadPicture("picture-broken", format="WEBP")


def _webp_exif(data: bytes) -> bytes | None:
    """Return the EXIF of a WebP, which stands behind its frames."""
    at, number = 12, 0
    while at + 8 <= len(data):
        _check_parts(number)
        number += 1
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            return data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return None


def _check_parts(number: int) -> None:
    if number >= MOST_PARTS:
        raise BadPicture("picture-parts", most=MOST_PARTS)


def _two(layout: str, data: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(layout, data, at)
    return int(first), int(second)


def _cut(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise IndexError(at)
    return data[at : at + length]
