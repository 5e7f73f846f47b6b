"""From what a browser sends to an invocation."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from adapters.shared.command_line import read_line
from adapters.web.auth.access import Visitor
from adapters.web.auth.errors import Refused
from bot.core.errors import BadInput
from bot.core.values import Given, Invocation
from bot.framework import flags
from bot.framework.command import MOST_ATTACHED
from bot.framework.forms import MOST_FIELDS
from bot.i18n.translate import text

#: Characters of a line, as the bot counts them too; asked here first so that nothing longer is looked at.
MOST_LINE = flags.MOST_CHARACTERS

#: The longest button there is has 64 bytes; a browser's id of a line is a random one of its own.
_MOST_WIRE, _MOST_KEY = 64, 64

#: Bytes of a field that are read at all: enough to say how long a line is that is too long.
_MOST_FIELD = 1_000_000

#: Fields that come without being asked for: a line or a button, its key, a token. And how those begin that a form asked for.
_USUAL_FIELDS, _ASKED = 4, "field-"

#: The field of the pictures that fill the first free parameters, and how those begin that are for one by its name.
_PICTURE, _NAMED = "picture", "picture-"


class ChatLine(msgspec.Struct, frozen=True):
    """A line as sent, with the pictures that came along, and those that were given by name; `key` is the browser's own id of it."""

    line: str
    key: str
    pictures: tuple[bytes, ...] = ()
    named: dict[str, Given] = {}


class Pressed(msgspec.Struct, frozen=True):
    """A button as pressed, or a form as `filled` in, by the names of its fields."""

    wire: str
    key: str
    filled: dict[str, Given]


async def said(request: Request) -> ChatLine:
    """Return the line in a form; raises `BadInput` for one that is empty or too long, and `Refused` for a broken form."""
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
    """Return the button in a form, with what was filled in; raises `BadInput` for what is none, and `Refused` for a broken form."""
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
    """Return the invocation that a line is."""
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
    """Return the invocation that a part of the page asks for by itself."""
    return Invocation(command=command, given=dict(given), caller=visitor.caller, address=visitor.address)


@asynccontextmanager
async def _form(request: Request, most_asked: int = 0) -> AsyncIterator[FormData]:
    """Give a request's form with at most so many fields that were asked for; raises `Refused` where it is none."""
    try:
        async with request.form(max_files=MOST_ATTACHED, max_fields=_USUAL_FIELDS + most_asked, max_part_size=_MOST_FIELD) as form:
            yield form
    except HTTPException:
        raise Refused(400, text("web-form")) from None


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return _written(value) if isinstance(value, str) else ""


async def _bytes(value: str | UploadFile) -> bytes:
    """Return what is in a file; nothing if the field holds none."""
    return await value.read() if isinstance(value, UploadFile) else b""


async def _given(value: str | UploadFile) -> Given:
    return await value.read() if isinstance(value, UploadFile) else _written(value)


def _written(value: str) -> str:
    """Return a field as it was typed: in forms every line end is sent as two characters."""
    return value.replace("\r\n", "\n")
