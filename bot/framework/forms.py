"""Forms: what a command asks for, filled in with what it has; and what comes back."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bot.core.errors import BadInput
from bot.core.values import Given
from bot.framework.command import Command
from bot.framework.params import DeclarationError, Kind
from bot.framework.reply import Asked, Form
from bot.i18n.translate import text

#: Fields of a form: as many as the strictest platform shows; and bytes of its wire, beside which some say whose form it is.
MOST_FIELDS, MOST_FORM_WIRE = 5, 48

#: The parameter of a form's command that names the fields which were emptied: elsewhere an empty value says nothing at all.
_WITHOUT = "without"


def form(
    command: Command[Any],
    title: str,
    wire: str,
    values: Mapping[str, object],
    offered: Mapping[str, Sequence[str]],
    send: str = "form-paint",
) -> Form:
    """Return a form over parameters of a command, in the order of `values`, which are what they have now. `title` is a key of the texts."""
    if len(values) > MOST_FIELDS:
        raise DeclarationError(f"the form {title} has {len(values)} fields; every platform shows at most {MOST_FIELDS}")
    fields = (
        Asked(param=command.param(name), value="" if value is None else str(value), offered=tuple(offered.get(name, ())))
        for name, value in values.items()
    )
    return Form(text(title), wire, tuple(fields), send)


def read(command: Command[Any], filled: Mapping[str, Given]) -> dict[str, Given]:
    """Return what a filled form gives to its command: what stands in it, and by name what was emptied, where the command asks for that.

    A picture is no word that can be emptied: where none is brought the one that was there stays. Raises `BadInput` for a field that
    the command does not have.
    """
    known = {one.name: one for one in command.params}
    if not filled.keys() <= known.keys():
        raise BadInput("input-button")
    kept = {name: value for name, value in filled.items() if not _is_empty(value)}
    emptied = [name for name in filled if name not in kept and known[name].kind is not Kind.PICTURE]
    return {**kept, _WITHOUT: ",".join(emptied)} if emptied and _WITHOUT in known else kept


def emptied(said: str | None, known: Collection[str]) -> frozenset[str]:
    """Return which fields are to be emptied, of a text with commas between them; raises `BadInput` for one that there is not."""
    named = frozenset(one.strip().casefold() for one in (said or "").split(",")) - {""}
    if wrong := sorted(named - set(known)):
        raise BadInput("input-choice", name=_WITHOUT, given=wrong[0], offered=", ".join(known))
    return named


def _is_empty(value: Given) -> bool:
    return not value.strip() if isinstance(value, str | bytes) else False
