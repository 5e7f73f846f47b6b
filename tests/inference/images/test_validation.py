"""An image file is checked cheaply from its structure, before any decoder reads it."""

import io
import struct
import subprocess
import sys
import time

import pytest
from PIL import Image

from inference.contract.errors import BadPicture
from inference.images.validation import MOST_BYTES, MOST_PARTS, MOST_SCANS, Header, check_bytes

PICTURE = Image.linear_gradient("L").resize((13, 9)).convert("RGB")
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "png": ("PNG", {}),
    "jpeg": ("JPEG", {}),
    "jpeg in scans": ("JPEG", {"progressive": True}),
    "jpeg with restarts": ("JPEG", {"restart_marker_blocks": 1}),
    "webp": ("WEBP", {}),
    "webp lossless": ("WEBP", {"lossless": True}),
    "webp with frames": ("WEBP", {"save_all": True, "append_images": [PICTURE.rotate(90)]}),
}


def encoded(name: str) -> bytes:
    kind, options = KINDS[name]
    file = io.BytesIO()
    PICTURE.save(file, kind, **options)
    return file.getvalue()


def refusal(data: bytes) -> tuple[str, dict[str, str | int | float]]:
    with pytest.raises(BadPicture) as caught:
        check_bytes(data)
    return caught.value.problem.key, caught.value.problem.facts


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_tells_its_size(name: str) -> None:
    """Format and size equal those that a decoder finds."""
    assert check_bytes(encoded(name)) == Header(KINDS[name][0], 13, 9)


def test_no_decoder_is_imported() -> None:
    """The chat process can check bytes early without importing a decoder."""
    code = "import sys, inference.images.validation; print({'PIL', 'numpy', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_bomb_of_parts_is_refused() -> None:
    """A million empty chunks would keep a decoder busy; they are counted and refused before decoding."""
    whole = encoded("png")
    assert refusal(whole[:33] + struct.pack(">I4sI", 0, b"ruBy", 0) * MOST_PARTS + whole[33:]) == ("picture-parts", {"most": MOST_PARTS})
    assert refusal(b"\xff\xd8" + b"\xff" * 50_000) == ("picture-parts", {"most": MOST_PARTS})


def scans(image: bytes, number: int, between: bytes = b"") -> bytes:
    """Return a progressive JPEG whose last scan is repeated."""
    last = image[image.rfind(b"\xff\xc4", 0, image.rfind(b"\xff\xda")) : -2]
    return image[:-2] + between + last * number + image[-2:]


@pytest.mark.parametrize("between", [b"", b"\xff\xfe\x00\x04\xff\xd9"], ids=["plain", "behind a false end"])
def test_a_bomb_of_scans_is_refused(between: bytes) -> None:
    """A JPEG that makes a decoder scan its pixels a thousand times is refused; a false end marker in a comment does not hide it."""
    assert refusal(scans(encoded("jpeg in scans"), 1000, between)) == ("picture-scans", {"most": MOST_SCANS})


def test_what_phones_put_behind_a_picture_does_not_matter() -> None:
    """A video after the end of a JPEG may contain bytes that look like scans, and they are not counted."""
    assert check_bytes(encoded("jpeg") + b"\xff\xda\x00\x02" * 5000) == Header("JPEG", 13, 9)


def test_too_many_bytes_are_refused() -> None:
    """A file above 20 MB is not read, and the refusal names both numbers."""
    assert refusal(bytes(MOST_BYTES + 1)) == ("picture-bytes", {"given": MOST_BYTES + 1, "most": MOST_BYTES})


@pytest.mark.parametrize("data", [b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", b"8BPS\0\1", b"BM" + bytes(60)], ids=repr)
def test_other_formats_are_refused(data: bytes) -> None:
    """Only the three supported formats are accepted."""
    assert refusal(data) == ("picture-format", {"offered": "PNG, JPEG, WEBP"})


@pytest.mark.parametrize("name", KINDS)
def test_a_file_cut_anywhere_is_told(name: str) -> None:
    """A file truncated at any length gives a header or a refusal, and never a wrong size."""
    whole = encoded(name)
    for length in range(len(whole)):
        try:
            header = check_bytes(whole[:length])
        except BadPicture:
            continue
        assert (header.width, header.height) == (13, 9)


@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_not_a_picture(name: str) -> None:
    """The magic bytes alone are refused."""
    assert refusal(encoded(name)[:16])[0] == "picture-broken"


def test_a_picture_without_pixels_is_refused() -> None:
    """An image of width zero is refused."""
    whole = encoded("png")
    assert refusal(whole[:16] + bytes(4) + whole[20:]) == ("picture-broken", {"format": "PNG"})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 20)), (3, (40, 20)), (6, (20, 40)), (8, (20, 40))])
def test_a_photo_on_its_side_is_measured_upright(kind, orientation, size):
    """The size is the displayed size: a portrait photo is stored sideways, with its orientation in EXIF."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, kind, exif=exif)
    header = check_bytes(file.getvalue())

    assert (header.width, header.height) == size


def segments(exif: bytes, count: int) -> bytes:
    """Return a JPEG with many segments of EXIF."""
    whole = encoded("jpeg")
    return whole[:2] + (b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif) * count + whole[2:]


def test_exif_costs_little() -> None:
    """Thousands of EXIF segments, each of which names thousands of tags, are read within a tenth of a second of processor time."""
    data = segments(b"Exif\0\0II*\0" + struct.pack("<IH", 8, 65_535) + bytes(4), MOST_PARTS - 10)
    began = time.process_time()

    assert check_bytes(data) == Header("JPEG", 13, 9)
    assert time.process_time() - began < 0.1


def test_the_first_exif_counts() -> None:
    """Of several EXIF segments the first says which side is up, as for decoders, and a segment ends where its length says."""
    turned = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    plain = turned[:24] + struct.pack("<H", 1) + turned[26:]
    cut = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1)

    assert check_bytes(segments(turned, 1)) == Header("JPEG", 9, 13)
    assert check_bytes(segments(plain, 1)[:-2] + segments(turned, 1)[2:]) == Header("JPEG", 13, 9)
    assert check_bytes(segments(cut, 1)) == Header("JPEG", 13, 9)
