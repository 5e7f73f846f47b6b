"""The input pictures of a request, by role. The contract names the roles; a mode says which of them it takes."""

import enum

import msgspec


class Role(enum.StrEnum):
    """What a picture is for.

    `init` is the picture to start from, `mask` says which part of it to regenerate, `control` guides the composition (edges,
    depth, a pose), `reference` provides content or style.
    """

    INIT = "init"
    MASK = "mask"
    CONTROL = "control"
    REFERENCE = "reference"


class Input(msgspec.Struct, frozen=True):
    """An encoded picture and its role. Several inputs may share a role; their order matters.

    `data` is empty if only the presence of the input matters, as in the checks of a request before its files are read.
    """

    role: Role
    data: bytes = b""
