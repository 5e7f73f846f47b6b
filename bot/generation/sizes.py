"""Sizes of pictures: as people write them, and as a model likes them."""

import re

from bot.core.errors import BadInput
from bot.core.signs import DIGITS
from inference.contract.model_info import ModelInfo

Size = tuple[int, int]

#: Longer strips than this many times their height are no pictures that a model knows.
MOST_ASPECT = 4

#: Shapes that people ask for, for lists to choose from; every other one can be written.
SHAPES = ("1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16")

_WRITTEN = re.compile(rf"\s*([{DIGITS}]{{1,5}})\s*[x×*＊ｘ✕✖хХ]\s*([{DIGITS}]{{1,5}})\s*", re.IGNORECASE)


def read_size(text: str) -> Size:
    """Return width and height of a size such as `768x512`; raises `BadInput` for anything else."""
    found = _WRITTEN.fullmatch(text)
    if not found:
        raise BadInput("input-size", given=text)
    return int(found[1]), int(found[2])


def like(model_info: ModelInfo, width: int, height: int) -> Size:
    """Return the size with the shape of a given picture at which a model paints best.

    It has about as many pixels as the model's own size, and each side is one that the model allows.
    """
    limits, usual = model_info.limits, model_info.defaults
    factor = (usual.width * usual.height / (width * height)) ** 0.5
    wide, high = (_allowed(side * factor, model_info) for side in (width, height))
    while wide * high > limits.most_pixels:
        if wide >= high:
            wide -= limits.multiple
        else:
            high -= limits.multiple
    return wide, high


def _allowed(side: float, model_info: ModelInfo) -> int:
    """Return the allowed length nearest to a side."""
    limits = model_info.limits
    lowest, highest = -(-limits.smallest // limits.multiple), limits.largest // limits.multiple
    return min(max(round(side / limits.multiple), lowest), highest) * limits.multiple
