"""A command is declared once: a frozen model of its parameters and a handler. What platforms see of it is derived here.

    class Imagine(Params):
        prompt: Prompt
        steps: Steps = None

    @command
    async def imagine(ctx: Context, want: Imagine) -> Reply:
        \"\"\"Paint a picture from words.\"\"\"

`@command` returns a `Command`: name, help and neutral `Param` values. It registers nothing; `bot/commands/__init__.py` lists
the commands there are. A declaration that some platform could not show is refused when it is imported.
"""

import inspect
import re
import types
import typing
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin

import annotated_types
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from bot.framework import reply
from bot.framework.params import (
    MOST_CHOICES,
    MOST_HELP,
    Absent,
    Also,
    ButtonId,
    Completed,
    DeclarationError,
    FileMark,
    Kind,
    Param,
    Params,
    PictureMark,
    Several,
    Suggested,
)
from bot.framework.reply import MOST_WIRE, Button, Reply

P = TypeVar("P", bound=Params)

#: The first argument is the `Context` of `bot.commands.context`; untyped, because the framework is below it.
Handler = Callable[[Any, P], Awaitable[Reply]]

#: What every platform can show: the strictest one's names and counts.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
MOST_PARAMS = 25

#: So many pictures a message of every platform can carry.
MOST_ATTACHED = 10


class Answer(Enum):
    """How a command is answered, which a platform has to know before it runs."""

    #: Seen only by who asked, where a platform can do that.
    PRIVATE = "private"
    #: Seen by everybody in the place: pictures.
    PUBLIC = "public"


@dataclass(frozen=True)
class Command(Generic[P]):
    """A command as platforms see it. `free` names the parameter that takes the words of a message that are no flags.

    `asks`: pressed alone it answers with a form, `Reply.form`, and what is filled in with what `answer` says.
    """

    name: str
    help: str
    params: tuple[Param, ...]
    params_type: type[P]
    run: Handler[P]
    free: str | None
    hidden: bool = False
    answer: Answer = Answer.PRIVATE
    asks: bool = False

    @property
    def attachments(self) -> tuple[Param, ...]:
        """Return its parameters that are pictures or files, in the order in which attachments without a name fill them."""
        return tuple(one for one in self.params if one.kind in (Kind.PICTURE, Kind.FILE))

    def takes(self, kind: Kind) -> bool:
        """Return whether one of its parameters is of a kind."""
        return any(one.kind is kind for one in self.params)

    def param(self, name: str) -> Param:
        """Return a parameter by name; raises `KeyError`."""
        return {one.name: one for one in self.params}[name]

    def button(self, label: str, *, careful: bool = False, **values: str | int) -> Button:
        """Return a button that runs this command with these values; they are checked now, when it is made."""
        try:
            self.params_type(**values)
        except ValidationError as error:
            raise DeclarationError(f"the button {label} does not fit the command {self.name}: {error}") from None
        wire = self.wire(**values)
        if len(wire.encode()) > MOST_WIRE:
            raise DeclarationError(f"the button {wire} is longer than {MOST_WIRE} bytes")
        return Button(label, wire, careful)

    def wire(self, **values: str | int) -> str:
        """Return what a button with these values carries; values that are left out are empty."""
        return reply.write_wire(self.name, self._button_ids(), values)

    def pressed(self, parts: Sequence[str]) -> dict[str, str]:
        """Return what a pressed button of this command gives; the other half of `wire`. Raises `BadInput` for what is none."""
        return reply.read_wire(self.name, self._button_ids(), parts)

    def _button_ids(self) -> dict[str, str]:
        return {one.name: one.button_id or one.name for one in self.params}


def command(run: Handler[P]) -> Command[P]:
    """Declare a command: its name is the function's, its help the first line of the docstring, its parameters the second argument's."""
    return _declared(run)


def painting_command(run: Handler[P]) -> Command[P]:
    """Declare a command whose answer is a picture: everybody in the place sees it."""
    return _declared(run, answer=Answer.PUBLIC)


def button_command(run: Handler[P]) -> Command[P]:
    """Declare a command that is only pressed: it works like any other, and menus leave it out."""
    return _declared(run, hidden=True)


def painting_form_command(run: Handler[P]) -> Command[P]:
    """Declare a command that is only pressed, asks for more with a form, and paints."""
    return _declared(run, hidden=True, answer=Answer.PUBLIC, asks=True)


def form_command(run: Handler[P]) -> Command[P]:
    """Declare a command that is only pressed, and asks for more with a form."""
    return _declared(run, hidden=True, asks=True)


def _declared(run: Handler[P], *, hidden: bool = False, answer: Answer = Answer.PRIVATE, asks: bool = False) -> Command[P]:
    name = getattr(run, "__name__", "")
    said = (run.__doc__ or "").strip().splitlines()
    help_line = said[0].strip() if said else ""
    if not _NAME.fullmatch(name):
        raise DeclarationError(f"{name} can't be the name of a command: use up to 32 lower-case letters, digits and _")
    if not 1 <= len(help_line) <= MOST_HELP:
        raise DeclarationError(f"the first line of {name}'s docstring is its help and needs 1 to {MOST_HELP} characters")
    params_type = _params_type(run)
    params = tuple(_param(name, field_name, field) for field_name, field in params_type.model_fields.items())
    _check_portable(name, params)
    return Command(name, help_line, params, params_type, run, _free(name, params), hidden, answer, asks)


