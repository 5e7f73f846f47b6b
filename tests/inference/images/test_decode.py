"""Untrusted source images become plain RGB or a `BadPicture`, and never anything else."""

import base64
import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from inference.contract.errors import BadPicture
from inference.contract.inputs import Input, Role
from inference.images import decode
from inference.images.decode import read, read_input
from tests.stores import tries

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, *more: bytes, bits: int = 8, colour: int = 2, pixels: bytes = b"") -> bytes:
    """Return a PNG that claims this size, whatever its pixels are."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return SIGNATURE + head + b"".join(more) + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")


def striped(width: int = 13, height: int = 9) -> Image.Image:
    across = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    return Image.fromarray(across.astype(np.uint8))


def with_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 8.0, 0.0)})
    exif[ExifTags.Base.GPSInfo] = {1: "N", 2: (48.0, 8.0, 0.0)}
    exif[ExifTags.Base.Make] = "Camera"
    return exif


SEEDS = {
    "png": encoded(striped(), "PNG"),
    "png-palette": encoded(striped().quantize(5), "PNG", transparency=1),
    "png-exif": encoded(striped(), "PNG", exif=with_exif()),
    "jpeg": encoded(striped(), "JPEG", exif=with_exif()),
    "jpeg-progressive": encoded(striped(), "JPEG", progressive=True),
    "webp": encoded(striped(), "WEBP", exif=with_exif()),
    "webp-lossless": encoded(striped().convert("RGBA"), "WEBP", lossless=True),
    "webp-frames": encoded(striped(), "WEBP", save_all=True, append_images=[striped().rotate(90)]),
}


def fate(data: bytes) -> None:
    """Decode the data and check that it gives an image or `BadPicture`."""
    try:
        image = read(data, (16, 16))
    except BadPicture:
        return
    assert (image.mode, image.size, image.info) == ("RGB", (16, 16), {})


def refusal(data: bytes) -> tuple[str, dict[str, str | int | float]]:
    with pytest.raises(BadPicture) as caught:
        read(data, (16, 16))
    return caught.value.problem.key, caught.value.problem.facts


@pytest.mark.parametrize("name", SEEDS)
def test_every_seed_is_read(name: str) -> None:
    """The undamaged files of the damage tests can be decoded."""
    assert read(SEEDS[name], (16, 16)).size == (16, 16)


@pytest.mark.parametrize("name", SEEDS)
def test_a_file_cut_anywhere_is_harmless(name: str) -> None:
    """A file truncated at any length gives an image or `BadPicture`."""
    for length in range(len(SEEDS[name])):
        fate(SEEDS[name][:length])


@pytest.mark.parametrize("name", SEEDS)
def test_a_flipped_bit_is_harmless(name: str) -> None:
    """One wrong bit in any byte of a file gives an image or `BadPicture`."""
    pick = random.Random(name)
    for place in range(len(SEEDS[name])):
        damaged = bytearray(SEEDS[name])
        damaged[place] ^= 1 << pick.randrange(8)
        fate(bytes(damaged))


@given(st.sampled_from(sorted(SEEDS)), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=12), st.integers(0, 2000))
@settings(max_examples=tries(400))
def test_heavy_damage_is_harmless(name: str, writes: list[tuple[int, int]], tail: int) -> None:
    """Many wrong bytes and a repeated piece give an image or `BadPicture`."""
    damaged = bytearray(SEEDS[name])
    for place, value in writes:
        damaged[place % len(damaged)] = value
    fate(bytes(damaged + damaged[tail % len(damaged) :]))


@given(st.sampled_from([b"", SIGNATURE, b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8X", b"RIFF\0\0\0\0WEBPVP8 "]), st.binary(max_size=200))
@settings(max_examples=tries(300))
def test_rubbish_is_harmless(magic: bytes, rest: bytes) -> None:
    """Random bytes after the magic bytes of any format give an image or `BadPicture`."""
    fate(magic + rest)


def test_a_png_bomb_is_refused_by_its_header() -> None:
    """13,000 x 13,000 pixels in a few kilobytes are never decoded, and the refusal names the number of pixels."""
    bomb = png_of(13_000, 13_000, bits=1, colour=0, pixels=bytes(13_000 * 1626))
    assert len(bomb) < 50_000
    assert refusal(bomb) == ("picture-pixels", {"width": 13_000, "height": 13_000, "most": 16_000_000})


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_other_bombs_are_refused_by_their_header(kind: str) -> None:
    """A flat picture of 72 megapixels as JPEG, or of 36 as WebP, is never decoded."""
    width, most = (24_000, 64_000_000) if kind == "JPEG" else (12_000, 16_000_000)
    bomb = encoded(Image.new("RGB", (width, 3_000)), kind, **({"method": 0, "lossless": True} if kind == "WEBP" else {}))
    assert refusal(bomb) == ("picture-pixels", {"width": width, "height": 3_000, "most": most})


def test_an_absurd_header_is_refused() -> None:
    """A size of 2^31 - 1 pixels a side in a tiny file is reported like any other size."""
    most = 2**31 - 1
    assert refusal(png_of(most, most)) == ("picture-pixels", {"width": most, "height": most, "most": 16_000_000})


def test_a_size_named_twice_is_refused() -> None:
    """A second, larger header behind a small one does not slip past the check."""
    second = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    key, _ = refusal(png_of(8, 8, second))
    assert key in {"picture-pixels", "picture-broken"}


@pytest.mark.parametrize(("kind", "head"), [(b"zTXt", b"a\0\0"), (b"iCCP", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0")])
def test_a_text_bomb_is_refused(kind: bytes, head: bytes) -> None:
    """A text chunk or colour profile that unpacks to 80 MB is not unpacked."""
    assert refusal(png_of(8, 8, chunk(kind, head + zlib.compress(bytes(80_000_000))))) == ("picture-broken", {"format": "PNG"})


def test_a_gif_is_refused() -> None:
    """A format that Pillow can read but Easel does not accept is reported as such."""
    assert refusal(encoded(striped(), "GIF"))[0] == "picture-format"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_only_the_first_frame_counts(kind: str) -> None:
    """An animation decodes to its first frame."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {}))
    assert read(data).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_turned_photo_stands_upright_and_its_place_is_forgotten(kind: str) -> None:
    """EXIF orientation 6 turns 40 x 20 into 20 x 40, and no trace of the GPS position remains."""
    data = encoded(Image.new("RGB", (40, 20), "white"), kind, exif=with_exif(), comment="hello")
    with Image.open(io.BytesIO(data)) as photo:
        assert photo.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    image = read(data)
    assert image.size == (20, 40)
    assert image.info == {}
    assert dict(image.getexif()) == {}
    for form in ("PNG", "JPEG", "WEBP"):
        again = encoded(image, form)
        assert b"Camera" not in again
        assert dict(Image.open(io.BytesIO(again)).getexif()) == {}


