"""Finished images become files that contain exactly their pixels."""

import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from inference.images.encode import Pixels, international, jpeg, png, text
from tests.stores import tries

PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=60)


def opened(file: bytes) -> PngImageFile:
    """Return the image with every chunk read and every checksum compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Image.open(io.BytesIO(file)) as checked:
            checked.verify()
        image = PngImageFile(io.BytesIO(file))
        image.load()
        return image


def soft(height: int, width: int) -> Pixels:
    """Return an image with gradients and grain."""
    random = np.random.default_rng(3)
    slope = np.linspace(0, 200, height * width).reshape(height, width, 1) + np.array([0, 20, 40])
    grain = random.normal(0, 3, (height, width, 3))
    pixels: Pixels = np.clip(slope + grain, 0, 255).astype(np.uint8)
    return pixels


@given(PICTURES)
def test_any_pixels_come_back_exactly(pixels: Pixels) -> None:
    """Decoding returns the same RGB array, whatever the pixels and the size."""
    image = opened(png(pixels))
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), pixels)


VIEWS = {
    "upside down": lambda a: a[::-1],
    "every second": lambda a: a[:, ::2],
    "on its side": lambda a: a.transpose(1, 0, 2),
    "blue green red": lambda a: a[..., ::-1],
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_that_are_not_contiguous_come_back_exactly(view: str) -> None:
    """A transposed, strided or channel-swapped view is written in its logical order, not in its memory order."""
    pixels = VIEWS[view](soft(20, 31))
    assert np.array_equal(np.asarray(opened(png(pixels))), pixels)


def test_the_pixels_are_left_alone() -> None:
    """Encoding changes nothing in the caller's array and accepts a read-only array."""
    pixels = soft(16, 16)
    before = pixels.copy()
    pixels.flags.writeable = False
    png(pixels)
    assert np.array_equal(pixels, before)


def test_the_file_is_about_as_small_as_pillows() -> None:
    """The fast filter costs little size: at most a tenth more than Pillow at level 1."""
    pixels = soft(256, 256)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    assert len(png(pixels)) < 1.1 * len(file.getvalue())


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
    ids=["floats", "grey", "alpha", "empty"],
)
def test_other_arrays_are_refused(pixels: Pixels) -> None:
    """Only 8-bit RGB with at least one pixel is encoded; any other array is a defect of the caller."""
    with pytest.raises(ValueError, match="uint8"):
        png(pixels)


@given(ANYTHING)
@settings(max_examples=tries(200))
def test_any_words_leave_the_file_whole(words: str) -> None:
    """NUL, control characters and lone surrogates in a text chunk damage neither the file nor the pixels."""
    pixels = soft(3, 5)
    image = opened(png(pixels, [text("words", words), international("more", words), text("after", "still here")]))
    kept = words.replace("\0", "").encode("utf-8", "replace").decode()
    assert image.text == {"words": kept, "more": kept, "after": "still here"}
    assert np.array_equal(np.asarray(image), pixels)


def test_text_is_latin_where_it_can_be() -> None:
    """Latin-1 text goes into tEXt for readers that know only that; other text goes into iTXt."""
    assert text("a", "café").kind == b"tEXt"
    assert text("a", "猫").kind == b"iTXt"


def test_chunks_stand_before_the_pixels() -> None:
    """Text chunks come before the pixels, so a reader finds them without decoding."""
    file = png(soft(4, 4), [text("words", "x"), international("more", "y")])
    assert file.index(b"IHDR") < file.index(b"tEXt") < file.index(b"iTXt") < file.index(b"IDAT")


@pytest.mark.parametrize(("height", "width", "longest", "size"), [(64, 128, 32, (32, 16)), (128, 64, 32, (16, 32)), (20, 10, 99, (10, 20))])
def test_a_preview_is_a_small_jpeg(height: int, width: int, longest: int, size: tuple[int, int]) -> None:
    """The longer side shrinks to the wanted length, the shape stays, and nothing is enlarged."""
    with Image.open(io.BytesIO(jpeg(soft(height, width), longest))) as image:
        assert image.format == "JPEG"
        assert image.size == size