def _params_type(run: Handler[P]) -> type[P]:
    # Only the second argument's annotation is looked at: the first names a class that imports this module.
    annotation = [one.annotation for one in inspect.signature(run).parameters.values()][1]
    if isinstance(annotation, str):
        annotation = getattr(run, "__globals__", {}).get(annotation)
    if not (isinstance(annotation, type) and issubclass(annotation, Params)):
        raise DeclarationError(f"the second argument of {getattr(run, '__name__', run)} must be a Params class")
    found: type[P] = typing.cast("type[P]", annotation)
    return found


def _check_portable(name: str, params: tuple[Param, ...]) -> None:
    if len(params) > MOST_PARAMS:
        raise DeclarationError(f"{name} has {len(params)} parameters; every platform shows at most {MOST_PARAMS}")
    if [one.required for one in params] != sorted((one.required for one in params), reverse=True):
        raise DeclarationError(f"{name}: required parameters come first")
    names = [spelling for one in params for spelling in (one.name, *one.also)]
    if len(set(names)) < len(names):
        raise DeclarationError(f"{name}: two parameters share a name")
    if len({one.button_id or one.name for one in params}) < len(params):
        raise DeclarationError(f"{name}: two parameters have one id in buttons")
    kinds = [one.kind for one in params]
    if kinds.count(Kind.PICTURE) > MOST_ATTACHED:
        raise DeclarationError(f"{name} takes more pictures than the {MOST_ATTACHED} that a message carries")
    if Kind.FILE in kinds and kinds.count(Kind.FILE) + kinds.count(Kind.PICTURE) > 1:
        raise DeclarationError(f"{name}: a file comes alone, so a command that reads a file takes no other file and no picture")


def _free(name: str, params: tuple[Param, ...]) -> str | None:
    """Return the parameter that takes free words: the one required text, or a text that comes first."""
    required = [one.name for one in params if one.required and one.kind is Kind.TEXT and not one.choices]
    if len(required) > 1:
        raise DeclarationError(f"{name} has two required texts; only one can take the words of a message")
    first = params[0] if params else None
    return next(iter(required), first.name if first is not None and first.kind is Kind.TEXT else None)


def _param(command_name: str, name: str, field: FieldInfo) -> Param:
    kind, choices = _kind(command_name, name, field)
    bounds: dict[str, Any] = {}
    also: tuple[str, ...] = ()
    suggested = completed = role = None
    for mark in field.metadata:
        match mark:
            case annotated_types.Ge(ge):
                bounds["low"] = ge
            case annotated_types.Le(le):
                bounds["high"] = le
            case annotated_types.MinLen(least):
                bounds["shortest"] = least
            case annotated_types.MaxLen(most):
                bounds["longest"] = most
            case Also():
                also = mark.names
            case Absent():
                bounds["absent"] = mark.words
            case Suggested():
                suggested = mark
            case Completed():
                completed = mark
            case ButtonId():
                bounds["button_id"] = mark.id
            case PictureMark():
                role = mark.role
            case Several():
                bounds["several"] = True
            case annotated_types.Gt() | annotated_types.Lt() | annotated_types.MultipleOf():
                raise DeclarationError(f"{command_name}: {name} has a bound that no platform shows; use ge and le")
            case _:
                pass
    help_line = field.description or ""
    if not _NAME.fullmatch(name) or not 1 <= len(help_line) <= MOST_HELP or len(choices) > MOST_CHOICES:
        raise DeclarationError(
            f"{command_name}: {name} needs a portable name, a description of 1 to {MOST_HELP} characters, at most {MOST_CHOICES} choices"
        )
    default = "" if field.is_required() or field.default is None else _written(field.default)
    return Param(
        name,
        help_line,
        kind,
        field.is_required(),
        also=also,
        choices=choices,
        suggested=suggested,
        completed=completed,
        default=default,
        role=role,
        command=command_name,
        **bounds,
    )


def _written(default: object) -> str:
    """Return a default the way a person would type it."""
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default)


def _kind(command_name: str, name: str, field: FieldInfo) -> tuple[Kind, tuple[str, ...]]:
    """Return what a field takes, and its choices where it has a few fixed ones."""
    annotation = field.annotation
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    if any(isinstance(mark, PictureMark) for mark in field.metadata):
        return Kind.PICTURE, ()
    if any(isinstance(mark, FileMark) for mark in field.metadata):
        return Kind.FILE, ()
    if get_origin(annotation) is Literal:
        return Kind.TEXT, tuple(map(str, get_args(annotation)))
    kinds = {bool: Kind.YES_NO, int: Kind.WHOLE, float: Kind.REAL, str: Kind.TEXT}
    if annotation not in kinds:
        raise DeclarationError(f"{command_name}: {name} has a type that no platform can ask for")
    return kinds[annotation], ()
