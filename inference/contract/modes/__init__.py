"""The modes: every way to paint, one file each. To add a mode, write its file and add its name to `MODES`."""

from collections.abc import Collection

from inference.contract.errors import NotOffered
from inference.contract.inputs import Role
from inference.contract.modes.base import Mode
from inference.contract.modes.img2img import IMG2IMG
from inference.contract.modes.txt2img import TXT2IMG
from inference.contract.request import PictureRequest

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
