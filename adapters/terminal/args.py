"""Turns the arguments of `easel paint` into parameters, their images and the output files."""

import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.commands.generate import Imagine, imagine
from bot.core.errors import BadInput, BadOutput
from bot.core.values import Given
from bot.framework.binding import bind
from bot.framework.params import picture_fields
from inference.images import validation

_SUFFIX = ".png"

#: How much of the prompt goes into the name of a file that nobody named.
_NAME_LENGTH = 48


@dataclass(frozen=True, kw_only=True)
class PaintArgs:
    """What was typed; `None` is what was left out. `given` has the values of all other options by the names of their fields."""

    prompt: str
    output: Path | None = None
    image: Path | None = None
    given: Mapping[str, Given | None] = field(default_factory=dict)


def wish_of(typed: PaintArgs) -> Imagine:
    """Return the arguments as parameters, without their image; raises `BadInput`."""
    given = {name: value for name, value in typed.given.items() if value is not None}
    return bind(imagine, {**given, "prompt": typed.prompt})


def pictures_of(typed: PaintArgs) -> dict[str, bytes]:
    """Return the bytes of each picture by its parameter; raises `BadInput` if there is no such file."""
    paths = ((name, getattr(typed, name, None)) for name in picture_fields(Imagine))
    return {name: _picture(path) for name, path in paths if path is not None}


def _picture(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more than may be is enough for the check of the size to see that it is too much.
            return file.read(validation.MOST_BYTES + 1)
    except FileNotFoundError:
        raise BadInput("input-file-missing", file=str(path)) from None
    except OSError:
        raise BadInput("input-file-unreadable", file=str(path)) from None


def files_of(typed: PaintArgs, seed: int, count: int) -> tuple[Path, ...]:
    """Return the file of each picture: the name that was given, numbered where there are several.

    Raises `BadOutput` where they could not be written, so that nobody waits for a picture in vain.
    """
    path = typed.output or Path(f"{_slug(typed.prompt)}-{seed}{_SUFFIX}")
    try:
        is_folder = path.is_dir()
    except OSError as error:  # A name too long even to be looked for.
        raise BadOutput("output-failed", file=str(path), reason=error.strerror or "") from None
    if is_folder:
        raise BadOutput("output-is-folder", file=str(path))
    if path.suffix.lower() != _SUFFIX:
        if path.suffix.lower() in (".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"):
            raise BadOutput("output-not-png", file=str(path), right=path.with_suffix(_SUFFIX).name)
        path = path.with_name(path.name + _SUFFIX)
    _refuse_unwritable(path)
    if count == 1:
        return (path,)
    return tuple(path.with_stem(f"{path.stem}-{number}") for number in range(1, count + 1))


def _slug(text: str) -> str:
    words = re.findall(r"\w+", text.lower())
    return "-".join(words)[:_NAME_LENGTH].strip("-_") or "picture"


def _refuse_unwritable(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise BadOutput("output-folder-missing", folder=str(folder))
    try:
        # Trying is the only honest test: permission bits say nothing of full, read-only or foreign file systems.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        raise BadOutput("output-folder-unwritable", folder=str(folder.resolve())) from None
    if path.exists() and not os.access(path, os.W_OK):
        raise BadOutput("output-file-unwritable", file=str(path))


def write(path: Path, image: bytes) -> None:
    """Put a picture into its file, over what was there; a crash in the middle leaves the old one whole."""
    # Not a temporary file of the system's making: those are for their owner's eyes only, and the picture would be too.
    part = path.with_name(f".easel-{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(image)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadOutput("output-failed", file=str(path), reason=error.strerror or "") from None
