"""The commands as the page sees them: derived from their declarations, so that a new command appears by itself."""

import msgspec

from adapters.web.auth.access import Visitor
from bot.app import AnyCommand, App
from bot.framework.help import help_of, help_with
from bot.framework.params import Param


class ParamShown(msgspec.Struct, frozen=True):
    """A parameter as the page completes and asks for it."""

    name: str
    help: str
    kind: str
    required: bool
    also: tuple[str, ...]
    low: float | None
    high: float | None
    shortest: int | None
    longest: int | None
    choices: tuple[str, ...]
    suggestions: tuple[str, ...]


class CommandShown(msgspec.Struct, frozen=True):
    """A command as the page offers it; `free` names the parameter that takes the words outside of flags."""

    name: str
    help: str
    free: str | None
    params: tuple[ParamShown, ...]


async def commands(app: App, visitor: Visitor) -> tuple[CommandShown, ...]:
    """Return the commands that a visitor sees, in the order of the help."""
    return tuple([await _command(app, app.commands[name], visitor) for name in app.offer.commands])


async def suggestions(app: App, command: str, param: str, typed: str, visitor: Visitor) -> tuple[str, ...]:
    """Return suggestions for a parameter while it is typed; none for an unknown parameter. Raises `BadInput` for an unknown command."""
    found = next((one for one in app.find(command).params if param in (one.name, *one.also)), None)
    return () if found is None else await app.complete(found, typed, visitor.caller, visitor.address)


async def _command(app: App, command: AnyCommand, visitor: Visitor) -> CommandShown:
    params = tuple([await _param(app, one, visitor) for one in command.params])
    return CommandShown(command.name, help_of(command), command.free, params)


async def _param(app: App, param: Param, visitor: Visitor) -> ParamShown:
    return ParamShown(
        name=param.name,
        help=help_with(param),
        kind=param.kind.value,
        required=param.required,
        also=param.also,
        low=param.low,
        high=param.high,
        shortest=param.shortest,
        longest=param.longest,
        choices=param.choices,
        suggestions=await app.complete(param, "", visitor.caller, visitor.address),
    )
