"""What the page knows of the commands: derived from their declarations, so that a new one is there by itself."""

import msgspec

from bot.app import AnyCommand, App
from bot.spec import Param


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
    """A command as the page offers it; `free` names the parameter that takes the words that are no flags."""

    name: str
    help: str
    free: str | None
    params: tuple[ParamShown, ...]


def commands(app: App) -> tuple[CommandShown, ...]:
    """Return the commands that people see, in the order of the help."""
    return tuple(_command(app, app.commands[name]) for name in app.offer.commands)


def suggestions(app: App, command: str, param: str, typed: str) -> tuple[str, ...]:
    """Return values for a parameter while it is typed; none for one that is not there. Raises `BadInput` for no command."""
    found = next((one for one in app.find(command).params if param in (one.name, *one.also)), None)
    return () if found is None else app.suggestions(found, typed)


def _command(app: App, command: AnyCommand) -> CommandShown:
    return CommandShown(command.name, command.help, command.free, tuple(_param(app, one) for one in command.params))


def _param(app: App, param: Param) -> ParamShown:
    return ParamShown(
        name=param.name,
        help=param.help,
        kind=param.kind.value,
        required=param.required,
        also=param.also,
        low=param.low,
        high=param.high,
        shortest=param.shortest,
        longest=param.longest,
        choices=param.choices,
        suggestions=app.suggestions(param, ""),
    )