UNDO: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UNDO)
def test_each_orientation_is_undone(orientation: int) -> None:
    """All eight orientations of EXIF give the upright pixels."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    upright = np.asarray(striped())
    assert np.array_equal(np.asarray(read(encoded(striped(), "PNG", exif=exif))), UNDO[orientation](upright))


def test_a_broken_exif_block_costs_nothing() -> None:
    """Intact pixels are decoded even if the EXIF block beside them is broken."""
    data = png_of(2, 1, chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f"), pixels=b"\0" + bytes((9, 8, 7, 6, 5, 4)))
    assert np.asarray(read(data)).tolist() == [[[9, 8, 7], [6, 5, 4]]]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_becomes_white(kind: str) -> None:
    """Alpha is flattened onto white, and half-transparent black becomes grey."""
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((1, 1), (0, 0, 0, 128))
    result = read(encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert result.getpixel((0, 0)) == (255, 255, 255)
    assert result.getpixel((1, 1)) == (127, 127, 127)


def test_a_transparent_colour_becomes_white() -> None:
    """The transparent colour of a palette or grey image becomes white."""
    grey = Image.new("L", (4, 4), 10)
    assert read(encoded(grey, "PNG", transparency=10)).getpixel((0, 0)) == (255, 255, 255)
    assert read(encoded(grey.convert("P"), "PNG", transparency=10)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_greys() -> None:
    """A 16-bit grey image is scaled to 8 bits, not clipped at white."""
    data = encoded(Image.fromarray(np.array([[0, 0x4000, 0xFFFF]], np.uint16)), "PNG")
    assert np.asarray(read(data))[0, :, 0].tolist() == [0, 0x40, 0xFF]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_kind_of_png_is_read(mode: str) -> None:
    """Each colour type of PNG decodes to red, or to the grey of red."""
    pixel = read(encoded(Image.new("RGB", (3, 3), "white").convert(mode), "PNG")).getpixel((1, 1))
    assert pixel == (255, 255, 255)


def test_a_print_jpeg_is_read() -> None:
    """A CMYK JPEG decodes to its colours."""
    pixel = np.asarray(read(encoded(Image.new("RGB", (8, 8), "red").convert("CMYK"), "JPEG")))[4, 4]
    assert pixel[0] > 240
    assert pixel[1:].max() < 15


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([(16, 16), (32, 8), (8, 32), (64, 64)]))
def test_any_shape_fills_the_wanted_size(width: int, height: int, size: tuple[int, int]) -> None:
    """An image is cropped to the wanted shape and scaled; no part is left empty."""
    image = read(encoded(Image.new("RGB", (width, height), (200, 10, 10)), "PNG"), size)
    assert image.size == size
    assert image.getextrema() == ((200, 200), (10, 10), (10, 10))


def test_the_middle_is_kept() -> None:
    """A wide image is cropped at its sides, not squeezed."""
    wide = Image.new("RGB", (90, 30), "blue")
    wide.paste("red", (30, 0, 60, 30))
    middle = np.asarray(read(encoded(wide, "PNG"), (30, 30)))
    assert (middle == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("role", "mode", "size"),
    [(Role.INIT, "RGB", (16, 16)), (Role.MASK, "L", (16, 16)), (Role.CONTROL, "RGB", (16, 16)), (Role.REFERENCE, "RGB", (24, 12))],
)
def test_a_role_decides_how_an_input_is_read(role: Role, mode: str, size: tuple[int, int]) -> None:
    """A mask is grey, a reference keeps its size, and every other input fills the size of the picture."""
    image = read_input(Input(role, encoded(Image.new("RGB", (24, 12), "white"), "PNG")), (16, 16))
    assert (image.mode, image.size) == (mode, size)
    assert image.getpixel((3, 3)) in (255, (255, 255, 255))


#: An ICC profile of Display P3, compressed; 488 bytes.
DISPLAY_P3 = (
    b"eNpjYGB8kZOcW8wkwMCQm1dSFOTupBARGaXA/oSBEQjBIDG5uIABL/h2DaL2si4D6YAzJbU4GUh/AOKM5IKiEgYGxgggW6C8pADEzgCyRYqAjgKya0DsdAh7AoidBGEv"
    b"AasJCXIGsneA9KZD2CdA7CQI+waIDbULBLhdMosLchIrFQKMGagOSlIrSiB0MZgGhSl6WCHEmu8zMNju/////26EmNd+BoaN5gwMXDsRYhoWDAyC3AwMJ3YmlxaVQa1iZA"
    b"K6nxAfAEqMQPc="
)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB"), ("JPEG", "RGB")])
def test_colours_are_those_that_the_file_means(kind: str, mode: str) -> None:
    """Numbers of Display P3, as phones write them, become the sRGB numbers of the same colour."""
    profile = zlib.decompress(base64.b64decode(DISPLAY_P3))
    colour = (200, 60, 60) if mode == "RGB" else (200, 60, 60, 255)
    options = {"quality": 100} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    pixel = read(encoded(Image.new(mode, (8, 8), colour), kind, icc_profile=profile, **options)).getpixel((4, 4))
    assert max(abs(one - other) for one, other in zip(pixel, (219, 37, 49), strict=True)) <= 2


@pytest.mark.parametrize("profile", [b"x", b"\0" * 128, bytes(range(256)) * 8])
def test_a_forged_profile_says_nothing(profile: bytes) -> None:
    """A profile that cannot be read leaves the numbers as they are."""
    assert read(encoded(Image.new("RGB", (8, 8), (200, 60, 60)), "PNG", icc_profile=profile)).getpixel((4, 4)) == (200, 60, 60)


def test_a_large_photo_is_decoded_at_a_smaller_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo of 24 million pixels is taken, and no more than 16 million pixels of it are ever in memory."""
    sizes = []
    eight_bits = decode._eight_bits
    monkeypatch.setattr(decode, "_eight_bits", lambda image: sizes.append(image.size) or eight_bits(image))
    image = read(encoded(Image.linear_gradient("L").resize((6000, 4000)).convert("RGB"), "JPEG"), (96, 64))
    assert image.size == (96, 64)
    assert sizes == [(3000, 2000)]
    assert image.getpixel((48, 2))[0] < 20
    assert image.getpixel((48, 61))[0] > 235
    assert refusal(png_of(6000, 4000))[0] == "picture-pixels"
    assert refusal(encoded(Image.new("L", (9000, 8000)), "JPEG")) == ("picture-pixels", {"width": 9000, "height": 8000, "most": 64_000_000})
