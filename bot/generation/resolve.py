"""From a wish (what somebody asked for) to a complete request: what was left out is what the model paints best with."""

import re
import secrets
from random import Random

import msgspec

from bot.core.errors import BadInput
from bot.generation import sizes
from bot.generation.params import Wish
from bot.prompting import grammar
from bot.prompting.grammar import Reading
from inference.contract.model_info import MAX_SEED, Passport
from inference.contract.request import PictureRequest, Prompt
from inference.images.validation import Header

_SHAPE = re.compile(r"\s*([0-9]{1,4})\s*:\s*([0-9]{1,4})\s*")


def seed_for(wish: Wish, most: int = MAX_SEED) -> int:
    """Return the seed that was asked for, or one drawn at random that leaves room for every picture's own."""
    return secrets.randbelow(most - (wish.count or 1)) if wish.seed is None else wish.seed


def reading_of(wish: Wish, seed: int) -> Reading:
    """Return the wish's prompt as read: alternatives are chosen by the seed. Raises `BadInput`."""
    return grammar.read(wish.prompt, Random(seed))


def pinned(wish: Wish, request: PictureRequest) -> Wish:
    """Return a wish with every number as it was painted with, whatever its model would choose by now."""
    return wish.model_copy(
        update={
            **{name: getattr(request, name) for name in ("model", "steps", "guidance", "scheduler", "seed", "count")},
            "size": f"{request.width}x{request.height}",
            "strength": None if wish.image is None else request.strength,
        }
    )


def request_of(wish: Wish, reading: Reading, passport: Passport, seed: int, source: Header | None = None) -> PictureRequest:
    """Return the complete request but for its source's bytes; `source` is the header of the picture to start from.

    Raises `BadInput`, and what `Passport.check` raises.
    """
    if wish.strength is not None and source is None:
        raise BadInput("input-strength-alone")
    if not any(fragment.text.strip() for part in reading.prompt.parts for fragment in part):
        raise BadInput("input-prompt-empty")
    width, height = _size(wish.size, passport, source)
    usual = passport.defaults
    request = PictureRequest(
        prompt=reading.prompt,
        negative=_negative(wish, reading),
        model=passport.name,
        width=width,
        height=height,
        steps=usual.steps if wish.steps is None else wish.steps,
        guidance=usual.guidance if wish.guidance is None else wish.guidance,
        scheduler=usual.scheduler if wish.scheduler is None else wish.scheduler.strip().lower(),
        seed=seed,
        count=wish.count or 1,
    )
    if wish.strength is not None:
        request = msgspec.structs.replace(request, strength=wish.strength)
    # Only whether there is a source matters to the check, not what is in it.
    passport.check(request if source is None else msgspec.structs.replace(request, source=b""))
    return request


def _size(size: str | None, passport: Passport, source: Header | None) -> sizes.Size:
    if size is not None and (shape := _SHAPE.fullmatch(size)):
        wide, high = int(shape[1]), int(shape[2])
        if not (wide and high and max(wide, high) <= sizes.MOST_ASPECT * min(wide, high)):
            raise BadInput("input-shape", given=size, most=sizes.MOST_ASPECT)
        return sizes.like(passport, wide, high)
    if size is not None:
        return sizes.read_size(size)
    if source is not None:
        return sizes.like(passport, source.width, source.height)
    return passport.defaults.width, passport.defaults.height


def _negative(wish: Wish, reading: Reading) -> Prompt:
    """Return what not to paint, from the wish and from within its prompt; it can be read again like what people type."""
    joined = grammar.join(grammar.read(wish.negative or "").prompt, reading.negative)
    if len(joined.text) > grammar.MOST_CHARACTERS:
        raise BadInput("input-prompt-long", most=grammar.MOST_CHARACTERS, given=len(joined.text))
    return joined
