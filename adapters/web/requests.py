"""Turns the requests of a browser into invocations."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from adapters.shared.command_line import read_line
from adapters.web.auth.access import Visitor
from adapters.web.auth.errors import Refused
from adapters.web.uploads import in_time
from bot.core.errors import BadInput
from bot.core.values import Given, Invocation
from bot.framework import binding
from bot.framework.command import MOST_ATTACHED
from bot.framework.forms import MOST_FIELDS
from bot.i18n.translate import text

#: Maximum characters of a line, equal to the bot's own limit; checked here first so that a longer line is not processed.
MOST_LINE = binding.MOST_CHARACTERS

#: The longest button wire has 64 bytes; a browser's id of a line is a random one of its own.
_MOST_WIRE, _MOST_KEY = 64, 64

#: Maximum bytes read of a field: enough to report how long an overlong line is.
_MOST_FIELD = 1_000_000

#: Fields sent with every form: a line or a button, its key, a token. And the prefix of the fields that a form asked for.
_USUAL_FIELDS, _ASKED = 4, "field-"

#: The field of the images for the first free image parameters, and the prefix of fields for an image parameter by name.
_PICTURE, _NAMED = "picture", "picture-"


class ChatLine(msgspec.Struct, frozen=True):
    """A line as sent, with the images attached to it, and those given by parameter name; `key` is the browser's own id of the line."""

    line: str
    key: str
    pictures: tuple[bytes, ...] = ()
    named: dict[str, Given] = {}


class Pressed(msgspec.Struct, frozen=True):
    """A pressed button, or a submitted form with its values in `filled`, by the names of its fields."""

    wire: str
    key: str
    filled: dict[str, Given]


async def said(request: Request) -> ChatLine:
    """Return the line in a form; raises `BadInput` for an empty or too long line, and `Refused` for a broken form."""
    async with _form(request) as form:
        line, key = _field(form, "line"), _field(form, "key")[:_MOST_KEY]
        pictures = [data for one in form.getlist(_PICTURE) if (data := await _bytes(one))]
        named: dict[str, Given] = {}
        for name, one in form.items():
            if name.startswith(_NAMED) and (data := await _bytes(one)):
                named[name.removeprefix(_NAMED)] = data
    if len(line) > MOST_LINE:
        raise BadInput("input-line-long", most=MOST_LINE, given=len(line))
    if not line.strip():
        raise BadInput("input-line-empty")
    return ChatLine(line, key, tuple(pictures), named)


async def pressed(request: Request) -> Pressed:
    """Return the button in a form, with the values filled in; raises `BadInput` if it is invalid, and `Refused` for a broken form."""
    async with _form(request, MOST_FIELDS) as form:
        wire, key = _field(form, "wire"), _field(form, "key")[:_MOST_KEY]
        filled = {name.removeprefix(_ASKED): await _given(value) for name, value in form.items() if name.startswith(_ASKED)}
    if not 0 < len(wire.encode()) <= _MOST_WIRE:
        raise BadInput("input-button")
    return Pressed(wire, key, filled)


async def field(request: Request, name: str) -> str:
    """Return one field of a plain form, or the empty text."""
    async with _form(request) as form:
        return _field(form, name)


def invocation(line: ChatLine, visitor: Visitor) -> Invocation:
    """Return the invocation for a line."""
    read = read_line(line.line)
    return Invocation(
        command=read.command,
        given=line.named,
        words=read.words,
        caller=visitor.caller,
        address=visitor.address,
        line=line.line.strip(),
        pictures=line.pictures,
        key=line.key,
    )


def asked(command: str, given: Mapping[str, Given], visitor: Visitor) -> Invocation:
    """Return the invocation that a part of the page sends by itself."""
    return Invocation(command=command, given=dict(given), caller=visitor.caller, address=visitor.address)


@asynccontextmanager
async def _form(request: Request, most_asked: int = 0) -> AsyncIterator[FormData]:
    """Read a request's form with at most this many expected fields; raises `Refused` if it is invalid."""
    try:
        async with in_time(request):
            form = await request.form(max_files=MOST_ATTACHED, max_fields=_USUAL_FIELDS + most_asked, max_part_size=_MOST_FIELD)
    except HTTPException:
        raise Refused(400, text("web-form")) from None
    try:
        yield form
    finally:
        await form.close()


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return _written(value) if isinstance(value, str) else ""


async def _bytes(value: str | UploadFile) -> bytes:
    """Return the content of a file; empty if the field holds none."""
    return await value.read() if isinstance(value, UploadFile) else b""


async def _given(value: str | UploadFile) -> Given:
    return await value.read() if isinstance(value, UploadFile) else _written(value)


def _written(value: str) -> str:
    """Return a field as it was typed: forms send every line break as two characters."""
    return value.replace("\r\n", "\n")
