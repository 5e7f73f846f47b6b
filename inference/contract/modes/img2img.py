"""Image to image: the init picture is covered with noise as far as `strength` says, and painted from there."""

import math
from typing import Any

from inference.contract.errors import OutOfRange
from inference.contract.inputs import Role
from inference.contract.modes.base import Images, Mode, Needs
from inference.contract.request import PictureRequest


def _arguments(request: PictureRequest, pictures: Images) -> dict[str, Any]:
    return {"image": pictures[Role.INIT][0], "strength": request.strength}


def _last_steps(request: PictureRequest) -> int:
    """Return how many steps the pipeline makes: only the last `strength` of them."""
    return min(request.steps, int(request.steps * request.strength))


def _any_step(request: PictureRequest) -> None:
    """Raise `OutOfRange` if the strength leaves no step to make."""
    if _last_steps(request) < 1:
        least = math.ceil(100 / request.steps) / 100
        raise OutOfRange("range-no-steps", steps=request.steps, strength=request.strength, least=least)


IMG2IMG = Mode(
    name="img2img",
    inputs=(Needs(Role.INIT),),
    fields=frozenset({"strength"}),
    pipeline="Img2Img",
    arguments=_arguments,
    steps=_last_steps,
    checks=(_any_step,),
)
