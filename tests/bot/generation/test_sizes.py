"""Sizes of pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadInput
from bot.generation.sizes import like, read_size
from bot.i18n.translate import tell
from inference.contract.model_info import Defaults, Limits, ModelInfo

sides = st.integers(1, 20_000)


def model_info(side=512, multiple=8, smallest=256, largest=1024, most_pixels=None):
    """Return a model info with the limits that matter here."""
    return ModelInfo(
        name="m",
        family="sd1",
        kind="folder",
        source="",
        prediction="epsilon",
        precision="",
        bytes=0,
        sha256="",
        limits=Limits(multiple, smallest, largest, most_pixels or side * side * 2),
        defaults=Defaults(side, side),
        schedulers=(),
    )


@pytest.mark.parametrize("text", ["768x512", "768 × 512", " 768X512 ", "768*512"])
def test_sizes_are_read(text):
    """Width and height are parsed with any sign that users put between them."""
    assert read_size(text) == (768, 512)


@pytest.mark.parametrize("text", ["", "768", "x512", "768x", "-1x5", "768x512x3", "768.5x512", "768xa", "9999999x1"])
def test_other_texts_are_refused(text):
    """A text that is no size is refused with an example."""
    with pytest.raises(BadInput) as caught:
        read_size(text)
    assert tell(caught.value.problem) == f"Write a size like 768x512; you wrote {text}."


def test_shape_is_kept():
    """A picture of any size gives the model's own number of pixels in the picture's shape."""
    assert like(model_info(), 3000, 3000) == (512, 512)
    assert like(model_info(), 1600, 900) == (680, 384)
    assert like(model_info(), 9, 16) == (384, 680)


@given(sides, sides, st.sampled_from([8, 16, 32, 64]), st.integers(1, 6))
def test_every_size_is_allowed(width, height, multiple, factor):
    """Whatever the picture, the model allows the size."""
    model = model_info(side=128 * factor, multiple=multiple, smallest=64, largest=256 * factor)
    wide, high = like(model, width, height)
    limits = model.limits
    assert wide % multiple == high % multiple == 0
    assert limits.smallest <= wide <= limits.largest
    assert limits.smallest <= high <= limits.largest
    assert wide * high <= limits.most_pixels
