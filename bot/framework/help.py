"""Commands and parameters in words, read off their declarations: for help, and for the documentation."""

from collections.abc import Sequence
from typing import Any

from bot.framework.command import Command
from bot.framework.params import Kind, Param
from bot.i18n.translate import declared, number, text

#: Values to name as examples.
_MOST_OFFERED = 8


def help_of(command: Command[Any]) -> str:
    """Return the help of a command, in the language that is spoken."""
    return declared(help_key(command), command.help)


def help_with(param: Param) -> str:
    """Return the description of a parameter, in the language that is spoken; one name means the same in most commands."""
    said = param.help
    for key in reversed(param_keys(param)):
        said = declared(key, said)
    return said


def help_key(command: Command[Any]) -> str:
    """Return under which key other languages than English have the help of a command."""
    return f"help-{_hyphened(command.name)}"


def param_keys(param: Param) -> tuple[str, ...]:
    """Return under which keys they have the description of a parameter: its own first, then those that it shares with its namesakes.

    Of `name` in `preset_save` these are `param-preset-save-name`, `param-preset-name` and `param-name`.
    """
    of_group = [_hyphened(param.command), *([param.command.partition("_")[0]] if "_" in param.command else [])]
    return *(f"param-{whose}-{_hyphened(param.name)}" for whose in of_group), f"param-{_hyphened(param.name)}"


def _hyphened(name: str) -> str:
    return name.replace("_", "-")


def usage(command: Command[Any]) -> str:
    """Return how a command is written in a line: `/info <picture>`, `/imagine <prompt> [--steps …]`."""
    words = [f"/{command.name}"]
    if command.free is not None:
        words.append(f"<{command.free}>" if command.param(command.free).required else f"[{command.free}]")
    if any(one.name != command.free for one in command.params):
        words.append(f"[--{text('about-flag')} …]")
    return " ".join(words)


def flag(param: Param, command: Command[Any]) -> str:
    """Return how a parameter is written in a line: its flag, or what stands there without one."""
    if param.name == command.free:
        return f"<{param.name}>"
    return f"--{param.name}" if param.kind is Kind.YES_NO else f"--{param.name} …"


def about(param: Param, offered: Sequence[str] = ()) -> str:
    """Return what a parameter takes: its description, range, choices, other names and default; `offered` is what it can be now."""
    told = [
        help_with(param),
        text("about-needed") if param.required else "",
        _range(param),
        text("about-choices", offered=", ".join(param.choices)) if param.choices else "",
        text("about-such", offered=", ".join(offered[:_MOST_OFFERED])) if offered and not param.choices else "",
        text("about-picture") if param.kind is Kind.PICTURE else "",
        text("about-yes-no") if param.kind is Kind.YES_NO else "",
        text("about-also", names=", ".join(f"--{name}" for name in param.also)) if param.also else "",
        text("about-default", default=param.default) if param.default else "",
    ]
    return " · ".join(one for one in told if one)


def _range(param: Param) -> str:
    if param.low is not None and param.high is not None:
        return text("about-range", low=number(param.low), high=number(param.high))
    if param.low is not None:
        return text("about-least", low=number(param.low))
    return "" if param.high is None else text("about-most", high=number(param.high))
