"""From a wish (what somebody asked for) to a complete request: what was left out is what the model paints best with."""

import re
import secrets
from collections.abc import Sequence
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
from inference.contract.modes import MODES, mode_of
from inference.contract.modes.base import Mode
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


def idle(mode: Mode) -> frozenset[str]:
    """Return the fields of a request that mean something in other modes only, as `strength` does from text to image."""
    return frozenset(name for other in MODES.values() for name in other.fields) - mode.fields


def request_of(
    params: GenerationParams,
    reading: Reading,
    model_info: ModelInfo,
    seed: int,
    pictures: Sequence[tuple[Role, Header]] = (),
    mode: str = "",
) -> PictureRequest:
    """Return the complete request but for the bytes of its inputs; `pictures` are their roles and headers.

    `mode` names the way to paint; if it is empty, the pictures imply it.

    Raises `BadInput`, and what `mode_of` and `ModelInfo.check` raise.
    """
    if not any(fragment.text.strip() for part in reading.prompt.parts for fragment in part):
        raise BadInput("input-prompt-empty")
    width, height = _size(params.size, model_info, next((header for role, header in pictures if role is Role.INIT), None))
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
            "mode": mode,
        }
    )
    roles = tuple(role for role, _ in pictures)
    for name in sorted(idle(mode_of(request, roles))):
        if getattr(params, name, None) is not None:
            raise BadInput(f"input-{name}-alone")
    # Only which inputs there are matters to the check, not what is in them.
    model_info.check(msgspec.structs.replace(request, inputs=tuple(map(Input, roles))))
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
