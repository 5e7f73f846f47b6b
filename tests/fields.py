"""Example values for the generation fields: a new field gets a value from its type and range."""

from bot.commands.generate import imagine
from bot.framework.params import Kind
from bot.generation.fields import FIELDS

#: Values of text fields. Values of all other fields follow from their range.
WORDS = {"prompt": "a boat", "negative": "fog", "model": "demo", "size": "64x80", "scheduler": "ddim"}


def example(name):
    """Return a value of a field that is no model's default. Fails for a text field that has no entry in `WORDS`."""
    param = imagine.param(name)
    if param.kind is Kind.WHOLE:
        return int(param.low) + 1
    if param.kind is Kind.REAL:
        return (param.low + param.high) / 2
    if param.kind is Kind.YES_NO:
        return True
    return param.choices[-1] if param.choices else WORDS[name]


def flags(*names):
    """Return fields as flags of a command line, each with its example value."""
    return " ".join(f"--{name}" if example(name) is True else f'--{name} "{example(name)}"' for name in names)


def given(params, *names):
    """Return those of the named fields that have their example value in these params."""
    return {name for name in names if getattr(params, name) == example(name)}


#: The fields that can be set in a command line without a picture or a preset.
PLAIN = tuple(name for name, one in FIELDS.items() if not (one.is_image or one.row.of_image) and name not in ("prompt", "preset"))
