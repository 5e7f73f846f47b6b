"""From a wish (what somebody asked for) to a complete request: what was left out is what the model paints best with."""

import re
import secrets
from random import Random
from typing import Any

import msgspec

from bot.core.errors import BadInput
from bot.generation import sizes
from bot.generation.fields import FIELDS
from bot.generation.params import GenerationParams
from bot.prompting import grammar
from bot.prompting.grammar import Reading
from inference.contract.inputs import Input, Role
from inference.contract.model_info import MAX_SEED, ModelInfo
from inference.contract.request import PictureRequest, Prompt
from inference.images.validation import Header

_SHAPE = re.compile(r"\s*([0-9]{1,4})\s*:\s*([0-9]{1,4})\s*")


def seed_for(params: GenerationParams, most: int = MAX_SEED) -> int:
    """Return the seed that was asked for, or one drawn at random that leaves room for every picture's own."""
    return secrets.randbelow(most - (params.count or 1)) if params.seed is None else params.seed


def reading_of(params: GenerationParams, seed: int) -> Reading:
    """Return the wish's prompt as read: alternatives are chosen by the seed. Raises `BadInput`."""
    return grammar.read(params.prompt, Random(seed))


def pinned(params: GenerationParams, request: PictureRequest) -> GenerationParams:
    """Return a wish with every number as it was painted with, whatever its model would choose by now."""
    pinned = [one for one in FIELDS.values() if one.row.pinned]
    return params.model_copy(update={one.name: None if one.row.of_image and params.image is None else one.value(request) for one in pinned})


def request_of(
    params: GenerationParams, reading: Reading, model_info: ModelInfo, seed: int, source: Header | None = None
) -> PictureRequest:
    """Return the complete request but for its source's bytes; `source` is the header of the picture to start from.

    Raises `BadInput`, and what `ModelInfo.check` raises.
    """
    if params.strength is not None and source is None:
        raise BadInput("input-strength-alone")
    if not any(fragment.text.strip() for part in reading.prompt.parts for fragment in part):
        raise BadInput("input-prompt-empty")
    width, height = _size(params.size, model_info, source)
    chosen = _chosen(params, model_info)
    request = PictureRequest(
        **{
            **chosen,
            "prompt": reading.prompt,
            "negative": _negative(params, reading),
            "model": model_info.name,
            "width": width,
            "height": height,
            "scheduler": chosen["scheduler"].strip().lower(),
            "seed": seed,
        }
    )
    # Only whether there is a source matters to the check, not what is in it.
    model_info.check(request if source is None else msgspec.structs.replace(request, inputs=(Input(Role.INIT),)))
    return request


def _chosen(params: GenerationParams, model_info: ModelInfo) -> dict[str, Any]:
    """Return what a wish says of the fields that the engine has too, and what its model says of those that were left out."""
    asked = {name: getattr(params, name) for name, one in FIELDS.items() if one.becomes == (name,)}
    usual = {name: getattr(model_info.defaults, name, None) for name in asked}
    return {name: value for name, given in asked.items() if (value := usual[name] if given is None else given) is not None}


def _size(size: str | None, model_info: ModelInfo, source: Header | None) -> sizes.Size:
    if size is not None and (shape := _SHAPE.fullmatch(size)):
        wide, high = int(shape[1]), int(shape[2])
        if not (wide and high and max(wide, high) <= sizes.MOST_ASPECT * min(wide, high)):
            raise BadInput("input-shape", given=size, most=sizes.MOST_ASPECT)
        return sizes.like(model_info, wide, high)
    if size is not None:
        return sizes.read_size(size)
    if source is not None:
        return sizes.like(model_info, source.width, source.height)
    return model_info.defaults.width, model_info.defaults.height


def _negative(params: GenerationParams, reading: Reading) -> Prompt:
    """Return what not to paint, from the wish and from within its prompt; it can be read again like what people type."""
    joined = grammar.join(grammar.read(params.negative or "").prompt, reading.negative)
    if len(joined.text) > grammar.MOST_CHARACTERS:
        raise BadInput("input-prompt-long", most=grammar.MOST_CHARACTERS, given=len(joined.text))
    return joined
