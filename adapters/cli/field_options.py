"""The options of `easel paint` that are generation fields, derived from the table of fields."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.generation.fields import FIELDS, GenerationField

Run = Callable[..., None]


def with_field_options(run: Run) -> Run:
    """Give a command an option for every field that has one, in place of its `**given`, before its last parameter."""
    signature = inspect.signature(run)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [_option(one) for one in FIELDS.values() if one.row.option]
    made: Any = run
    made.__signature__ = signature.replace(parameters=[*own[:-1], *options, own[-1]])
    made.__annotations__ |= {one.name: one.annotation for one in options}
    return run


def _option(field: GenerationField) -> inspect.Parameter:
    # Both spellings: with hyphens as on a command line, and as in chat.
    names = dict.fromkeys((f"--{field.name.replace('_', '-')}", f"--{field.name}"))
    option = typer.Option(*names, help=f"{field.info.description}.")
    kind: Any = Path | None if field.is_image else field.info.annotation
    annotation: Any = Annotated[kind, option]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
