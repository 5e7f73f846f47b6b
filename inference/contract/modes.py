"""The modes: every way to generate images, as values. A mode says what it takes, what it costs, and how it calls its pipeline.

To add a mode, write its value and add it to `MODES`.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.contract.errors import NotOffered, OutOfRange
from inference.contract.inputs import Role
from inference.contract.request import PictureRequest

#: The decoded inputs of a request by role: PIL images, which the contract passes on without reading them.
Images = Mapping[Role, Sequence[Any]]


@dataclass(frozen=True)
class Needs:
    """How many inputs of a role a mode takes."""

    role: Role
    least: int = 1
    most: int = 1


def all_steps(request: PictureRequest) -> int:
    """Return the steps of a picture that starts from pure noise."""
    return request.steps


def no_arguments(request: PictureRequest, pictures: Images) -> dict[str, Any]:
    """Return the pipeline arguments besides the prompt, the size and the steps: none."""
    del request, pictures
    return {}


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A generation mode, such as text to image.

    `inputs` are the inputs that it takes; any other role is refused. `fields` are the request fields that have a meaning only in
    the modes that list them, such as `strength`. `pipeline` is the part of a diffusers class name that stands for the mode
    (`Img2Img`); a family completes it. `arguments` makes the keyword arguments for that pipeline from the request and its decoded
    inputs. `steps` counts the denoising steps of a picture and `factor` multiplies its price. `checks` raise `OutOfRange` or
    `NotOffered` for a request that makes no sense in this mode. If `is_implied`, a request without a mode that has the right
    inputs means this mode; otherwise a request must name it.
    """

    name: str
    inputs: tuple[Needs, ...] = ()
    fields: frozenset[str] = frozenset()
    pipeline: str = ""
    arguments: Callable[[PictureRequest, Images], dict[str, Any]] = no_arguments
    steps: Callable[[PictureRequest], int] = all_steps
    factor: float = 1.0
    checks: tuple[Callable[[PictureRequest], None], ...] = ()
    is_implied: bool = True

    def takes(self, roles: Collection[Role]) -> bool:
        """Return whether these inputs fit this mode: enough and not too many of each role, and no other role."""
        return not any(self._misfits(roles))

    def check(self, request: PictureRequest, roles: Collection[Role] | None = None) -> None:
        """Raise `OutOfRange` or `NotOffered` if this mode cannot run the request; `roles` replace those of its inputs."""
        for needs, given in self._misfits(request.roles if roles is None else roles):
            wanted = str(needs.least) if needs.least == needs.most else f"{needs.least}–{needs.most}"
            raise OutOfRange("range-inputs", mode=self.name, role=needs.role.value, wanted=wanted, given=given)
        for check in self.checks:
            check(request)

    def _misfits(self, roles: Collection[Role]) -> Iterator[tuple[Needs, int]]:
        """Yield each role with too few or too many inputs, and their number."""
        known, given = {needs.role: needs for needs in self.inputs}, Counter(roles)
        for role in (*known, *(role for role in given if role not in known)):
            needs = known.get(role, Needs(role, 0, 0))
            if not needs.least <= given[role] <= needs.most:
                yield needs, given[role]


#: Text to image: from noise and the prompt alone.
TXT2IMG = Mode(name="txt2img")


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


#: Image to image: noise is added to the init image as far as `strength` says, and removed again.
IMG2IMG = Mode(
    name="img2img",
    inputs=(Needs(Role.INIT),),
    fields=frozenset({"strength"}),
    pipeline="Img2Img",
    arguments=_arguments,
    steps=_last_steps,
    checks=(_any_step,),
)


#: In order: inputs that fit several modes mean the first of them.
MODES: dict[str, Mode] = {mode.name: mode for mode in (TXT2IMG, IMG2IMG)}


def mode_of(request: PictureRequest, roles: Collection[Role] | None = None) -> Mode:
    """Return the mode of a request: the one that it names, else the first one that its inputs imply.

    `roles` are those of its inputs if these are kept elsewhere, as the inputs of a stored job are. Raises `NotOffered` if there
    is no such mode.
    """
    given = request.roles if roles is None else roles
    if request.mode:
        found = MODES.get(request.mode)
    else:
        found = next((mode for mode in MODES.values() if mode.is_implied and mode.takes(given)), None)
    if found is None:
        raise NotOffered("unknown-mode", given=request.mode or " + ".join(sorted(given)), offered=", ".join(MODES))
    return found
