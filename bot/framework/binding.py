"""From what was given to the parameters of a command: layers are merged as plain values and validated once."""

import re
from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bot.core.errors import BadInput
from bot.core.suggest import nearest
from bot.core.values import Given, writable
from bot.framework.command import Command
from bot.framework.help import help_with
from bot.framework.params import Kind, Params
from inference.contract.errors import Fact

P = TypeVar("P", bound=Params)

Raw = Mapping[str, Given]

#: How people say yes and no.
_YES_NO = {**dict.fromkeys(("yes", "on", "true", "1"), True), **dict.fromkeys(("no", "off", "false", "0"), False)}

#: How half of the world writes 7.5.
_WITH_COMMA = re.compile(r"\s*[0-9]+,[0-9]+\s*")

#: A value is shown back up to here: what is wrong is seen at its beginning.
_LONGEST_SHOWN = 60


def bind(command: Command[P], given: Raw, *layers: Raw) -> P:
    """Return the parameters: what was given, over the layers in their order (presets, a group's wishes, the operator's).

    Empty texts count as not given. Raises `BadInput` with the parameter and what would be right.
    """
    merged: dict[str, Given] = {}
    for layer in (*reversed(layers), given):
        merged |= {name: value for name, value in layer.items() if value != ""}
    try:
        return command.params_type.model_validate({name: _plain(command, name, value) for name, value in merged.items()})
    except ValidationError as error:
        raise _refused(command, error.errors(include_url=False)[0]) from None


def _plain(command: Command[P], name: str, value: Given) -> Given:
    """Return yes and no as what they mean, and choices whatever their case; everything else pydantic reads."""
    if not isinstance(value, str) or name not in command.params_type.model_fields:
        return value
    value = writable(value)
    param = command.param(name)
    if param.kind is Kind.YES_NO:
        return _YES_NO.get(value.casefold(), value)
    if param.choices:
        return next((one for one in param.choices if one.casefold() == value.casefold()), value)
    if param.kind is Kind.REAL and _WITH_COMMA.fullmatch(value):
        return value.replace(",", ".")
    return value.strip() if param.kind is not Kind.TEXT else value


def _refused(command: Command[P], error: ErrorDetails) -> BadInput:
    """Return pydantic's finding as a key of our texts; its own sentences are for programmers."""
    name, kind = str(error["loc"][0]), error["type"]
    if kind == "extra_forbidden":
        return BadInput("input-parameter", command=command.name, given=name, nearest=nearest(name, [one.name for one in command.params]))
    param = command.param(name)
    given = str(error["input"])[:_LONGEST_SHOWN]
    if kind == "missing" or (kind == "string_too_short" and param.required):
        return BadInput("input-missing", command=command.name, name=name, help=help_with(param))
    if kind == "string_too_long":
        return BadInput("input-long", name=name, most=param.longest or 0, given=len(str(error["input"])))
    if param.choices:
        return BadInput("input-choice", name=name, given=given, offered=", ".join(param.choices))
    facts: dict[str, Fact] = {"name": name, "given": given}
    if kind in ("greater_than_equal", "less_than_equal"):
        return BadInput("input-range", low=_bound(param.low), high=_bound(param.high), **facts)
    if param.kind in (Kind.WHOLE, Kind.REAL):
        whole = "yes" if param.kind is Kind.WHOLE else ""
        return BadInput("input-number", low=_bound(param.low), high=_bound(param.high), whole=whole, **facts)
    if param.kind is Kind.YES_NO:
        return BadInput("input-yes-no", **facts)
    return BadInput("input-value", help=help_with(param), **facts)


def _bound(limit: float | None) -> str:
    return "" if limit is None else f"{limit:g}" if limit != int(limit) else str(int(limit))
