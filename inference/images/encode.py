"""Encodes pixels: finished pictures as PNG with their settings inside, previews and thumbnails as small JPEG."""

import io
import struct
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from PIL import Image

Pixels = npt.NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Eight bits per channel, RGB, deflate, the five standard filters, not interlaced.
_KIND = bytes((8, 2, 0, 0, 0))
#: The filter "Up" (each byte minus the byte above it) takes a single numpy subtraction for the whole image, and compresses about as
#: well as the best filter for each line.
_UP = 2
_FASTEST = 1


class Chunk(msgspec.Struct, frozen=True):
    """A PNG chunk: its type (four letters) and its data."""

    kind: bytes
    data: bytes


def text(keyword: str, words: str) -> Chunk:
    """Return a text chunk: tEXt, as most readers expect, if Latin-1 can encode the text, otherwise iTXt."""
    try:
        return Chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + _whole(words).encode("latin-1"))
    except UnicodeEncodeError:
        return international(keyword, words)


def international(keyword: str, words: str) -> Chunk:
    """Return an uncompressed iTXt chunk, which holds the text as UTF-8."""
    # After the keyword: not compressed, method 0, no language tag, no translated keyword.
    return Chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + _whole(words).encode())


def png(pixels: Pixels, chunks: Iterable[Chunk] = ()) -> bytes:
    """Return a PNG file of (height, width, 3) pixels, with the chunks before the pixels. The encoding is lossless."""
    height, width, _ = _checked(pixels).shape
    rows = pixels.reshape(height, width * 3)
    lines = np.empty((height, width * 3 + 1), np.uint8)
    lines[:, 0] = _UP
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    parts = [
        Chunk(b"IHDR", struct.pack(">II", width, height) + _KIND),
        *chunks,
        Chunk(b"IDAT", isal_zlib.compress(lines, level=_FASTEST)),
        Chunk(b"IEND", b""),
    ]
    return _SIGNATURE + b"".join(piece for part in parts for piece in _pieces(part))


def jpeg(pixels: Pixels, longest: int, quality: int = 80) -> bytes:
    """Return a JPEG whose longer side is at most `longest` pixels."""
    image = Image.fromarray(_checked(pixels))
    image.thumbnail((longest, longest), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _checked(pixels: npt.NDArray[Any]) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(f"pixels must be uint8 (height, width, 3), not {pixels.dtype} {pixels.shape}")
    return pixels


def _pieces(chunk: Chunk) -> tuple[bytes, bytes, bytes, bytes]:
    check = isal_zlib.crc32(chunk.data, isal_zlib.crc32(chunk.kind))
    return struct.pack(">I", len(chunk.data)), chunk.kind, chunk.data, struct.pack(">I", check)


def _whole(words: str) -> str:
    """Return the text without characters that a text chunk cannot hold: NUL ends it early, a lone surrogate is not a character."""
    return words.replace("\0", "").encode("utf-8", "replace").decode()
