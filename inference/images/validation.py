"""Checks encoded pictures by their structure, without decoding the pixels: cheap enough for the chat process."""

import re
import struct
from collections.abc import Callable, Iterator

import msgspec

from inference.contract.errors import BadPicture

MOST_BYTES = 20_000_000
MOST_PIXELS = 16_000_000
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
#: Where EXIF stands, how long a segment can be, and the tag that says which side is up.
_APPLICATION_1, _LONGEST_SEGMENT, _ORIENTATION = 0xE1, 0xFFFF, 0x0112
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
    check_pixels(width, height)
    return Header(name, width, height)


def check_pixels(width: int, height: int) -> None:
    """Raise `BadPicture` if a picture has too many pixels."""
    if width * height > MOST_PIXELS:
        raise BadPicture("picture-pixels", width=width, height=height, most=MOST_PIXELS)


def _reader(data: bytes) -> tuple[str, Callable[[bytes], tuple[int, int]]]:
    if data.startswith(_PNG):
        return "PNG", _png_size
    if data.startswith(_JPEG):
        return "JPEG", _jpeg_size
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP", _webp_size
    raise BadPicture("picture-format", offered=", ".join(FORMATS))


def _png_size(data: bytes) -> tuple[int, int]:
    for number, kind in enumerate(_png_parts(data)):
        _check_parts(number)
        if number == 0 and kind != b"IHDR":
            raise BadPicture("picture-broken", format="PNG")
    return _two(">II", data, 16)


def _png_parts(data: bytes) -> Iterator[bytes]:
    """Yield the kind of each chunk."""
    at, kind = len(_PNG), b""
    while at + 8 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind
        at += 12 + length


def _jpeg_size(data: bytes) -> tuple[int, int]:
    width = height = scans = 0
    turned = False
    for number, (marker, start) in enumerate(_jpeg_parts(data)):
        _check_parts(number)
        scans += marker == _START_OF_SCAN
        if scans > MOST_SCANS:
            raise BadPicture("picture-scans", most=MOST_SCANS)
        if marker in _SIZE_OF_FRAME:
            height, width = _two(">HH", data, start + 1)
            check_pixels(width, height)
        turned = turned or (marker == _APPLICATION_1 and _is_turned(data[start : start + _LONGEST_SEGMENT]))
    return (height, width) if turned else (width, height)


def _is_turned(exif: bytes) -> bool:
    """Return whether EXIF asks for a quarter turn (orientation 5 to 8); EXIF that cannot be read asks for nothing."""
    tiff, order = exif[6:], {b"II": "<", b"MM": ">"}.get(exif[6:8])
    if not exif.startswith(b"Exif\0\0") or order is None:
        return False
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for number in range(count):
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
        if marker == 0xFF:  # A fill byte or a stray byte; decoders skip these byte by byte.
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
        return 1 + int.from_bytes(_cut(data, 24, 3), "little"), 1 + int.from_bytes(_cut(data, 27, 3), "little")
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(_cut(data, 21, 4), "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = _two("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise BadPicture("picture-broken", format="WEBP")


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
